-- Imports: a seller's file on its way into the catalogue.
--
-- The file lies in private storage; the worker reads it into import_rows (bounded memory, no policies: COPY does
-- not work through them), then takes the rows into the catalogue batch by batch. A batch and its removal
-- from import_rows are one transaction, so that a killed worker goes on where it stopped.

CREATE TABLE imports (
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    user_id bigint NOT NULL,
    session_id bigint,
    state text NOT NULL DEFAULT 'queued',
    file_name text,
    file_key text NOT NULL,
    file_bytes bigint NOT NULL,
    default_stock integer NOT NULL DEFAULT 0,
    attempt integer NOT NULL DEFAULT 0,
    bytes_read bigint NOT NULL DEFAULT 0,
    columns json,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_valid bigint NOT NULL DEFAULT 0,
    rows_created bigint NOT NULL DEFAULT 0,
    rows_skipped bigint NOT NULL DEFAULT 0,
    rows_bad bigint NOT NULL DEFAULT 0,
    error_code text,
    error_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT imports_pkey PRIMARY KEY (id),
    CONSTRAINT imports_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id),
    CONSTRAINT imports_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT imports_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions (id) ON DELETE SET NULL,
    CONSTRAINT imports_state_check CHECK (state IN ('queued', 'reading', 'applying', 'done', 'failed')),
    CONSTRAINT imports_default_stock_check CHECK (default_stock BETWEEN 0 AND 1000000000)
);
CREATE INDEX imports_store_id_idx ON imports (store_id, id);
CREATE INDEX imports_user_id_idx ON imports (user_id);
-- Behind the foreign key: sessions long dead are swept.
CREATE INDEX imports_session_id_idx ON imports (session_id) WHERE session_id IS NOT NULL;
COMMENT ON TABLE imports IS 'Files of products a store has sent, and what became of them. Private to the store.';
COMMENT ON COLUMN imports.id IS 'Identity, int64.';
COMMENT ON COLUMN imports.store_id IS 'Whose products they are.';
COMMENT ON COLUMN imports.user_id IS 'Who sent the file: the seller, or an admin for them.';
COMMENT ON COLUMN imports.session_id IS 'The session the worker acts through; dead once the import has ended.';
COMMENT ON COLUMN imports.state IS 'queued, reading, applying, done or failed.';
COMMENT ON COLUMN imports.file_name IS 'Name the seller''s device gave it.';
COMMENT ON COLUMN imports.file_key IS 'Where the file lies in private storage.';
COMMENT ON COLUMN imports.file_bytes IS 'Its size.';
COMMENT ON COLUMN imports.default_stock IS 'Stock of products from a file without a stock column.';
COMMENT ON COLUMN imports.attempt IS
'Rises when a worker takes it up: one that was taken for dead and is not finds that another has its place.';
COMMENT ON COLUMN imports.bytes_read IS 'How far the reading is.';
COMMENT ON COLUMN imports.columns IS 'How the file was read: header, encoding, delimiter, columns used, ignored, unknown.';
COMMENT ON COLUMN imports.rows_read IS 'Data rows read so far.';
COMMENT ON COLUMN imports.rows_valid IS 'Of these, good ones.';
COMMENT ON COLUMN imports.rows_created IS 'Good rows that became products.';
COMMENT ON COLUMN imports.rows_skipped IS 'Good rows whose product the store had already.';
COMMENT ON COLUMN imports.rows_bad IS 'Rows refused; each is in import_errors.';
COMMENT ON COLUMN imports.error_code IS 'Why the whole file failed.';
COMMENT ON COLUMN imports.error_message IS 'The same in words.';
COMMENT ON COLUMN imports.created_at IS 'When the file arrived.';
COMMENT ON COLUMN imports.started_at IS 'When the worker took it.';
COMMENT ON COLUMN imports.finished_at IS 'When it ended.';

CREATE TABLE import_errors (
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    number integer NOT NULL,
    column_name text,
    code text NOT NULL,
    message text NOT NULL,
    cells json,
    CONSTRAINT import_errors_pkey PRIMARY KEY (import_id, line, number),
    CONSTRAINT import_errors_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
);
COMMENT ON TABLE import_errors IS 'What was wrong, row by row.';
COMMENT ON COLUMN import_errors.import_id IS 'The import.';
COMMENT ON COLUMN import_errors.line IS 'First line of the row in the file; the header is line 1.';
COMMENT ON COLUMN import_errors.number IS 'A row may have several errors: 1, 2, ...';
COMMENT ON COLUMN import_errors.column_name IS 'Column as the file names it; NULL for the row as a whole.';
COMMENT ON COLUMN import_errors.code IS 'Stable literal.';
COMMENT ON COLUMN import_errors.message IS 'The same in words.';
COMMENT ON COLUMN import_errors.cells IS 'The row itself, a list of texts; only with number 1.';

CREATE TABLE import_rows (
    import_id bigint NOT NULL,
    line bigint NOT NULL,
    product_id bigint NOT NULL DEFAULT nextval('products_id_seq'),
    name text NOT NULL,
    description text,
    price numeric(15, 2) NOT NULL,
    stock integer NOT NULL,
    sku text,
    source_url text,
    category text[],
    brand text,
    image_urls text[] NOT NULL,
    CONSTRAINT import_rows_pkey PRIMARY KEY (import_id, line),
    CONSTRAINT import_rows_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE
);
COMMENT ON TABLE import_rows IS 'Good rows that wait to be taken into the catalogue; only the worker reaches them.';
COMMENT ON COLUMN import_rows.import_id IS 'The import.';
COMMENT ON COLUMN import_rows.line IS 'First line of the row in the file.';
COMMENT ON COLUMN import_rows.product_id IS
'The id it will have as a product, so that stock and pictures find the product of their row.';
COMMENT ON COLUMN import_rows.name IS 'As in products.';
COMMENT ON COLUMN import_rows.description IS 'As in products.';
COMMENT ON COLUMN import_rows.price IS 'As in products.';
COMMENT ON COLUMN import_rows.stock IS 'As in inventory.';
COMMENT ON COLUMN import_rows.sku IS 'As in products.';
COMMENT ON COLUMN import_rows.source_url IS 'As in products.';
COMMENT ON COLUMN import_rows.category IS 'Names from the top of the tree down.';
COMMENT ON COLUMN import_rows.brand IS 'Name of the brand.';
COMMENT ON COLUMN import_rows.image_urls IS 'Links to pictures, the main one first.';

ALTER TABLE imports ENABLE ROW LEVEL SECURITY;
CREATE POLICY imports_own ON imports TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
WITH CHECK (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
ALTER TABLE import_errors ENABLE ROW LEVEL SECURITY;
CREATE POLICY import_errors_own ON import_errors TO marketplace_app
USING (import_id = ANY(ARRAY(SELECT i.id FROM imports AS i WHERE i.id = import_errors.import_id)));
GRANT SELECT ON imports, import_errors TO marketplace_app;
GRANT INSERT (store_id, user_id, session_id, file_name, file_key, file_bytes, default_stock) ON imports TO marketplace_app;

-- The worker writes progress and rows; it acts as the user who sent the file.
CREATE POLICY imports_worker ON imports TO marketplace_worker USING (true) WITH CHECK (true);
CREATE POLICY import_errors_worker ON import_errors TO marketplace_worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON imports TO marketplace_worker;
GRANT SELECT, INSERT, DELETE ON import_errors, import_rows TO marketplace_worker;
GRANT USAGE ON SEQUENCE products_id_seq TO marketplace_worker;

CREATE FUNCTION find_category(names text[]) RETURNS bigint
LANGUAGE plpgsql STABLE RETURNS NULL ON NULL INPUT SET search_path = public, pg_temp AS $$
DECLARE
    step text;
    reached bigint;
BEGIN
    FOREACH step IN ARRAY names LOOP
        IF reached IS NULL THEN
            SELECT c.id INTO reached FROM categories AS c WHERE c.parent_id IS NULL AND lower(c.name) = lower(step);
        ELSE
            SELECT c.id INTO reached FROM categories AS c WHERE c.parent_id = reached AND lower(c.name) = lower(step);
        END IF;
        IF reached IS NULL THEN
            RETURN NULL;
        END IF;
    END LOOP;
    RETURN reached;
END
$$;
COMMENT ON FUNCTION find_category IS 'The category at the end of a path of names, whatever their case; NULL if there is none.';

-- A session of its own for an import, so that suspending its user or a change of role stops the import too.
-- Nobody ever sees its secret.
CREATE FUNCTION auth.open_import_session() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO auth.sessions (user_id, kind, secret_hash, expires_at)
    VALUES (
        public.me(), 'import',
        sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')),
        now() + interval '7 days'
    )
    RETURNING id INTO new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION auth.open_import_session IS 'A session for an import of the caller''s.';

CREATE FUNCTION auth.act_for_import(
    import bigint, OUT user_id bigint, OUT role text, OUT store_id bigint, OUT session_id bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hash bytea;
BEGIN
    SELECT s.secret_hash INTO hash
    FROM public.imports AS i
    JOIN auth.sessions AS s ON s.id = i.session_id
    WHERE i.id = import AND s.kind = 'import';
    SELECT a.user_id, a.role, a.store_id, a.session_id
    INTO user_id, role, store_id, session_id
    FROM auth.act_as(hash) AS a;
END
$$;
COMMENT ON FUNCTION auth.act_for_import IS 'Makes the transaction act as the user whose import it is (28000 if they may not).';

CREATE FUNCTION auth.end_import_session(import bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE auth.sessions AS s SET ended_at = now()
    FROM public.imports AS i
    WHERE i.id = import AND s.id = i.session_id AND s.ended_at IS NULL;
END
$$;
COMMENT ON FUNCTION auth.end_import_session IS 'The import is over: nobody acts through its session any more.';

-- In small bites; a month is long enough for a stolen refresh token to show.
CREATE FUNCTION auth.sweep_sessions(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    swept integer;
BEGIN
    DELETE FROM auth.sessions AS s
    WHERE s.id IN (
        SELECT d.id
        FROM auth.sessions AS d
        WHERE least(d.expires_at, d.ended_at) < now() - interval '30 days'
        ORDER BY d.id
        LIMIT most
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$$;
COMMENT ON FUNCTION auth.sweep_sessions IS 'Deletes sessions dead for a month, with their tokens; how many.';

CREATE FUNCTION auth.sweep_refresh_tokens(most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    swept integer;
BEGIN
    DELETE FROM auth.refresh_tokens AS t
    WHERE t.token_hash IN (
        SELECT u.token_hash
        FROM auth.refresh_tokens AS u
        WHERE u.used_at < now() - interval '30 days'
        LIMIT most
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$$;
COMMENT ON FUNCTION auth.sweep_refresh_tokens IS 'Deletes refresh tokens of living sessions used a month ago; how many.';

REVOKE ALL ON FUNCTION auth.open_import_session, auth.act_for_import, auth.end_import_session, auth.sweep_sessions,
auth.sweep_refresh_tokens FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.open_import_session TO marketplace_app;
GRANT EXECUTE ON FUNCTION auth.act_for_import, auth.end_import_session, auth.sweep_sessions, auth.sweep_refresh_tokens
TO marketplace_worker;
