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
    CASE
        WHEN EXISTS (SELECT FROM stores AS o WHERE o.closed_until > now())
            THEN coalesce(hashtextextended((
                SELECT o.closed_until::text
                FROM stores AS o
                WHERE o.id = d.store_id AND o.closed_until > now()
            ), d.digest), d.digest)
        ELSE d.digest
    END AS digest,
    coalesce(i.quantity, (
        SELECT least(coalesce(sum(v.quantity), 0), 2147483647)::integer
        FROM inventory AS v
        WHERE v.product_id = d.product_id AND v.on_sale
    )) AS stock,
    concat(
        CASE
            WHEN EXISTS (SELECT FROM stores AS o WHERE o.closed_until > now())
                THEN coalesce(replace(d.document, '"closed_until":null}', '"closed_until":"' || (
                    SELECT to_char(o.closed_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    FROM stores AS o
                    WHERE o.id = d.store_id AND o.closed_until > now()
                ) || '"}'), d.document)
            ELSE d.document
        END,
        CASE
            WHEN d.store_id IS NULL THEN ',"price_before":null,"price_max":null,"variant_count":0,"options":[]'
        END,
        ',"stock":',
        CASE
            WHEN i.quantity > 0 THEN concat(i.quantity, ',"in_stock":true}')
            WHEN i.quantity = 0 THEN '0,"in_stock":false}'
            ELSE (
                SELECT concat(s.stock, CASE WHEN s.stock > 0 THEN ',"in_stock":true}' ELSE ',"in_stock":false}' END)
                FROM (
                    SELECT least(coalesce(sum(v.quantity), 0), 2147483647) AS stock
                    FROM inventory AS v
                    WHERE v.product_id = d.product_id AND v.on_sale
                ) AS s
            )
        END
    ) AS document,
    coalesce(i.quantity::text, (
        SELECT concat(sum(v.quantity), 'v', to_hex(bit_xor(hashint8(v.variant_id * 1000003 + v.quantity))))
        FROM inventory AS v
        WHERE v.product_id = d.product_id
    )) AS stock_tag
FROM product_documents AS d
LEFT JOIN inventory AS i ON i.product_id = d.product_id AND i.variant_id = 0;
COMMENT ON COLUMN product_cards.digest IS 'Of the document and the holiday of its store: of all but the stock.';
