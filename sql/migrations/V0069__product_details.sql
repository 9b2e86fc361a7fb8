-- What one product answers beside its document, and lists do not: how a parcel of it measures, and its variants. Texts,
-- ready to be added to the document, so that nothing is serialised twice. A view, taken apart again by the planner.

CREATE VIEW product_details WITH (security_invoker = true) AS
SELECT
    p.id AS product_id,
    concat(m.measures, array_to_json(ARRAY(
        SELECT to_json(n)
        FROM (
            SELECT
                v.id,
                v.options,
                v.sku,
                v.barcode,
                v.price::text AS price,
                v.price_before::text AS price_before,
                v.image_id,
                v.weight_grams,
                i.quantity AS stock,
                i.quantity > 0 AS in_stock,
                v.hidden
            FROM variants AS v
            JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
            WHERE v.product_id = p.id AND p.variant_count > 0 AND NOT v.hidden
            ORDER BY v.position, v.id
        ) AS n
    ))) AS details,
    concat(m.measures, array_to_json(ARRAY(
        SELECT to_json(n)
        FROM (
            SELECT
                v.id,
                v.options,
                v.sku,
                v.barcode,
                v.price::text AS price,
                v.price_before::text AS price_before,
                v.image_id,
                v.weight_grams,
                i.quantity AS stock,
                i.quantity > 0 AS in_stock,
                v.hidden
            FROM variants AS v
            JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
            WHERE v.product_id = p.id AND p.variant_count > 0
            ORDER BY v.position, v.id
        ) AS n
    ))) AS own_details
FROM products AS p
CROSS JOIN LATERAL (
    SELECT
        concat(
            '"blocked":', coalesce(to_json(p.blocked)::text, 'null'),
            ',"weight_grams":', coalesce(p.weight_grams::text, 'null'),
            ',"length_cm":', coalesce(p.length_cm::text, 'null'),
            ',"width_cm":', coalesce(p.width_cm::text, 'null'),
            ',"height_cm":', coalesce(p.height_cm::text, 'null'),
            ',"variants":'
        ) AS measures
) AS m;
COMMENT ON VIEW product_details IS 'What one product answers and lists do not: measures, variants.';
COMMENT ON COLUMN product_details.product_id IS 'The product.';
COMMENT ON COLUMN product_details.details IS 'Members of a JSON object, without its braces; visible variants alone.';
COMMENT ON COLUMN product_details.own_details IS 'The same for its store and admins: hidden variants, too.';
GRANT SELECT ON product_details TO marketplace_app, marketplace_readonly;
