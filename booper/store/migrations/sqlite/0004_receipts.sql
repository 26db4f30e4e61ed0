-- Pushes that a provider accepted with a ticket, until its receipt says what became of them.

CREATE TABLE receipts (
    notification INTEGER NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    device INTEGER NOT NULL,
    instance TEXT NOT NULL,
    ticket TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    due_at REAL NOT NULL,                   -- when it is asked for next
    PRIMARY KEY (notification, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_due ON receipts (instance, due_at);

ALTER TABLE notifications ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN receipt_unknown INTEGER NOT NULL DEFAULT 0;
