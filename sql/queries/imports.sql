-- Imports: what a seller sees of them, and how the worker takes one from its first to its last state.

-- name: add
-- With the session through which the worker will act.
INSERT INTO imports (
    store_id, user_id, session_id, file_name, file_key, file_bytes, default_stock, mode, dry_run, on_match, dialect,
    decimal_sign, column_names, image_base, variants
)
VALUES (
    %(store_id)s, %(user_id)s, auth.open_import_session(), %(file_name)s, %(file_key)s, %(file_bytes)s,
    %(default_stock)s, %(mode)s, %(dry_run)s, %(on_match)s, %(dialect)s, %(decimal_sign)s,
    %(column_names)s::json, %(image_base)s, %(variants)s
)
RETURNING id;

-- name: add_for_store
-- By the operator, on the command line. It acts as the owner of the store, which is given by id or name.
INSERT INTO imports (
    store_id, user_id, session_id, file_name, file_key, file_bytes, default_stock, mode, dry_run, on_match, dialect,
    decimal_sign, column_names, image_base, variants
)
SELECT
    s.id, s.owner_id, auth.open_import_session_of(s.owner_id), %(file_name)s, %(file_key)s, %(file_bytes)s,
    %(default_stock)s, %(mode)s, %(dry_run)s, %(on_match)s, %(dialect)s, %(decimal_sign)s,
    %(column_names)s::json, %(image_base)s, %(variants)s
FROM stores AS s
WHERE s.id::text = %(store)s OR lower(s.name) = lower(%(store)s)
ORDER BY (s.id::text = %(store)s) DESC
LIMIT 1
RETURNING id, store_id;

-- name: lock_store
-- Files of a store are counted and added by one at a time.
SELECT pg_advisory_xact_lock(hashtextextended('imports of store ' || %(store_id)s::bigint, 0));

-- name: waiting
-- What a store has that waits or runs, dry runs that may still be applied among them.
SELECT count(*) AS files, coalesce(sum(i.file_bytes), 0)::bigint AS bytes
FROM imports AS i
WHERE i.store_id = %(store_id)s
    AND (i.state IN ('queued', 'reading', 'applying') OR (i.state = 'done' AND i.dry_run))
    AND (i.finished_at IS NULL OR i.finished_at > now() - interval '7 days');

-- name: find
-- A NULL store is an admin's view: any.
SELECT
    i.id, i.store_id, i.user_id, i.state, i.mode, i.dry_run, i.on_match, i.file_name, i.file_bytes, i.default_stock,
    i.variants,
    CASE
        WHEN i.rows_hidden + i.rows_apart + i.rows_raised > 0 THEN jsonb_set(
            i.columns::jsonb,
            '{notes}',
            i.columns::jsonb -> 'notes' || jsonb_strip_nulls(jsonb_build_object(
                'hidden_matched', nullif(i.rows_hidden, 0),
                'variants_separate', nullif(i.rows_apart, 0),
                'stock_raised', CASE WHEN i.dry_run THEN nullif(i.rows_raised, 0) END
            ))
        )
        ELSE i.columns::jsonb
    END AS columns,
    i.plan, i.wished_categories, i.report_kept,
    json_build_object(
        'waited_ms', round(extract(EPOCH FROM i.started_at - i.created_at) * 1000),
        'reading_ms', round(extract(EPOCH FROM i.read_at - i.started_at) * 1000),
        'applying_ms', round(extract(EPOCH FROM i.finished_at - greatest(i.read_at, i.queued_at)) * 1000),
        'locked_ms', i.locked_ms
    ) AS timings,
    i.rows_total, i.rows_read, i.rows_valid, i.rows_shared, i.rows_created, i.rows_updated, i.rows_unchanged,
    i.rows_skipped, i.rows_bad,
    CASE i.state
        WHEN 'reading' THEN 40 * least(i.bytes_read, 2 * i.file_bytes) / greatest(2 * i.file_bytes, 1)
        WHEN 'applying' THEN
            40 + 60 * (i.rows_created + i.rows_updated + i.rows_unchanged + i.rows_skipped) / greatest(i.rows_valid, 1)
        WHEN 'done' THEN 100
        ELSE 0
    END AS progress,
    i.error_code, i.error_message, i.error_said, i.created_at, i.started_at, i.finished_at
FROM imports AS i
WHERE i.id = %(import_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s);

-- name: search
-- Newest first. Only find returns how a file was read.
SELECT
    i.id, i.store_id, i.user_id, i.state, i.mode, i.dry_run, i.on_match, i.file_name, i.file_bytes, i.default_stock,
    i.rows_total, i.rows_read, i.rows_valid, i.rows_shared, i.rows_created, i.rows_updated, i.rows_unchanged,
    i.rows_skipped, i.rows_bad,
    CASE i.state
        WHEN 'reading' THEN 40 * least(i.bytes_read, 2 * i.file_bytes) / greatest(2 * i.file_bytes, 1)
        WHEN 'applying' THEN
            40 + 60 * (i.rows_created + i.rows_updated + i.rows_unchanged + i.rows_skipped) / greatest(i.rows_valid, 1)
        WHEN 'done' THEN 100
        ELSE 0
    END AS progress,
    i.error_code, i.error_message, i.error_said, i.created_at, i.started_at, i.finished_at
FROM imports AS i
WHERE /* own */ (%(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s)
    AND (%(after_id)s::bigint IS NULL OR i.id < %(after_id)s)
ORDER BY i.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    FROM imports AS i
    WHERE /* own */ %(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s
    LIMIT %(limit)s
) AS counted;

-- name: bad_rows
-- The report, batch after batch: a row of the file with all its errors, in the order of number. `said` is what a
-- message was made of, NULL where it is its own template.
SELECT
    e.line,
    array_agg(e.column_name ORDER BY e.number) AS columns,
    array_agg(e.code ORDER BY e.number) AS codes,
    array_agg(e.message ORDER BY e.number) AS messages,
    json_agg(e.said ORDER BY e.number) AS said,
    (array_agg(e.cells ORDER BY e.number))[1] AS cells
FROM import_errors AS e
WHERE e.import_id = %(import_id)s AND e.line > %(after_line)s
GROUP BY e.line
ORDER BY e.line
LIMIT %(limit)s;

-- name: lock
-- Before it is cancelled or applied.
SELECT i.id, i.store_id, i.state, i.dry_run, i.mode, i.rows_bad, i.finished_at < now() - interval '7 days' AS expired
FROM imports AS i
WHERE i.id = %(import_id)s
    AND /* own */ (%(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s)
FOR NO KEY UPDATE;

-- name: cancel
-- A running worker notices it at its next step. With mode atomic nothing is applied.
UPDATE imports
SET state = 'cancelled',
    rows_created = CASE WHEN mode = 'atomic' OR dry_run THEN 0 ELSE rows_created END,
    rows_updated = CASE WHEN mode = 'atomic' OR dry_run THEN 0 ELSE rows_updated END,
    rows_unchanged = CASE WHEN mode = 'atomic' OR dry_run THEN 0 ELSE rows_unchanged END,
    rows_hidden = CASE WHEN mode = 'atomic' OR dry_run THEN 0 ELSE rows_hidden END,
    finished_at = now()
WHERE id = %(import_id)s;

-- name: apply
-- A dry run becomes a real one, and acts as the caller.
UPDATE imports
SET state = 'queued', dry_run = false, session_id = auth.open_import_session(), queued_at = now(), finished_at = NULL
WHERE id = %(import_id)s;

-- name: start
-- A worker takes the import, for the first time or after another worker was killed. No row: it has ended.
-- Counts start anew if everything is read anew: a dry run, one that is now applied, one in mode atomic.
WITH before AS MATERIALIZED (
    SELECT
        i.id,
        CASE WHEN i.read_at IS NULL THEN 'reading' ELSE 'applying' END AS next_state,
        i.read_at IS NOT NULL AND (i.state = 'queued' OR i.dry_run OR i.mode = 'atomic') AS anew
    FROM imports AS i
    WHERE i.id = %(import_id)s AND i.state IN ('queued', 'reading', 'applying')
    FOR NO KEY UPDATE
),

forgotten AS (
    DELETE FROM import_changes AS c
    USING before AS b
    WHERE c.import_id = b.id AND b.anew
)

UPDATE imports AS i
SET state = b.next_state,
    attempt = i.attempt + 1,
    rows_raised = CASE WHEN b.anew THEN 0 ELSE i.rows_raised END,
    started_at = coalesce(i.started_at, now()),
    rows_created = CASE WHEN b.anew THEN 0 ELSE i.rows_created END,
    rows_updated = CASE WHEN b.anew THEN 0 ELSE i.rows_updated END,
    rows_unchanged = CASE WHEN b.anew THEN 0 ELSE i.rows_unchanged END,
    rows_hidden = CASE WHEN b.anew THEN 0 ELSE i.rows_hidden END,
    rows_skipped = CASE
        WHEN b.anew THEN i.rows_valid - (SELECT count(*) FROM import_rows AS r WHERE r.import_id = i.id)
        ELSE i.rows_skipped
    END
FROM before AS b
WHERE i.id = b.id
RETURNING
    i.id, i.store_id, i.state, i.attempt, i.file_key, i.file_bytes, i.default_stock, i.mode, i.dry_run, i.on_match,
    i.dialect, i.decimal_sign, i.column_names, i.image_base, i.variants, i.fields;

-- name: find_ended
-- The file of an import that has ended and will not be applied.
SELECT i.file_key
FROM imports AS i
WHERE i.id = %(import_id)s AND i.state IN ('done', 'failed', 'cancelled') AND NOT (i.dry_run AND i.state = 'done');

-- name: hold
-- The first lock of every step. No row: another worker has taken the import meanwhile, or it has ended.
SELECT i.id
FROM imports AS i
WHERE i.id = %(import_id)s AND i.attempt = %(attempt)s AND i.state IN ('reading', 'applying')
FOR NO KEY UPDATE;

-- name: look
-- The same without a lock, for one long transaction, whose last step is hold.
SELECT i.id
FROM imports AS i
WHERE i.id = %(import_id)s AND i.attempt = %(attempt)s AND i.state IN ('reading', 'applying');

-- name: add_errors
-- COPY does not work through row-level security. `cells` are JSON, NULL except for the first error of a row.
INSERT INTO import_errors (import_id, line, number, column_name, code, message, said, cells)
SELECT %(import_id)s, e.line, e.number, e.column_name, e.code, e.message, e.said::json, e.cells::json
FROM unnest(
    %(lines)s::bigint[], %(numbers)s::integer[], %(column_names)s::text[], %(codes)s::text[], %(messages)s::text[],
    %(said)s::text[], %(cells)s::text[]
) AS e (line, number, column_name, code, message, said, cells);

-- name: bare_errors
-- Lines of bad rows whose cells are not in the report yet: they turned out bad after the reading.
SELECT e.line
FROM import_errors AS e
WHERE e.import_id = %(import_id)s AND e.number = 1 AND e.cells IS NULL
ORDER BY e.line
LIMIT %(limit)s;

-- name: fill_errors
WITH filled AS (
    UPDATE import_errors AS e
    SET cells = f.cells::json
    FROM unnest(%(lines)s::bigint[], %(cells)s::text[]) AS f (line, cells)
    WHERE e.import_id = %(import_id)s AND e.line = f.line AND e.number = 1
    RETURNING length(f.cells) AS size
)

UPDATE imports
SET report_bytes = report_bytes + (SELECT coalesce(sum(f.size), 0) FROM filled AS f)
WHERE id = %(import_id)s;

-- name: note_survey
UPDATE imports
SET bytes_read = %(bytes_read)s, rows_total = coalesce(%(rows_total)s, rows_total)
WHERE id = %(import_id)s;

-- name: note_read
UPDATE imports
SET rows_read = rows_read + %(valid)s + %(bad)s + %(shared)s,
    rows_valid = rows_valid + %(valid)s,
    rows_shared = rows_shared + %(shared)s,
    rows_bad = rows_bad + %(bad)s,
    report_bytes = report_bytes + %(report_bytes)s,
    bytes_read = file_bytes + %(bytes_read)s,
    columns = %(columns)s::json,
    fields = %(fields)s
WHERE id = %(import_id)s;

-- name: end_reading
UPDATE imports
SET state = 'applying', read_at = now()
WHERE id = %(import_id)s
RETURNING rows_valid, rows_bad;

-- name: count_applied
UPDATE imports
SET rows_created = rows_created + %(created)s,
    rows_updated = rows_updated + %(updated)s,
    rows_unchanged = rows_unchanged + %(unchanged)s,
    rows_skipped = rows_skipped + %(skipped)s,
    rows_hidden = rows_hidden + %(hidden)s,
    rows_raised = rows_raised + %(raised)s,
    locked_ms = greatest(locked_ms, %(locked_ms)s)
WHERE id = %(import_id)s;

-- name: count_anew
-- At the end of the one transaction of mode atomic, in place of the progress told meanwhile.
UPDATE imports
SET rows_created = %(created)s,
    rows_updated = %(updated)s,
    rows_unchanged = %(unchanged)s,
    rows_skipped = rows_valid - %(created)s - %(updated)s - %(unchanged)s,
    rows_hidden = %(hidden)s,
    rows_raised = %(raised)s,
    locked_ms = %(locked_ms)s
WHERE id = %(import_id)s;

-- name: keep_plan
UPDATE imports
SET plan = %(plan)s::json
WHERE id = %(import_id)s;

-- name: act
-- The rest of the transaction acts as the user who sent the file; SQLSTATE 28000 when they may not any more.
-- The audit trail has one entry for the whole import, at its end; movements of stock say that it was an import.
SELECT
    a.user_id, a.role, a.store_id, set_config('app.audit', 'import', true), set_config('app.stock', 'import', true)
FROM auth.act_for_import(%(import_id)s) AS a;

-- name: finish
-- `failed` has a code and words. Staged rows are removed, except those of a dry run that may be applied.
WITH rows AS (
    DELETE FROM import_rows AS r
    USING imports AS i
    WHERE r.import_id = %(import_id)s AND i.id = %(import_id)s
        AND NOT (i.dry_run AND %(error_code)s::text IS NULL)
)

UPDATE imports
SET state = CASE WHEN %(error_code)s::text IS NULL THEN 'done' ELSE 'failed' END,
    error_code = %(error_code)s,
    error_message = %(error_message)s,
    error_said = %(error_said)s::json,
    rows_created = CASE WHEN %(error_code)s::text IS NOT NULL AND mode = 'atomic' THEN 0 ELSE rows_created END,
    rows_updated = CASE WHEN %(error_code)s::text IS NOT NULL AND mode = 'atomic' THEN 0 ELSE rows_updated END,
    rows_unchanged = CASE WHEN %(error_code)s::text IS NOT NULL AND mode = 'atomic' THEN 0 ELSE rows_unchanged END,
    rows_hidden = CASE WHEN %(error_code)s::text IS NOT NULL AND mode = 'atomic' THEN 0 ELSE rows_hidden END,
    finished_at = now()
WHERE id = %(import_id)s;

-- name: end_session
SELECT auth.end_import_session(%(import_id)s);

-- name: category_room
-- How many categories the import may still make; NULL for any number.
SELECT category_room(%(import_id)s, %(a_file)s, %(a_store)s) AS room;

-- name: note_wishes
-- Categories that the import might not make: paths, and the rows that name them.
UPDATE imports AS i
SET wished_categories = %(wished)s::json,
    columns = jsonb_set(i.columns::jsonb, '{notes,category_limit}', to_jsonb(%(rows)s::bigint))::json
WHERE i.id = %(import_id)s;

-- name: known_paths
-- The whole tree as paths of names, for an installation whose imports may not add categories.
SELECT array_agg(a.name ORDER BY cardinality(a.path)) AS path
FROM categories AS c
JOIN categories AS a ON a.id = ANY(c.path)
GROUP BY c.id;

-- name: waiting_files
-- Files that imports still need; a dry run that may be applied needs its own for the report.
SELECT i.file_key
FROM imports AS i
WHERE i.state IN ('queued', 'reading', 'applying')
    OR (i.state = 'done' AND i.dry_run AND i.finished_at > now() - interval '7 days');

-- name: trim
-- Of the store's ended imports so many stay, and of their reports the newest that together are not larger.
SELECT trim_imports(i.store_id, %(most)s, %(most_bytes)s) AS forgotten
FROM imports AS i
WHERE i.id = %(import_id)s;

-- name: forget_old
-- Reports, then imports, that ended so many days ago; how many.
SELECT expire_imports(%(report_days)s, %(days)s, %(most)s) AS forgotten;

-- name: expire
-- Dry runs that nobody has applied for a week, and the rows of cancelled imports.
DELETE FROM import_rows AS r
USING imports AS i
WHERE i.id = r.import_id
    AND (i.state IN ('failed', 'cancelled') OR (i.state = 'done' AND i.finished_at < now() - interval '7 days'));

-- name: worker_alive
-- Whether a worker takes jobs of the long queue.
SELECT EXISTS(
    SELECT
    FROM jobs.procrastinate_workers AS w
    WHERE w.last_heartbeat > now() - interval '30 seconds'
) AS alive;

-- name: settle_search
SELECT settle_search();
