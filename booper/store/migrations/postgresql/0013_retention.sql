-- What is old goes, by plan. Nothing of an app for a while after its plan was changed.

ALTER TABLE apps ADD COLUMN plan_changed_at DOUBLE PRECISION NOT NULL DEFAULT 0;

-- Notifications that are no more, whose deliveries are deleted in small steps.
CREATE TABLE purges (
    notification BIGINT PRIMARY KEY,
    due_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX purges_due ON purges (due_at);

CREATE INDEX suspects_old ON suspects (at);
CREATE INDEX absences_old ON absences (last);
