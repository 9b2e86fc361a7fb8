-- Product documents and category rows: the base of all reads. They are derived from the catalogue and written
-- in the transaction that changes it. The ids of the three `write` statements come through ARRAY(SELECT
-- unnest(...)), so that no plan depends on them: for the one product of a request planning would take longer
-- than the rest. The plans hold for a thousand ids too.

-- fragment: document
-- A document is a JSON object without its last brace: stock, in_stock (both live) and the description follow when it
-- is sent. `closed_until` is live, too: product_cards (V0067) puts it where NULL stands here.
INSERT INTO product_documents AS kept (product_id, document)
SELECT p.id, left(to_json(shown)::text, -1)
FROM products AS p
JOIN stores AS s ON s.id = p.store_id
LEFT JOIN categories AS c ON c.id = p.category_id
LEFT JOIN brands AS b ON b.id = p.brand_id
CROSS JOIN LATERAL (
    SELECT
        p.id,
        p.name,
        p.slug,
        p.price::text AS price,
        p.price_max::text AS price_max,
        p.price_before::text AS price_before,
        %(currency)s::text AS currency,
        p.sku,
        p.source_url,
        p.category_id,
        (SELECT to_json(n) FROM (SELECT c.id, c.name) AS n WHERE c.id IS NOT NULL) AS category,
        p.brand_id,
        (SELECT to_json(n) FROM (SELECT b.id, b.name) AS n WHERE b.id IS NOT NULL) AS brand,
        (
            SELECT to_json(n)
            FROM (SELECT s.id, s.name, s.logo ->> 'url' AS logo_url, s.city, NULL::text AS closed_until) AS n
        ) AS store,
        p.variant_count,
        array_to_json(ARRAY(
            SELECT to_json(n)
            FROM (
                SELECT
                    o.name,
                    ARRAY(
                        SELECT v.options[o.place]
                        FROM variants AS v
                        WHERE v.product_id = p.id AND NOT v.hidden
                        GROUP BY v.options[o.place]
                        ORDER BY min(v.position), min(v.id)
                    ) AS values
                FROM unnest(p.option_names) WITH ORDINALITY AS o (name, place)
                ORDER BY o.place
            ) AS n
        )) AS options,
        array_to_json(ARRAY(
            SELECT to_json(n)
            FROM (
                SELECT i.id, i.url AS image_url, i.is_main, i.alt, i.width, i.height, i.placeholder, i.variants
                FROM product_images AS i
                WHERE i.product_id = p.id
                ORDER BY i.is_main DESC, i.position, i.id
            ) AS n
        )) AS images,
        p.hidden,
        p.version,
        to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
        to_char(p.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS updated_at
) AS shown
WHERE p.id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[])))

-- name: write
-- Writes the documents of some products, and returns which of them were wrong (so do the next two). A text is
-- unchanged if nothing changed.
/* include: document */
ON CONFLICT (product_id) DO UPDATE
SET document = excluded.document
WHERE kept.document <> excluded.document OR kept.store_id IS NULL
RETURNING product_id;

-- name: add
-- The documents of new products.
/* include: document */;

-- name: write_categories
-- A row for the category and each of its ancestors, for visible products; none for hidden ones.
WITH wanted AS (
    SELECT p.id AS product_id, step.category_id, p.created_at, p.price, p.name_key, p.in_stock
    FROM products AS p
    JOIN categories AS c ON c.id = p.category_id
    CROSS JOIN LATERAL unnest(c.path) AS step (category_id)
    WHERE p.id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[]))) AND NOT p.hidden
),

removed AS (
    DELETE FROM product_categories AS old
    WHERE old.product_id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[])))
        AND (old.product_id, old.category_id) NOT IN (SELECT w.product_id, w.category_id FROM wanted AS w)
    RETURNING old.product_id
),

written AS (
    INSERT INTO product_categories AS kept (product_id, category_id, created_at, price, name_key, in_stock)
    SELECT w.product_id, w.category_id, w.created_at, w.price, w.name_key, w.in_stock
    FROM wanted AS w
    ON CONFLICT (product_id, category_id) DO UPDATE
    SET created_at = excluded.created_at, price = excluded.price, name_key = excluded.name_key,
        in_stock = excluded.in_stock
    WHERE (kept.created_at, kept.price, kept.name_key, kept.in_stock)
        IS DISTINCT FROM (excluded.created_at, excluded.price, excluded.name_key, excluded.in_stock)
    RETURNING product_id
)

SELECT r.product_id FROM removed AS r
UNION
SELECT w.product_id FROM written AS w;

-- name: add_categories
-- The rows of new products.
INSERT INTO product_categories (product_id, category_id, created_at, price, name_key, in_stock)
SELECT p.id, step.category_id, p.created_at, p.price, p.name_key, p.in_stock
FROM products AS p
JOIN categories AS c ON c.id = p.category_id
CROSS JOIN LATERAL unnest(c.path) AS step (category_id)
WHERE p.id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[]))) AND NOT p.hidden;

-- fragment: words
INSERT INTO product_search AS kept (product_id, words, name_words)
SELECT p.id, found.words, length(ts_filter(found.words, '{a}'))
FROM products AS p
LEFT JOIN brands AS b ON b.id = p.brand_id
LEFT JOIN categories AS c ON c.id = p.category_id
CROSS JOIN LATERAL (
    SELECT
        search_vector(
            p.name,
            b.name,
            -- What kinds there are counts as the category does: red finds the shirt that comes in red, too.
            concat_ws(' ', c.name, (
                SELECT string_agg(DISTINCT o.value, ' ')
                FROM variants AS v
                CROSS JOIN LATERAL unnest(v.options) AS o (value)
                WHERE v.product_id = p.id AND NOT v.hidden
            )),
            p.description,
            search_filters(p.id, p.store_id, p.brand_id, c.path, p.price)
        ) AS words
    LIMIT 1
) AS found
WHERE p.id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[])))

-- fragment: new_words
-- The index alone finds the words that exist. Leaving them out by a join first is a plan that was right for few words,
-- and took a minute a batch of an import for many.
added AS (
    INSERT INTO search_words (word)
    SELECT DISTINCT u.lexeme
    FROM written AS w
    CROSS JOIN LATERAL unnest(ts_filter(w.words, '{a,b}')) AS u
    ORDER BY u.lexeme
    ON CONFLICT (word) DO NOTHING
)

-- name: write_search
-- Writes the words that products are found by, and adds new words of names and brands to search_words. The
-- latter are written in the order of words and last of all, so that two transactions that add the same new
-- words wait for each other and for nothing else.
WITH written AS (
    /* include: words */
    ON CONFLICT (product_id) DO UPDATE
    SET words = excluded.words, name_words = excluded.name_words
    WHERE (kept.words, kept.name_words) IS DISTINCT FROM (excluded.words, excluded.name_words)
    RETURNING product_id, words
),

/* include: new_words */

SELECT w.product_id FROM written AS w;

-- name: add_search
-- The words of new products.
WITH written AS (
    /* include: words */
    RETURNING product_id, words
),

/* include: new_words */

SELECT count(*) AS added FROM written AS w;

-- name: reprice_search
-- The words of products whose price alone has changed: only the one that stands for it is another, where it is.
-- Written as search_vector writes them, at a tenth of the cost.
UPDATE product_search AS s
SET words = regexp_replace(s.words::text, '''#p[0-9]+''', concat('''#p', search_price(p.price), ''''))::tsvector
FROM products AS p
WHERE s.product_id = ANY(ARRAY(SELECT unnest(%(product_ids)s::bigint[])))
    AND p.id = s.product_id
    AND NOT s.words @@ concat('#p', search_price(p.price))::tsquery;

-- name: waiting
-- Products among the given ones that a pending job will write: after a rename or a move.
SELECT p.id
FROM products AS p
LEFT JOIN categories AS c ON c.id = p.category_id
WHERE p.id = ANY(%(product_ids)s)
    AND EXISTS (
        SELECT
        FROM jobs.procrastinate_jobs AS j
        WHERE j.task_name = 'rebuild_documents' AND j.status IN ('todo', 'doing')
            AND CASE j.args ->> 'by'
                WHEN 'store' THEN p.store_id = (j.args ->> 'id')::bigint
                WHEN 'brand' THEN p.brand_id = (j.args ->> 'id')::bigint
                WHEN 'category' THEN (j.args ->> 'id')::bigint = ANY(c.path)
                ELSE true
            END
    );

-- name: last_id
SELECT coalesce(max(p.id), 0) AS id
FROM products AS p;

-- name: lock
-- Taken before a refresh of products that other transactions may be changing: reads after this see their
-- commits. In the order of ids, as every writer of several products locks them.
SELECT p.id
FROM products AS p
WHERE p.id = ANY(%(product_ids)s)
ORDER BY p.id
FOR NO KEY UPDATE;

-- name: touched_by_store
-- The next products whose documents name a store. The rebuild reads them in batches, in the order of ids.
SELECT p.id
FROM products AS p
WHERE p.store_id = %(id)s AND p.id > %(after_id)s
ORDER BY p.id
LIMIT %(limit)s;

-- name: touched_by_category
-- Products of a category and of all its descendants: a move in the tree changes their rows, a rename their
-- documents.
SELECT p.id
FROM products AS p
WHERE p.category_id = ANY(ARRAY(SELECT c.id FROM categories AS c WHERE %(id)s::bigint = ANY(c.path)))
    AND p.id > %(after_id)s
ORDER BY p.id
LIMIT %(limit)s;

-- name: touched_by_brand
SELECT p.id
FROM products AS p
WHERE p.brand_id = %(id)s AND p.id > %(after_id)s
ORDER BY p.id
LIMIT %(limit)s;

-- name: all_products
SELECT p.id
FROM products AS p
WHERE p.id > %(after_id)s
ORDER BY p.id
LIMIT %(limit)s;
