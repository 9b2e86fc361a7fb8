-- Filling the generated shop. By the owner of the tables, in a database that nobody else uses.

-- name: set_aside
-- What makes rows slow to write or keeps autovacuum busy, as the statements that take it away and bring it back: triggers,
-- indexes that no constraint stands on, foreign keys. In the order in which it comes back.
SELECT i.kind, t.relname AS name, i.take, i.restore
FROM (
    SELECT
        'index' AS kind, x.indrelid AS table_id, x.indexrelid AS id,
        format('DROP INDEX %%s', x.indexrelid::regclass) AS take,
        pg_get_indexdef(x.indexrelid) AS restore
    FROM pg_index AS x
    WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = x.indexrelid)
    UNION ALL
    SELECT
        'key', k.conrelid, k.oid,
        format('ALTER TABLE %%s DROP CONSTRAINT %%I', k.conrelid::regclass, k.conname),
        format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint AS k
    WHERE k.contype = 'f'
    UNION ALL
    SELECT
        'table', c.oid, c.oid,
        -- What products and brands are sorted by is kept by triggers, and texts of what is returned.
        format(
            'ALTER TABLE %%s DISABLE TRIGGER USER%%s, SET (autovacuum_enabled = false)',
            c.oid::regclass,
            CASE c.relname
                WHEN 'products' THEN ', ENABLE TRIGGER set_name_key_insert'
                WHEN 'brands' THEN ', ENABLE TRIGGER set_folded'
                WHEN 'product_documents' THEN ', ENABLE TRIGGER set_document_store'
                WHEN 'variants' THEN ', ENABLE TRIGGER set_variant_kept'
            END
        ),
        format('ALTER TABLE %%s ENABLE TRIGGER USER, RESET (autovacuum_enabled)', c.oid::regclass)
    FROM pg_class AS c
) AS i
JOIN pg_class AS t ON t.oid = i.table_id
WHERE t.relnamespace = %(schema)s::regnamespace AND t.relkind = 'r' AND NOT t.relispartition
ORDER BY array_position('{index, key, table}', i.kind), i.id;

-- name: give_variants
-- Some of these products in twelve variants each: four colours in three sizes, each a little dearer, with what the product
-- had in stock spread over them. Their ids follow from the product's, so that the shop is the same each time.
WITH chosen AS (
    SELECT p.id, p.store_id, p.price, i.quantity
    FROM products AS p
    JOIN inventory AS i ON i.product_id = p.id
    WHERE p.id = ANY(%(product_ids)s::bigint[])
),

gone AS (
    DELETE FROM inventory AS i
    USING chosen AS c
    WHERE i.product_id = c.id
),

kinds AS (
    SELECT
        c.id AS product_id,
        (c.id - 1) * 12 + n.number AS id,
        c.store_id,
        n.number AS position,
        ARRAY[
            (ARRAY['Merah', 'Biru', 'Hijau', 'Hitam'])[(n.number + 2) / 3], (ARRAY['S', 'M', 'L'])[1 + (n.number - 1) %% 3]
        ] AS options,
        c.price + 500 * (n.number - 1) AS price,
        (c.quantity + 12 - n.number) / 12 AS quantity
    FROM chosen AS c
    CROSS JOIN generate_series(1, 12) AS n (number)
),

made AS (
    INSERT INTO variants (product_id, id, store_id, position, options, price)
    OVERRIDING SYSTEM VALUE
    SELECT k.product_id, k.id, k.store_id, k.position, k.options, k.price
    FROM kinds AS k
),

stocked AS (
    INSERT INTO inventory (product_id, variant_id, quantity)
    SELECT k.product_id, k.id, k.quantity
    FROM kinds AS k
)

UPDATE products AS p
SET option_names = '{Warna,Ukuran}', variant_count = 12, price_max = p.price + 5500, sku = NULL
FROM chosen AS c
WHERE p.id = c.id;

-- name: tell
-- The change feed as its triggers would have left it: a row a thing. Of all but the products,
INSERT INTO changes (type, thing_id)
SELECT 'store', s.id FROM stores AS s
UNION ALL
SELECT 'category', c.id FROM categories AS c
UNION ALL
SELECT 'brand', b.id FROM brands AS b;

-- name: tell_products
-- and of some of them.
INSERT INTO changes (type, thing_id)
SELECT 'product', p.id
FROM unnest(%(product_ids)s::bigint[]) AS p (id);

-- name: count_on
-- New rows get numbers behind those that were brought along.
SELECT setval(pg_get_serial_sequence(%(name)s, 'id'), %(last)s);

-- name: sizes
-- What the tables that have rows take with their indexes, the largest first.
SELECT t.relname AS name, pg_total_relation_size(t.oid) AS bytes
FROM pg_class AS t
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' AND pg_relation_size(t.oid) > 0
ORDER BY bytes DESC;
