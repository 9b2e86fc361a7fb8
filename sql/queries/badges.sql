-- Badges: what waits for a user, counted to 99.

-- name: count
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM cart_lines AS l
            WHERE /* own */ l.user_id = %(user_id)s::bigint
            LIMIT 99
        ) AS n
    ) AS cart,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM checkouts AS c
            WHERE /* own */ c.buyer_id = %(user_id)s::bigint
                AND c.state = 'unpaid'
            LIMIT 99
        ) AS n
    ) AS unpaid,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM orders AS o
            WHERE /* own */ o.buyer_id = %(user_id)s::bigint
                AND o.stage IN ('new', 'to_ship')
            LIMIT 99
        ) AS n
    ) AS to_ship,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM orders AS o
            WHERE /* own */ o.buyer_id = %(user_id)s::bigint
                AND o.stage = 'shipping'
            LIMIT 99
        ) AS n
    ) AS shipping;

-- name: count_of_store
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM orders AS o
            WHERE /* own */ o.store_id = %(store_id)s::bigint
                AND o.stage = 'new'
            LIMIT 99
        ) AS n
    ) AS new,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM orders AS o
            WHERE /* own */ o.store_id = %(store_id)s::bigint
                AND o.stage = 'to_ship'
            LIMIT 99
        ) AS n
    ) AS to_ship,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM orders AS o
            WHERE /* own */ o.store_id = %(store_id)s::bigint
                AND o.open_request IS NOT NULL
            LIMIT 99
        ) AS n
    ) AS requests,
    (
        SELECT count(*)
        FROM (
            SELECT
            FROM low_stock AS l
            WHERE /* own */ l.store_id = %(store_id)s::bigint
            LIMIT 99
        ) AS n
    ) AS low_stock;
