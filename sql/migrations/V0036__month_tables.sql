-- Which tables are kept by months: a later one is a row here, not a new text of these functions.

CREATE TABLE month_tables (
    name text NOT NULL,
    append_only boolean NOT NULL,
    keep_days integer DEFAULT 750,
    CONSTRAINT month_tables_pkey PRIMARY KEY (name),
    CONSTRAINT month_tables_keep_days_check CHECK (keep_days > 0)
);
COMMENT ON TABLE month_tables IS 'Tables with a partition a month: the worker makes months ahead and drops old ones.';
COMMENT ON COLUMN month_tables.name IS 'The partitioned table.';
COMMENT ON COLUMN month_tables.append_only IS 'Whether its months refuse to be emptied, as the table refuses change.';
COMMENT ON COLUMN month_tables.keep_days IS
'How long after its end a month is kept; NULL: a setting of the service says.';
INSERT INTO month_tables (name, append_only, keep_days) VALUES ('activities', false, NULL), ('audit', true, NULL);
GRANT SELECT ON month_tables TO marketplace_worker;

-- As in V0016.
CREATE OR REPLACE FUNCTION make_month_partitions(parent text, months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first_day timestamptz;
    month text;
    kept boolean;
    made integer := 0;
BEGIN
    SELECT t.append_only INTO kept FROM month_tables AS t WHERE t.name = parent;
    IF NOT FOUND THEN
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
            'CREATE TABLE %I ('
            'LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)',
            month,
            parent
        );
        IF kept THEN  -- a partition inherits triggers of rows, not of statements
            EXECUTE format(
                'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
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
    IF days < 1 OR NOT EXISTS (SELECT FROM month_tables AS t WHERE t.name = parent) THEN
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

-- As in V0007, but that it says which table it is.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is only added to', tg_table_name USING ERRCODE = '42501';
END
$$;
