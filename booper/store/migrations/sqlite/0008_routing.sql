-- Whose instances send a notification: an app's id; '' = the public, for whom the operator's do.

ALTER TABLE notifications ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
