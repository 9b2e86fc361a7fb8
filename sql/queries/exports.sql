-- A store's products as a file: batches in the order in which they were made, each a short statement of its own.

-- name: rows
-- As the import reads them, hidden ones too. Pictures in the order in which the import compares them.
SELECT
    p.created_at, p.id, p.name, p.description, p.price::text AS price, i.stock, p.sku, p.source_url,
    ARRAY(
        SELECT a.name
        FROM unnest(c.path) WITH ORDINALITY AS step (id, depth)
        JOIN categories AS a ON a.id = step.id
        ORDER BY step.depth
    ) AS category,
    b.name AS brand,
    ARRAY(
        SELECT m.url
        FROM product_images AS m
        WHERE m.product_id = p.id
        ORDER BY m.is_main DESC, m.position, m.id
    ) AS image_urls,
    p.hidden
FROM products AS p
CROSS JOIN LATERAL (
    SELECT coalesce(sum(v.quantity) FILTER (WHERE v.on_sale), 0) AS stock
    FROM inventory AS v
    WHERE v.product_id = p.id
) AS i
LEFT JOIN categories AS c ON c.id = p.category_id
LEFT JOIN brands AS b ON b.id = p.brand_id
WHERE /* own */ p.store_id = %(store_id)s
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
    AND (p.created_at, p.id) > (coalesce(%(after_time)s::timestamptz, '-infinity'), %(after_id)s)
ORDER BY p.created_at, p.id
LIMIT %(limit)s;

-- name: documents
-- Products as the API returns them.
SELECT
    p.created_at, p.id, card.document,
    coalesce(to_json(p.description)::text, 'null') AS description, more.own_details AS details
FROM products AS p
JOIN product_cards AS card ON card.product_id = p.id
JOIN product_details AS more ON more.product_id = p.id
WHERE /* own */ p.store_id = %(store_id)s
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
    AND (p.created_at, p.id) > (coalesce(%(after_time)s::timestamptz, '-infinity'), %(after_id)s)
ORDER BY p.created_at, p.id
LIMIT %(limit)s;

-- name: store_there
SELECT s.id
FROM stores AS s
WHERE s.id = %(store_id)s;
