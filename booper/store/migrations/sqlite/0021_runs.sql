-- Many devices that ended alike are one row here, and have none in deliveries; if one has a row
-- there all the same, that is what counts.
CREATE TABLE delivery_runs (
    number INTEGER PRIMARY KEY,
    notification INTEGER NOT NULL,
    first INTEGER NOT NULL,                 -- the lowest of its devices, and the highest
    last INTEGER NOT NULL,
    devices TEXT NOT NULL,                  -- JSON array of device numbers, ascending, 500 at most
    provider_ids TEXT NOT NULL,             -- JSON array, one for each of them or none at all
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    finished_at REAL NOT NULL
) STRICT;
CREATE INDEX delivery_runs_reach ON delivery_runs (notification, last, first);

-- Every device's, wherever it stands: for whoever looks with SQL.
CREATE VIEW every_delivery AS
SELECT notification, device, outcome, status, reason, provider_id, attempt, finished_at,
    delivered_at, opened_at
FROM deliveries
UNION ALL
SELECT r.notification, j.value, r.outcome, r.status, r.reason,
    coalesce(r.provider_ids ->> j.key, ''), r.attempt, r.finished_at, NULL, NULL
FROM delivery_runs r, json_each(r.devices) j
WHERE NOT EXISTS (
    SELECT 1 FROM deliveries v WHERE v.notification = r.notification AND v.device = j.value
);
