-- What keeps tables from growing without end: docs/operations.md names the owner of each table's growth.
--
-- * imports: what waits is bounded when a file comes (an index finds it); reports and the rows themselves are kept for a
--   time, and of each store so many.
-- * A row of a file that may not make its category goes into the nearest one that is there, and remembers the wish.
-- * Answers kept for Idempotency-Keys: the newest of a user. Sessions and refresh tokens: the newest, too.
-- * Words that no product has any more, and accounts that nobody has confirmed or used, are swept.

ALTER TABLE imports
ADD COLUMN report_bytes bigint NOT NULL DEFAULT 0,
ADD COLUMN report_kept boolean NOT NULL DEFAULT true,
ADD COLUMN wished_categories json;
COMMENT ON COLUMN imports.report_bytes IS 'About how much its bad rows take in import_errors.';
COMMENT ON COLUMN imports.report_kept IS 'Whether errors.csv is still there.';
COMMENT ON COLUMN imports.wished_categories IS 'Categories the file names that it might not make: how many, and the first.';
-- What is there already: the rows are about as large as the part of the file that they come from.
UPDATE imports
SET report_bytes = file_bytes * rows_bad / greatest(rows_read, 1)
WHERE rows_bad > 0;

ALTER TABLE import_rows ADD COLUMN wished_category text[];
COMMENT ON COLUMN import_rows.wished_category IS 'What the file named, where category is the nearest that is there; NULL: the same.';
GRANT UPDATE (category, wished_category) ON import_rows TO marketplace_worker;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX imports_waiting_idx ON imports (store_id)
WHERE state IN ('queued', 'reading', 'applying') OR (state = 'done' AND dry_run);
-- For what is forgotten by age.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX imports_finished_at_idx ON imports (finished_at) WHERE finished_at IS NOT NULL;

CREATE FUNCTION trim_imports(of_store bigint, most integer, most_bytes bigint) RETURNS integer
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
            i.id, i.report_kept, i.report_bytes,
            row_number() OVER (ORDER BY i.id DESC) AS place,
            sum(i.report_bytes) OVER (ORDER BY i.id DESC) AS bytes
        FROM imports AS i
        WHERE i.store_id = of_store AND i.finished_at IS NOT NULL
            AND NOT (i.state = 'done' AND i.dry_run AND i.finished_at > now() - interval '7 days')
    ) AS e;
    DELETE FROM import_errors AS e WHERE e.import_id = ANY(too_large);
    UPDATE imports AS i SET report_kept = false, report_bytes = 0 WHERE i.id = ANY(too_large);
    DELETE FROM imports AS i WHERE i.id = ANY(too_many);
    RETURN coalesce(cardinality(too_large), 0) + coalesce(cardinality(too_many), 0);
END
$$;
COMMENT ON FUNCTION trim_imports IS
'Forgets a store''s ended imports but for the newest, and reports but for the newest that together are so large.';

-- An import may have a million bad rows: `most` imports a time, until it is 0.
CREATE FUNCTION expire_imports(report_days integer, days integer, most integer) RETURNS integer
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
        WHERE i.finished_at < now() - make_interval(days => report_days) AND i.report_kept AND i.report_bytes > 0
        ORDER BY i.finished_at
        LIMIT most
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS f;
    DELETE FROM import_errors AS e WHERE e.import_id = ANY(old);
    UPDATE imports AS i SET report_kept = false, report_bytes = 0 WHERE i.id = ANY(old);
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
COMMENT ON FUNCTION expire_imports IS 'Forgets reports, then imports, that ended so many days ago; how many, at most so many of each.';

-- Idempotency keys -------------------------------------------------------------------------------------------------

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX idempotency_keys_user_id_idx ON idempotency_keys (user_id, created_at);
GRANT DELETE ON idempotency_keys TO marketplace_app;

-- Accounts ---------------------------------------------------------------------------------------------------------

-- An account that was never confirmed, that has no store and that nobody has used for so long. What refers to it keeps it.
CREATE FUNCTION auth.sweep_unconfirmed(days integer, after bigint, most integer, OUT swept integer, OUT last_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one bigint;
BEGIN
    swept := 0;
    FOR one IN
        SELECT u.id
        FROM users AS u
        WHERE u.id > after
            AND u.email_verified_at IS NULL AND u.deleted_at IS NULL AND u.suspended_at IS NULL AND u.role <> 'admin'
            AND u.created_at < now() - make_interval(days => days)
            AND NOT EXISTS (SELECT FROM stores AS s WHERE s.owner_id = u.id)
            AND NOT EXISTS (
                SELECT FROM auth.sessions AS s
                WHERE s.user_id = u.id AND s.last_used_at > now() - make_interval(days => days)
            )
        ORDER BY u.id
        LIMIT most
    LOOP
        last_id := one;
        BEGIN
            DELETE FROM activities AS a WHERE a.user_id = one;
            DELETE FROM users AS u WHERE u.id = one;
            swept := swept + 1;
        EXCEPTION WHEN foreign_key_violation THEN
            CONTINUE;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION auth.sweep_unconfirmed IS
'Deletes accounts never confirmed and not used for so many days; how many, and the last that was looked at: NULL at the end.';
-- Behind the foreign key, and for the newest sessions of a user.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX sessions_user_last_used_idx ON auth.sessions (user_id, last_used_at);

CREATE FUNCTION auth.sweep_surplus(most_sessions integer, most_tokens integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended integer;
    deleted integer;
BEGIN
    UPDATE auth.sessions AS s SET ended_at = now()
    FROM (
        SELECT d.id, row_number() OVER (PARTITION BY d.user_id ORDER BY d.last_used_at DESC, d.id DESC) AS place
        FROM auth.sessions AS d
        WHERE d.ended_at IS NULL AND d.kind = 'device'
            AND d.user_id IN (
                SELECT m.user_id
                FROM auth.sessions AS m
                WHERE m.ended_at IS NULL AND m.kind = 'device'
                GROUP BY m.user_id
                HAVING count(*) > most_sessions
            )
    ) AS n
    WHERE s.id = n.id AND n.place > most_sessions;
    GET DIAGNOSTICS ended = ROW_COUNT;
    DELETE FROM auth.refresh_tokens AS t
    USING (
        SELECT
            u.session_id, u.token_hash,
            row_number() OVER (PARTITION BY u.session_id ORDER BY u.used_at DESC NULLS FIRST) AS place
        FROM auth.refresh_tokens AS u
        WHERE u.session_id IN (
            SELECT m.session_id FROM auth.refresh_tokens AS m GROUP BY m.session_id HAVING count(*) > most_tokens
        )
    ) AS n
    WHERE t.session_id = n.session_id AND t.token_hash = n.token_hash AND n.place > most_tokens
        AND t.used_at IS NOT NULL;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN ended + deleted;
END
$$;
COMMENT ON FUNCTION auth.sweep_surplus IS
'Ends a user''s sessions but for the newest, and deletes a session''s used tokens but for the newest; how many.';

-- Search words -----------------------------------------------------------------------------------------------------

-- As before, but that a word which should have been in the sample many times over, and was not, is rare by now.
CREATE OR REPLACE FUNCTION refresh_search_words(sample integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rows_there float8 := greatest(
        (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'product_search'::regclass), 1
    );
    percent float8 := least(100, 100.0 * sample / rows_there);
    rare integer := ceil(20 * 100 / percent);
    counted integer;
BEGIN
    CREATE TEMPORARY TABLE sampled_search ON COMMIT DROP AS
    SELECT s.words FROM product_search AS s TABLESAMPLE SYSTEM (percent);
    CREATE TEMPORARY TABLE sampled_words ON COMMIT DROP AS
    SELECT f.word COLLATE "C" AS word, coalesce(n.ndoc, 0) AS named, f.ndoc AS found
    FROM ts_stat('SELECT words FROM pg_temp.sampled_search') AS f
    LEFT JOIN ts_stat('SELECT words FROM pg_temp.sampled_search', 'ab') AS n ON n.word = f.word;
    INSERT INTO search_words AS kept (word, named, found)
    SELECT f.word, ceil(f.named * 100 / percent), ceil(f.found * 100 / percent)
    FROM sampled_words AS f
    ORDER BY f.word
    ON CONFLICT (word) DO UPDATE SET named = excluded.named, found = excluded.found
    WHERE kept.named NOT BETWEEN excluded.named * 0.8 AND excluded.named * 1.25
        OR kept.found NOT BETWEEN excluded.found * 0.8 AND excluded.found * 1.25;
    GET DIAGNOSTICS counted = ROW_COUNT;
    UPDATE search_words AS w SET named = least(w.named, rare), found = rare
    WHERE w.found > rare AND NOT EXISTS (SELECT FROM sampled_words AS f WHERE f.word = w.word);
    DROP TABLE pg_temp.sampled_search, pg_temp.sampled_words;
    RETURN counted;
END
$$;

-- Each word is looked up in the index of all words; frequent ones, which have long lists there, were counted lately.
CREATE FUNCTION prune_search_words(after text, most integer, OUT pruned integer, OUT last_word text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT max(b.word) INTO last_word
    FROM (
        SELECT w.word FROM search_words AS w WHERE w.word > after COLLATE "C" ORDER BY w.word LIMIT most
    ) AS b;
    DELETE FROM search_words AS w
    WHERE w.word > after COLLATE "C" AND w.word <= last_word COLLATE "C"
        AND w.found <= 1000
        AND NOT EXISTS (SELECT FROM product_search AS s WHERE s.words @@ quote_literal(w.word)::tsquery);
    GET DIAGNOSTICS pruned = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION prune_search_words IS
'Deletes words behind this one that no product has, looking at so many; how many, and the last looked at: NULL at the end.';

REVOKE ALL ON FUNCTION trim_imports, expire_imports, auth.sweep_unconfirmed, auth.sweep_surplus, prune_search_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trim_imports, expire_imports, auth.sweep_unconfirmed, auth.sweep_surplus, prune_search_words
TO marketplace_worker;
