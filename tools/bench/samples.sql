-- What requests for the generated shop are made of. Read once, by the owner.

-- name: categories
-- With their products, the largest first.
SELECT n.category_id AS id, c.name, cardinality(c.path) AS level, n.products
FROM category_counts AS n
JOIN categories AS c ON c.id = n.category_id
ORDER BY n.products DESC, n.category_id;

-- name: brands
SELECT b.id, b.name, n.products
FROM (
    SELECT p.brand_id, count(*) AS products
    FROM products AS p
    WHERE NOT p.hidden AND p.brand_id IS NOT NULL
    GROUP BY p.brand_id
) AS n
JOIN brands AS b ON b.id = n.brand_id
ORDER BY n.products DESC, b.id;

-- name: stores
SELECT s.id, s.name, n.products
FROM (
    SELECT p.store_id, count(*) AS products
    FROM products AS p
    WHERE NOT p.hidden
    GROUP BY p.store_id
) AS n
JOIN stores AS s ON s.id = n.store_id
ORDER BY n.products DESC, s.id;

-- name: products
-- Of some that are shown, `number` of them spread evenly over the ids.
SELECT p.id, p.name, p.description, p.price, p.category_id, p.brand_id, p.store_id
FROM products AS p
WHERE NOT p.hidden
    AND p.id = ANY(ARRAY(
        SELECT 1 + m.id * g.place / %(number)s
        FROM (SELECT max(x.id) AS id FROM products AS x) AS m
        CROSS JOIN generate_series(0, %(number)s - 1) AS g (place)
    ))
ORDER BY p.id;
