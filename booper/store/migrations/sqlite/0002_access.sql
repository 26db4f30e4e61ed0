-- What providers want to see from us, kept over a restart. Sealed: see booper/seal.py.

CREATE TABLE access_tokens (
    tenant TEXT NOT NULL,                   -- '' = the operator
    name TEXT NOT NULL,                     -- the resolver
    kind TEXT NOT NULL,                     -- 'cached', or 'manual' = an operator's override
    version INTEGER NOT NULL,               -- rises with every change; part of what the seal binds
    sealed TEXT NOT NULL,
    minted_at REAL NOT NULL,
    expires_at REAL,                        -- NULL: it does not end
    PRIMARY KEY (tenant, name, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at) WHERE kind = 'cached';
