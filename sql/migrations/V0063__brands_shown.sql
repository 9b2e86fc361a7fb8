-- A brand is listed in the transaction that puts its first product on sale: made visible, shown again, or given the brand.
--
-- * One look a statement: a million rows of an import cost one DISTINCT a batch, a sale that turns in_stock costs none of
--   the looks at brands.
-- * The brand is held first, as a foreign key holds it, so that the worker (settle_brands) does not take it out meanwhile.
-- * It waits for nobody who changes a brand: an admin who removes one holds it and waits for its products. Where somebody
--   holds it so, they list it themselves, or the worker's next run does.

CREATE FUNCTION list_brands() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    shown bigint[];
BEGIN
    IF tg_op = 'INSERT' THEN
        shown := ARRAY(
            SELECT DISTINCT t.brand_id FROM touched AS t WHERE t.brand_id IS NOT NULL AND NOT t.hidden
        );
    ELSE
        shown := ARRAY(
            SELECT DISTINCT s.brand_id
            FROM (
                SELECT t.id, t.brand_id FROM touched AS t WHERE t.brand_id IS NOT NULL AND NOT t.hidden
                EXCEPT
                SELECT u.id, u.brand_id FROM untouched AS u WHERE u.brand_id IS NOT NULL AND NOT u.hidden
            ) AS s
        );
    END IF;
    IF cardinality(shown) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM b.id FROM brands AS b WHERE b.id = ANY(shown) ORDER BY b.id FOR KEY SHARE;
    shown := ARRAY(
        SELECT b.id
        FROM brands AS b
        WHERE b.id = ANY(shown) AND NOT b.listed
        ORDER BY b.id
        FOR NO KEY UPDATE SKIP LOCKED
    );
    IF cardinality(shown) > 0 THEN
        UPDATE brands AS b SET listed = true WHERE b.id = ANY(shown);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION list_brands IS 'Lists brands with their first product on sale.';
REVOKE ALL ON FUNCTION list_brands FROM PUBLIC;

CREATE TRIGGER list_brands_insert AFTER INSERT ON products REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION list_brands();
CREATE TRIGGER list_brands_update AFTER UPDATE ON products REFERENCING OLD TABLE AS untouched NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION list_brands();
