-- What users did: written in the transaction that did it, so that neither is there without the other.
--
-- Partitioned by month: old months are dropped, not deleted. The worker makes partitions ahead of time (13 months,
-- also at every `migrate`), so that a worker that stood still for a year stops nobody.

CREATE SEQUENCE activities_id_seq AS bigint;
CREATE TABLE activities (
    user_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    id bigint NOT NULL DEFAULT nextval('activities_id_seq'),
    type text NOT NULL,
    related_type text,
    related_id bigint,
    related_name text,
    details json,
    ip inet,
    device text,
    CONSTRAINT activities_pkey PRIMARY KEY (user_id, created_at, id)
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE activities_id_seq OWNED BY activities.id;
CREATE INDEX activities_user_type_idx ON activities (user_id, type, created_at, id);
COMMENT ON TABLE activities IS 'What a user did; private to that user. One partition a month.';
COMMENT ON COLUMN activities.user_id IS 'Who did it.';
COMMENT ON COLUMN activities.created_at IS 'When.';
COMMENT ON COLUMN activities.id IS 'Rises; breaks ties of the same instant.';
COMMENT ON COLUMN activities.type IS 'register, login, create_product, view_product, ...';
COMMENT ON COLUMN activities.related_type IS 'The kind of thing it was done to: product, store, user, import.';
COMMENT ON COLUMN activities.related_id IS 'Which one.';
COMMENT ON COLUMN activities.related_name IS 'Its name at the time, so that the log reads without a join.';
COMMENT ON COLUMN activities.details IS 'What else is worth knowing; never a secret.';
COMMENT ON COLUMN activities.ip IS 'The client''s address.';
COMMENT ON COLUMN activities.device IS 'The client''s User-Agent.';

ALTER TABLE activities ENABLE ROW LEVEL SECURITY;
CREATE POLICY activities_own ON activities TO marketplace_app
USING (user_id = (SELECT me())) WITH CHECK (user_id = (SELECT me()));
-- On the parent only: a partition has no policy of its own, and without a grant nobody reaches it.
GRANT SELECT, INSERT ON activities TO marketplace_app;
GRANT USAGE ON SEQUENCE activities_id_seq TO marketplace_app;

CREATE FUNCTION make_activity_partitions(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first_day timestamptz;
    made integer := 0;
BEGIN
    FOR n IN 0..least(months, 120) LOOP
        first_day := date_trunc('month', now()) + make_interval(months => n);
        CONTINUE WHEN to_regclass(format('activities_%s', to_char(first_day, 'YYYY_MM'))) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS activities_%s PARTITION OF activities FOR VALUES FROM (%L) TO (%L)',
            to_char(first_day, 'YYYY_MM'),
            first_day,
            first_day + interval '1 month'
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION make_activity_partitions IS 'Makes the partitions of this month and the next ones; how many were new.';
REVOKE ALL ON FUNCTION make_activity_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_activity_partitions TO marketplace_worker;
SELECT make_activity_partitions(13);
