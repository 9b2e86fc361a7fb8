-- Stock that is held for orders, and a row of stock for each variant of a product.
--
-- Why it is shaped so:
-- * `quantity` stays what can be sold and `reserved` stands beside it: the CHECK that quantity is not negative is what
--   makes overselling impossible, and every reader, filter and trigger of before keeps its meaning. On hand is the sum
--   of both.
-- * A product is its own variant, number 0, until it has options: no row of a million is written anew, and the
--   statements of the last release run unchanged.
-- * Additive: the code of the last release runs on it. What is added NOT VALID is validated in V0040.
-- * V0030 to V0035 and V0041 to V0044 take one busy table each. With two of them in one transaction, `migrate` would
--   hold the first while it waits for the second, and whoever has the second waits for the first.

ALTER TABLE inventory
ADD COLUMN variant_id bigint NOT NULL DEFAULT 0,
ADD COLUMN reserved integer NOT NULL DEFAULT 0,
ADD COLUMN on_sale boolean NOT NULL DEFAULT true,
ADD COLUMN opened_at timestamptz,
ADD CONSTRAINT inventory_reserved_check CHECK (reserved >= 0) NOT VALID;
COMMENT ON TABLE inventory IS 'How many there are of each product, or of each of its variants.';
COMMENT ON COLUMN inventory.variant_id IS 'The variant; 0: the product itself, which has none.';
COMMENT ON COLUMN inventory.quantity IS 'Pieces that can be sold.';
COMMENT ON COLUMN inventory.reserved IS
'Pieces held for orders; on hand are quantity + reserved. Written by verbs alone.';
COMMENT ON COLUMN inventory.on_sale IS 'False while its variant is hidden.';
COMMENT ON COLUMN inventory.opened_at IS
'Since when stock_movements tell all that became of the row; NULL: it never moved.';

-- In a block, so that `psql -f`, where each statement is a transaction, leaves nobody without the right to sell.
DO $$
BEGIN
    REVOKE INSERT, UPDATE ON inventory FROM marketplace_app;
    GRANT INSERT (product_id, variant_id, quantity, on_sale), UPDATE (quantity, on_sale)
    ON inventory TO marketplace_app;
END
$$;
