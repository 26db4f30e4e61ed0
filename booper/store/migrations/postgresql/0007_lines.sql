-- Whose turn it is: every waiting batch stands in a line, its tenant's. See domain/fairness.py.

ALTER TABLE batches ADD COLUMN line BIGINT NOT NULL DEFAULT 0;
CREATE INDEX batches_by_line ON batches (instance, line, due_at) WHERE lease IS NULL;
