-- Many products at once.

-- name: change
-- A batch of a store's products and variants, through the verb; what became of each row, in their order.
SELECT
    c.number AS row, c.outcome, c.product_id, nullif(c.variant_id, 0) AS variant_id, c.version, c.before, c.after,
    c.faults, c.brand_id
FROM change_products(
    of_store => %(store_id)s,
    product_ids => %(product_ids)s::bigint[],
    variant_ids => %(variant_ids)s::bigint[],
    skus => %(skus)s::text[],
    expected_versions => %(expected_versions)s::bigint[],
    expected_stocks => %(expected_stocks)s::integer[],
    fields => %(fields)s::jsonb[],
    all_or_none => %(all_or_none)s,
    dry_run => %(dry_run)s
) AS c
ORDER BY c.number;

-- name: reprice_search
-- The words of products whose price alone has changed: only the one that stands for it is another, where it is.
-- Written as search_vector writes them, at a tenth of the cost.
UPDATE product_search AS s
SET words = regexp_replace(s.words::text, '''#p[0-9]+''', concat('''#p', search_price(p.price), ''''))::tsvector
FROM products AS p
WHERE s.product_id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[])))
    AND p.id = s.product_id
    AND NOT s.words @@ concat('#p', search_price(p.price))::tsquery;
