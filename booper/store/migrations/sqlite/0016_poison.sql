-- Batches whose holder died: how often, and of what the last time. See domain/poison.py.

ALTER TABLE batches ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN death TEXT NOT NULL DEFAULT '';
CREATE INDEX batches_suspect ON batches (instance, due_at) WHERE deaths > 0;

-- Batches that nobody tries any more, until an operator decides or their time runs out.
CREATE TABLE parked (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    devices TEXT NOT NULL,                  -- these as in batches
    size INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    last_reason TEXT NOT NULL,
    line INTEGER NOT NULL,
    deaths INTEGER NOT NULL,
    death TEXT NOT NULL,
    parked_at REAL NOT NULL
) STRICT;
CREATE INDEX parked_by_notification ON parked (notification, instance);
