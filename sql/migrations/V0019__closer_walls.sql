-- The second wall, closer: what a statement that somebody smuggled in may do as the application's role.
--
-- * The guards saw what a row becomes, not what it was: a row of another's could be made one's own. Rows now keep the store,
--   product or owner that they have, whoever writes but the owner of the tables; and UPDATE is granted by column.
-- * The words of products have guards as all that hangs on a product has. Whoever is nobody adds no word of the catalogue.
-- * An import acts for the one who sends it, through a session of theirs.
-- * A category stands where its path says, whoever writes it.
-- * What runs with the rights of the owner is granted by name (and what is still to come: V0059).

-- In the order in which writers take them, so that what follows waits for nobody halfway. In a block, so that `psql -f`
-- takes it too, where each statement is a transaction.
DO $$
BEGIN
    LOCK TABLE imports, stores, categories, inventory, products, product_images, product_documents, product_categories,
    product_search, search_words IN SHARE ROW EXCLUSIVE MODE;
END
$$;

-- Rows stay where they are -----------------------------------------------------------------------------------------

CREATE FUNCTION refuse_move() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'a row of % stays whose it is', tg_table_name USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION refuse_move IS 'Refuses to give a row to another store, product or owner (42501).';
DO $$
DECLARE
    it record;
BEGIN
    FOR it IN
        SELECT v.*
        FROM (VALUES
            ('imports', 'store_id'), ('imports', 'user_id'), ('stores', 'owner_id'), ('inventory', 'product_id'),
            ('products', 'store_id'), ('product_images', 'product_id'), ('product_documents', 'product_id'),
            ('product_categories', 'product_id'), ('product_search', 'product_id')
        ) AS v (things, key)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER refuse_move_of_%2$s BEFORE UPDATE OF %2$I ON %1$I FOR EACH ROW '
            'WHEN (old.%2$I IS DISTINCT FROM new.%2$I) EXECUTE FUNCTION refuse_move()',
            it.things,
            it.key
        );
    END LOOP;
END
$$;

-- In a block, so that `psql -f` leaves nobody without the right to write.
DO $$
BEGIN
    REVOKE UPDATE ON products, product_images, product_documents, product_categories, product_search, inventory,
    idempotency_keys FROM marketplace_app;
    GRANT UPDATE (
        category_id, brand_id, name, description, price, sku, source_url, hidden, in_stock, version, updated_at
    ) ON products TO marketplace_app;
    GRANT UPDATE (position, is_main, url, alt, digest, width, height, placeholder, variants) ON product_images TO marketplace_app;
    GRANT UPDATE (document) ON product_documents TO marketplace_app;
    GRANT UPDATE (created_at, price, name_key, in_stock) ON product_categories TO marketplace_app;
    GRANT UPDATE (words, name_words) ON product_search TO marketplace_app;
    GRANT UPDATE (quantity) ON inventory TO marketplace_app;
    GRANT UPDATE (fingerprint, status, location, version, body, created_at) ON idempotency_keys TO marketplace_app;
    -- When something was done is not for its writer to say.
    REVOKE INSERT ON activities FROM marketplace_app;
    GRANT INSERT (user_id, type, related_type, related_id, related_name, details, ip, device) ON activities TO marketplace_app;
END
$$;

-- Words ------------------------------------------------------------------------------------------------------------

CREATE TRIGGER guard_delete AFTER DELETE ON product_search
REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts();

CREATE FUNCTION guard_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF coalesce(my_role(), '') IN ('seller', 'admin')
        OR pg_has_role(current_user, 'marketplace_worker', 'USAGE')
        OR pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE')
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'words come with products' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION guard_words IS 'Words of the catalogue come with the products of a seller (42501 otherwise).';
CREATE TRIGGER guard_write AFTER INSERT OR UPDATE OR DELETE ON search_words
FOR EACH STATEMENT EXECUTE FUNCTION guard_words();

-- Imports ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION auth.is_my_import_session(which bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM auth.sessions AS s WHERE s.id = which AND s.kind = 'import' AND s.user_id = public.me()
    );
END
$$;
COMMENT ON FUNCTION auth.is_my_import_session IS 'Whether an import may act through this session for the caller.';

CREATE FUNCTION guard_imports() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, 'marketplace_worker', 'USAGE') AND tg_op = 'UPDATE'
        OR pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE')
    THEN
        RETURN new;
    END IF;
    IF tg_op = 'INSERT' AND new.user_id IS DISTINCT FROM me()
        OR new.session_id IS NOT NULL AND NOT auth.is_my_import_session(new.session_id)
    THEN
        RAISE EXCEPTION 'an import is by the one who sends it' USING ERRCODE = '42501';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION guard_imports IS 'Refuses an import in another''s name, or through a session of another (42501).';
CREATE TRIGGER guard_insert BEFORE INSERT ON imports FOR EACH ROW EXECUTE FUNCTION guard_imports();
CREATE TRIGGER guard_session BEFORE UPDATE OF session_id ON imports
FOR EACH ROW WHEN (old.session_id IS DISTINCT FROM new.session_id) EXECUTE FUNCTION guard_imports();

-- The tree ---------------------------------------------------------------------------------------------------------

-- A statement may move a whole branch: looked at when it is over, each row it touched and those right below.
CREATE FUNCTION check_paths() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    strayed bigint;
BEGIN
    SELECT t.id INTO strayed
    FROM touched AS t
    LEFT JOIN categories AS p ON p.id = t.parent_id
    WHERE t.path <> coalesce(p.path, '{}') || t.id
        OR EXISTS (SELECT FROM categories AS c WHERE c.parent_id = t.id AND c.path <> t.path || c.id)
    LIMIT 1;
    IF strayed IS NOT NULL THEN
        RAISE EXCEPTION 'the path of category % is not that of its parent', strayed
            USING ERRCODE = '42501', TABLE = 'categories';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION check_paths IS 'Refuses a category whose path does not lead through its parent.';
CREATE TRIGGER check_paths_insert AFTER INSERT ON categories
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_paths();
CREATE TRIGGER check_paths_update AFTER UPDATE ON categories
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION check_paths();

-- Jobs -------------------------------------------------------------------------------------------------------------

-- Put before each job by `migrate` (the queue's tables are the library's). Mails are written also for those who are not
-- signed in; all else is somebody's wish. What a job is told it does not believe: its functions look themselves.
CREATE FUNCTION guard_jobs() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, 'marketplace_worker', 'USAGE') OR me() IS NOT NULL OR auth.are_old_doors_open()
        OR (new.task_name = 'send_mail' AND new.args - '{kind,email,language}'::text[] = '{}')
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'nobody has no work for the worker' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION guard_jobs IS 'Refuses jobs of those who are not signed in, but for mails (42501).';

REVOKE ALL ON FUNCTION me, my_role, my_store_id, refuse_move, guard_words, auth.is_my_import_session, guard_imports, check_paths, guard_jobs
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.is_my_import_session TO marketplace_app;
