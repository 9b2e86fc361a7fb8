-- A store's products as a file: batches in the order in which they were made, each a short statement of its own.

-- name: rows
-- As the import reads them, hidden ones too: a row a product, or one for each of its variants in their order.
-- Images in the order in which the import compares them.
SELECT
    p.created_at, p.id, p.name, p.description, v.price::text AS price, v.stock, v.sku, p.source_url,
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
    p.hidden, v.position, v.variant_id, p.option_names, v.options, v.weight_grams, v.price_before::text AS price_before,
    v.hidden AS variant_hidden, v.barcode, picture.url AS variant_image
FROM products AS p
CROSS JOIN LATERAL (
    SELECT
        0 AS position, 0::bigint AS variant_id, p.price, p.price_before, p.sku, p.weight_grams, NULL::text[] AS options,
        NULL::boolean AS hidden, NULL::text AS barcode, NULL::bigint AS image_id,
        (SELECT i.quantity FROM inventory AS i WHERE i.product_id = p.id AND i.variant_id = 0) AS stock
    WHERE p.variant_count = 0
    UNION ALL
    SELECT
        own.position, own.id, own.price, own.price_before, own.sku, own.weight_grams, own.options, own.hidden,
        own.barcode, own.image_id,
        (SELECT i.quantity FROM inventory AS i WHERE i.product_id = p.id AND i.variant_id = own.id)
    FROM variants AS own
    WHERE own.product_id = p.id AND p.variant_count > 0
) AS v
LEFT JOIN product_images AS picture ON picture.product_id = p.id AND picture.id = v.image_id
LEFT JOIN categories AS c ON c.id = p.category_id
LEFT JOIN brands AS b ON b.id = p.brand_id
WHERE /* own */ p.store_id = %(store_id)s
    AND (p.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
    AND (p.created_at, p.id) >= (coalesce(%(after_time)s::timestamptz, '-infinity'), %(after_id)s)
    AND (p.id <> %(after_id)s OR (v.position, v.variant_id) > (%(after_position)s, %(after_variant)s))
ORDER BY p.created_at, p.id, v.position, v.variant_id
LIMIT %(limit)s;

-- name: documents
-- Products as the API returns them.
SELECT
    p.created_at, p.id, card.document,
    coalesce(to_json(p.description)::text, 'null') AS description, concat(
        more.details, CASE p.variant_count WHEN 0 THEN '[]' ELSE variants_of(p.id, true) END
    ) AS details
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

-- name: my_orders
-- What somebody has bought, with the address, lines, parcels and returns of each order.
SELECT
    o.id, o.number, c.number AS checkout_number, o.stage, o.payment_status, o.fulfilment_status, c.method, o.currency,
    o.total::text AS total, o.paid::text AS paid, o.refunded::text AS refunded, o.note, o.placed_at, o.completed_at,
    s.name AS store, a.address, l.lines, h.parcels, q.returns
FROM orders AS o
JOIN checkouts AS c ON c.id = o.checkout_id
JOIN stores AS s ON s.id = o.store_id
CROSS JOIN LATERAL delivery_address(o.id) AS a
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'name', n.name, 'options', n.options, 'quantity', n.quantity, 'price', n.price::text, 'total', n.total::text
    ) ORDER BY n.id), '[]') AS lines
    FROM order_lines AS n
    WHERE n.order_id = o.id
) AS l
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'courier', p.courier, 'service', p.service, 'tracking_number', p.tracking_number, 'state', p.state
    ) ORDER BY p.id), '[]') AS parcels
    FROM shipments AS p
    WHERE p.order_id = o.id
) AS h
CROSS JOIN LATERAL (
    SELECT coalesce(json_agg(json_build_object(
        'state', r.state, 'reason', r.reason, 'message', r.message, 'reply', r.reply, 'amount', r.amount::text
    ) ORDER BY r.id), '[]') AS returns
    FROM order_requests AS r
    WHERE r.order_id = o.id
) AS q
WHERE /* own */ o.buyer_id = %(user_id)s
    AND (o.placed_at, o.id) > (coalesce(%(after_time)s::timestamptz, '-infinity'), %(after_id)s)
ORDER BY o.placed_at, o.id
LIMIT %(limit)s;

-- name: my_payments
-- What somebody has paid, and what was proved by them; private images are named by their number alone.
SELECT
    p.id, c.number AS checkout_number, p.method, p.channel, p.state, p.amount::text AS amount, p.currency,
    p.received::text AS received, p.proof, p.created_at
FROM payments AS p
JOIN checkouts AS c ON c.id = p.checkout_id
WHERE /* own */ c.buyer_id = %(user_id)s
    AND (p.created_at, p.id) > (coalesce(%(after_time)s::timestamptz, '-infinity'), %(after_id)s)
ORDER BY p.created_at, p.id
LIMIT %(limit)s;
