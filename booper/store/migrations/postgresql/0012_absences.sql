-- Devices at whose address nobody listened at the last try (UnifiedPush): after a day they are gone.
CREATE TABLE absences (
    device BIGINT PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,
    since DOUBLE PRECISION NOT NULL,         -- the first such try of an unbroken row
    last DOUBLE PRECISION NOT NULL
);
