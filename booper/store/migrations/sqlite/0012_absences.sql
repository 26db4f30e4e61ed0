-- Devices at whose address nobody listened at the last try (UnifiedPush): after a day they are gone.
CREATE TABLE absences (
    device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    since REAL NOT NULL,                    -- the first such try of an unbroken row
    last REAL NOT NULL
) STRICT;
