-- Badges: what waits for a user, counted to 99. Each scan ends there, by an index of its own.

-- name: count
SELECT
    count(*) FILTER (WHERE waits.what = 'cart') AS cart,
    count(*) FILTER (WHERE waits.what = 'unpaid') AS unpaid,
    count(*) FILTER (WHERE waits.what = 'to_ship') AS to_ship,
    count(*) FILTER (WHERE waits.what = 'shipping') AS shipping
FROM (
    (
        SELECT 'cart' AS what
        FROM cart_lines AS l
        WHERE /* own */ l.user_id = %(user_id)s::bigint
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'unpaid'
        FROM checkouts AS c
        WHERE /* own */ c.buyer_id = %(user_id)s::bigint
            AND c.state = 'unpaid'
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'to_ship'
        FROM orders AS o
        WHERE /* own */ o.buyer_id = %(user_id)s::bigint
            AND o.stage IN ('new', 'to_ship')
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'shipping'
        FROM orders AS o
        WHERE /* own */ o.buyer_id = %(user_id)s::bigint
            AND o.stage = 'shipping'
        LIMIT 99
    )
) AS waits;

-- name: count_of_store
SELECT
    count(*) FILTER (WHERE waits.what = 'new') AS new,
    count(*) FILTER (WHERE waits.what = 'to_ship') AS to_ship,
    count(*) FILTER (WHERE waits.what = 'request') AS requests,
    count(*) FILTER (WHERE waits.what = 'low_stock') AS low_stock
FROM (
    (
        SELECT 'new' AS what
        FROM orders AS o
        WHERE /* own */ o.store_id = %(store_id)s::bigint
            AND o.stage = 'new'
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'to_ship'
        FROM orders AS o
        WHERE /* own */ o.store_id = %(store_id)s::bigint
            AND o.stage = 'to_ship'
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'request'
        FROM orders AS o
        WHERE /* own */ o.store_id = %(store_id)s::bigint
            AND o.open_request IS NOT NULL
        LIMIT 99
    )
    UNION ALL
    (
        SELECT 'low_stock'
        FROM low_stock AS l
        WHERE /* own */ l.store_id = %(store_id)s::bigint
        LIMIT 99
    )
) AS waits;
