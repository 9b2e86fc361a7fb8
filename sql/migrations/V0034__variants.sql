-- Variants: one product in sizes and colours, each with its price, SKU, weight and stock.
--
-- Why it is shaped so:
-- * `sellables` and `unit_price` are the one place that knows both kinds, products with variants and without. Where a
--   second place begins to ask for variant_count > 0, a row of `variants` for every product would be the better shape.
-- * A variant is never deleted, as orders refer to it: removed means hidden. Nor does it change its product or store.

CREATE TABLE variants (
    product_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    position integer NOT NULL,
    options text[] NOT NULL,
    sku text,
    barcode text,
    price numeric(15, 2) NOT NULL,
    price_before numeric(15, 2),
    weight_grams integer,
    image_id bigint,
    hidden boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT variants_pkey PRIMARY KEY (product_id, id),
    CONSTRAINT variants_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT variants_options_key UNIQUE (product_id, options),
    -- Options stand in an index, whose rows end at 2,704 bytes.
    CONSTRAINT variants_options_check CHECK (
        cardinality(options) BETWEEN 1 AND 3
        AND array_position(options, NULL) IS NULL
        AND array_position(options, '') IS NULL
        AND octet_length(options::text) <= 1000
    ),
    CONSTRAINT variants_price_check CHECK (
        price >= 0 AND price < 'NaN' AND price_before > price AND price_before < 'NaN'
    ),
    CONSTRAINT variants_sku_check CHECK (char_length(sku) BETWEEN 1 AND 100),
    CONSTRAINT variants_barcode_check CHECK (char_length(barcode) BETWEEN 1 AND 100),
    CONSTRAINT variants_weight_check CHECK (weight_grams BETWEEN 0 AND 1000000)
);
CREATE UNIQUE INDEX variants_sku_key ON variants (store_id, sku) WHERE sku IS NOT NULL;
COMMENT ON TABLE variants IS
'The kinds a product is sold in. Never deleted: orders refer to them; removed means hidden.';
COMMENT ON COLUMN variants.product_id IS 'The product.';
COMMENT ON COLUMN variants.id IS 'Identity, int64.';
COMMENT ON COLUMN variants.store_id IS 'The store of its product, put there by a trigger.';
COMMENT ON COLUMN variants.position IS 'Order in which they are shown.';
COMMENT ON COLUMN variants.options IS 'A value for each name of products.option_names, in their order.';
COMMENT ON COLUMN variants.sku IS 'The seller''s own number; unique within the store, among products too.';
COMMENT ON COLUMN variants.barcode IS 'The number under its bars.';
COMMENT ON COLUMN variants.price IS 'In the installation''s currency.';
COMMENT ON COLUMN variants.price_before IS 'The struck price, above price; NULL: none.';
COMMENT ON COLUMN variants.weight_grams IS 'Weight of one piece; NULL: the product''s.';
COMMENT ON COLUMN variants.image_id IS 'The picture of the product that shows it; NULL: the main one.';
COMMENT ON COLUMN variants.hidden IS 'Not on sale; only its store and admins see it.';
COMMENT ON COLUMN variants.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN variants.created_at IS 'When the row was made.';
COMMENT ON COLUMN variants.updated_at IS 'When the row was last changed.';

-- What is paid for a variant goes to its store: it is that of the product, whatever the statement says.
CREATE FUNCTION set_variant_store() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    new.store_id := (SELECT p.store_id FROM products AS p WHERE p.id = new.product_id);
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_variant_store IS 'A variant is of the store of its product.';
CREATE TRIGGER set_variant_store BEFORE INSERT ON variants FOR EACH ROW EXECUTE FUNCTION set_variant_store();
CREATE TRIGGER guard_insert AFTER INSERT ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts();
CREATE TRIGGER guard_update AFTER UPDATE ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts();
GRANT SELECT, INSERT, UPDATE (
    position, options, sku, barcode, price, price_before, weight_grams, image_id, hidden, version, updated_at
) ON variants TO marketplace_app;
GRANT SELECT ON variants TO marketplace_readonly;

-- A copy of the catalogue hears of each variant that was written, whatever becomes of its product's document.
CREATE FUNCTION note_variants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_changes('product', ARRAY(SELECT DISTINCT t.product_id FROM touched AS t), false);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_variants IS 'Tells the change feed of products whose variants were written.';
REVOKE ALL ON FUNCTION note_variants FROM PUBLIC;
CREATE TRIGGER note_insert AFTER INSERT ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION note_variants();
CREATE TRIGGER note_update AFTER UPDATE ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION note_variants();

CREATE VIEW sellables WITH (security_invoker = true) AS
SELECT
    p.id AS product_id,
    0::bigint AS variant_id,
    p.store_id,
    p.name,
    p.price,
    p.price_before,
    p.sku,
    greatest(p.weight_grams, ceil(p.length_cm * p.width_cm * p.height_cm / 6.0)::integer) AS weight_grams,
    '{}'::text[] AS option_names,
    '{}'::text[] AS options,
    NULL::bigint AS image_id,
    p.min_quantity,
    p.max_per_buyer,
    p.preorder_days,
    p.category_id,
    p.hidden
FROM products AS p
WHERE p.variant_count = 0
UNION ALL
SELECT
    v.product_id,
    v.id,
    v.store_id,
    p.name,
    v.price,
    v.price_before,
    v.sku,
    greatest(
        coalesce(v.weight_grams, p.weight_grams),
        ceil(p.length_cm * p.width_cm * p.height_cm / 6.0)::integer
    ),
    p.option_names,
    v.options,
    v.image_id,
    p.min_quantity,
    p.max_per_buyer,
    p.preorder_days,
    p.category_id,
    p.hidden OR v.hidden
FROM variants AS v
JOIN products AS p ON p.id = v.product_id;
COMMENT ON VIEW sellables IS 'What can be bought: simple products as their own variant 0, and variants.';
COMMENT ON COLUMN sellables.weight_grams IS
'What a courier charges: the weight, or length x width x height / 6 (cm, grams) where that is more; NULL: not said.';
GRANT SELECT ON sellables TO marketplace_app, marketplace_worker, marketplace_readonly;

-- As in V0018, but that the stock of a product may stand in several rows, which are summed only where there are several:
-- most products have one, found by its key. A sum above the type is answered as the largest number of it.
CREATE OR REPLACE VIEW product_cards WITH (security_invoker = true) AS
SELECT
    d.product_id,
    d.digest,
    s.stock,
    concat(d.document, ',"stock":', s.stock, ',"in_stock":', (s.stock > 0)::text, '}') AS document,
    coalesce(i.quantity::text, (
        SELECT concat(sum(v.quantity), 'v', to_hex(bit_xor(hashint8(v.variant_id * 1000003 + v.quantity))))
        FROM inventory AS v
        WHERE v.product_id = d.product_id
    )) AS stock_tag
FROM product_documents AS d
LEFT JOIN inventory AS i ON i.product_id = d.product_id AND i.variant_id = 0
CROSS JOIN LATERAL (
    SELECT
        coalesce(i.quantity, (
            SELECT least(sum(v.quantity), 2147483647)::integer
            FROM inventory AS v
            WHERE v.product_id = d.product_id AND v.on_sale
        ), 0) AS stock
) AS s;
COMMENT ON COLUMN product_cards.stock IS 'What can be sold of it: all its variants that are on sale.';
COMMENT ON COLUMN product_cards.stock_tag IS
'Changes when the stock of any variant does, also where the sum stays; of a simple product it is the stock.';

-- The one place that says what a piece costs: prices by quantity would come here. plpgsql, so that its plan is kept.
CREATE FUNCTION unit_price(of_product bigint, of_variant bigint, pieces integer) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT s.price FROM sellables AS s WHERE s.product_id = of_product AND s.variant_id = of_variant);
END
$$;
COMMENT ON FUNCTION unit_price IS 'What one piece costs where so many are bought; NULL: there is no such thing.';
REVOKE ALL ON FUNCTION set_variant_store, unit_price FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unit_price TO marketplace_app, marketplace_readonly;
