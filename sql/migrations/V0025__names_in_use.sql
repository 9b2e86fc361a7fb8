-- Categories and brands that somebody uses: who made them, which of them guests see, and what becomes of the others.
--
-- Why it is shaped so:
-- * `kept` is decided by the database, not by the statement that inserts: what an admin or the owner makes stays until an
--   admin removes it, what a seller makes in passing goes when no product has it any more.
-- * `listed` stands in the brand itself, so that the public list reads one index and asks no products.
-- * A category knows the file that made it and the store whose file that was: new ones are bounded by both.

-- What is there was made before anybody asked by whom, and is kept.
ALTER TABLE categories
ADD COLUMN kept boolean NOT NULL DEFAULT true,
ADD COLUMN store_id bigint,
ADD COLUMN import_id bigint;
ALTER TABLE categories
ALTER COLUMN kept SET DEFAULT (my_role() IS DISTINCT FROM 'seller'),
ALTER COLUMN store_id SET DEFAULT my_store_id();
COMMENT ON COLUMN categories.kept IS 'An admin has made or changed it: it stays though nobody uses it.';
COMMENT ON COLUMN categories.store_id IS 'Whose file made it; counted while it is not kept.';
COMMENT ON COLUMN categories.import_id IS 'The import that made it; imports are forgotten earlier than categories.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX categories_store_id_idx ON categories (store_id) WHERE NOT kept;
GRANT INSERT (import_id), UPDATE (kept) ON categories TO marketplace_app;

ALTER TABLE brands
ADD COLUMN kept boolean NOT NULL DEFAULT true,
ADD COLUMN listed boolean NOT NULL DEFAULT true;
ALTER TABLE brands ALTER COLUMN kept SET DEFAULT (my_role() IS DISTINCT FROM 'seller');
COMMENT ON COLUMN brands.kept IS 'An admin has made or changed it: it stays though nobody uses it.';
COMMENT ON COLUMN brands.listed IS 'Guests see it: it is kept, or a product on sale has it. Kept true by the worker.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX brands_listed_idx ON brands (lower(name) COLLATE "C", id) WHERE listed;
GRANT UPDATE (kept, listed) ON brands TO marketplace_app;

-- Locked first, then looked at again: a product that was being written meanwhile is seen by the second look, and who comes
-- later waits for the lock and finds no brand. Nobody in particular does this, so the audit trail has no entry of it.
CREATE FUNCTION settle_brands(which bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unused bigint[];
    settled integer;
    removed integer;
BEGIN
    PERFORM set_config('app.audit', 'import', true);
    SELECT array_agg(u.id)
    INTO unused
    FROM (
        SELECT b.id
        FROM brands AS b
        WHERE (which IS NULL OR b.id = ANY(which))
            AND NOT b.kept
            AND NOT EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id)
        ORDER BY b.id
        FOR UPDATE SKIP LOCKED
    ) AS u;
    DELETE FROM brands AS b
    WHERE b.id = ANY(unused) AND NOT EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    WITH wrong AS (
        SELECT b.id
        FROM brands AS b
        WHERE (which IS NULL OR b.id = ANY(which))
            AND b.listed <> (b.kept OR EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id AND NOT p.hidden))
        ORDER BY b.id
        FOR UPDATE SKIP LOCKED
    )

    UPDATE brands AS b SET listed = NOT b.listed FROM wrong AS w WHERE b.id = w.id;
    GET DIAGNOSTICS settled = ROW_COUNT;
    PERFORM set_config('app.audit', '', true);
    RETURN removed + settled;
END
$$;
COMMENT ON FUNCTION settle_brands IS
'Removes brands that no product has and nobody keeps, and lists those on sale: these, or all for NULL. How many it changed.';

-- From the leaves up. Where somebody is changing the tree, the next run does it.
CREATE FUNCTION clear_categories() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unused bigint[];
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
    PERFORM set_config('app.audit', '', true);
    RETURN cleared;
END
$$;
COMMENT ON FUNCTION clear_categories IS 'Removes categories that imports have made and nothing is in any more; how many.';

CREATE FUNCTION category_room(of_import bigint, a_file integer, a_store integer) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE
        WHEN u.role = 'admin' THEN NULL
        ELSE greatest(0, least(
            a_file - (
                SELECT count(*) FROM categories AS c
                WHERE c.store_id = i.store_id AND c.import_id = i.id AND NOT c.kept
            ),
            a_store - (SELECT count(*) FROM categories AS c WHERE c.store_id = i.store_id AND NOT c.kept)
        ))::integer
    END
    FROM imports AS i
    JOIN users AS u ON u.id = i.user_id
    WHERE i.id = of_import
$$;
COMMENT ON FUNCTION category_room IS 'How many categories an import may still make; NULL for as many as it names, in an admin''s file.';

REVOKE ALL ON FUNCTION settle_brands, clear_categories, category_room FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_brands, clear_categories, category_room TO marketplace_worker;
