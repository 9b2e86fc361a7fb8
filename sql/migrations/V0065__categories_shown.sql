-- A category, and those above it, are listed in the transaction that puts the first product on sale there: a row of
-- product_categories is a visible product in a category, so a new one is what to look at.
--
-- Nobody is waited for, as in V0063: where somebody holds the category, the worker's next run lists it (clear_categories).

CREATE FUNCTION list_categories() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    shown bigint[] := ARRAY(SELECT DISTINCT t.category_id FROM touched AS t);
BEGIN
    IF cardinality(shown) > 0 THEN
        shown := ARRAY(
            SELECT c.id
            FROM categories AS c
            WHERE c.id = ANY(shown) AND NOT c.listed
            ORDER BY c.id
            FOR NO KEY UPDATE SKIP LOCKED
        );
    END IF;
    IF cardinality(shown) > 0 THEN
        UPDATE categories AS c SET listed = true WHERE c.id = ANY(shown);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION list_categories IS 'Lists categories with their first product on sale.';
REVOKE ALL ON FUNCTION list_categories FROM PUBLIC;

CREATE TRIGGER list_categories AFTER INSERT ON product_categories REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION list_categories();
