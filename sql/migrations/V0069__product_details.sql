-- What one product answers beside its document, and lists do not: how it is sold, how a parcel of it measures, and its
-- variants. Texts, ready to be added to the document, so that nothing is serialised twice.

-- As a document is to its product: all but the stock, which is read live. The name is one that the trail leaves out.
ALTER TABLE variants ADD COLUMN kept text NOT NULL DEFAULT '';
COMMENT ON COLUMN variants.kept IS
'The variant as the API returns it: a JSON object but for its last brace; stock follows live. Kept by a trigger.';

CREATE FUNCTION set_variant_kept() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    new.kept := concat(
        '{"id":', new.id,
        ',"options":', array_to_json(new.options),
        ',"sku":', coalesce(to_json(new.sku)::text, 'null'),
        ',"barcode":', coalesce(to_json(new.barcode)::text, 'null'),
        ',"price":"', new.price, '"',
        ',"price_before":', coalesce('"' || new.price_before || '"', 'null'),
        ',"image_id":', coalesce(new.image_id::text, 'null'),
        ',"weight_grams":', coalesce(new.weight_grams::text, 'null'),
        ',"hidden":', CASE WHEN new.hidden THEN 'true' ELSE 'false' END
    );
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_variant_kept IS 'Keeps variants.kept.';
REVOKE ALL ON FUNCTION set_variant_kept FROM PUBLIC;
CREATE TRIGGER set_variant_kept BEFORE INSERT OR UPDATE ON variants FOR EACH ROW EXECUTE FUNCTION set_variant_kept();

-- What is there already, if anything.
UPDATE variants SET kept = '';

-- Only requested of a product that has variants. plpgsql, so that its plan is kept.
CREATE FUNCTION variants_of(of_product bigint, hidden_too boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT concat('[', string_agg(concat(
            v.kept, ',"stock":', i.quantity,
            CASE WHEN i.quantity > 0 THEN ',"in_stock":true}' ELSE ',"in_stock":false}' END
        ), ',' ORDER BY v.position, v.id), ']')
        FROM variants AS v
        JOIN inventory AS i ON i.product_id = v.product_id AND i.variant_id = v.id
        WHERE v.product_id = of_product AND (hidden_too OR NOT v.hidden)
    );
END
$$;
COMMENT ON FUNCTION variants_of IS 'The variants of a product as a JSON array, with their stock; visible ones, or all.';
REVOKE ALL ON FUNCTION variants_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION variants_of TO marketplace_app, marketplace_readonly;

CREATE VIEW product_details WITH (security_invoker = true) AS
SELECT
    p.id AS product_id,
    c.sold,
    concat(
        '"sold":', c.sold,
        ',"condition":"', p.condition,
        '","min_quantity":', p.min_quantity,
        ',"max_per_buyer":', coalesce(p.max_per_buyer::text, 'null'),
        ',"preorder_days":', coalesce(p.preorder_days::text, 'null'),
        ',"weight_grams":', coalesce(p.weight_grams::text, 'null'),
        ',"length_cm":', coalesce(p.length_cm::text, 'null'),
        ',"width_cm":', coalesce(p.width_cm::text, 'null'),
        ',"height_cm":', coalesce(p.height_cm::text, 'null'),
        ',"blocked":', coalesce(to_json(p.blocked)::text, 'null'),
        ',"variants":'
    ) AS details
FROM products AS p
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT n.sold FROM product_counts AS n WHERE n.product_id = p.id), 0) AS sold
) AS c;
COMMENT ON VIEW product_details IS 'What one product answers and lists do not: how it is sold, its measures.';
COMMENT ON COLUMN product_details.product_id IS 'The product.';
COMMENT ON COLUMN product_details.sold IS 'As in product_counts; 0 where nothing was sold.';
COMMENT ON COLUMN product_details.details IS
'Members of a JSON object, without its braces, up to the value of the last, which is variants_of() the product.';
GRANT SELECT ON product_details TO marketplace_app, marketplace_readonly;
