-- Categories as brands: what a seller's file has made is public when something on sale is in it or below it, not before.
-- V0065 lists a category with its first product on sale; the worker takes it out when none is left.

ALTER TABLE categories ADD COLUMN listed boolean NOT NULL DEFAULT true;
ALTER TABLE categories ALTER COLUMN listed SET DEFAULT (my_role() IS DISTINCT FROM 'seller');
COMMENT ON COLUMN categories.listed IS
'Guests see it: it is kept, or a product on sale is in it or below it. Made true by V0065, kept true by the worker.';
GRANT UPDATE (listed) ON categories TO marketplace_app;

-- As in V0025, and at its end those on sale are listed, and no others.
CREATE OR REPLACE FUNCTION clear_categories() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unused bigint[];
    wrong bigint[];
    cleared integer := 0;
    removed integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7236218842713001) THEN  -- categories.lock_tree
        RETURN 0;
    END IF;
    PERFORM set_config('app.audit', 'import', true);
    FOR depth IN 1..8 LOOP
        SELECT array_agg(u.id)
        INTO unused
        FROM (
            SELECT c.id
            FROM categories AS c
            WHERE NOT c.kept
                AND NOT EXISTS (SELECT FROM categories AS d WHERE d.parent_id = c.id)
                AND NOT EXISTS (SELECT FROM products AS p WHERE p.category_id = c.id)
            ORDER BY c.id
            FOR UPDATE SKIP LOCKED
        ) AS u;
        DELETE FROM categories AS c
        WHERE c.id = ANY(unused) AND NOT EXISTS (SELECT FROM products AS p WHERE p.category_id = c.id);
        GET DIAGNOSTICS removed = ROW_COUNT;
        EXIT WHEN removed = 0;
        cleared := cleared + removed;
    END LOOP;
    SELECT array_agg(w.id)
    INTO wrong
    FROM (
        SELECT c.id
        FROM categories AS c
        WHERE c.listed <> (c.kept OR EXISTS (SELECT FROM product_categories AS pc WHERE pc.category_id = c.id))
        ORDER BY c.id
        FOR UPDATE SKIP LOCKED
    ) AS w;
    UPDATE categories AS c
    SET listed = NOT c.listed
    WHERE c.id = ANY(wrong)
        AND c.listed <> (c.kept OR EXISTS (SELECT FROM product_categories AS pc WHERE pc.category_id = c.id));
    PERFORM set_config('app.audit', '', true);
    RETURN cleared;
END
$$;
COMMENT ON FUNCTION clear_categories IS
'Removes categories that imports have made and nothing is in any more, and lists those on sale; how many it removed.';
