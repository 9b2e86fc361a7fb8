-- The trail says amounts and times of vouchers and ways of delivery as the API writes them, and that a voucher is
-- offered or not. Until now it had numbers there, and of a voucher that was taken from the offers nothing.

CREATE OR REPLACE FUNCTION audit_value(name text, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF name IN ('price', 'price_before', 'per_kg', 'free_from', 'value', 'max_discount', 'min_total') THEN
        RETURN to_jsonb(value #>> '{}');
    ELSIF name IN ('suspended_at', 'closed_until', 'starts_at', 'ends_at') THEN
        RETURN to_jsonb(to_char((value #>> '{}')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
    END IF;
    RETURN value;
END
$$;

-- As in V0042, with the amounts and times of more kinds of things.
CREATE OR REPLACE FUNCTION audit_thing(kind text, thing jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    said jsonb;
BEGIN
    IF kind = 'user' THEN
        RETURN jsonb_build_object('role', thing -> 'role');
    END IF;
    said := jsonb_strip_nulls(thing - '{
        id, version, created_at, updated_at, name_key, slug, in_stock, path, digest, variants, placeholder, price_max,
        whatsapp, kept
    }'::text[] - CASE WHEN kind <> 'voucher' THEN 'listed' ELSE '' END);
    said := said || coalesce((
        SELECT jsonb_object_agg(m.name, audit_value(m.name, said -> m.name))
        FROM unnest(
            CASE
                WHEN kind IN ('product', 'variant') THEN ARRAY['price', 'price_before']
                WHEN kind = 'delivery_option' THEN ARRAY['price', 'per_kg', 'free_from']
                WHEN kind = 'voucher' THEN ARRAY['value', 'max_discount', 'min_total', 'starts_at', 'ends_at']
            END
        ) AS m (name)
        WHERE said ? m.name
    ), '{}');
    IF kind = 'product' THEN
        said := said - ARRAY(
            SELECT d.key
            FROM jsonb_each('{"condition": "new", "min_quantity": 1, "option_names": [], "variant_count": 0}') AS d
            WHERE said -> d.key = d.value
        );
        -- There by now, where one statement made both.
        said := said || coalesce((
            SELECT jsonb_build_object('stock', sum(i.quantity))
            FROM inventory AS i
            WHERE i.product_id = (thing ->> 'id')::bigint
            HAVING count(*) > 0
        ), '{}');
    ELSIF kind = 'store' THEN
        said := said - ARRAY(SELECT 'state' WHERE said ->> 'state' = 'active');
    END IF;
    RETURN said;
END
$$;

-- As in V0042, but that a voucher which is offered to nobody any more has changed.
CREATE OR REPLACE FUNCTION write_audit() RETURNS trigger
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
        -- Old and new meet by grouping, not by a join: the plan is kept by the connection, and one made for a single
        -- row would compare each of a hundred thousand with each.
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
                jsonb_object_agg(s.name, audit_value(e.key, v.things[1] -> e.key))
                FILTER (WHERE NOT s.secret) AS before,
                jsonb_object_agg(
                    s.name, CASE WHEN s.secret THEN '"changed"' ELSE audit_value(e.key, e.value) END
                ) AS after
            FROM jsonb_each(v.things[2]) AS e
            CROSS JOIN LATERAL (
                SELECT
                    CASE e.key WHEN 'quantity' THEN 'stock' ELSE e.key END AS name,
                    (kind = 'user' AND e.key NOT IN ('role', 'suspended_at'))
                    OR (kind = 'store' AND e.key = 'whatsapp') AS secret
            ) AS s
            WHERE v.things[1] -> e.key <> e.value
                AND e.key NOT IN (
                    'version', 'updated_at', 'name_key', 'slug', 'in_stock', 'path', 'digest', 'variants',
                    'placeholder', 'price_max', 'kept'
                )
                AND (e.key <> 'listed' OR kind = 'voucher')
        ) AS d
        CROSS JOIN LATERAL (
            SELECT
                CASE
                    WHEN kind IN ('product_image', 'variant')
                        THEN jsonb_build_object('product_id', v.things[2] -> 'product_id')
                    ELSE '{}'
                END AS whose
        ) AS w
        WHERE d.after IS NOT NULL;
        PERFORM add_audit(kind, 'update', changes);
    END IF;
    RETURN NULL;
END
$$;
