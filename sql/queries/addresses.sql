-- Addresses that a user has things sent to.

-- fragment: columns
a.id, a.label, a.recipient, a.phone, a.country, a.area_code, a.province, a.city, a.district, a.village, a.postcode,
a.line1, a.line2, a.note, a.latitude::float8 AS latitude, a.longitude::float8 AS longitude, a.is_default, a.version,
a.created_at, a.updated_at

-- name: list
-- All of them, the default one first.
SELECT
    /* include: columns */
FROM addresses AS a
WHERE /* own */ a.user_id = %(user_id)s
ORDER BY a.is_default DESC, a.id;

-- name: find
SELECT
    /* include: columns */
FROM addresses AS a
WHERE a.id = %(address_id)s
    AND /* own */ a.user_id = %(user_id)s;

-- name: take_turn
-- Changes of one user's addresses go one after the other: how many there are, and which is the default.
SELECT pg_advisory_xact_lock(hashtextextended('addresses', %(user_id)s));

-- name: count
SELECT count(*) AS addresses
FROM addresses AS a
WHERE /* own */ a.user_id = %(user_id)s;

-- name: leave_default
-- The default goes to another one.
UPDATE addresses
SET is_default = false, version = version + 1, updated_at = now()
WHERE is_default
    AND id <> %(address_id)s
    AND /* own */ user_id = %(user_id)s;

-- name: pass_default
-- Where the default is gone, the oldest that is left is it.
UPDATE addresses
SET is_default = true, version = version + 1, updated_at = now()
WHERE /* own */ user_id = %(user_id)s
    AND id = (SELECT min(o.id) FROM addresses AS o WHERE o.user_id = %(user_id)s)
    AND NOT EXISTS (SELECT FROM addresses AS o WHERE o.user_id = %(user_id)s AND o.is_default);

-- name: add
INSERT INTO addresses AS a (
    user_id, label, recipient, phone, country, area_code, province, city, district, village, postcode, line1, line2,
    note, latitude, longitude, is_default
)
VALUES (
    %(user_id)s, %(label)s, %(recipient)s, %(phone)s, %(country)s, %(area_code)s, %(province)s, %(city)s, %(district)s,
    %(village)s, %(postcode)s, %(line_one)s, %(line_two)s, %(note)s, %(latitude)s, %(longitude)s, %(is_default)s
)
RETURNING
    /* include: columns */
;

-- name: change
UPDATE addresses AS a
SET label = %(label)s, recipient = %(recipient)s, phone = %(phone)s, country = %(country)s, area_code = %(area_code)s,
    province = %(province)s, city = %(city)s, district = %(district)s, village = %(village)s, postcode = %(postcode)s,
    line1 = %(line_one)s, line2 = %(line_two)s, note = %(note)s, latitude = %(latitude)s, longitude = %(longitude)s,
    is_default = %(is_default)s, version = a.version + 1, updated_at = now()
WHERE a.id = %(address_id)s
    AND /* own */ a.user_id = %(user_id)s
RETURNING
    /* include: columns */
;

-- name: remove
DELETE FROM addresses
WHERE id = %(address_id)s
    AND /* own */ user_id = %(user_id)s;
