-- Deleted apps, whose rows go one by one.

CREATE INDEX apps_deleted ON apps (id) WHERE deleted_at IS NOT NULL;
