-- Whole shops by file: dry runs, all or nothing, files that change what is there, and imports that can be stopped.
--
-- Why it is shaped so:
-- * A staged row may now meet a product that is there: by the id that the export wrote, by SKU or by link. What it meets is
--   found when the row is applied, and again under the product's lock; nothing of it is kept.
-- * A dry run leaves its staged rows where they are, so that it can be applied as it stands.
-- * Stock is written last, in a transaction of its own: `settled` says that the rest of the row is in and counted.

ALTER TABLE imports
ADD COLUMN mode text NOT NULL DEFAULT 'skip_bad',
ADD COLUMN dry_run boolean NOT NULL DEFAULT false,
ADD COLUMN on_match text NOT NULL DEFAULT 'update',
ADD COLUMN dialect text,
ADD COLUMN decimal_sign text,
ADD COLUMN fields text[] NOT NULL DEFAULT '{}',
ADD COLUMN plan json,
ADD COLUMN rows_total bigint,
ADD COLUMN rows_shared bigint NOT NULL DEFAULT 0,
ADD COLUMN rows_updated bigint NOT NULL DEFAULT 0,
ADD COLUMN rows_unchanged bigint NOT NULL DEFAULT 0,
ADD COLUMN queued_at timestamptz NOT NULL DEFAULT now(),
ADD COLUMN read_at timestamptz,
ADD COLUMN locked_ms bigint;
-- squawk-ignore ban-drop-constraint
ALTER TABLE imports DROP CONSTRAINT imports_state_check;
ALTER TABLE imports
ADD CONSTRAINT imports_state_check
CHECK (state IN ('queued', 'reading', 'applying', 'done', 'failed', 'cancelled')) NOT VALID,
ADD CONSTRAINT imports_mode_check CHECK (mode IN ('skip_bad', 'atomic')) NOT VALID,
ADD CONSTRAINT imports_on_match_check CHECK (on_match IN ('update', 'skip')) NOT VALID,
ADD CONSTRAINT imports_decimal_sign_check CHECK (decimal_sign IN ('.', ',')) NOT VALID;
COMMENT ON COLUMN imports.state IS
'queued, reading, applying, done, failed or cancelled. A dry run is done when it has gone through all rows.';
COMMENT ON COLUMN imports.mode IS 'skip_bad: the good rows. atomic: all rows or none, in one transaction.';
COMMENT ON COLUMN imports.dry_run IS 'Says what would be done and keeps the rows until it is applied or cancelled.';
COMMENT ON COLUMN imports.on_match IS 'What becomes of a product that is there already: update or skip.';
COMMENT ON COLUMN imports.dialect IS 'The kind of file that was asked for; NULL: the header tells.';
COMMENT ON COLUMN imports.decimal_sign IS 'The sign for decimals that was asked for; NULL: the file tells.';
COMMENT ON COLUMN imports.fields IS 'Which fields of a product the file says anything about: the others stay as they are.';
COMMENT ON COLUMN imports.plan IS 'Of a dry run: categories and brands that would be new.';
COMMENT ON COLUMN imports.rows_total IS 'Data rows of the file; NULL until it was surveyed.';
COMMENT ON COLUMN imports.rows_shared IS 'Rows that are no products: parents of variants, further pictures.';
COMMENT ON COLUMN imports.rows_updated IS 'Good rows that changed a product.';
COMMENT ON COLUMN imports.rows_unchanged IS 'Good rows whose product was so already.';
COMMENT ON COLUMN imports.rows_skipped IS 'Good rows that were left out: on_match=skip, or twins of earlier rows that say the same.';
COMMENT ON COLUMN imports.queued_at IS 'When it last began to wait for the worker: when the file came, or when a dry run was to be applied.';
COMMENT ON COLUMN imports.read_at IS 'When the last row was read.';
COMMENT ON COLUMN imports.locked_ms IS 'The longest that one transaction held its locks on products, in milliseconds.';

GRANT INSERT (mode, dry_run, on_match, dialect, decimal_sign) ON imports TO marketplace_app;
-- To apply a dry run, and to cancel.
GRANT UPDATE (
    state, dry_run, session_id, rows_created, rows_updated, rows_unchanged, queued_at, finished_at
) ON imports TO marketplace_app;

-- The rows themselves, of what was found bad behind the reading.
GRANT UPDATE (cells) ON import_errors TO marketplace_worker;

-- Its import is looked at in every transaction that writes here; a check of each row would cost as much as the row.
-- squawk-ignore ban-drop-constraint
ALTER TABLE import_rows DROP CONSTRAINT import_rows_import_id_fkey;
-- squawk-ignore ban-drop-not-null
ALTER TABLE import_rows ALTER COLUMN stock DROP NOT NULL;
ALTER TABLE import_rows
ADD COLUMN known_id bigint,
ADD COLUMN hidden boolean,
ADD COLUMN settled boolean NOT NULL DEFAULT false;
GRANT UPDATE (settled) ON import_rows TO marketplace_worker;
COMMENT ON COLUMN import_rows.product_id IS
'The id it will have if it becomes a new product, so that stock and pictures find the product of their row.';
COMMENT ON COLUMN import_rows.stock IS 'As in inventory; NULL: not said.';
COMMENT ON COLUMN import_rows.image_urls IS 'Links to pictures, the main one first; chr(127) begins one of our own uploads.';
COMMENT ON COLUMN import_rows.known_id IS 'The product it says it is: files that the export wrote have it.';
COMMENT ON COLUMN import_rows.hidden IS 'As in products; NULL: not said.';
COMMENT ON COLUMN import_rows.settled IS 'Its product is written and counted; only its stock is still to come.';

-- The one entry of an import: none for a dry run, and by whoever ended it.
CREATE OR REPLACE FUNCTION write_audit_import() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit (user_id, role, store_id, action, type, thing_id, after, request_id)
    SELECT
        u.id, u.role, new.store_id, 'import', 'import', new.id,
        json_build_object(
            'state', new.state,
            'file_name', new.file_name,
            'mode', new.mode,
            'rows_created', new.rows_created,
            'rows_updated', new.rows_updated,
            'rows_skipped', new.rows_skipped,
            'rows_bad', new.rows_bad,
            'error_code', new.error_code
        ),
        new.request_id
    FROM users AS u
    WHERE u.id = coalesce((SELECT me()), new.user_id);
    RETURN NULL;
END
$$;
DROP TRIGGER write_audit_import ON imports;
CREATE TRIGGER write_audit_import AFTER UPDATE ON imports
FOR EACH ROW WHEN (old.finished_at IS NULL AND new.finished_at IS NOT NULL AND NOT new.dry_run)
EXECUTE FUNCTION write_audit_import();

-- Words wait in a short list and go into these indexes many at a time: that takes a quarter of the work. How long the list
-- may become is up to the session (gin_pending_list_limit), since every search goes through it.
ALTER INDEX product_search_title_idx SET (fastupdate = on); -- noqa: PRS
ALTER INDEX product_search_words_idx SET (fastupdate = on); -- noqa: PRS
CREATE FUNCTION settle_search() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT gin_clean_pending_list('product_search_title_idx') + gin_clean_pending_list('product_search_words_idx')
$$;
COMMENT ON FUNCTION settle_search IS 'Takes the words that wait into the indexes of product_search; how many pages they were.';
REVOKE ALL ON FUNCTION settle_search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_search TO marketplace_worker;

-- For the command line: the session of an import that the operator sends for a store.
CREATE FUNCTION auth.open_import_session_of(owner bigint) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO auth.sessions (user_id, kind, secret_hash, expires_at)
    VALUES (
        owner, 'import',
        sha256(decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')),
        now() + interval '7 days'
    )
    RETURNING id
$$;
COMMENT ON FUNCTION auth.open_import_session_of IS 'A session for an import of this user; for the tables'' owner.';
REVOKE ALL ON FUNCTION auth.open_import_session_of FROM PUBLIC;
