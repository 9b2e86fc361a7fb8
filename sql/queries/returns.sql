-- Returns: what buyers send back, or want money for. The verbs say who may: NULL to everybody else (V0161).

-- fragment: shown
r.id, r.order_id, r.store_id, r.buyer_id, r.state, r.disputed, r.reason, r.message, r.reply, r.amount, r.keep_goods,
r.tracking_number, r.bearer, r.deadline_at, r.decided_by, r.came_back, r.refund_id, r.version, r.created_at,
r.updated_at, o.number AS order_number, o.currency, o.state AS order_state, o.open_request,
ARRAY(
    SELECT json_build_object('line_id', l.line_id, 'quantity', l.quantity)
    FROM order_request_lines AS l
    WHERE l.order_id = r.order_id AND l.request_id = r.id
    ORDER BY l.line_id
) AS lines,
(
    SELECT json_build_object(
        'id', min(f.id), 'amount', sum(f.amount)::text,
        'state', CASE
            WHEN bool_and(f.state = 'done') THEN 'done'
            WHEN bool_or(f.state = 'needs_bank') THEN 'needs_bank'
            WHEN bool_or(f.state IN ('due', 'sending', 'sent')) THEN 'on_its_way'
            ELSE 'given_up'
        END
    )
    FROM refunds AS f
    WHERE f.order_id = r.order_id AND (f.request_id = r.id OR f.id = r.refund_id)
    HAVING count(*) > 0
) AS refund

-- name: of_caller
-- Those that a user asked for, and those that their store is asked for, newest first: one scan each, merged.
SELECT
    /* include: shown */
FROM (
    SELECT y.order_id, y.id
    FROM (
        (
            SELECT x.order_id, x.id, x.created_at
            FROM order_requests AS x
            WHERE /* own */ x.buyer_id = %(user_id)s::bigint
                AND (x.created_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
            ORDER BY x.buyer_id DESC, x.created_at DESC, x.id DESC
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT x.order_id, x.id, x.created_at
            FROM order_requests AS x
            WHERE /* own */ x.store_id = %(store_id)s::bigint
                AND x.store_id IS NOT NULL
                AND (x.created_at, x.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
            ORDER BY x.store_id DESC, x.created_at DESC, x.id DESC
            LIMIT %(limit)s
        )
    ) AS y
    ORDER BY y.created_at DESC, y.id DESC
    LIMIT %(limit)s
) AS page
JOIN order_requests AS r ON r.order_id = page.order_id AND r.id = page.id
JOIN orders AS o ON o.id = r.order_id
ORDER BY r.created_at DESC, r.id DESC;

-- name: of_store
-- Those of one store, newest first; of one state, or all.
SELECT
    /* include: shown */
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE /* own */ (%(everything)s::boolean OR r.store_id = %(own_store_id)s::bigint)
    AND r.store_id = %(store_id)s::bigint
    AND (%(state)s::text IS NULL OR r.state = %(state)s)
    AND (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY r.created_at DESC, r.id DESC
LIMIT %(limit)s;

-- name: newest
-- For admins: all.
SELECT
    /* include: shown */
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE (r.created_at, r.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
ORDER BY r.created_at DESC, r.id DESC
LIMIT %(limit)s;

-- name: disputed
-- For admins: what they have to decide, the longest waiting first.
SELECT
    /* include: shown */
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE r.disputed
    AND r.decided_by IS NULL
    AND (r.created_at, r.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
ORDER BY r.created_at, r.id
LIMIT %(limit)s;

-- name: of_order
-- Those of one order, newest first.
SELECT
    /* include: shown */
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE r.order_id = %(order_id)s
    AND /* own */ (%(everything)s::boolean OR r.buyer_id = %(user_id)s::bigint OR r.store_id = %(store_id)s::bigint)
ORDER BY r.id DESC;

-- name: find
SELECT
    /* include: shown */
FROM order_requests AS r
JOIN orders AS o ON o.id = r.order_id
WHERE r.order_id = %(order_id)s
    AND r.id = %(return_id)s
    AND /* own */ (%(everything)s::boolean OR r.buyer_id = %(user_id)s::bigint OR r.store_id = %(store_id)s::bigint);

-- name: images
-- Its images; no row for who may not see them.
SELECT i.id
FROM images_of_return(%(order_id)s, %(return_id)s) AS i
ORDER BY i.id;

-- name: open
SELECT
    open_return(
        %(order_id)s, %(reason)s, %(message)s, %(uploads)s::text[], %(line_ids)s::bigint[], %(pieces)s::integer[],
        %(keep_goods)s
    ) AS told;

-- name: move
-- One step of it.
SELECT
    move_return(
        of_order => %(order_id)s,
        of_request => %(return_id)s,
        step => %(step)s,
        said => %(message)s,
        tracking => %(tracking_number)s,
        sellable => %(sellable)s::boolean,
        much => %(amount)s::numeric,
        borne_by => %(bearer)s
    ) AS told;

-- name: due
-- What silence decides, at most so many, without what this run has had. The worker takes them one by one, each in a
-- transaction of its own.
SELECT
    r.order_id, r.id,
    CASE
        WHEN r.state = 'open' THEN 'approved'
        WHEN r.state = 'approved' AND NOT r.keep_goods THEN 'withdrawn'
        ELSE 'done'
    END AS step
FROM order_requests AS r
WHERE r.state IN ('open', 'approved', 'sent_back')
    AND NOT r.disputed
    AND r.deadline_at < now()
    AND r.id <> ALL(%(had)s::bigint[])
ORDER BY r.deadline_at
LIMIT %(most)s;
