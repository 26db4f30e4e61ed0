-- Devices prove themselves, channels may have an owner, and codes let devices into private apps.

-- What a device token is found by: its keyed fingerprint. While `sealed` is NULL the row is from
-- before, and this is the device token itself. Of a deleted device it is '-' and its id.
ALTER TABLE devices RENAME COLUMN token TO fingerprint;
ALTER TABLE devices ADD COLUMN sealed BLOB;         -- the device token; empty: deleted
ALTER TABLE devices ADD COLUMN secret_name TEXT;    -- the part of the device secret that finds it
ALTER TABLE devices ADD COLUMN secret_hash TEXT;
ALTER TABLE devices ADD COLUMN platform TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN locale TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN app_version TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN version INTEGER NOT NULL DEFAULT 1;  -- moves with every change
CREATE UNIQUE INDEX devices_by_secret ON devices (secret_name) WHERE secret_name IS NOT NULL;
CREATE INDEX devices_by_fingerprint ON devices (fingerprint);
CREATE INDEX devices_unsealed ON devices (number) WHERE sealed IS NULL;

ALTER TABLE subscriptions ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;  -- 1: nothing is sent
CREATE INDEX subscriptions_by_channel ON subscriptions (channel, id);

ALTER TABLE channels ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE channels ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE channels ADD COLUMN secret_name TEXT;   -- of whoever made a public one by name
ALTER TABLE channels ADD COLUMN secret_hash TEXT;
ALTER TABLE channels ADD COLUMN publish_name TEXT;  -- set: only this key publishes
ALTER TABLE channels ADD COLUMN publish_hash TEXT;
CREATE UNIQUE INDEX channels_by_secret ON channels (secret_name) WHERE secret_name IS NOT NULL;
CREATE UNIQUE INDEX channels_by_publish ON channels (publish_name) WHERE publish_name IS NOT NULL;

-- Which channels of private apps a device may see and subscribe to.
CREATE TABLE grants (
    device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE,
    channel INTEGER NOT NULL REFERENCES channels (number) ON DELETE CASCADE,
    granted_at REAL NOT NULL,
    PRIMARY KEY (device, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_channel ON grants (channel);

CREATE TABLE access_codes (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL REFERENCES apps (number) ON DELETE CASCADE,
    digest TEXT NOT NULL,                   -- keyed, of the code in its one spelling
    short INTEGER NOT NULL,                 -- 1: six digits
    channels TEXT NOT NULL,                 -- JSON array of channel numbers
    identifier TEXT NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ended_at REAL,
    ended_why TEXT,                         -- 'used', 'revoked', 'expired'
    device INTEGER                          -- that used it
) STRICT;
CREATE UNIQUE INDEX access_codes_live ON access_codes (digest) WHERE ended_at IS NULL;
CREATE INDEX access_codes_by_end ON access_codes (expires_at) WHERE ended_at IS NULL;
CREATE INDEX access_codes_by_app ON access_codes (app, id);

-- How much of a guess budget is used up: a GCRA time per key, in Unix seconds.
CREATE TABLE access_guesses (
    key TEXT PRIMARY KEY,
    paid_until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_guesses_paid ON access_guesses (paid_until);
