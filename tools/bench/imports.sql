-- What the bench of imports asks.

-- name: add_store
WITH owner AS (
    INSERT INTO users (name, email, role) VALUES ('Penjual', 'import@bench.example', 'seller')
    RETURNING id
)

INSERT INTO stores (owner_id, name)
SELECT o.id, 'Toko Impor'
FROM owner AS o
RETURNING id;

-- name: written
-- Changes with every write of a product, its stock or what is read of it.
SELECT
    (SELECT count(*) FROM products) AS products,
    (SELECT sum(p.version) FROM products AS p) AS versions,
    (SELECT max(p.updated_at) FROM products AS p) AS latest,
    (SELECT max(c.changed_at) FROM changes AS c) AS told;

-- name: errors
SELECT e.line, e.code
FROM import_errors AS e
WHERE e.import_id = %(import_id)s AND e.number = 1;
