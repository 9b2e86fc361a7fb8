-- Imports of products with variants, and what became of each row, before and after.
--
-- Why it is shaped so:
-- * The rows of one product share a group_key and are applied together, before all others: until none of them is left,
--   rows without a key are found by their line alone, as before. A row that turns out to be of a product which has
--   variants gets a key, and the rows of a group one of which is of a simple product lose theirs.
-- * What became of a row is kept a hundred rows at a time, of one outcome each: so an import of a million rows writes
--   ten thousand rows of it, and a reader who wants the changed ones alone passes over the others. It goes with the
--   report of bad rows.
-- * Columns of import_rows that few rows have are NULL in the others, and written by a COPY of their own.

ALTER TABLE imports
ADD COLUMN variants text NOT NULL DEFAULT 'auto',
ADD COLUMN rows_apart bigint NOT NULL DEFAULT 0,
ADD COLUMN rows_raised bigint NOT NULL DEFAULT 0,
ADD COLUMN changes_bytes bigint NOT NULL DEFAULT 0,
ADD CONSTRAINT imports_variants_check CHECK (variants IN ('auto', 'together', 'separate')) NOT VALID;
COMMENT ON COLUMN imports.variants IS
'What rows of variants become. together: one product; separate: a product each; auto: together, unless one of them is '
'of a simple product already.';
COMMENT ON COLUMN imports.rows_apart IS 'Rows of variants that stayed products of their own with variants = auto.';
COMMENT ON COLUMN imports.rows_raised IS 'Rows that raised stock in a file that does not say what stock it has seen.';
COMMENT ON COLUMN imports.changes_bytes IS 'How much its rows take in import_changes, once it has ended.';
GRANT INSERT (variants) ON imports TO marketplace_app;
GRANT UPDATE (rows_raised) ON imports TO marketplace_app;

ALTER TABLE import_rows
ADD COLUMN group_key text COLLATE "C",
ADD COLUMN option_names text[],
ADD COLUMN option_values text[],
ADD COLUMN product_name text,
ADD COLUMN product_description text,
ADD COLUMN gallery text[],
ADD COLUMN variant_id bigint,
ADD COLUMN variant_image text,
ADD COLUMN variant_hidden boolean,
ADD COLUMN barcode text,
ADD COLUMN weight_grams integer,
ADD COLUMN price_before numeric(15, 2),
ADD COLUMN stock_seen integer;
COMMENT ON COLUMN import_rows.group_key IS
'What the rows of one product with variants have in common; NULL: the row is a product by itself.';
COMMENT ON COLUMN import_rows.option_names IS 'What the variants differ by: Warna, Ukuran; NULL: not said.';
COMMENT ON COLUMN import_rows.option_values IS 'A value for each of option_names; NULL: not said.';
COMMENT ON COLUMN import_rows.product_name IS 'Name of the product of the group; NULL: name.';
COMMENT ON COLUMN import_rows.product_description IS 'Description of the product of the group; NULL: description.';
COMMENT ON COLUMN import_rows.gallery IS
'Images of the product of the group, where variant_image is one of the variant alone; NULL: image_urls.';
COMMENT ON COLUMN import_rows.variant_id IS 'The variant it says it is: files that the export wrote have it.';
COMMENT ON COLUMN import_rows.variant_image IS 'Link to the image of the variant; NULL: not said.';
COMMENT ON COLUMN import_rows.variant_hidden IS 'Whether the variant is hidden; NULL: not said.';
COMMENT ON COLUMN import_rows.barcode IS 'As in variants; NULL: not said.';
COMMENT ON COLUMN import_rows.weight_grams IS 'As in variants, or in products; NULL: not said.';
COMMENT ON COLUMN import_rows.price_before IS 'As in variants, or in products; NULL: not said.';
COMMENT ON COLUMN import_rows.stock_seen IS
'Stock when the file was written: where it is another by now, stock is not set; NULL: not said.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX import_rows_group_key_idx ON import_rows (import_id, group_key, line) WHERE group_key IS NOT NULL;
GRANT UPDATE (group_key) ON import_rows TO marketplace_worker;

CREATE TABLE import_changes (
    import_id bigint NOT NULL,
    number bigint NOT NULL,
    outcome text NOT NULL,
    changes json NOT NULL,
    CONSTRAINT import_changes_pkey PRIMARY KEY (import_id, number),
    CONSTRAINT import_changes_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE,
    CONSTRAINT import_changes_outcome_check CHECK (outcome IN ('changed', 'added', 'unchanged'))
);
COMMENT ON TABLE import_changes IS
'What became of the rows of an import, or would: at most a hundred of one outcome in a row. Private to the store.';
COMMENT ON COLUMN import_changes.import_id IS 'The import.';
COMMENT ON COLUMN import_changes.number IS 'Line of the first of them.';
COMMENT ON COLUMN import_changes.outcome IS 'changed, added or unchanged.';
COMMENT ON COLUMN import_changes.changes IS
'A list in the order of lines: line, product_id, variant_id, and before and after of the fields that differ.';
ALTER TABLE import_changes ENABLE ROW LEVEL SECURITY;
CREATE POLICY import_changes_own ON import_changes FOR SELECT TO marketplace_app
USING (import_id = ANY(ARRAY(SELECT i.id FROM imports AS i WHERE i.id = import_changes.import_id)));
CREATE POLICY import_changes_worker ON import_changes TO marketplace_worker USING (true) WITH CHECK (true);
GRANT SELECT ON import_changes TO marketplace_app;
GRANT SELECT, INSERT, UPDATE (changes), DELETE ON import_changes TO marketplace_worker;

-- As in V0026, and what became of the rows goes with the report.
CREATE OR REPLACE FUNCTION trim_imports(of_store bigint, most integer, most_bytes bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    too_many bigint[];
    too_large bigint[];
BEGIN
    SELECT
        array_agg(e.id) FILTER (WHERE e.place > most),
        array_agg(e.id) FILTER (WHERE e.place > 1 AND e.bytes > most_bytes AND e.report_kept AND e.report_bytes > 0)
    INTO too_many, too_large
    FROM (
        SELECT
            i.id, i.report_kept, i.report_bytes + i.changes_bytes AS report_bytes,
            row_number() OVER (ORDER BY i.id DESC) AS place,
            sum(i.report_bytes + i.changes_bytes) OVER (ORDER BY i.id DESC) AS bytes
        FROM imports AS i
        WHERE i.store_id = of_store AND i.finished_at IS NOT NULL
            AND NOT (i.state = 'done' AND i.dry_run AND i.finished_at > now() - interval '7 days')
    ) AS e;
    DELETE FROM import_errors AS e WHERE e.import_id = ANY(too_large);
    DELETE FROM import_changes AS c WHERE c.import_id = ANY(too_large);
    UPDATE imports AS i SET report_kept = false, report_bytes = 0, changes_bytes = 0 WHERE i.id = ANY(too_large);
    DELETE FROM imports AS i WHERE i.id = ANY(too_many);
    RETURN coalesce(cardinality(too_large), 0) + coalesce(cardinality(too_many), 0);
END
$$;

CREATE OR REPLACE FUNCTION expire_imports(report_days integer, days integer, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    old bigint[];
    forgotten integer;
BEGIN
    SELECT array_agg(f.id)
    INTO old
    FROM (
        SELECT i.id
        FROM imports AS i
        WHERE i.finished_at < now() - make_interval(days => report_days)
            AND i.report_kept
            AND i.report_bytes + i.changes_bytes > 0
        ORDER BY i.finished_at
        LIMIT most
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS f;
    DELETE FROM import_errors AS e WHERE e.import_id = ANY(old);
    DELETE FROM import_changes AS c WHERE c.import_id = ANY(old);
    UPDATE imports AS i SET report_kept = false, report_bytes = 0, changes_bytes = 0 WHERE i.id = ANY(old);
    DELETE FROM imports AS i
    WHERE i.id IN (
        SELECT f.id
        FROM imports AS f
        WHERE f.finished_at < now() - make_interval(days => days)
        ORDER BY f.finished_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten + coalesce(cardinality(old), 0);
END
$$;

-- As in V0020, and what became of the rows goes some at a time, too.
CREATE OR REPLACE FUNCTION auth.forget_things(of_user bigint, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone CONSTANT boolean := EXISTS (
        SELECT FROM users AS u WHERE u.id = of_user AND u.deleted_at IS NOT NULL
    );
    theirs bigint[];
    deleted integer;
    forgotten integer := 0;
BEGIN
    IF NOT gone THEN
        RETURN 0;
    END IF;
    SELECT array_agg(i.id)
    INTO theirs
    FROM imports AS i
    WHERE i.user_id = of_user OR i.store_id IN (SELECT s.id FROM stores AS s WHERE s.owner_id = of_user);
    DELETE FROM import_errors AS e
    WHERE e.ctid = ANY(ARRAY(SELECT f.ctid FROM import_errors AS f WHERE f.import_id = ANY(theirs) LIMIT most));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    forgotten := forgotten + deleted;
    DELETE FROM import_rows AS r
    WHERE r.ctid = ANY(ARRAY(SELECT f.ctid FROM import_rows AS f WHERE f.import_id = ANY(theirs) LIMIT most));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    forgotten := forgotten + deleted;
    DELETE FROM import_changes AS c
    WHERE c.ctid = ANY(ARRAY(SELECT f.ctid FROM import_changes AS f WHERE f.import_id = ANY(theirs) LIMIT most));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    forgotten := forgotten + deleted;
    IF forgotten = 0 THEN
        DELETE FROM imports AS i WHERE i.id = ANY(theirs);
        DELETE FROM activities AS a
        WHERE a.user_id = of_user AND a.id = ANY(ARRAY(
            SELECT f.id FROM activities AS f WHERE f.user_id = of_user LIMIT most
        ));
        GET DIAGNOSTICS forgotten = ROW_COUNT;
    END IF;
    IF forgotten = 0 THEN
        UPDATE activities AS a
        SET related_name = NULL
        WHERE a.user_id = ANY(ARRAY(
            SELECT t.user_id FROM audit AS t WHERE t.thing_id = of_user AND t.type = 'user' AND t.user_id <> of_user
        ))
        AND a.type = 'manage_user' AND a.related_id = of_user AND a.related_name IS NOT NULL;
    END IF;
    RETURN forgotten;
END
$$;
CREATE FUNCTION category_path(of_category bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
RETURN (
    SELECT string_agg(a.name, ' > ' ORDER BY step.depth)
    FROM categories AS c
    CROSS JOIN LATERAL unnest(c.path) WITH ORDINALITY AS step (id, depth)
    JOIN categories AS a ON a.id = step.id
    WHERE c.id = of_category
);
COMMENT ON FUNCTION category_path IS 'The names of a category from the top down to it: Dapur > Panci.';
REVOKE ALL ON FUNCTION category_path FROM PUBLIC;
GRANT EXECUTE ON FUNCTION category_path TO marketplace_app, marketplace_worker;
