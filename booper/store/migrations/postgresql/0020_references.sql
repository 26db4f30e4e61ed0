-- A check of a foreign key takes PostgreSQL as long as the row itself, and these are of the rows
-- that are written with every notification. They can point nowhere all the same: a place in the
-- queue is written by the statement that writes its notification, and store/retention.py takes
-- both away; a channel that is gone is looked for and not found.
ALTER TABLE notifications DROP CONSTRAINT notifications_room_fkey;
ALTER TABLE fanouts DROP CONSTRAINT fanouts_notification_fkey;
ALTER TABLE schedules DROP CONSTRAINT schedules_notification_fkey;
