-- The first rooms: who listens, what is said, what is still to do, what became of it.

CREATE TABLE channels (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE devices (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    provider TEXT NOT NULL,
    instance TEXT NOT NULL DEFAULT '',      -- '' = the default instance of its provider
    token TEXT NOT NULL,
    registered_at REAL NOT NULL,            -- moves with every registration
    gone_at REAL,                           -- set when the provider calls it dead; the row stays
    gone_reason TEXT,
    UNIQUE (provider, instance, token)
) STRICT;

CREATE TABLE subscriptions (
    channel INTEGER NOT NULL REFERENCES channels (number) ON DELETE CASCADE,
    device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL,
    PRIMARY KEY (channel, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_by_device ON subscriptions (device);

CREATE TABLE notifications (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    channel INTEGER NOT NULL REFERENCES channels (number),
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    finished_at REAL,
    devices INTEGER NOT NULL DEFAULT 0,     -- fanned out so far; = the counts below + pending
    accepted INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    gone INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    not_configured INTEGER NOT NULL DEFAULT 0,
    retried INTEGER NOT NULL DEFAULT 0,
    maybe_doubled INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A notification whose audience is not all cut into batches yet.
CREATE TABLE fanouts (
    notification INTEGER PRIMARY KEY REFERENCES notifications (number) ON DELETE CASCADE,
    position INTEGER NOT NULL DEFAULT 0     -- the last device (number) that has its batch
) STRICT;

-- The outbox: a notification x a route x a run of devices. A row lives until it is settled.
CREATE TABLE batches (
    number INTEGER PRIMARY KEY,
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    devices TEXT NOT NULL,                  -- JSON array of device numbers, 500 at most
    size INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,     -- tries that were settled
    due_at REAL NOT NULL,
    last_reason TEXT NOT NULL DEFAULT '',
    lease TEXT,                             -- whoever settles must still hold it
    lease_until REAL,
    leased_by TEXT
) STRICT;
CREATE INDEX batches_due ON batches (instance, due_at) WHERE lease IS NULL;
CREATE INDEX batches_leased ON batches (lease_until) WHERE lease IS NOT NULL;
CREATE INDEX batches_by_notification ON batches (notification);

-- One row per (notification, device): its final outcome, written once.
CREATE TABLE deliveries (
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    device INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    finished_at REAL NOT NULL,
    PRIMARY KEY (notification, device)
) STRICT, WITHOUT ROWID;
