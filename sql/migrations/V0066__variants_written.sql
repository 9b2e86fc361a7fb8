-- Variants as the API writes them: all that a seller wants of one product, in one statement.
--
-- Why it is shaped so:
-- * No SECURITY DEFINER: guards and grants hold in here as for any statement of who calls. Stock goes through set_stock
--   and turn_into_variants, the verbs that may.
-- * The caller has locked the rows of stock and then the product (products.lock_own_stock, products.find_own), and has
--   judged what is wanted row by row; what is refused here is what only keys know.
-- * settle_variants is for whoever writes variants otherwise (imports, many prices at once): a product knows how many it
--   has, the lowest and the highest price of the visible ones, and the struck price of the cheapest.

CREATE FUNCTION settle_variants(of_products bigint[], names text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE products AS p
    SET option_names = n.option_names,
        variant_count = n.variants,
        sku = NULL,
        price = n.price,
        price_max = n.price_max,
        price_before = n.price_before
    FROM (
        SELECT
            o.id,
            coalesce(names, o.option_names) AS option_names,
            s.variants,
            -- With no visible one, what it cost stays.
            coalesce(s.lowest, o.price) AS price,
            CASE WHEN s.lowest IS NULL THEN o.price_max ELSE nullif(s.highest, s.lowest) END AS price_max,
            CASE WHEN s.lowest IS NULL THEN o.price_before ELSE (
                SELECT v.price_before
                FROM variants AS v
                WHERE v.product_id = o.id AND NOT v.hidden
                ORDER BY v.price, v.position, v.id
                LIMIT 1
            ) END AS price_before
        FROM products AS o
        JOIN (
            SELECT
                v.product_id,
                count(*)::integer AS variants,
                min(v.price) FILTER (WHERE NOT v.hidden) AS lowest,
                max(v.price) FILTER (WHERE NOT v.hidden) AS highest
            FROM variants AS v
            WHERE v.product_id = ANY(of_products)
            GROUP BY v.product_id
        ) AS s ON s.product_id = o.id
    ) AS n
    WHERE p.id = n.id
        AND (p.option_names, p.variant_count, p.sku, p.price, p.price_max, p.price_before)
        IS DISTINCT FROM (n.option_names, n.variants, NULL, n.price, n.price_max, n.price_before);
END
$$;
COMMENT ON FUNCTION settle_variants IS
'Makes true what products know of their variants: number, lowest and highest price, struck price; with `names` what '
'they differ by, too. For products that have variants, locked by who calls.';

CREATE TYPE wanted_variant AS (
    position integer,
    id bigint,
    options text[], -- noqa: LT01
    sku text,
    barcode text,
    price numeric,
    price_before numeric,
    weight_grams integer,
    image_id bigint,
    hidden boolean,
    stock integer
);
COMMENT ON TYPE wanted_variant IS 'A variant as write_variants takes it: no id: a new one; no stock: as it is, or none.';

CREATE FUNCTION write_variants(of_product bigint, names text[], wanted jsonb, hide_others boolean)
RETURNS bigint[]
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    store bigint;
    set_ids bigint[];
    set_to integer[];
BEGIN
    SELECT p.store_id INTO store FROM products AS p WHERE p.id = of_product;
    -- A key is checked row by row: where two exchange options or SKUs, what they had steps aside first.
    UPDATE variants AS v
    SET options = CASE WHEN w.options <> v.options THEN ARRAY[chr(1) || v.id] ELSE v.options END,
        sku = CASE WHEN w.sku IS NOT DISTINCT FROM v.sku THEN v.sku END
    FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w
    WHERE v.product_id = of_product
        AND v.id = w.id
        AND EXISTS (
            SELECT
            FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS o
            WHERE o.id IS DISTINCT FROM v.id
                AND (
                    (o.options = v.options AND w.options <> v.options)
                    OR (o.sku = v.sku AND w.sku IS DISTINCT FROM v.sku)
                )
        );
    UPDATE variants AS v
    SET position = w.position,
        options = w.options,
        sku = w.sku,
        barcode = w.barcode,
        price = w.price,
        price_before = w.price_before,
        weight_grams = w.weight_grams,
        image_id = w.image_id,
        hidden = w.hidden,
        version = v.version + 1,
        updated_at = now()
    FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w
    WHERE v.product_id = of_product
        AND v.id = w.id
        AND (
            v.position, v.options, v.sku, v.barcode, v.price, v.price_before, v.weight_grams, v.image_id, v.hidden
        ) IS DISTINCT FROM (
            w.position, w.options, w.sku, w.barcode, w.price, w.price_before, w.weight_grams, w.image_id, w.hidden
        );
    IF hide_others THEN
        UPDATE variants AS v
        SET hidden = true,
            version = v.version + 1,
            updated_at = now()
        WHERE v.product_id = of_product
            AND NOT v.hidden
            AND v.id <> ALL(ARRAY(
                SELECT w.id
                FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w
                WHERE w.id IS NOT NULL
            ));
    END IF;
    INSERT INTO variants (
        product_id, store_id, position, options, sku, barcode, price, price_before, weight_grams, image_id, hidden
    )
    SELECT
        of_product, store, w.position, w.options, w.sku, w.barcode, w.price, w.price_before, w.weight_grams,
        w.image_id, w.hidden
    FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w
    WHERE w.id IS NULL
    ORDER BY w.position;
    IF EXISTS (SELECT FROM inventory AS i WHERE i.product_id = of_product AND i.variant_id = 0) THEN
        PERFORM turn_into_variants(of_product, (SELECT min(v.id) FROM variants AS v WHERE v.product_id = of_product));
    END IF;
    INSERT INTO inventory (product_id, variant_id, quantity, on_sale)
    SELECT v.product_id, v.id, coalesce(w.stock, 0), NOT v.hidden
    FROM variants AS v
    JOIN jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w ON w.options = v.options
    WHERE v.product_id = of_product
        AND NOT EXISTS (SELECT FROM inventory AS i WHERE i.product_id = v.product_id AND i.variant_id = v.id)
    ORDER BY v.id;
    UPDATE inventory AS i
    SET on_sale = NOT v.hidden
    FROM variants AS v
    WHERE i.product_id = of_product
        AND v.product_id = i.product_id
        AND v.id = i.variant_id
        AND i.on_sale = v.hidden;
    SELECT array_agg(v.id ORDER BY v.id), array_agg(w.stock ORDER BY v.id)
    INTO set_ids, set_to
    FROM variants AS v
    JOIN jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w ON w.options = v.options
    JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
    WHERE v.product_id = of_product AND i.quantity <> w.stock;
    IF set_ids IS NOT NULL THEN
        PERFORM set_stock(
            of_store => store,
            numbers => array_fill(0, ARRAY[cardinality(set_ids)]),
            product_ids => array_fill(of_product, ARRAY[cardinality(set_ids)]),
            variant_ids => set_ids,
            skus => array_fill(NULL::text, ARRAY[cardinality(set_ids)]),
            set_to => set_to,
            counted => array_fill(NULL::integer, ARRAY[cardinality(set_ids)]),
            changes => array_fill(NULL::integer, ARRAY[cardinality(set_ids)]),
            expected => array_fill(NULL::integer, ARRAY[cardinality(set_ids)])
        );
    END IF;
    PERFORM settle_variants(ARRAY[of_product], names);
    RETURN ARRAY(
        SELECT v.id
        FROM jsonb_populate_recordset(NULL::wanted_variant, wanted) AS w
        JOIN variants AS v ON v.product_id = of_product AND v.options = w.options
        ORDER BY w.position
    );
END
$$;
COMMENT ON FUNCTION write_variants IS
'Writes variants of one product, the wanted ones given with all that they have; with hide_others they are all it sells. '
'A simple product becomes one with variants, its stock that of the first. Returns the ids, in the wanted order.';

REVOKE ALL ON FUNCTION settle_variants, write_variants FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_variants, write_variants TO marketplace_app;
