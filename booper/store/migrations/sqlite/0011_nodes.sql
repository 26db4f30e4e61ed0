-- What a node tells the others of itself, with every sign of life.

ALTER TABLE nodes ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE nodes ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- where it listens
ALTER TABLE nodes ADD COLUMN process TEXT NOT NULL DEFAULT '';  -- by which its machine knows it
ALTER TABLE nodes ADD COLUMN late REAL NOT NULL DEFAULT 0;      -- seconds its last beat came late
