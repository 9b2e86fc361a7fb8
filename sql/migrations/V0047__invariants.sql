-- What must always be so, as views: each row is a fault, `id` says where and `detail` what of it. A DBA reads one
-- (SELECT * FROM invariants.flag_of_stock), broken_invariants() asks all of them, `make check-selling` prints them.
--
-- They run with the rights of the tables' owner (no security_invoker, on purpose: nobody else has a grant on the
-- schema), so that row-level security hides nothing from them. A later one is a view more: no list has to be kept.

CREATE SCHEMA invariants;
COMMENT ON SCHEMA invariants IS 'What must always be so: a view each, which is empty while it is.';

CREATE VIEW invariants.reserved_is_held (id, detail) AS
SELECT i.product_id, i.variant_id::text
FROM inventory AS i
LEFT JOIN holds AS h ON h.product_id = i.product_id AND h.variant_id = i.variant_id
GROUP BY i.product_id, i.variant_id, i.reserved
HAVING i.reserved <> coalesce(sum(h.quantity), 0)
UNION ALL
SELECT h.product_id, concat_ws(' ', h.variant_id, 'no stock row')
FROM holds AS h
LEFT JOIN inventory AS i ON i.product_id = h.product_id AND i.variant_id = h.variant_id
WHERE i.product_id IS NULL;
COMMENT ON VIEW invariants.reserved_is_held IS 'What is reserved is the sum of the holds; product, variant.';

CREATE VIEW invariants.stock_is_its_movements (id, detail) AS
SELECT i.product_id, i.variant_id::text
FROM inventory AS i
CROSS JOIN LATERAL (
    SELECT max(m.id) AS id
    FROM stock_movements AS m
    WHERE m.product_id = i.product_id
        AND m.variant_id = i.variant_id
        AND m.kind = 'opening'
        AND m.created_at = i.opened_at
) AS opening
-- A day: a clock that was set back may put a movement before the opening it came after.
LEFT JOIN LATERAL (
    SELECT sum(m.change) AS change, sum(m.change_reserved) AS reserved
    FROM stock_movements AS m
    WHERE m.product_id = i.product_id
        AND m.variant_id = i.variant_id
        AND m.created_at >= i.opened_at - interval '1 day'
        AND (m.created_at >= i.opened_at OR m.id > opening.id)
) AS told ON true
WHERE i.opened_at IS NOT NULL
    AND (opening.id IS NULL OR i.quantity <> told.change OR i.reserved <> told.reserved);
COMMENT ON VIEW invariants.stock_is_its_movements IS
'Stock that ever moved is the sum of its movements since the opening; product, variant.';

CREATE VIEW invariants.flag_of_stock (id) AS
SELECT p.id
FROM products AS p
JOIN (
    SELECT i.product_id, bool_or(i.on_sale AND i.quantity > 0) AS there
    FROM inventory AS i
    GROUP BY i.product_id
) AS s ON s.product_id = p.id
WHERE p.in_stock <> s.there;
COMMENT ON VIEW invariants.flag_of_stock IS 'products.in_stock says whether something on sale has stock.';

CREATE VIEW invariants.price_of_variants (id, detail) AS
SELECT p.id, CASE WHEN p.variant_count <> s.variants THEN 'count' ELSE 'price' END
FROM products AS p
JOIN (
    SELECT
        v.product_id,
        count(*) AS variants,
        min(v.price) FILTER (WHERE NOT v.hidden) AS lowest,
        max(v.price) FILTER (WHERE NOT v.hidden) AS highest
    FROM variants AS v
    GROUP BY v.product_id
) AS s ON s.product_id = p.id
WHERE p.variant_count <> s.variants
    OR p.price <> s.lowest
    OR coalesce(p.price_max, p.price) <> s.highest
UNION ALL
SELECT p.id, 'count'
FROM products AS p
WHERE p.variant_count > 0
    AND NOT EXISTS (SELECT FROM variants AS v WHERE v.product_id = p.id);
COMMENT ON VIEW invariants.price_of_variants IS
'A product with variants knows how many they are, and the lowest and the highest price of the visible ones.';

CREATE VIEW invariants.simple_or_with_variants (id, detail) AS
SELECT i.product_id, concat_ws(' ', i.variant_id, 'kind')
FROM inventory AS i
JOIN products AS p ON p.id = i.product_id
WHERE (i.variant_id = 0) <> (p.variant_count = 0)
UNION ALL
SELECT i.product_id, concat_ws(' ', i.variant_id, 'no variant')
FROM inventory AS i
LEFT JOIN variants AS v ON v.product_id = i.product_id AND v.id = i.variant_id
WHERE i.variant_id <> 0 AND v.id IS NULL
UNION ALL
SELECT v.product_id, concat_ws(' ', v.id, CASE WHEN i.product_id IS NULL THEN 'no stock row' ELSE 'on sale' END)
FROM variants AS v
LEFT JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
WHERE i.product_id IS NULL OR i.on_sale = v.hidden
UNION ALL
SELECT p.id, '0 no stock row'
FROM products AS p
LEFT JOIN inventory AS i ON i.product_id = p.id
WHERE i.product_id IS NULL;
COMMENT ON VIEW invariants.simple_or_with_variants IS
'A product has one row of stock, or one for each of its variants, which is on sale where the variant is visible.';

CREATE VIEW invariants.skus_stand_once (id, detail) AS
SELECT v.product_id, v.sku
FROM variants AS v
JOIN products AS p ON p.store_id = v.store_id AND p.sku = v.sku;
COMMENT ON VIEW invariants.skus_stand_once IS 'No variant has the SKU of a product of its store.';

CREATE VIEW invariants.variants_in_their_store (id, detail) AS
SELECT v.product_id, v.id::text
FROM variants AS v
JOIN products AS p ON p.id = v.product_id
WHERE p.store_id <> v.store_id OR cardinality(v.options) <> cardinality(p.option_names);
COMMENT ON VIEW invariants.variants_in_their_store IS
'A variant is of the store of its product, and has a value for each name of an option.';

CREATE FUNCTION broken_invariants() RETURNS TABLE (name text, broken bigint, example text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    invariant text;
    detailed boolean;
BEGIN
    FOR invariant, detailed IN
        SELECT
            c.relname,
            EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'detail')
        FROM pg_class AS c
        WHERE c.relnamespace = 'invariants'::regnamespace AND c.relkind = 'v'
        ORDER BY c.relname
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT %L::text, count(*), min(concat_ws('' '', i.id, %s)) FROM invariants.%I AS i HAVING count(*) > 0',
            invariant,
            CASE WHEN detailed THEN 'i.detail' ELSE 'NULL' END,
            invariant
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION broken_invariants IS
'What is not as it must be: name, how often, one place. No row: all is well. Sees everything, whoever asks.';
REVOKE ALL ON FUNCTION broken_invariants FROM PUBLIC;
GRANT EXECUTE ON FUNCTION broken_invariants TO marketplace_worker;
