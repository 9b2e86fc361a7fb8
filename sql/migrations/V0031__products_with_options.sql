-- Products that have options (size, colour), and what a seller says of selling them: least and most, size of the
-- parcel, a struck price. And products that an admin takes off sale: a CHECK keeps them hidden, whoever writes.

ALTER TABLE products
ADD COLUMN option_names text[] NOT NULL DEFAULT '{}',
ADD COLUMN variant_count integer NOT NULL DEFAULT 0,
ADD COLUMN price_max numeric(15, 2),
ADD COLUMN price_before numeric(15, 2),
ADD COLUMN weight_grams integer,
ADD COLUMN length_cm integer,
ADD COLUMN width_cm integer,
ADD COLUMN height_cm integer,
ADD COLUMN min_quantity integer NOT NULL DEFAULT 1,
ADD COLUMN max_per_buyer integer,
ADD COLUMN preorder_days integer,
ADD COLUMN condition text NOT NULL DEFAULT 'new',
ADD COLUMN blocked text,
ADD COLUMN hidden_before boolean,
ADD CONSTRAINT products_variants_check CHECK (
    (variant_count = 0) = (option_names = '{}')
    AND variant_count BETWEEN 0 AND 100
    AND cardinality(option_names) <= 3
) NOT VALID,
ADD CONSTRAINT products_option_names_check CHECK (
    array_position(option_names, NULL) IS NULL
    AND array_position(option_names, '') IS NULL
    AND char_length(option_names::text) <= 1000
) NOT VALID,
ADD CONSTRAINT products_price_max_check CHECK (price_max >= price) NOT VALID,
ADD CONSTRAINT products_price_before_check CHECK (
    price_before > price AND price_before < 'NaN' AND price < 'NaN'
) NOT VALID,
ADD CONSTRAINT products_size_check CHECK (
    weight_grams BETWEEN 0 AND 1000000
    AND length_cm BETWEEN 1 AND 1000
    AND width_cm BETWEEN 1 AND 1000
    AND height_cm BETWEEN 1 AND 1000
) NOT VALID,
ADD CONSTRAINT products_quantities_check CHECK (
    min_quantity BETWEEN 1 AND 1000 AND max_per_buyer >= min_quantity AND preorder_days BETWEEN 1 AND 90
) NOT VALID,
ADD CONSTRAINT products_condition_check CHECK (condition IN ('new', 'used')) NOT VALID,
ADD CONSTRAINT products_blocked_check CHECK (
    (blocked IS NULL) = (hidden_before IS NULL) AND (blocked IS NULL OR hidden) AND char_length(blocked) <= 500
) NOT VALID;
COMMENT ON COLUMN products.option_names IS
'What its variants differ by, 0 to 3 names: Warna, Ukuran. Empty: a simple product.';
COMMENT ON COLUMN products.variant_count IS 'How many variants it has, hidden ones too; at most 100.';
COMMENT ON COLUMN products.price IS
'In the installation''s currency; of a product with variants the lowest price of the visible ones.';
COMMENT ON COLUMN products.price_max IS 'Highest price of the visible variants; NULL: as price.';
COMMENT ON COLUMN products.price_before IS 'The struck price, above price; NULL: none.';
COMMENT ON COLUMN products.weight_grams IS 'Weight of one piece with its wrapping; NULL: not said.';
COMMENT ON COLUMN products.length_cm IS 'Length of the parcel; NULL: not said.';
COMMENT ON COLUMN products.width_cm IS 'Width of the parcel; NULL: not said.';
COMMENT ON COLUMN products.height_cm IS 'Height of the parcel; NULL: not said.';
COMMENT ON COLUMN products.min_quantity IS 'Fewest pieces a line of an order may have.';
COMMENT ON COLUMN products.max_per_buyer IS 'Most pieces in one buyer''s orders of 30 days; NULL: no limit.';
COMMENT ON COLUMN products.preorder_days IS 'Days the store needs beyond the usual to send it; NULL: none.';
COMMENT ON COLUMN products.condition IS 'new or used.';
COMMENT ON COLUMN products.blocked IS
'Why it was taken off sale: an admin''s word, or ''store'' while its store is stopped; NULL: it was not.';
COMMENT ON COLUMN products.hidden_before IS 'What hidden becomes again when the block goes; NULL: not blocked.';
COMMENT ON COLUMN products.in_stock IS
'Whether a visible variant (or the product itself) has stock; kept by a trigger that fires when that crosses zero.';

-- The guards of V0003 see what a row becomes, not whose it was: so nothing goes from one store or product to another.
-- In a block, so that `psql -f` leaves nobody without the right to write.
DO $$
BEGIN
    REVOKE UPDATE ON products, product_images, product_documents, product_categories, product_search
    FROM marketplace_app;
    GRANT UPDATE (
        category_id, brand_id, name, description, price, sku, source_url, hidden, in_stock, version, updated_at,
        option_names, variant_count, price_max, price_before, weight_grams, length_cm, width_cm, height_cm,
        min_quantity, max_per_buyer, preorder_days, condition, blocked, hidden_before
    ) ON products TO marketplace_app;
    GRANT UPDATE (position, is_main, url, alt, digest, width, height, placeholder, variants)
    ON product_images TO marketplace_app;
    GRANT UPDATE (document) ON product_documents TO marketplace_app;
    GRANT UPDATE (created_at, price, name_key, in_stock) ON product_categories TO marketplace_app;
    GRANT UPDATE (words, name_words) ON product_search TO marketplace_app;
END
$$;
