-- The audit trail: who changed what, before and after, and in which request.
--
-- Why triggers: no way of writing is forgotten, also not the hand of a DBA in psql. Statement by statement, over all
-- rows it touched, as the guards do.
-- * Only what changed is kept, without what the database keeps for itself (version, updated_at, in_stock, ...).
-- * It is kept long and nothing in it is ever changed, so of people it says that a name or address changed, not from
--   what to what. Passwords are said to have changed, and nothing more.
-- * An import is one entry, written when it ends; a statement that touches more than a hundred rows is one entry too.
-- * One partition a month: what is too old is dropped as a whole. UPDATE, DELETE and TRUNCATE are refused.

CREATE SEQUENCE audit_id_seq AS bigint;
CREATE TABLE audit (
    created_at timestamptz NOT NULL DEFAULT now(),
    id bigint NOT NULL DEFAULT nextval('audit_id_seq'),
    user_id bigint,
    role text,
    store_id bigint,
    action text NOT NULL,
    type text NOT NULL,
    thing_id bigint,
    before json,
    after json,
    request_id text,
    CONSTRAINT audit_pkey PRIMARY KEY (created_at, id),
    CONSTRAINT audit_action_check CHECK (action IN ('create', 'update', 'delete', 'import')),
    CONSTRAINT audit_type_check CHECK (
        type IN ('product', 'product_image', 'store', 'category', 'brand', 'user', 'import')
    )
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE audit_id_seq OWNED BY audit.id;
CREATE INDEX audit_store_id_idx ON audit (store_id, created_at, id);
CREATE INDEX audit_thing_idx ON audit (type, thing_id, created_at, id);
CREATE INDEX audit_user_id_idx ON audit (user_id, created_at, id);
CREATE INDEX audit_request_id_idx ON audit (request_id, created_at, id);
COMMENT ON TABLE audit IS 'Who changed what. Written by triggers alone, never changed. One partition a month.';
COMMENT ON COLUMN audit.created_at IS 'When.';
COMMENT ON COLUMN audit.id IS 'Rises; breaks ties of the same instant.';
COMMENT ON COLUMN audit.user_id IS 'Who did it; NULL where nobody was signed in: the tables'' owner by hand or by a command.';
COMMENT ON COLUMN audit.role IS 'The role they had.';
COMMENT ON COLUMN audit.store_id IS 'Whose thing it is; NULL for what belongs to no store.';
COMMENT ON COLUMN audit.action IS 'create, update, delete or import.';
COMMENT ON COLUMN audit.type IS 'The kind of thing: product, product_image, store, category, brand, user, import.';
COMMENT ON COLUMN audit.thing_id IS 'Which one; NULL for an entry about more than a hundred.';
COMMENT ON COLUMN audit.before IS 'What changed, as it was; NULL for what is new.';
COMMENT ON COLUMN audit.after IS 'What changed, as it is now; NULL for what is gone.';
COMMENT ON COLUMN audit.request_id IS 'X-Request-ID of the request that did it; the server''s log has the same.';

ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_read ON audit FOR SELECT TO marketplace_app
USING ((SELECT my_role()) = 'admin' OR store_id = (SELECT my_store_id()));
GRANT SELECT ON audit TO marketplace_app;

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION refuse_change IS 'Refuses to change or delete what is to stay as it was written (42501).';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Partitions: for this table and for activities, whose own function now does the same through this one.
CREATE FUNCTION make_month_partitions(parent text, months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first_day timestamptz;
    made integer := 0;
BEGIN
    IF parent NOT IN ('activities', 'audit') THEN
        RAISE EXCEPTION '% has no months', parent USING ERRCODE = '22023';
    END IF;
    FOR n IN 0..least(months, 120) LOOP
        first_day := date_trunc('month', now()) + make_interval(months => n);
        CONTINUE WHEN to_regclass(format('%I', parent || to_char(first_day, '_YYYY_MM'))) IS NOT NULL;
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
            parent || to_char(first_day, '_YYYY_MM'),
            parent,
            first_day,
            first_day + interval '1 month'
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION make_month_partitions IS 'Makes a table''s partitions of this month and the next ones; how many were new.';
CREATE OR REPLACE FUNCTION make_activity_partitions(months integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT make_month_partitions('activities', months)
$$;
REVOKE ALL ON FUNCTION make_month_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_month_partitions TO marketplace_worker;
SELECT make_month_partitions('audit', 13);

-- Writing --------------------------------------------------------------------------------------------------------

CREATE FUNCTION audit_value(key text, value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN key = 'price' THEN to_jsonb(value #>> '{}') ELSE value END
$$;
COMMENT ON FUNCTION audit_value IS 'A value as the API writes it: amounts are texts.';

CREATE FUNCTION audit_part(kind text, thing jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT CASE
        WHEN kind = 'user' THEN jsonb_build_object('role', thing -> 'role')
        ELSE (
            SELECT jsonb_object_agg(t.key, audit_value(t.key, t.value))
            FROM jsonb_each(thing) AS t
            WHERE t.value <> 'null'
                AND t.key NOT IN (
                    'id', 'version', 'created_at', 'updated_at', 'name_key', 'slug', 'in_stock', 'path', 'digest',
                    'variants', 'placeholder'
                )
        )
    END
$$;
COMMENT ON FUNCTION audit_part IS 'What the trail keeps of a thing that was made or deleted.';

-- before and after of one row, NULL where nothing changed that the trail speaks of.
CREATE FUNCTION audit_difference(kind text, old_row jsonb, new_row jsonb, OUT before jsonb, OUT after jsonb)
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT
        jsonb_object_agg(said.key, audit_value(n.key, o.value)) FILTER (WHERE NOT said.secret),
        jsonb_object_agg(said.key, CASE WHEN said.secret THEN '"changed"' ELSE audit_value(n.key, n.value) END)
    FROM jsonb_each(new_row) AS n
    JOIN jsonb_each(old_row) AS o ON o.key = n.key
    CROSS JOIN LATERAL (
        SELECT
            CASE n.key WHEN 'quantity' THEN 'stock' ELSE n.key END AS key,
            kind = 'user' AND n.key NOT IN ('role', 'suspended_at') AS secret
    ) AS said
    WHERE o.value <> n.value
        AND n.key NOT IN (
            'version', 'updated_at', 'name_key', 'slug', 'in_stock', 'path', 'digest', 'variants', 'placeholder', 'product_id'
        )
$$;
COMMENT ON FUNCTION audit_difference IS 'The columns that differ, without what the database keeps for itself and of people.';

CREATE FUNCTION audit_action(op text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE op WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END
$$;
COMMENT ON FUNCTION audit_action IS 'What an SQL command is called in the trail.';

CREATE FUNCTION add_audit(
    acting bigint, acting_role text, action text, kind text, key text, owned_by text, thing jsonb, before jsonb, after jsonb
)
RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    store bigint;
    shown jsonb := after;
    hidden jsonb := before;
BEGIN
    IF kind = 'product' AND action = 'create' THEN
        SELECT shown || jsonb_build_object('stock', i.quantity) INTO shown
        FROM inventory AS i
        WHERE i.product_id = (thing ->> key)::bigint;
        shown := coalesce(shown, after);
    ELSIF kind = 'product_image' THEN
        shown := shown || jsonb_build_object('product_id', thing -> 'product_id');
        hidden := hidden || jsonb_build_object('product_id', thing -> 'product_id');
    END IF;
    IF owned_by = 'product_id' THEN
        SELECT p.store_id INTO store FROM products AS p WHERE p.id = (thing ->> 'product_id')::bigint;
    ELSE
        store := (thing ->> owned_by)::bigint;
    END IF;
    INSERT INTO audit (user_id, role, store_id, action, type, thing_id, before, after, request_id)
    VALUES (
        -- Who registers is the one who acts, though nobody was signed in yet.
        CASE WHEN kind = 'user' AND action = 'create' THEN (thing ->> key)::bigint ELSE acting END,
        CASE WHEN kind = 'user' AND action = 'create' THEN thing ->> 'role' ELSE acting_role END,
        store, action, kind, (thing ->> key)::bigint,
        hidden, shown,
        nullif(current_setting('app.request_id', true), '')
    );
END
$$;
COMMENT ON FUNCTION add_audit IS 'Adds one entry to the trail.';

-- One entry for each row that a statement made, changed or deleted. The arguments: what the thing is called, the column
-- with its id, and where its store is found: in the row (store_id), as the row (id), by its product (product_id), or
-- nowhere.
CREATE FUNCTION write_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kind CONSTANT text := tg_argv[0];
    key CONSTANT text := tg_argv[1];
    owned_by CONSTANT text := tg_argv[2];
    touched bigint[];
    who record;
BEGIN
    -- Honoured for the worker alone: the import itself is the entry.
    IF current_setting('app.audit', true) = 'import' AND current_setting('role') = 'marketplace_worker' THEN
        RETURN NULL;
    END IF;
    IF tg_op = 'DELETE' THEN
        touched := ARRAY(SELECT (to_jsonb(o) ->> key)::bigint FROM old_rows AS o);
    ELSE
        touched := ARRAY(SELECT (to_jsonb(n) ->> key)::bigint FROM new_rows AS n);
    END IF;
    IF cardinality(touched) = 0 THEN
        RETURN NULL;
    END IF;
    SELECT c.user_id, c.role INTO who FROM auth.caller() AS c;
    IF cardinality(touched) > 100 THEN
        INSERT INTO audit (user_id, role, action, type, after, request_id)
        VALUES (
            who.user_id, who.role, audit_action(tg_op), kind,
            json_build_object('rows', cardinality(touched), 'ids', touched[:100]),
            nullif(current_setting('app.request_id', true), '')
        );
    ELSIF tg_op = 'INSERT' THEN
        PERFORM add_audit(who.user_id, who.role, 'create', kind, key, owned_by, to_jsonb(n), NULL, audit_part(kind, to_jsonb(n)))
        FROM new_rows AS n;
    ELSIF tg_op = 'DELETE' THEN
        PERFORM add_audit(who.user_id, who.role, 'delete', kind, key, owned_by, to_jsonb(o), audit_part(kind, to_jsonb(o)), NULL)
        FROM old_rows AS o;
    ELSE
        PERFORM add_audit(who.user_id, who.role, 'update', kind, key, owned_by, to_jsonb(n), d.before, d.after)
        FROM new_rows AS n
        JOIN old_rows AS o ON to_jsonb(o) -> key = to_jsonb(n) -> key
        CROSS JOIN LATERAL audit_difference(kind, to_jsonb(o), to_jsonb(n)) AS d
        WHERE d.after IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit IS 'Writes the audit trail of a statement.';

DO $$
DECLARE
    it record;
BEGIN
    FOR it IN
        SELECT v.*
        FROM (VALUES
            ('products', 'product', 'id', 'store_id'),
            ('product_images', 'product_image', 'id', 'product_id'),
            ('stores', 'store', 'id', 'id'),
            ('categories', 'category', 'id', 'none'),
            ('brands', 'brand', 'id', 'none'),
            ('users', 'user', 'id', 'none')
        ) AS v (things, kind, key, owned_by)
    LOOP
        EXECUTE format('CREATE TRIGGER write_audit_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION write_audit(%L, %L, %L)', it.things, it.kind, it.key, it.owned_by);
        EXECUTE format('CREATE TRIGGER write_audit_update AFTER UPDATE ON %I '
            'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION write_audit(%L, %L, %L)', it.things, it.kind, it.key, it.owned_by);
        EXECUTE format('CREATE TRIGGER write_audit_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows '
            'FOR EACH STATEMENT EXECUTE FUNCTION write_audit(%L, %L, %L)', it.things, it.kind, it.key, it.owned_by);
    END LOOP;
END
$$;
-- The stock is a part of its product. Its first number stands in the product's own entry.
CREATE TRIGGER write_audit_update AFTER UPDATE ON inventory REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('product', 'product_id', 'product_id');

CREATE FUNCTION write_audit_password() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit (user_id, role, action, type, thing_id, after, request_id)
    SELECT
        c.user_id, c.role, 'update', 'user', n.user_id, '{"password": "changed"}',
        nullif(current_setting('app.request_id', true), '')
    FROM new_rows AS n
    CROSS JOIN auth.caller() AS c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit_password IS 'Notes that a password was changed, and nothing more of it.';
CREATE TRIGGER write_audit_update AFTER UPDATE ON auth.credentials REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit_password();

-- An import is one entry, under the request that sent the file.
ALTER TABLE imports ADD COLUMN request_id text;
ALTER TABLE imports ALTER COLUMN request_id SET DEFAULT nullif(current_setting('app.request_id', true), '');
COMMENT ON COLUMN imports.request_id IS 'X-Request-ID of the request that sent the file.';
CREATE FUNCTION write_audit_import() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit (user_id, role, store_id, action, type, thing_id, after, request_id)
    SELECT
        new.user_id, u.role, new.store_id, 'import', 'import', new.id,
        json_build_object(
            'state', new.state,
            'file_name', new.file_name,
            'rows_created', new.rows_created,
            'rows_skipped', new.rows_skipped,
            'rows_bad', new.rows_bad,
            'error_code', new.error_code
        ),
        new.request_id
    FROM users AS u
    WHERE u.id = new.user_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit_import IS 'Writes the one entry of an import, when it has ended.';
CREATE TRIGGER write_audit_import AFTER UPDATE ON imports
FOR EACH ROW WHEN (old.finished_at IS NULL AND new.finished_at IS NOT NULL) EXECUTE FUNCTION write_audit_import();

REVOKE ALL ON FUNCTION refuse_change, audit_value, audit_part, audit_difference, audit_action, add_audit, write_audit,
write_audit_password, write_audit_import FROM PUBLIC;
