-- What devices say themselves of a push: it arrived, somebody opened it.

ALTER TABLE deliveries ADD COLUMN delivered_at REAL;
ALTER TABLE deliveries ADD COLUMN opened_at REAL;
ALTER TABLE notifications ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;

-- Confirmations that came before the outcome was written.
CREATE TABLE confirmations (
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    device INTEGER NOT NULL,
    delivered_at REAL NOT NULL,
    opened_at REAL,
    PRIMARY KEY (notification, device)
) STRICT, WITHOUT ROWID;
