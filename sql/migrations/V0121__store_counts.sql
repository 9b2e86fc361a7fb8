-- How many products a store shows, in lists of stores. Counted by the worker, as categories are: to count them while a
-- page of a hundred stores is read would read a million rows.

CREATE TABLE store_counts (
    store_id bigint NOT NULL,
    products bigint NOT NULL,
    CONSTRAINT store_counts_pkey PRIMARY KEY (store_id)
);
COMMENT ON TABLE store_counts IS 'How many products a store shows; refreshed by the worker. No row: none yet.';
COMMENT ON COLUMN store_counts.store_id IS 'The store.';
COMMENT ON COLUMN store_counts.products IS 'Products on sale.';
GRANT SELECT ON store_counts TO marketplace_app, marketplace_worker, marketplace_readonly;

CREATE FUNCTION refresh_store_counts() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO store_counts AS kept (store_id, products)
    SELECT s.id, coalesce(n.products, 0)
    FROM stores AS s
    LEFT JOIN store_counts AS k ON k.store_id = s.id
    LEFT JOIN (
        SELECT p.store_id, count(*) AS products
        FROM products AS p
        WHERE NOT p.hidden
        GROUP BY p.store_id
    ) AS n ON n.store_id = s.id
    -- Only what is another: ON CONFLICT would lock, and so write, each row that stays.
    WHERE coalesce(k.products, 0) <> coalesce(n.products, 0)
    ON CONFLICT (store_id) DO UPDATE SET products = excluded.products
$$;
COMMENT ON FUNCTION refresh_store_counts IS 'Counts the products of every store.';
REVOKE ALL ON FUNCTION refresh_store_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_store_counts TO marketplace_worker;
