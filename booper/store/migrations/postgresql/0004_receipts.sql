-- Pushes that a provider accepted with a ticket, until its receipt says what became of them.

CREATE TABLE receipts (
    notification BIGINT NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    device BIGINT NOT NULL,
    instance TEXT NOT NULL,
    ticket TEXT NOT NULL,
    accepted_at DOUBLE PRECISION NOT NULL,
    due_at DOUBLE PRECISION NOT NULL,                   -- when it is asked for next
    PRIMARY KEY (notification, device)
);
CREATE INDEX receipts_due ON receipts (instance, due_at);

ALTER TABLE notifications ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN receipt_unknown BIGINT NOT NULL DEFAULT 0;
