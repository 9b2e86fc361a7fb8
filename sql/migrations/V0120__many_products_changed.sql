-- Many products of a store changed by one call: price, stock, hidden, category and the like, row by row.
--
-- Why it is shaped so:
-- * No SECURITY DEFINER: guards and grants hold in here as for any statement of who calls. Stock goes through set_stock,
--   the verb that may.
-- * All rows of stock that matter are locked in the order of ids in one statement, then all products in the next: as a
--   sale locks them that flips in_stock. Two batches of the same products in opposite order follow each other.
-- * All rows are judged before one is written, so that nothing fails in the middle: what a CHECK or a key would refuse is
--   a fault of its row. "It is so already" is judged first, as the response to the first try may have been lost.
-- * Fields are JSON, so that what changed is what differs, key by key, and is answered as before and after. Amounts are
--   texts with two decimals there, as everywhere in the API.

CREATE TYPE product_change AS (
    number integer,
    product_id bigint,
    variant_id bigint,
    outcome text,
    version bigint,
    before jsonb,
    after jsonb,
    faults text [],
    brand_id bigint
);
COMMENT ON TYPE product_change IS
'What becomes of a row of change_products. before, after: the changed fields alone. faults: of a row that is invalid, '
'field and code with a blank between them. brand_id: of its product, before.';

CREATE FUNCTION change_products(
    of_store bigint,
    product_ids bigint[],
    variant_ids bigint[],
    skus text[],
    expected_versions bigint[],
    expected_stocks integer[],
    fields jsonb[],
    all_or_none boolean DEFAULT false,
    dry_run boolean DEFAULT false
)
RETURNS SETOF product_change
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    meant_products bigint[];
    meant_variants bigint[];
    judged product_change[];
    done product_change[];
BEGIN
    IF NOT coalesce((SELECT my_role()) = 'admin' OR (SELECT my_store_id()) = of_store, false) THEN
        RAISE EXCEPTION 'products are written by their store or an admin' USING ERRCODE = '42501';
    END IF;
    -- Which product or variant is meant: by ids, or by a SKU of the store.
    SELECT
        array_agg(coalesce(s.product_id, a.product_id) ORDER BY a.place),
        array_agg(coalesce(s.variant_id, a.variant_id, 0) ORDER BY a.place)
    INTO meant_products, meant_variants
    FROM unnest(product_ids, variant_ids, skus) WITH ORDINALITY AS a (product_id, variant_id, sku, place)
    LEFT JOIN LATERAL (
        SELECT p.id AS product_id, 0::bigint AS variant_id
        FROM products AS p
        WHERE p.store_id = of_store AND p.sku = a.sku
        UNION ALL
        SELECT v.product_id, v.id
        FROM variants AS v
        WHERE v.store_id = of_store AND v.sku = a.sku
        LIMIT 1
    ) AS s ON a.product_id IS NULL;
    PERFORM
    FROM inventory AS i
    WHERE (i.product_id, i.variant_id) IN (
        SELECT a.product_id, a.variant_id
        FROM unnest(meant_products, meant_variants, expected_stocks, fields)
            AS a (product_id, variant_id, expected_stock, wanted)
        WHERE a.expected_stock IS NOT NULL OR a.wanted ? 'stock' OR (a.variant_id <> 0 AND a.wanted ? 'hidden')
    )
        AND /* own */ EXISTS (SELECT FROM products AS p WHERE p.id = i.product_id AND p.store_id = of_store)
    ORDER BY i.product_id, i.variant_id
    FOR NO KEY UPDATE;
    PERFORM
    FROM products AS p
    WHERE p.id = ANY(meant_products) AND /* own */ p.store_id = of_store
    ORDER BY p.id
    FOR NO KEY UPDATE;

    WITH asked AS (
        SELECT
            a.place::integer - 1 AS number, a.product_id, a.variant_id, a.expected_version, a.expected_stock, a.wanted,
            row_number() OVER (PARTITION BY a.product_id, a.variant_id ORDER BY a.place) AS nth
        FROM unnest(meant_products, meant_variants, expected_versions, expected_stocks, fields)
            WITH ORDINALITY AS a (product_id, variant_id, expected_version, expected_stock, wanted, place)
    ),

    present AS MATERIALIZED (
        SELECT
            a.number, a.product_id, a.variant_id, a.expected_version, a.expected_stock, a.wanted, a.nth, p.version,
            p.brand_id, p.blocked, p.is_whole, p.stock,
            CASE
                WHEN a.variant_id = 0
                    THEN p.price_fields || jsonb_build_object(
                        'stock', p.stock, 'hidden', p.hidden, 'category_id', p.category_id, 'brand_id', p.brand_id,
                        'weight_grams', p.weight_grams, 'min_quantity', p.min_quantity, 'max_per_buyer', p.max_per_buyer,
                        'preorder_days', p.preorder_days, 'condition', p.condition
                    )
                ELSE p.price_fields || jsonb_build_object(
                    'stock', p.stock, 'hidden', p.hidden, 'weight_grams', p.weight_grams
                )
            END AS was
        FROM asked AS a
        LEFT JOIN LATERAL (
            SELECT
                k.version, k.brand_id, k.category_id, k.blocked, k.min_quantity, k.max_per_buyer, k.preorder_days,
                k.condition,
                a.variant_id = 0 AND k.variant_count > 0 AS is_whole,
                coalesce(v.hidden, k.hidden) AS hidden,
                CASE WHEN v.id IS NULL THEN k.weight_grams ELSE v.weight_grams END AS weight_grams,
                jsonb_build_object(
                    'price', coalesce(v.price, k.price)::text,
                    'price_before', CASE WHEN v.id IS NULL THEN k.price_before ELSE v.price_before END::text
                ) AS price_fields,
                (
                    SELECT coalesce(sum(i.quantity) FILTER (WHERE a.variant_id <> 0 OR i.on_sale), 0)::integer
                    FROM inventory AS i
                    WHERE i.product_id = k.id
                        AND i.variant_id BETWEEN a.variant_id
                        AND CASE a.variant_id WHEN 0 THEN 9223372036854775807 ELSE a.variant_id END
                ) AS stock
            FROM products AS k
            LEFT JOIN variants AS v ON v.product_id = k.id AND v.id = a.variant_id
            WHERE k.id = a.product_id
                AND /* own */ k.store_id = of_store
                AND (a.variant_id = 0 OR v.id IS NOT NULL)
            LIMIT 1
        ) AS p ON true
    ),

    compared AS (
        SELECT
            p.number, p.product_id, p.variant_id, p.expected_version, p.expected_stock, p.nth, p.version, p.brand_id,
            p.blocked, p.is_whole, p.stock, p.was, d.before, d.after, p.was || p.wanted AS merged
        FROM present AS p
        CROSS JOIN LATERAL (
            SELECT jsonb_object_agg(w.key, p.was -> w.key) AS before, jsonb_object_agg(w.key, w.value) AS after
            FROM jsonb_each(p.wanted) AS w
            WHERE p.was -> w.key IS DISTINCT FROM w.value
        ) AS d
    ),

    faulty AS (
        SELECT
            c.number, c.product_id, c.variant_id, c.expected_version, c.expected_stock, c.nth, c.version, c.brand_id,
            c.stock, c.was, c.before, c.after,
            array_remove(
                ARRAY[
                    CASE
                        WHEN (c.after ->> 'hidden') = 'false' AND c.blocked IS NOT NULL AND c.variant_id = 0
                            THEN 'hidden product_blocked'
                    END,
                    CASE
                        WHEN c.after ?| ARRAY['price', 'price_before']
                            AND NOT c.is_whole
                            AND (c.merged ->> 'price_before')::numeric <= (c.merged ->> 'price')::numeric
                            THEN 'price_before price_before_too_low'
                    END,
                    CASE
                        WHEN c.after ?| ARRAY['min_quantity', 'max_per_buyer']
                            AND (c.merged ->> 'max_per_buyer')::integer < (c.merged ->> 'min_quantity')::integer
                            THEN 'max_per_buyer too_small'
                    END,
                    CASE
                        WHEN NOT EXISTS (SELECT FROM categories AS k WHERE k.id = (c.after ->> 'category_id')::bigint)
                            AND (c.after ->> 'category_id') IS NOT NULL
                            THEN 'category_id not_found'
                    END,
                    CASE
                        WHEN NOT EXISTS (SELECT FROM brands AS b WHERE b.id = (c.after ->> 'brand_id')::bigint)
                            AND (c.after ->> 'brand_id') IS NOT NULL
                            THEN 'brand_id not_found'
                    END
                ],
                NULL
            )
            || CASE
                WHEN c.is_whole
                    THEN ARRAY(
                        SELECT w.key || ' has_variants'
                        FROM jsonb_object_keys(c.after) AS w (key)
                        WHERE w.key IN ('price', 'price_before', 'stock')
                    )
                WHEN c.variant_id <> 0
                    THEN ARRAY(
                        SELECT w.key || ' not_allowed'
                        FROM jsonb_object_keys(c.after) AS w (key)
                        WHERE NOT c.was ? w.key
                    )
            END AS faults
        FROM compared AS c
    )

    SELECT
        array_agg(ROW(
            f.number, f.product_id, f.variant_id,
            CASE
                WHEN f.version IS NULL THEN 'not_found'
                WHEN f.nth > 1 THEN 'duplicate_row'
                WHEN f.after IS NULL THEN 'unchanged'
                WHEN f.expected_version <> f.version THEN 'version_conflict'
                WHEN f.expected_stock <> f.stock THEN 'precondition_failed'
                WHEN cardinality(f.faults) > 0 THEN 'invalid'
                ELSE 'done'
            END,
            f.version, f.before, f.after, f.faults, f.brand_id
        )::product_change ORDER BY f.number)
    INTO judged
    FROM faulty AS f;

    SELECT array_agg(j::product_change)
    INTO done
    FROM unnest(judged) AS j
    WHERE j.outcome = 'done';
    IF dry_run OR done IS NULL OR (
        all_or_none AND EXISTS (SELECT FROM unnest(judged) AS j WHERE j.outcome NOT IN ('done', 'unchanged'))
    ) THEN
        RETURN QUERY SELECT j.* FROM unnest(judged) AS j ORDER BY j.number;
        RETURN;
    END IF;

    PERFORM set_stock(
        of_store => of_store,
        numbers => array_agg(d.number),
        product_ids => array_agg(d.product_id),
        variant_ids => array_agg(d.variant_id),
        skus => array_agg(NULL::text),
        set_to => array_agg((d.after ->> 'stock')::integer),
        counted => array_agg(NULL::integer),
        changes => array_agg(NULL::integer),
        expected => array_agg(NULL::integer)
    )
    FROM unnest(done) AS d
    WHERE d.after ? 'stock'
    HAVING count(*) > 0;
    UPDATE products AS p
    SET price = n.price,
        price_before = n.price_before,
        hidden = n.hidden,
        category_id = n.category_id,
        brand_id = n.brand_id,
        weight_grams = n.weight_grams,
        min_quantity = n.min_quantity,
        max_per_buyer = n.max_per_buyer,
        preorder_days = n.preorder_days,
        condition = n.condition,
        version = p.version + 1,
        updated_at = now()
    FROM (
        SELECT d.product_id, coalesce((jsonb_agg(d.after) FILTER (WHERE d.variant_id = 0)) -> 0, '{}') AS after
        FROM unnest(done) AS d
        WHERE d.after - 'stock' <> '{}'
        GROUP BY d.product_id
    ) AS c
    JOIN products AS o ON o.id = c.product_id
    CROSS JOIN LATERAL jsonb_populate_record(o, c.after) AS n
    WHERE p.id = c.product_id;
    IF EXISTS (SELECT FROM unnest(done) AS d WHERE d.variant_id <> 0 AND d.after - 'stock' <> '{}') THEN
        UPDATE variants AS v
        SET price = n.price,
            price_before = n.price_before,
            weight_grams = n.weight_grams,
            hidden = n.hidden,
            version = v.version + 1,
            updated_at = now()
        FROM unnest(done) AS d
        JOIN variants AS o ON o.product_id = d.product_id AND o.id = d.variant_id
        CROSS JOIN LATERAL jsonb_populate_record(o, d.after) AS n
        WHERE v.product_id = d.product_id AND v.id = d.variant_id AND d.after - 'stock' <> '{}';
        UPDATE inventory AS i
        SET on_sale = NOT (d.after ->> 'hidden')::boolean
        FROM unnest(done) AS d
        WHERE i.product_id = d.product_id AND i.variant_id = d.variant_id AND d.variant_id <> 0 AND d.after ? 'hidden';
        PERFORM settle_variants(array_agg(DISTINCT d.product_id))
        FROM unnest(done) AS d
        WHERE d.variant_id <> 0;
    END IF;
    RETURN QUERY
    SELECT
        j.number, j.product_id, j.variant_id, j.outcome,
        CASE WHEN t.product_id IS NULL THEN j.version ELSE j.version + 1 END,
        j.before, j.after, j.faults, j.brand_id
    FROM unnest(judged) AS j
    LEFT JOIN (
        SELECT DISTINCT d.product_id
        FROM unnest(done) AS d
        WHERE d.after - 'stock' <> '{}'
    ) AS t ON t.product_id = j.product_id
    ORDER BY j.number;
END
$$;
COMMENT ON FUNCTION change_products IS
'Changes fields of products and variants of a store, row by row behind ordered locks. Outcomes: done, unchanged, '
'not_found, duplicate_row, version_conflict, precondition_failed, invalid (with faults). Documents are for who calls.';
REVOKE ALL ON FUNCTION change_products FROM PUBLIC;
GRANT EXECUTE ON FUNCTION change_products TO marketplace_app;
