-- What is done to tables that somebody reads for long: a backup holds each table for reading from its begin to its end.
--
-- * A month is made as a table of its own and then attached: that holds up neither readers nor writers, where CREATE TABLE
--   ... PARTITION OF waits for every reader of the parent to end, and everybody else behind it.
-- * A month is dropped if that takes no waiting; else at the next run, six hours later.
-- * Who restores a dump gets what belongs to the database, not to a table in it, by settle_database().

CREATE OR REPLACE FUNCTION make_month_partitions(parent text, months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first_day timestamptz;
    month text;
    made integer := 0;
BEGIN
    IF parent NOT IN ('activities', 'audit') THEN
        RAISE EXCEPTION '% has no months', parent USING ERRCODE = '22023';
    END IF;
    FOR n IN 0..least(months, 120) LOOP
        first_day := date_trunc('month', now()) + make_interval(months => n);
        month := parent || to_char(first_day, '_YYYY_MM');
        CONTINUE WHEN to_regclass(format('%I', month)) IS NOT NULL;
        -- Workers and `migrate` may come at once: one makes it, the others look again.
        PERFORM pg_advisory_xact_lock(hashtextextended('months of ' || parent, 0));
        CONTINUE WHEN to_regclass(format('%I', month)) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)',
            month,
            parent
        );
        IF parent = 'audit' THEN  -- a partition inherits triggers of rows, not of statements
            EXECUTE format(
                'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                month
            );
        END IF;
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            parent,
            month,
            first_day,
            first_day + interval '1 month'
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

CREATE OR REPLACE FUNCTION drop_month_partitions(parent text, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '500ms' AS $$
DECLARE
    month text;
    dropped integer := 0;
BEGIN
    IF parent NOT IN ('activities', 'audit') OR days < 1 THEN
        RAISE EXCEPTION '% has no months to drop', parent USING ERRCODE = '22023';
    END IF;
    FOR month IN
        SELECT c.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = format('public.%I', parent)::regclass
            AND c.relname ~ ('^' || parent || '_[0-9]{4}_[0-9]{2}$')
            AND to_timestamp(right(c.relname, 7), 'YYYY_MM') + interval '1 month' < now() - make_interval(days => days)
        ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE %I', month);
        EXCEPTION WHEN lock_not_available THEN
            EXIT;  -- everybody else who needs the table has waited behind us: not again for the next month
        END;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- A dump of a database has what is granted on things in it, not on the database itself (V0014).
CREATE FUNCTION settle_database() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF has_database_privilege('public', current_database(), 'TEMPORARY') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO CURRENT_USER', current_database());
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
END
$$;
COMMENT ON FUNCTION settle_database IS 'Nobody makes temporary tables but the owner; migrate calls it each time.';
REVOKE ALL ON FUNCTION settle_database FROM PUBLIC;
