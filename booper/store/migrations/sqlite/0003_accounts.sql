-- Who may call: people with their sessions, apps with their keys, and the keys of the house itself.

CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,             -- in lower case
    name TEXT NOT NULL DEFAULT '',
    role TEXT NOT NULL DEFAULT 'member',
    password TEXT NOT NULL,                 -- argon2id, with its parameters
    created_at REAL NOT NULL
) STRICT;

-- A session is what refreshes and access JWTs belong to; when it has ended, none of them is good.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (number) ON DELETE CASCADE,
    client TEXT NOT NULL DEFAULT '',        -- what the browser or program calls itself
    created_at REAL NOT NULL,
    used_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ended_at REAL,
    ended_why TEXT
) STRICT;
CREATE INDEX sessions_by_account ON sessions (account, id);
CREATE INDEX sessions_expired ON sessions (expires_at);

-- Every refresh that was handed out: one that comes a second time was stolen, from whomever.
CREATE TABLE refreshes (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
    issued_at REAL NOT NULL,
    used_at REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX refreshes_by_session ON refreshes (session);

CREATE TABLE apps (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts (number),
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,     -- moves with every change
    created_at REAL NOT NULL,
    deleted_at REAL                         -- nobody finds it any more; its rows go later
) STRICT;
CREATE INDEX apps_by_account ON apps (account, id) WHERE deleted_at IS NULL;

CREATE TABLE api_keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL REFERENCES apps (number) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,              -- the part of the key that finds it
    hash TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT '',
    scopes TEXT NOT NULL,                   -- JSON array
    created_at REAL NOT NULL,
    revoked_at REAL
) STRICT;
CREATE INDEX api_keys_by_app ON api_keys (app, id);

-- What the house signs and fingerprints with; the newest of a purpose signs, older ones verify.
CREATE TABLE server_keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE INDEX server_keys_by_purpose ON server_keys (purpose, number);
