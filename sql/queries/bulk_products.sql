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
