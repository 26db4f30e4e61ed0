-- Deaths that nobody has believed yet: what an operator confirms or undoes.

-- The instances whose brake is on: while it is, every drop is quarantined.
CREATE TABLE brakes (
    instance TEXT PRIMARY KEY,
    since REAL NOT NULL,
    paused INTEGER NOT NULL,                -- 1: nothing is sent either
    dead INTEGER NOT NULL,                  -- of so many ...
    judged INTEGER NOT NULL                 -- ... when the alarm was raised
) STRICT, WITHOUT ROWID;

-- A device here has gone_at set like any that went; this row is the way back.
CREATE TABLE quarantine (
    device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    notification INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL                        -- = its gone_at, or it has registered anew since
) STRICT;
CREATE INDEX quarantine_by_instance ON quarantine (instance, device);

-- A device whose address a provider has doubted at one notification; at a second it is quarantined.
CREATE TABLE suspects (
    device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    notification INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;
