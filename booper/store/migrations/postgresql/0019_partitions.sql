-- The deliveries stand in partitions by their notification's number: each week numbers begin at a
-- block of their own (see store/partitions.py), so that what is old goes as a whole.

ALTER TABLE deliveries RENAME TO deliveries_first;
ALTER INDEX deliveries_pkey RENAME TO deliveries_first_pkey;
CREATE TABLE deliveries (LIKE deliveries_first, PRIMARY KEY (notification, device))
PARTITION BY RANGE (notification);
ALTER TABLE deliveries ATTACH PARTITION deliveries_first FOR VALUES FROM (MINVALUE) TO (1099511627776);

-- Whoever writes deliveries waits a tenth of a second at most; else it is tried another time.
CREATE FUNCTION deliveries_drop(part TEXT, low BIGINT, high BIGINT) RETURNS BOOLEAN
LANGUAGE plpgsql SET lock_timeout = '100ms' AS
$$BEGIN
    EXECUTE format('DROP TABLE %I', part);
    DELETE FROM purges WHERE notification >= low AND notification < high;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END$$;
