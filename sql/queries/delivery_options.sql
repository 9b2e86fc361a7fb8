-- Ways in which stores send. What they cost for a parcel says delivery_price().

-- fragment: columns
o.id, o.name, o.pricing, o.price, o.per_kg, o.free_from, o.max_grams, o.areas, o.cod, o.days_min, o.days_max, o.position,
o.active, o.version, o.created_at, o.updated_at

-- name: offered
-- budget: 10 buffers
-- What a store offers to everybody, in its order.
SELECT
    o.id, o.name, o.pricing, o.price, o.per_kg, o.free_from, o.max_grams, o.areas, o.cod, o.days_min, o.days_max, o.position
FROM delivery_options AS o
JOIN stores AS s ON s.id = o.store_id AND s.state = 'active'
WHERE o.store_id = %(store_id)s AND o.active
ORDER BY o.position, o.id;

-- name: store_there
-- budget: 5 buffers
SELECT count(*) > 0 AS there
FROM stores AS s
WHERE s.id = %(store_id)s AND s.state = 'active';

-- name: list
-- All of a store, those that are not offered any more behind the others.
SELECT
    /* include: columns */
FROM delivery_options AS o
WHERE o.store_id = %(store_id)s
    AND /* own */ (o.store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin')
ORDER BY o.active DESC, o.position, o.id
LIMIT 1000;

-- name: rates
-- Of some options, in the order in which they are shown.
SELECT r.option_id, r.area, r.up_to_grams, r.price
FROM delivery_rates AS r
WHERE r.store_id = %(store_id)s AND r.option_id = ANY(%(option_ids)s)
ORDER BY r.option_id, r.area, r.up_to_grams;

-- name: count
-- After the store's row is locked: two at once do not pass the most.
SELECT count(*) AS options
FROM delivery_options AS o
WHERE o.store_id = %(store_id)s AND o.active;

-- name: take_turn
SELECT pg_advisory_xact_lock(hashtextextended('delivery options', %(store_id)s));

-- name: add
INSERT INTO delivery_options AS o (
    store_id, name, pricing, price, per_kg, free_from, max_grams, areas, cod, days_min, days_max, position, active
)
VALUES (
    %(store_id)s, %(name)s, %(pricing)s, %(price)s, %(per_kg)s, %(free_from)s, %(max_grams)s, %(areas)s, %(cod)s,
    %(days_min)s, %(days_max)s, %(position)s, %(active)s
)
RETURNING
    /* include: columns */
;

-- name: hold
SELECT o.id, o.active, o.version
FROM delivery_options AS o
WHERE o.id = %(option_id)s
    AND /* own */ o.store_id = %(store_id)s
FOR NO KEY UPDATE;

-- name: change
UPDATE delivery_options AS o
SET name = %(name)s, pricing = %(pricing)s, price = %(price)s, per_kg = %(per_kg)s, free_from = %(free_from)s,
    max_grams = %(max_grams)s, areas = %(areas)s, cod = %(cod)s, days_min = %(days_min)s, days_max = %(days_max)s,
    position = %(position)s, active = %(active)s, version = o.version + 1, updated_at = now()
WHERE o.id = %(option_id)s
    AND /* own */ o.store_id = %(store_id)s
RETURNING
    /* include: columns */
;

-- name: close
UPDATE delivery_options AS o
SET active = false, version = o.version + 1, updated_at = now()
WHERE o.id = %(option_id)s AND o.active
    AND /* own */ o.store_id = %(store_id)s;

-- name: clear_rates
DELETE FROM delivery_rates
WHERE store_id = %(store_id)s AND option_id = %(option_id)s;

-- name: add_rates
INSERT INTO delivery_rates (store_id, option_id, area, up_to_grams, price)
SELECT %(store_id)s, %(option_id)s, r.area, r.up_to_grams, r.price
FROM unnest(%(areas)s::text[], %(grams)s::integer[], %(prices)s::numeric[]) AS r (area, up_to_grams, price);
