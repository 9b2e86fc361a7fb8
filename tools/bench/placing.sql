-- What a bench of placing checkouts needs: who buys and sells, and what a transaction has written.

-- name: stores
INSERT INTO stores (owner_id, name)
SELECT u.id, 'Toko ' || u.id
FROM unnest(%(owners)s::bigint[]) AS u (id)
RETURNING id;

-- name: options
INSERT INTO delivery_options (store_id, name, pricing, price)
SELECT s.id, 'Kurir', 'flat', 9000
FROM unnest(%(stores)s::bigint[]) AS s (id);

-- name: products
-- Three of two stores.
INSERT INTO products (store_id, name, price, in_stock)
SELECT s.id, 'Kopi Gayo 250 g', 85000, true
FROM unnest(%(stores)s::bigint[] || (%(stores)s::bigint[])[1]) AS s (id)
RETURNING id;

-- name: stock
INSERT INTO inventory (product_id, quantity)
SELECT p.id, 1000000
FROM unnest(%(products)s::bigint[]) AS p (id);

-- name: users
INSERT INTO users (name, email, role)
SELECT 'Siti', gen_random_uuid() || '@example.com', %(role)s
FROM generate_series(1, %(users)s)
RETURNING id;

-- name: sign_in
INSERT INTO auth.sessions (user_id, secret_hash, expires_at)
SELECT u.id, u.hash, now() + interval '1 day'
FROM unnest(%(users)s::bigint[], %(hashes)s::bytea[]) AS u (id, hash);

-- name: homes
INSERT INTO addresses (user_id, recipient, phone, province, city, district, postcode, line1, is_default)
SELECT u.id, 'Siti', '+6281200', 'Banten', 'Serang', 'Cipocok Jaya', '42121', 'Jl. Veteran 5', true
FROM unnest(%(users)s::bigint[]) AS u (id);

-- name: carts
INSERT INTO carts (user_id)
SELECT u.id
FROM unnest(%(users)s::bigint[]) AS u (id);

-- name: cart_lines
INSERT INTO cart_lines (user_id, product_id, quantity)
SELECT u.id, p.id, 1
FROM unnest(%(users)s::bigint[]) AS u (id)
CROSS JOIN unnest(%(products)s::bigint[]) AS p (id);

-- name: placed
-- The newest checkout, its payment, and the transaction that wrote each.
SELECT c.id, c.xmin::text AS tx, p.id AS payment_id, p.amount, p.xmin::text AS paid_tx
FROM checkouts AS c
JOIN payments AS p ON p.checkout_id = c.id
ORDER BY c.id DESC
LIMIT 1;

-- name: written
SELECT floor.written(%(place)s, %(tx)s) AS written;

-- name: prepare
SELECT floor.prepare(%(name)s, %(tx)s, %(changed)s);

-- name: floor_of_place
EXECUTE floor_of_place (%(call)s);

-- name: floor_of_pay
EXECUTE floor_of_pay (%(call)s);

-- name: own_transaction
SELECT pg_current_xact_id()::xid::text AS tx;

-- name: pay
SELECT apply_payment(%(payment_id)s, 'paid', %(amount)s, 'IDR') AS outcome;

-- name: position
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes;

-- name: own_backend
SELECT pg_backend_pid() AS pid;

-- name: act_as_worker
SET ROLE marketplace_worker;
