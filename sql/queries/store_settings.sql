-- What only a store and admins know of it. Row-level security is the second wall.

-- name: find
-- With the defaults, where nothing was said yet: version 0.
SELECT
    s.id AS store_id,
    g.origin,
    coalesce(g.taxable, false) AS taxable,
    CASE WHEN g.store_id IS NULL THEN 30 ELSE g.accept_after_minutes END AS accept_after_minutes,
    coalesce(g.cod_collector, 'store') AS cod_collector,
    coalesce(g.version, 0) AS version,
    g.updated_at
FROM stores AS s
LEFT JOIN store_settings AS g ON g.store_id = s.id
WHERE s.id = %(store_id)s
    AND /* own */ (%(owner_id)s::bigint IS NULL OR s.owner_id = %(owner_id)s)
    AND (s.id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');

-- name: take_turn
-- Other changes of these settings wait until the transaction ends: there may be no row of them yet to lock.
SELECT pg_advisory_xact_lock(hashtextextended('settings of store ' || %(store_id)s::bigint, 0));

-- name: write
INSERT INTO store_settings AS g (store_id, origin, taxable, accept_after_minutes, cod_collector)
VALUES (%(store_id)s, %(origin)s::jsonb, %(taxable)s, %(accept_after_minutes)s, %(cod_collector)s)
ON CONFLICT (store_id) DO UPDATE
SET origin = excluded.origin,
    taxable = excluded.taxable,
    accept_after_minutes = excluded.accept_after_minutes,
    cod_collector = excluded.cod_collector,
    version = g.version + 1,
    updated_at = now();
