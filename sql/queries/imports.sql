-- Imports: what a seller sees of them, and how the worker takes one from its first to its last state.

-- name: add
-- With the session that the worker will act through.
INSERT INTO imports (store_id, user_id, session_id, file_name, file_key, file_bytes, default_stock)
VALUES (
    %(store_id)s, %(user_id)s, auth.open_import_session(), %(file_name)s, %(file_key)s, %(file_bytes)s,
    %(default_stock)s
)
RETURNING id;

-- name: find
-- NULL for the store is an admin's view: any.
SELECT
    i.id, i.store_id, i.user_id, i.state, i.file_name, i.file_bytes, i.default_stock, i.columns,
    i.rows_read, i.rows_valid, i.rows_created, i.rows_skipped, i.rows_bad,
    CASE i.state
        WHEN 'reading' THEN 30 * least(i.bytes_read, i.file_bytes) / greatest(i.file_bytes, 1)
        WHEN 'applying' THEN 30 + 70 * (i.rows_created + i.rows_skipped) / greatest(i.rows_valid, 1)
        WHEN 'done' THEN 100
        ELSE 0
    END AS progress,
    i.error_code, i.error_message, i.created_at, i.started_at, i.finished_at
FROM imports AS i
WHERE i.id = %(import_id)s
    AND (%(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s);

-- name: search
-- Newest first; how a file was read is in find alone.
SELECT
    i.id, i.store_id, i.user_id, i.state, i.file_name, i.file_bytes, i.default_stock,
    i.rows_read, i.rows_valid, i.rows_created, i.rows_skipped, i.rows_bad,
    CASE i.state
        WHEN 'reading' THEN 30 * least(i.bytes_read, i.file_bytes) / greatest(i.file_bytes, 1)
        WHEN 'applying' THEN 30 + 70 * (i.rows_created + i.rows_skipped) / greatest(i.rows_valid, 1)
        WHEN 'done' THEN 100
        ELSE 0
    END AS progress,
    i.error_code, i.error_message, i.created_at, i.started_at, i.finished_at
FROM imports AS i
WHERE (%(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s)
    AND (%(after_id)s::bigint IS NULL OR i.id < %(after_id)s)
ORDER BY i.id DESC
LIMIT %(limit)s OFFSET %(offset)s;

-- name: count
SELECT count(*) AS matches
FROM (
    SELECT
    FROM imports AS i
    WHERE %(store_id)s::bigint IS NULL OR i.store_id = %(store_id)s
    LIMIT %(limit)s
) AS counted;

-- name: bad_rows
-- The report, batch after batch: a row of the file with everything that is wrong with it.
SELECT
    e.line,
    string_agg(e.column_name, '; ' ORDER BY e.number) AS columns,
    string_agg(e.code, '; ' ORDER BY e.number) AS codes,
    string_agg(coalesce(e.column_name || ' ', '') || e.message, '; ' ORDER BY e.number) AS messages,
    (array_agg(e.cells ORDER BY e.number))[1] AS cells
FROM import_errors AS e
WHERE e.import_id = %(import_id)s AND e.line > %(after_line)s
GROUP BY e.line
ORDER BY e.line
LIMIT %(limit)s;

-- name: start
-- A worker takes the import up, be it the first or one after another was killed. No row: it has ended.
UPDATE imports
SET state = CASE state WHEN 'queued' THEN 'reading' ELSE state END,
    attempt = attempt + 1,
    started_at = coalesce(started_at, now())
WHERE id = %(import_id)s AND state IN ('queued', 'reading', 'applying')
RETURNING id, store_id, state, attempt, file_key, default_stock;

-- name: find_file
SELECT i.file_key
FROM imports AS i
WHERE i.id = %(import_id)s;

-- name: hold
-- The first lock of every step. No row: another worker has taken the import up meanwhile, or it has ended.
SELECT i.id
FROM imports AS i
WHERE i.id = %(import_id)s AND i.attempt = %(attempt)s AND i.state IN ('reading', 'applying')
FOR NO KEY UPDATE;

-- name: add_errors
-- COPY does not work through row-level security. `cells` are JSON, NULL but for the first error of a row.
INSERT INTO import_errors (import_id, line, number, column_name, code, message, cells)
SELECT %(import_id)s, e.line, e.number, e.column_name, e.code, e.message, e.cells::json
FROM unnest(
    %(lines)s::bigint[], %(numbers)s::integer[], %(column_names)s::text[], %(codes)s::text[], %(messages)s::text[],
    %(cells)s::text[]
) AS e (line, number, column_name, code, message, cells);

-- name: note_read
UPDATE imports
SET rows_read = rows_read + %(valid)s + %(bad)s,
    rows_valid = rows_valid + %(valid)s,
    rows_bad = rows_bad + %(bad)s,
    bytes_read = %(bytes_read)s,
    columns = %(columns)s::json,
    state = CASE WHEN %(last)s THEN 'applying' ELSE state END
WHERE id = %(import_id)s;

-- name: act
-- The rest of the transaction acts as the user who sent the file; SQLSTATE 28000 when they may not any more. The audit
-- trail has one entry for the whole import, when it ends.
SELECT a.user_id, a.role, a.store_id, set_config('app.audit', 'import', true)
FROM auth.act_for_import(%(import_id)s) AS a;

-- name: finish
-- `failed` has a code and words; what was staged is not wanted any more.
WITH rows AS (
    DELETE FROM import_rows WHERE import_id = %(import_id)s
)

UPDATE imports
SET state = CASE WHEN %(error_code)s::text IS NULL THEN 'done' ELSE 'failed' END,
    error_code = %(error_code)s,
    error_message = %(error_message)s,
    finished_at = now()
WHERE id = %(import_id)s;

-- name: end_session
SELECT auth.end_import_session(%(import_id)s);

-- name: known_paths
-- The whole tree as paths of names, for an installation whose imports may not add categories.
SELECT array_agg(a.name ORDER BY cardinality(a.path)) AS path
FROM categories AS c
JOIN categories AS a ON a.id = ANY(c.path)
GROUP BY c.id;

-- name: waiting_files
-- Files that imports still need.
SELECT i.file_key
FROM imports AS i
WHERE i.state IN ('queued', 'reading', 'applying');
