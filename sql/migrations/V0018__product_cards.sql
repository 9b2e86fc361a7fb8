-- The card of a product: what a list shows of it, as one text. Its document lacks the last brace, since stock changes far
-- more often than the rest and is not in it; here, and nowhere else, the two are put together. A view, so that each list
-- joins the same two tables by the same keys; PostgreSQL takes it apart again when it plans.

CREATE VIEW product_cards WITH (security_invoker = true) AS
SELECT
    d.product_id,
    d.digest,
    i.quantity AS stock,
    concat(d.document, ',"stock":', i.quantity, ',"in_stock":', (i.quantity > 0)::text, '}') AS document
FROM product_documents AS d
JOIN inventory AS i ON i.product_id = d.product_id;

COMMENT ON VIEW product_cards IS 'Each product as lists return it: its document with the stock of now.';
COMMENT ON COLUMN product_cards.product_id IS 'The product.';
COMMENT ON COLUMN product_cards.digest IS 'As in product_documents: of the document without the stock.';
COMMENT ON COLUMN product_cards.stock IS 'As in inventory.';
COMMENT ON COLUMN product_cards.document IS 'A JSON object, complete; a description is added for one product alone.';

GRANT SELECT ON product_cards TO marketplace_app, marketplace_readonly;
