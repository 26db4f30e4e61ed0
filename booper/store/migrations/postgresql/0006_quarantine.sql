-- Deaths that nobody has believed yet: what an operator confirms or undoes.

-- The instances whose brake is on: while it is, every drop is quarantined.
CREATE TABLE brakes (
    instance TEXT PRIMARY KEY,
    since DOUBLE PRECISION NOT NULL,
    paused BIGINT NOT NULL,                 -- 1: nothing is sent either
    dead BIGINT NOT NULL,                   -- of so many ...
    judged BIGINT NOT NULL                  -- ... when the alarm was raised
);

-- A device here has gone_at set like any that went; this row is the way back.
CREATE TABLE quarantine (
    device BIGINT PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    notification BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL            -- = its gone_at, or it has registered anew since
);
CREATE INDEX quarantine_by_instance ON quarantine (instance, device);

-- A device whose address a provider has doubted at one notification; at a second it is quarantined.
CREATE TABLE suspects (
    device BIGINT PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    notification BIGINT NOT NULL,
    at DOUBLE PRECISION NOT NULL
);
