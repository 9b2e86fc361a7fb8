-- The audit trail: who changed what, before and after, and in which request.
--
-- Why triggers: no way of writing is forgotten, also not the hand of a DBA in psql. Statement by statement, over all
-- rows it touched, as the guards do.
-- * Only what changed is kept, without what the database keeps for itself (version, updated_at, in_stock, ...).
-- * It is kept long and nothing in it is ever changed, so of people it says that a name or address changed, not from
--   what to what. Passwords are said to have changed, and nothing more.
-- * An import is one entry, written when it ends. A statement that changes more than a hundred things is one entry for
--   each store they are of.
-- * One partition a month: what is too old is dropped as a whole. UPDATE, DELETE and TRUNCATE are refused.

-- In the order in which writers take them, so that what follows waits for nobody halfway. In a block, so that
-- `psql -f` takes it too, where each statement is a transaction.
DO $$
BEGIN
    LOCK TABLE imports IN ACCESS EXCLUSIVE MODE;
    LOCK TABLE stores, users, auth.credentials, categories, brands, inventory, products, product_images
    IN SHARE ROW EXCLUSIVE MODE;
END
$$;

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
CREATE INDEX audit_thing_id_idx ON audit (thing_id, type, created_at, id);
CREATE INDEX audit_user_id_idx ON audit (user_id, created_at, id);
CREATE INDEX audit_request_id_idx ON audit (request_id, created_at, id);
-- What is rare among the changes of products is not looked for among all of them.
CREATE INDEX audit_type_idx ON audit (type, created_at, id) WHERE type <> 'product';
CREATE INDEX audit_rare_action_idx ON audit (action, created_at, id) WHERE action IN ('delete', 'import');
COMMENT ON TABLE audit IS 'Who changed what. Written by triggers alone, never changed. One partition a month.';
COMMENT ON COLUMN audit.created_at IS 'When.';
COMMENT ON COLUMN audit.id IS 'Rises; breaks ties of the same instant.';
COMMENT ON COLUMN audit.user_id IS 'Who did it; NULL where nobody was signed in: the tables'' owner by hand or by a command.';
COMMENT ON COLUMN audit.role IS 'The role they had.';
COMMENT ON COLUMN audit.store_id IS 'Whose thing it is; NULL for what belongs to no store.';
COMMENT ON COLUMN audit.action IS 'create, update, delete or import.';
COMMENT ON COLUMN audit.type IS 'The kind of thing: product, product_image, store, category, brand, user, import.';
COMMENT ON COLUMN audit.thing_id IS 'Which one; NULL for an entry about several.';
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
        IF parent = 'audit' THEN  -- a partition inherits triggers of rows, not of statements
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                parent || to_char(first_day, '_YYYY_MM')
            );
        END IF;
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

CREATE TYPE audit_change AS (thing_id bigint, store_id bigint, before jsonb, after jsonb);
COMMENT ON TYPE audit_change IS 'What a statement did to one thing.';

CREATE FUNCTION audit_value(name text, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name = 'price' THEN
        RETURN to_jsonb(value #>> '{}');
    ELSIF name = 'suspended_at' THEN
        RETURN to_jsonb(to_char((value #>> '{}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION audit_value IS 'A value as the API writes it: amounts are texts, times are UTC.';

CREATE FUNCTION audit_thing(kind text, thing jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    said jsonb;
BEGIN
    IF kind = 'user' THEN
        RETURN jsonb_build_object('role', thing -> 'role');
    END IF;
    said := jsonb_strip_nulls(thing - '{
        id, version, created_at, updated_at, name_key, slug, in_stock, path, digest, variants, placeholder
    }'::text[]);
    IF kind = 'product' THEN
        said := said || jsonb_build_object('price', audit_value('price', thing -> 'price'));
        -- There by now, where one statement made both.
        said := said || coalesce((
            SELECT jsonb_build_object('stock', i.quantity) FROM inventory AS i WHERE i.product_id = (thing ->> 'id')::bigint
        ), '{}');
    END IF;
    RETURN said;
END
$$;
COMMENT ON FUNCTION audit_thing IS 'What the trail keeps of a thing that was made or deleted.';

CREATE FUNCTION audit_store_id(store_column text, thing jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF store_column = 'product_id' THEN
        RETURN (SELECT p.store_id FROM products AS p WHERE p.id = (thing ->> 'product_id')::bigint);
    END IF;
    RETURN (thing ->> store_column)::bigint;
END
$$;
COMMENT ON FUNCTION audit_store_id IS 'Whose thing it is.';

CREATE FUNCTION add_audit(kind text, verb text, changes audit_change[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    request CONSTANT text := nullif(current_setting('app.request_id', true), '');
    acting bigint;
    acting_role text;
BEGIN
    IF changes IS NULL THEN
        RETURN;
    END IF;
    SELECT c.user_id, c.role INTO acting, acting_role FROM auth.caller() AS c;
    IF kind = 'user' AND verb = 'create' AND acting IS NULL AND current_setting('role') = 'marketplace_app' THEN
        -- Who registers is the one who acts, though nobody was signed in yet.
        acting := changes[1].thing_id;
        acting_role := changes[1].after ->> 'role';
    END IF;
    IF cardinality(changes) <= 100 THEN
        INSERT INTO audit (user_id, role, store_id, action, type, thing_id, before, after, request_id)
        SELECT acting, acting_role, c.store_id, verb, kind, c.thing_id, c.before, c.after, request
        FROM unnest(changes) AS c
        ORDER BY c.thing_id;
        RETURN;
    END IF;
    -- One entry a store, so that each seller finds theirs: how many, which ones, and of every column what it was and is,
    -- where that is the same for all of them.
    INSERT INTO audit (user_id, role, store_id, action, type, thing_id, before, after, request_id)
    SELECT
        acting, acting_role, s.store_id, verb, kind, CASE s.rows WHEN 1 THEN s.ids[1] END,
        CASE verb WHEN 'delete' THEN n.numbers ELSE d.before END,
        CASE WHEN verb <> 'delete' THEN n.numbers || coalesce(d.after, '{}') END,
        request
    FROM (
        SELECT
            c.store_id, count(*) AS rows, array_agg(c) AS changes, (array_agg(c.thing_id ORDER BY c.thing_id))[:100] AS ids
        FROM unnest(changes) AS c
        GROUP BY c.store_id
    ) AS s
    CROSS JOIN LATERAL jsonb_build_object('rows', s.rows, 'ids', s.ids) AS n (numbers)
    CROSS JOIN LATERAL (
        SELECT
            jsonb_object_agg(v.key, v.before) FILTER (WHERE v.same AND v.before IS NOT NULL) AS before,
            jsonb_object_agg(v.key, CASE WHEN v.same THEN v.after ELSE '"changed"' END) AS after
        FROM (
            SELECT
                e.key,
                (array_agg(c.before -> e.key))[1] AS before,
                (array_agg(e.value))[1] AS after,
                count(DISTINCT jsonb_build_array(c.before -> e.key, e.value)) = 1 AS same
            FROM unnest(s.changes) AS c
            CROSS JOIN LATERAL jsonb_each(c.after) AS e
            GROUP BY e.key
        ) AS v
    ) AS d;
END
$$;
COMMENT ON FUNCTION add_audit IS 'Adds to the trail what a statement did: an entry a thing, past a hundred one a store.';

-- The arguments: what the thing is called, the column with its id, and where its store is found: in the row (store_id),
-- as the row (id), by its product (product_id), or nowhere.
CREATE FUNCTION write_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    kind CONSTANT text := tg_argv[0];
    id_column CONSTANT text := tg_argv[1];
    store_column CONSTANT text := tg_argv[2];
    few boolean;
    changes audit_change[];
BEGIN
    -- Honoured for the worker alone: the import itself is the entry.
    IF current_setting('app.audit', true) = 'import' AND current_setting('role') = 'marketplace_worker' THEN
        RETURN NULL;
    END IF;
    IF tg_op = 'INSERT' THEN
        few := (SELECT count(*) <= 100 FROM new_rows);
        SELECT array_agg(ROW(
            (n.thing ->> id_column)::bigint, audit_store_id(store_column, n.thing), NULL,
            CASE WHEN few THEN audit_thing(kind, n.thing) END
        )::audit_change)
        INTO changes
        FROM new_rows AS t
        CROSS JOIN LATERAL to_jsonb(t) AS n (thing);
        PERFORM add_audit(kind, 'create', changes);
    ELSIF tg_op = 'DELETE' THEN
        few := (SELECT count(*) <= 100 FROM old_rows);
        SELECT array_agg(ROW(
            (o.thing ->> id_column)::bigint, audit_store_id(store_column, o.thing),
            CASE WHEN few THEN audit_thing(kind, o.thing) END, NULL
        )::audit_change)
        INTO changes
        FROM old_rows AS t
        CROSS JOIN LATERAL to_jsonb(t) AS o (thing);
        PERFORM add_audit(kind, 'delete', changes);
    ELSE
        -- Old and new meet by grouping, not by a join: the plan is kept by the connection, and one made for a single row
        -- would compare each of a hundred thousand with each.
        SELECT array_agg(ROW(
            (v.things[2] ->> id_column)::bigint, audit_store_id(store_column, v.things[2]), w.whose || d.before,
            w.whose || d.after
        )::audit_change)
        INTO changes
        FROM (
            SELECT array_agg(b.thing ORDER BY b.is_new) AS things
            FROM (
                SELECT to_jsonb(o) AS thing, false AS is_new FROM old_rows AS o
                UNION ALL
                SELECT to_jsonb(n) AS thing, true AS is_new FROM new_rows AS n
            ) AS b
            GROUP BY b.thing -> id_column
        ) AS v
        CROSS JOIN LATERAL (
            SELECT
                jsonb_object_agg(s.name, audit_value(e.key, v.things[1] -> e.key)) FILTER (WHERE NOT s.secret) AS before,
                jsonb_object_agg(s.name, CASE WHEN s.secret THEN '"changed"' ELSE audit_value(e.key, e.value) END) AS after
            FROM jsonb_each(v.things[2]) AS e
            CROSS JOIN LATERAL (
                SELECT
                    CASE e.key WHEN 'quantity' THEN 'stock' ELSE e.key END AS name,
                    kind = 'user' AND e.key NOT IN ('role', 'suspended_at') AS secret
            ) AS s
            WHERE v.things[1] -> e.key <> e.value
                AND e.key NOT IN (
                    'version', 'updated_at', 'name_key', 'slug', 'in_stock', 'path', 'digest', 'variants', 'placeholder'
                )
        ) AS d
        CROSS JOIN LATERAL (
            SELECT
                CASE kind WHEN 'product_image' THEN jsonb_build_object('product_id', v.things[2] -> 'product_id') ELSE '{}' END
                AS whose
        ) AS w
        WHERE d.after IS NOT NULL;
        PERFORM add_audit(kind, 'update', changes);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit IS 'Writes the audit trail of a statement.';

CREATE FUNCTION write_audit_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    lost bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s', tg_relid::regclass) INTO lost;
    INSERT INTO audit (user_id, role, action, type, before, request_id)
    SELECT
        c.user_id, c.role, 'delete', tg_argv[0], json_build_object('rows', lost),
        nullif(current_setting('app.request_id', true), '')
    FROM auth.caller() AS c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit_truncate IS 'Notes that a table is about to be emptied, and how much was in it.';

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
        EXECUTE format('CREATE TRIGGER write_audit_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION write_audit_truncate(%L)', it.things, it.kind);
    END LOOP;
END
$$;
-- The stock is a part of its product. Its first number stands in the product's own entry.
CREATE TRIGGER write_audit_update AFTER UPDATE ON inventory REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('product', 'product_id', 'product_id');

-- The first password of an account is a part of its making.
CREATE FUNCTION write_audit_password() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit (user_id, role, action, type, thing_id, after, request_id)
    SELECT
        c.user_id, c.role, 'update', 'user', t.user_id, '{"password": "changed"}',
        nullif(current_setting('app.request_id', true), '')
    FROM touched AS t
    JOIN users AS u ON u.id = t.user_id AND (tg_op <> 'INSERT' OR u.created_at < now())
    CROSS JOIN auth.caller() AS c;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION write_audit_password IS 'Notes that a password was changed, and nothing more of it.';
CREATE TRIGGER write_audit_insert AFTER INSERT ON auth.credentials REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION write_audit_password();
CREATE TRIGGER write_audit_update AFTER UPDATE ON auth.credentials REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION write_audit_password();
CREATE TRIGGER write_audit_delete AFTER DELETE ON auth.credentials REFERENCING OLD TABLE AS touched
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

REVOKE ALL ON FUNCTION refuse_change, audit_value, audit_thing, audit_store_id, add_audit, write_audit,
write_audit_truncate, write_audit_password, write_audit_import FROM PUBLIC;
