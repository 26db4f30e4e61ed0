-- A channel that is deleted is nobody's at once; what hangs on it goes in small steps, and it last.
ALTER TABLE channels ADD COLUMN deleted_at DOUBLE PRECISION;
CREATE INDEX channels_deleted ON channels (number) WHERE deleted_at IS NOT NULL;
