-- A product's document names its store with logo and city; whether that is on holiday is said live, beside the stock.
--
-- * The document has "closed_until":null, which is replaced while the store is closed: no text of a user can have that
--   sequence, as quotes are escaped in one. Few stores are closed at a time: where none is, one look says so for a page.
-- * least() leaves NULL out: of a product whose variants are all hidden it made the largest number there is.
-- * A document of before has no store_id and lacks what products were given since; what it lacks is at its default,
--   as the product has not been written since, and is added here. So nothing has to be written anew.

ALTER TABLE product_documents ADD COLUMN store_id bigint;
COMMENT ON COLUMN product_documents.store_id IS
'The store in the document, put there by a trigger; NULL: written by a release that had none.';

CREATE FUNCTION set_document_store() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    new.store_id := CASE
        WHEN strpos(new.document, '"closed_until":null}') > 0
            THEN (SELECT p.store_id FROM products AS p WHERE p.id = new.product_id)
    END;
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_document_store IS
'A document is of the store of its product, unless the last release wrote it.';
REVOKE ALL ON FUNCTION set_document_store FROM PUBLIC;
CREATE TRIGGER set_document_store BEFORE INSERT OR UPDATE OF document ON product_documents
FOR EACH ROW EXECUTE FUNCTION set_document_store();

CREATE OR REPLACE VIEW product_cards WITH (security_invoker = true) AS
SELECT
    d.product_id,
    hashtextextended(concat(c.sold, c.closed_until), d.digest) AS digest,
    s.stock,
    concat(
        coalesce(
            replace(d.document, '"closed_until":null}', '"closed_until":"' || c.closed_until || '"}'), d.document
        ),
        CASE
            WHEN d.store_id IS NULL
                THEN ',"price_before":null,"price_max":null,"variant_count":0,"options":[],"condition":"new",'
                    '"min_quantity":1,"max_per_buyer":null,"preorder_days":null'
        END,
        ',"stock":',
        s.stock,
        ',"in_stock":',
        (s.stock > 0)::text,
        ',"sold":',
        c.sold,
        '}'
    ) AS document,
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
            SELECT least(coalesce(sum(v.quantity), 0), 2147483647)::integer
            FROM inventory AS v
            WHERE v.product_id = d.product_id AND v.on_sale
        ), 0) AS stock
) AS s
CROSS JOIN LATERAL (
    SELECT
        coalesce((SELECT n.sold FROM product_counts AS n WHERE n.product_id = d.product_id), 0) AS sold,
        CASE
            WHEN EXISTS (SELECT FROM stores AS any_store WHERE any_store.closed_until > now())
                THEN (
                    SELECT to_char(o.closed_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    FROM stores AS o
                    WHERE o.id = d.store_id AND o.closed_until > now()
                )
        END AS closed_until
) AS c;
COMMENT ON COLUMN product_cards.digest IS
'Of the document, of how many were sold, and of the holiday of its store: all but the stock.';
