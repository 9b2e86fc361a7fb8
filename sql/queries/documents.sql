-- Product documents, category rows and words: the base of all reads. They are derived from the catalogue and written
-- in the transaction that changes it, by verbs of V0191, which says what is written and why.

-- name: add
-- Of products that this transaction has made.
SELECT add_product_parts(%(product_ids)s::bigint[], %(currency)s);

-- name: write
-- Of products that are there, each part of some of them; returns which were wrong.
SELECT w.documents, w.categories, w.search
FROM write_product_parts(
    of_documents => %(documents)s::bigint[],
    of_categories => %(categories)s::bigint[],
    of_words => %(words)s::bigint[],
    of_prices => %(prices)s::bigint[],
    shown_currency => %(currency)s
) AS w;

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
