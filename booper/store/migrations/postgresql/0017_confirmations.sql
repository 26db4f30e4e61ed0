-- What devices say themselves of a push: it arrived, somebody opened it.

ALTER TABLE deliveries ADD COLUMN delivered_at DOUBLE PRECISION;
ALTER TABLE deliveries ADD COLUMN opened_at DOUBLE PRECISION;
ALTER TABLE notifications ADD COLUMN opened BIGINT NOT NULL DEFAULT 0;

-- Confirmations that came before the outcome was written.
CREATE TABLE confirmations (
    notification BIGINT NOT NULL REFERENCES notifications (number) ON DELETE CASCADE,
    device BIGINT NOT NULL,
    delivered_at DOUBLE PRECISION NOT NULL,
    opened_at DOUBLE PRECISION,
    PRIMARY KEY (notification, device)
);
