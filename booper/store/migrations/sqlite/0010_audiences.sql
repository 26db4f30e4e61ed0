-- Whom a notification is for, when it goes out, what was asked for before, and how much of a day is used up.

-- A channel is public (`name` is its name) or an app's (`name` is app id/name).
ALTER TABLE channels ADD COLUMN app INTEGER REFERENCES apps (number) ON DELETE CASCADE;
CREATE INDEX channels_by_app ON channels (app, id) WHERE app IS NOT NULL;

-- The devices of an app, and whose they are there. One device may be in several apps.
CREATE TABLE members (
    app INTEGER NOT NULL REFERENCES apps (number) ON DELETE CASCADE,
    device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE,
    user_id TEXT NOT NULL DEFAULT '',       -- the app's own names; '' = none
    identifier TEXT NOT NULL DEFAULT '',
    joined_at REAL NOT NULL,
    PRIMARY KEY (app, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (app, user_id, device) WHERE user_id <> '';
CREATE INDEX members_by_identifier ON members (app, identifier, device) WHERE identifier <> '';
CREATE INDEX members_by_device ON members (device);

-- One channel stands in the row itself, so that most notifications need no other.
ALTER TABLE notifications ADD COLUMN room INTEGER REFERENCES channels (number) ON DELETE SET NULL;
UPDATE notifications SET room = channel;
ALTER TABLE notifications DROP COLUMN channel;
ALTER TABLE notifications RENAME COLUMN room TO channel;
ALTER TABLE notifications ADD COLUMN audience TEXT NOT NULL DEFAULT '';  -- JSON, as it was named
ALTER TABLE notifications ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;  -- 1: ahead of the others
ALTER TABLE notifications ADD COLUMN scheduled_at REAL;
ALTER TABLE notifications ADD COLUMN archived_at REAL;  -- hidden from the lists since then
CREATE INDEX notifications_by_tenant ON notifications (tenant, id);
CREATE INDEX notifications_unarchived ON notifications (tenant, id) WHERE archived_at IS NULL;
CREATE INDEX notifications_by_channel ON notifications (channel, id) WHERE channel IS NOT NULL;

-- The channels of a notification to several.
CREATE TABLE notification_channels (
    channel INTEGER NOT NULL REFERENCES channels (number) ON DELETE CASCADE,
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    PRIMARY KEY (notification, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_channels_by_channel ON notification_channels (channel, notification);

-- What waits for its time; then it becomes a row of fanouts.
CREATE TABLE schedules (
    notification INTEGER PRIMARY KEY REFERENCES notifications (number) ON DELETE CASCADE,
    due_at REAL NOT NULL
) STRICT;
CREATE INDEX schedules_due ON schedules (due_at);

-- The Idempotency-Keys of a day, each with what it was used for.
CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,                     -- of what was asked
    notification TEXT NOT NULL,             -- the id that was answered
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_old ON idempotency_keys (created_at);

-- How many notifications a tenant sent on a day of UTC.
CREATE TABLE quotas (
    tenant TEXT NOT NULL,
    day INTEGER NOT NULL,                   -- days since 1970-01-01
    used INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX quotas_old ON quotas (day);

ALTER TABLE fanouts ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX fanouts_urgent ON fanouts (notification) WHERE urgent = 1;
