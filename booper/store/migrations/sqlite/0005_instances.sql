-- Provider instances: what should be. Workers make it so.

CREATE TABLE instances (
    key TEXT PRIMARY KEY,                   -- an operator's: its name; a tenant's: app id/name
    tenant TEXT NOT NULL,                   -- app id; '' = the operator
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    origin TEXT NOT NULL,                   -- 'api', or 'configuration'
    started INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    preferred INTEGER NOT NULL,             -- the default of its tenant and provider
    version INTEGER NOT NULL,               -- moves with every change
    generation INTEGER NOT NULL,            -- the newest given out
    serving INTEGER NOT NULL,
    proving INTEGER,
    failed INTEGER,
    share REAL NOT NULL,                    -- of the batches that go through `proving`
    words TEXT NOT NULL,                    -- the provider's, about `failed`
    reconnects INTEGER NOT NULL,
    changed_at REAL NOT NULL,
    changed_by TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (tenant, name)
) STRICT;
CREATE UNIQUE INDEX instances_preferred ON instances (tenant, provider) WHERE preferred = 1;

CREATE TABLE instance_generations (
    instance TEXT NOT NULL REFERENCES instances (key) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    settings TEXT NOT NULL,                 -- sealed
    shown TEXT NOT NULL,                    -- JSON, without what is secret
    fingerprint TEXT NOT NULL,
    made_at REAL NOT NULL,
    made_by TEXT NOT NULL,
    PRIMARY KEY (instance, number)
) STRICT, WITHOUT ROWID;

-- One line per change. Lines outlive their instance; nobody changes them.
CREATE TABLE instance_audit (
    number INTEGER PRIMARY KEY,
    instance TEXT NOT NULL,
    tenant TEXT NOT NULL,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    verb TEXT NOT NULL,
    version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX instance_audit_by_instance ON instance_audit (instance, number);
CREATE TRIGGER instance_audit_stays BEFORE UPDATE ON instance_audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER instance_audit_is_kept BEFORE DELETE ON instance_audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- Who lives, and which version of each instance it has taken over.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    started_at REAL NOT NULL,
    seen_at REAL NOT NULL
) STRICT;
CREATE TABLE node_generations (
    node TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (node, instance)
) STRICT, WITHOUT ROWID;
