-- The verbs of stock: hold, hold again, release, ship, return, set, and turn a product into one with variants.
--
-- Why they are shaped so:
-- * They know neither carts nor orders: they take arrays that go together, a line at each place.
-- * Each locks its rows of stock in the order of ids, in one statement, and judges and writes in the next, which sees
--   what the rows are by then (READ COMMITTED: a snapshot a statement). So no two of them stand in each other's way,
--   and nothing is decided by what was read before the lock.
-- * All that is written to stock goes by one UPDATE, and its movements by the same statement. app.stock says 'verb' for
--   as long as it runs: the triggers of V0041 tell of what no verb does.
-- * All but set_stock and turn_into_variants are called by other verbs alone, and granted to nobody.

-- Arrays go together, each line says all, and at least one piece: anything else is a bug of ours, and would hold
-- nothing or move stock the other way.
CREATE FUNCTION check_pieces(
    order_ids bigint[],
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[]
)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT
        FROM unnest(order_ids, product_ids, variant_ids, quantities) AS line (order_id, product_id, variant_id, pieces)
        WHERE num_nulls(line.order_id, line.product_id, line.variant_id, line.pieces) > 0 OR line.pieces < 1
    ) THEN
        RAISE EXCEPTION 'a line of a verb of stock does not say how many pieces of what for which order'
        USING ERRCODE = '23514', TABLE = 'holds', CONSTRAINT = 'holds_quantity_check';
    END IF;
END
$$;
COMMENT ON FUNCTION check_pieces IS
'Refuses lines that lack something or have less than one piece (23514 holds_quantity_check).';

CREATE FUNCTION lock_stock(product_ids bigint[], variant_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM
    FROM inventory AS i
    WHERE (i.product_id, i.variant_id) IN (
        SELECT line.product_id, line.variant_id
        FROM unnest(product_ids, variant_ids) AS line (product_id, variant_id)
    )
    ORDER BY i.product_id, i.variant_id
    FOR NO KEY UPDATE;
END
$$;
COMMENT ON FUNCTION lock_stock IS 'Locks rows of stock in the order of their ids, until the transaction ends.';

CREATE FUNCTION hold_stock(
    order_ids bigint[],
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[],
    until timestamptz
)
RETURNS TABLE (product_id bigint, variant_id bigint, wanted integer, available integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM check_pieces(order_ids, product_ids, variant_ids, quantities);
    PERFORM lock_stock(product_ids, variant_ids);
    PERFORM set_config('app.stock', 'verb', true);
    RETURN QUERY
    WITH line AS (
        SELECT a.order_id, a.product_id, a.variant_id, sum(a.pieces)::integer AS pieces
        FROM unnest(order_ids, product_ids, variant_ids, quantities) AS a (order_id, product_id, variant_id, pieces)
        GROUP BY a.order_id, a.product_id, a.variant_id
    ),

    want AS (
        SELECT w.product_id, w.variant_id, w.pieces, coalesce(i.quantity, 0) AS quantity
        FROM (
            SELECT l.product_id, l.variant_id, sum(l.pieces)::integer AS pieces
            FROM line AS l
            GROUP BY l.product_id, l.variant_id
        ) AS w
        LEFT JOIN inventory AS i ON i.product_id = w.product_id AND i.variant_id = w.variant_id
    ),

    -- Where stock is short, holds of others that have lapsed.
    lapsed AS MATERIALIZED (
        SELECT h.product_id, h.variant_id, h.order_id, h.quantity
        FROM want AS w
        JOIN holds AS h ON h.product_id = w.product_id AND h.variant_id = w.variant_id
        WHERE w.quantity < w.pieces AND h.expires_at <= clock_timestamp() AND h.order_id <> ALL(order_ids)
        FOR UPDATE OF h SKIP LOCKED
    ),

    judged AS MATERIALIZED (
        SELECT
            w.product_id, w.variant_id, w.pieces, coalesce(f.pieces, 0) AS freed,
            w.quantity + coalesce(f.pieces, 0) AS available
        FROM want AS w
        LEFT JOIN (
            SELECT l.product_id, l.variant_id, sum(l.quantity)::integer AS pieces
            FROM lapsed AS l
            GROUP BY l.product_id, l.variant_id
        ) AS f ON f.product_id = w.product_id AND f.variant_id = w.variant_id
    ),

    verdict AS MATERIALIZED (
        SELECT bool_and(j.available >= j.pieces) AS good FROM judged AS j
    ),

    taken_over AS (
        DELETE FROM holds AS h
        USING lapsed AS l
        WHERE h.product_id = l.product_id AND h.variant_id = l.variant_id AND h.order_id = l.order_id
            AND (SELECT v.good FROM verdict AS v)
    ),

    changed AS (
        UPDATE inventory AS i
        SET quantity = i.quantity + j.freed - j.pieces, reserved = i.reserved - j.freed + j.pieces
        FROM judged AS j
        WHERE i.product_id = j.product_id AND i.variant_id = j.variant_id
            AND (SELECT v.good FROM verdict AS v)
    ),

    held AS (
        INSERT INTO holds (product_id, variant_id, order_id, quantity, expires_at)
        SELECT l.product_id, l.variant_id, l.order_id, l.pieces, until
        FROM line AS l
        WHERE (SELECT v.good FROM verdict AS v)
    ),

    moved AS (
        INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, order_id)
        SELECT
            m.product_id, m.variant_id, (SELECT p.store_id FROM products AS p WHERE p.id = m.product_id),
            m.kind, m.change, -m.change, m.order_id
        FROM (
            SELECT l.product_id, l.variant_id, 'release' AS kind, l.quantity AS change, l.order_id FROM lapsed AS l
            UNION ALL
            SELECT l.product_id, l.variant_id, 'hold', -l.pieces, l.order_id FROM line AS l
        ) AS m
        WHERE (SELECT v.good FROM verdict AS v)
    )

    SELECT j.product_id, j.variant_id, j.pieces, j.available
    FROM judged AS j
    WHERE j.available < j.pieces
    ORDER BY j.product_id, j.variant_id;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION hold_stock IS
'Holds all that is asked for until then (NULL: for good), or nothing: each row answered is a shortage. An order that '
'holds some of it already is refused (holds_pkey).';

CREATE FUNCTION release_stock(order_ids bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    released integer;
BEGIN
    PERFORM
    FROM inventory AS i
    WHERE (i.product_id, i.variant_id) IN (
        SELECT h.product_id, h.variant_id FROM holds AS h WHERE h.order_id = ANY(order_ids)
    )
    ORDER BY i.product_id, i.variant_id
    FOR NO KEY UPDATE;
    PERFORM set_config('app.stock', 'verb', true);
    WITH freed AS (
        DELETE FROM holds AS h
        WHERE h.order_id = ANY(order_ids)
        RETURNING h.product_id, h.variant_id, h.order_id, h.quantity
    ),

    changed AS (
        UPDATE inventory AS i
        SET quantity = i.quantity + f.pieces, reserved = i.reserved - f.pieces
        FROM (
            SELECT d.product_id, d.variant_id, sum(d.quantity)::integer AS pieces
            FROM freed AS d
            GROUP BY d.product_id, d.variant_id
        ) AS f
        WHERE i.product_id = f.product_id AND i.variant_id = f.variant_id
    ),

    moved AS (
        INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, order_id)
        SELECT
            d.product_id, d.variant_id, (SELECT p.store_id FROM products AS p WHERE p.id = d.product_id),
            'release', d.quantity, -d.quantity, d.order_id
        FROM freed AS d
    )

    SELECT count(*) INTO released FROM freed AS d;
    PERFORM set_config('app.stock', '', true);
    RETURN released;
END
$$;
COMMENT ON FUNCTION release_stock IS
'Gives back all that these orders hold; how many holds it were, 0 the second time.';

CREATE FUNCTION take_held(
    of_order bigint,
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[],
    why text
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM check_pieces(
        array_fill(of_order, ARRAY[coalesce(cardinality(product_ids), 0)]), product_ids, variant_ids, quantities
    );
    PERFORM lock_stock(product_ids, variant_ids);
    IF EXISTS (
        SELECT
        FROM unnest(product_ids, variant_ids, quantities) AS a (product_id, variant_id, pieces)
        LEFT JOIN holds AS h
            ON h.order_id = of_order AND h.product_id = a.product_id AND h.variant_id = a.variant_id
        GROUP BY a.product_id, a.variant_id, h.quantity
        HAVING sum(a.pieces) > coalesce(h.quantity, 0)
    ) THEN
        RAISE EXCEPTION 'order % does not hold that much', of_order
        USING ERRCODE = '23514', TABLE = 'holds', CONSTRAINT = 'holds_quantity_check';
    END IF;
    PERFORM set_config('app.stock', 'verb', true);
    WITH take AS (
        SELECT a.product_id, a.variant_id, sum(a.pieces)::integer AS pieces
        FROM unnest(product_ids, variant_ids, quantities) AS a (product_id, variant_id, pieces)
        GROUP BY a.product_id, a.variant_id
    ),

    ended AS (
        DELETE FROM holds AS h
        USING take AS t
        WHERE h.order_id = of_order AND h.product_id = t.product_id AND h.variant_id = t.variant_id
            AND h.quantity = t.pieces
    ),

    lessened AS (
        UPDATE holds AS h
        SET quantity = h.quantity - t.pieces
        FROM take AS t
        WHERE h.order_id = of_order AND h.product_id = t.product_id AND h.variant_id = t.variant_id
            AND h.quantity > t.pieces
    ),

    changed AS (
        UPDATE inventory AS i
        SET reserved = i.reserved - t.pieces,
            quantity = i.quantity + CASE why WHEN 'release' THEN t.pieces ELSE 0 END
        FROM take AS t
        WHERE i.product_id = t.product_id AND i.variant_id = t.variant_id
    )

    INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, order_id)
    SELECT
        t.product_id, t.variant_id, (SELECT p.store_id FROM products AS p WHERE p.id = t.product_id),
        why, CASE why WHEN 'release' THEN t.pieces ELSE 0 END, -t.pieces, of_order
    FROM take AS t;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION take_held IS
'Takes pieces out of an order''s holds, back into what can be sold (release) or out of the store (ship); more than it '
'holds is refused (23514 holds_quantity_check).';

CREATE FUNCTION release_lines(
    of_order bigint,
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[]
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM take_held(of_order, product_ids, variant_ids, quantities, 'release');
END
$$;
COMMENT ON FUNCTION release_lines IS 'Gives back a part of what an order holds: pieces that will not be sent.';

CREATE FUNCTION ship_stock(
    of_order bigint,
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[]
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM take_held(of_order, product_ids, variant_ids, quantities, 'ship');
END
$$;
COMMENT ON FUNCTION ship_stock IS 'Pieces that an order holds leave the store.';

CREATE FUNCTION return_stock(
    of_order bigint,
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[]
)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    present_ids bigint[];
BEGIN
    PERFORM check_pieces(
        array_fill(of_order, ARRAY[coalesce(cardinality(product_ids), 0)]), product_ids, variant_ids, quantities
    );
    -- Sold before the product had options: they go to its first variant, as its stock did.
    present_ids := ARRAY(
        SELECT
            CASE
                WHEN a.variant_id = 0
                    THEN coalesce((SELECT min(v.id) FROM variants AS v WHERE v.product_id = a.product_id), 0)
                ELSE a.variant_id
            END
        FROM unnest(product_ids, variant_ids) WITH ORDINALITY AS a (product_id, variant_id, place)
        ORDER BY a.place
    );
    PERFORM lock_stock(product_ids, present_ids);
    IF EXISTS (
        SELECT
        FROM unnest(product_ids, present_ids) AS a (product_id, variant_id)
        LEFT JOIN inventory AS i ON i.product_id = a.product_id AND i.variant_id = a.variant_id
        WHERE i.product_id IS NULL
    ) THEN
        RAISE EXCEPTION 'what comes back of order % has no row of stock', of_order
        USING ERRCODE = '23514', TABLE = 'holds', CONSTRAINT = 'holds_quantity_check';
    END IF;
    PERFORM set_config('app.stock', 'verb', true);
    WITH back AS (
        SELECT a.product_id, a.variant_id, sum(a.pieces)::integer AS pieces
        FROM unnest(product_ids, present_ids, quantities) AS a (product_id, variant_id, pieces)
        GROUP BY a.product_id, a.variant_id
    ),

    changed AS (
        UPDATE inventory AS i
        SET quantity = i.quantity + b.pieces
        FROM back AS b
        WHERE i.product_id = b.product_id AND i.variant_id = b.variant_id
    )

    INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, order_id)
    SELECT
        b.product_id, b.variant_id, (SELECT p.store_id FROM products AS p WHERE p.id = b.product_id),
        'return', b.pieces, 0, of_order
    FROM back AS b;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION return_stock IS 'Goods came back and can be sold again.';

CREATE FUNCTION rehold_stock(
    order_ids bigint[],
    product_ids bigint[],
    variant_ids bigint[],
    quantities integer[]
)
RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM check_pieces(order_ids, product_ids, variant_ids, quantities);
    PERFORM lock_stock(product_ids, variant_ids);
    PERFORM set_config('app.stock', 'verb', true);
    RETURN QUERY
    WITH need AS (
        SELECT a.order_id, a.product_id, a.variant_id, sum(a.pieces)::integer AS pieces
        FROM unnest(order_ids, product_ids, variant_ids, quantities) AS a (order_id, product_id, variant_id, pieces)
        GROUP BY a.order_id, a.product_id, a.variant_id
    ),

    -- up_to: what this order and those before it lack of the product.
    have AS MATERIALIZED (
        SELECT
            n.order_id, n.product_id, n.variant_id, n.pieces,
            coalesce(h.quantity, 0) AS held,
            coalesce(i.quantity, 0) AS quantity,
            sum(n.pieces - coalesce(h.quantity, 0)) OVER (
                PARTITION BY n.product_id, n.variant_id ORDER BY n.order_id
            ) AS up_to
        FROM need AS n
        LEFT JOIN holds AS h
            ON h.order_id = n.order_id AND h.product_id = n.product_id AND h.variant_id = n.variant_id
        LEFT JOIN inventory AS i ON i.product_id = n.product_id AND i.variant_id = n.variant_id
    ),

    lapsed AS (
        DELETE FROM holds AS h
        USING (
            SELECT e.product_id, e.variant_id, e.order_id
            FROM (
                SELECT s.product_id, s.variant_id
                FROM have AS s
                WHERE s.quantity < s.up_to
                GROUP BY s.product_id, s.variant_id
            ) AS short
            JOIN holds AS e ON e.product_id = short.product_id AND e.variant_id = short.variant_id
            WHERE e.order_id <> ALL(order_ids) AND e.expires_at <= clock_timestamp()
            FOR UPDATE OF e SKIP LOCKED
        ) AS x
        WHERE h.product_id = x.product_id AND h.variant_id = x.variant_id AND h.order_id = x.order_id
        RETURNING h.product_id, h.variant_id, h.order_id, h.quantity
    ),

    freed AS (
        SELECT l.product_id, l.variant_id, sum(l.quantity)::integer AS pieces
        FROM lapsed AS l
        GROUP BY l.product_id, l.variant_id
    ),

    judged AS (
        SELECT
            s.order_id, s.product_id, s.variant_id, s.pieces, s.held,
            bool_and(s.quantity + coalesce(f.pieces, 0) >= s.up_to) OVER (PARTITION BY s.order_id) AS good
        FROM have AS s
        LEFT JOIN freed AS f ON f.product_id = s.product_id AND f.variant_id = s.variant_id
    ),

    change AS MATERIALIZED (
        SELECT
            j.order_id, j.product_id, j.variant_id, j.pieces, j.good,
            CASE WHEN j.good THEN j.pieces - j.held ELSE -j.held END AS take
        FROM judged AS j
    ),

    changed AS (
        UPDATE inventory AS i
        SET quantity = i.quantity + t.freed - t.take, reserved = i.reserved - t.freed + t.take
        FROM (
            SELECT
                c.product_id, c.variant_id, sum(c.take)::integer AS take, coalesce(max(f.pieces), 0) AS freed
            FROM change AS c
            LEFT JOIN freed AS f ON f.product_id = c.product_id AND f.variant_id = c.variant_id
            GROUP BY c.product_id, c.variant_id
        ) AS t
        WHERE i.product_id = t.product_id AND i.variant_id = t.variant_id AND (t.freed <> 0 OR t.take <> 0)
    ),

    held AS (
        INSERT INTO holds AS h (product_id, variant_id, order_id, quantity)
        SELECT c.product_id, c.variant_id, c.order_id, c.pieces
        FROM change AS c
        WHERE c.good
        ON CONFLICT (product_id, variant_id, order_id) DO UPDATE
        SET quantity = excluded.quantity, expires_at = NULL
        WHERE h.quantity <> excluded.quantity OR h.expires_at IS NOT NULL
    ),

    dropped AS (
        DELETE FROM holds AS h
        USING change AS c
        WHERE NOT c.good
            AND h.order_id = c.order_id AND h.product_id = c.product_id AND h.variant_id = c.variant_id
    ),

    moved AS (
        INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved, order_id)
        SELECT
            m.product_id, m.variant_id, (SELECT p.store_id FROM products AS p WHERE p.id = m.product_id),
            CASE WHEN m.change < 0 THEN 'hold' ELSE 'release' END, m.change, -m.change, m.order_id
        FROM (
            SELECT l.product_id, l.variant_id, l.quantity AS change, l.order_id FROM lapsed AS l
            UNION ALL
            SELECT c.product_id, c.variant_id, -c.take, c.order_id FROM change AS c WHERE c.take <> 0
        ) AS m
    )

    SELECT DISTINCT c.order_id FROM change AS c WHERE c.good ORDER BY c.order_id;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION rehold_stock IS
'For who has paid: makes the holds of these orders firm, and holds again what lapsed and was sold to others, an order '
'wholly or not at all (then what it still held of these lines goes back). The lines are all that the orders need. '
'Answers the orders that have it; one may fail with an order before it that lacks the same product.';

CREATE FUNCTION set_stock(
    of_store bigint,
    numbers integer[],
    product_ids bigint[],
    variant_ids bigint[],
    skus text[],
    set_to integer[],
    counted integer[],
    changes integer[],
    expected integer[],
    all_or_none boolean DEFAULT false,
    dry_run boolean DEFAULT false
)
RETURNS TABLE (number integer, product_id bigint, variant_id bigint, outcome text, stock integer, reserved integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    who record;
    meant_products bigint[];
    meant_variants bigint[];
BEGIN
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF NOT coalesce(who.role = 'admin' OR who.store_id = of_store, false) THEN
        RAISE EXCEPTION 'stock is set by its store or an admin' USING ERRCODE = '42501';
    END IF;
    -- Which row of stock is meant: by ids, or by a SKU of the store.
    SELECT
        array_agg(coalesce(s.product_id, a.product_id) ORDER BY a.place),
        array_agg(coalesce(s.variant_id, a.variant_id, 0) ORDER BY a.place)
    INTO meant_products, meant_variants
    FROM unnest(numbers, product_ids, variant_ids, skus)
        WITH ORDINALITY AS a (number, product_id, variant_id, sku, place)
    LEFT JOIN LATERAL (
        SELECT p.id AS product_id, 0::bigint AS variant_id
        FROM products AS p
        WHERE p.store_id = of_store AND p.sku = a.sku AND p.variant_count = 0
        UNION ALL
        SELECT v.product_id, v.id
        FROM variants AS v
        WHERE v.store_id = of_store AND v.sku = a.sku
        LIMIT 1
    ) AS s ON a.product_id IS NULL;
    PERFORM
    FROM inventory AS i
    WHERE (i.product_id, i.variant_id) IN (
        SELECT a.product_id, a.variant_id
        FROM unnest(meant_products, meant_variants) AS a (product_id, variant_id)
    )
        AND /* own */ EXISTS (SELECT FROM products AS p WHERE p.id = i.product_id AND p.store_id = of_store)
    ORDER BY i.product_id, i.variant_id
    FOR NO KEY UPDATE;
    RETURN QUERY
    WITH asked AS (
        SELECT
            a.number, a.product_id, a.variant_id, a.set_to, a.counted, a.change, a.expected,
            row_number() OVER (PARTITION BY a.product_id, a.variant_id ORDER BY a.number) AS nth
        FROM unnest(numbers, meant_products, meant_variants, set_to, counted, changes, expected)
            AS a (number, product_id, variant_id, set_to, counted, change, expected)
    ),

    judged AS MATERIALIZED (
        SELECT
            a.number, a.product_id, a.variant_id, i.quantity AS before, i.reserved, w.after,
            CASE
                WHEN i.product_id IS NULL THEN 'not_found'
                WHEN a.nth > 1 THEN 'duplicate_row'
                WHEN num_nonnulls(a.set_to, a.counted, a.change) <> 1 OR w.after > 1000000000 THEN 'invalid'
                -- Before what was expected: the answer to the first try may have been lost.
                WHEN a.change IS NULL AND w.after = i.quantity THEN 'unchanged'
                WHEN a.expected <> i.quantity THEN 'precondition_failed'
                WHEN w.after < 0 THEN 'not_enough_stock'
                ELSE 'done'
            END AS outcome
        FROM asked AS a
        LEFT JOIN LATERAL (
            SELECT s.product_id, s.quantity, s.reserved
            FROM inventory AS s
            WHERE s.product_id = a.product_id AND s.variant_id = a.variant_id
                AND /* own */ EXISTS (SELECT FROM products AS p WHERE p.id = s.product_id AND p.store_id = of_store)
            LIMIT 1
        ) AS i ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(a.set_to, a.counted::bigint - i.reserved, i.quantity::bigint + a.change) AS after
        ) AS w
    ),

    verdict AS MATERIALIZED (
        SELECT NOT dry_run AND NOT (all_or_none AND bool_or(j.outcome NOT IN ('done', 'unchanged'))) AS good
        FROM judged AS j
    ),

    changed AS (
        UPDATE inventory AS i
        SET quantity = j.after
        FROM judged AS j
        WHERE j.outcome = 'done' AND i.product_id = j.product_id AND i.variant_id = j.variant_id
            AND (SELECT v.good FROM verdict AS v)
    )

    SELECT
        j.number, j.product_id, j.variant_id, j.outcome,
        CASE j.outcome WHEN 'done' THEN j.after::integer ELSE j.before END,
        j.reserved
    FROM judged AS j
    ORDER BY j.number;
END
$$;
COMMENT ON FUNCTION set_stock IS
'Sets stock of a store, row by row behind one ordered lock: to what can be sold, to what was counted, or by a change. '
'Outcomes: done, unchanged, not_found, duplicate_row, precondition_failed, not_enough_stock, invalid.';

CREATE FUNCTION turn_into_variants(of_product bigint, first_variant bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    who record;
    stock record;
    first record;
BEGIN
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    SELECT i.quantity, i.reserved, p.store_id
    INTO stock
    FROM inventory AS i
    JOIN products AS p ON p.id = i.product_id
    WHERE i.product_id = of_product AND i.variant_id = 0
    FOR UPDATE OF i;
    SELECT v.id, v.hidden INTO first FROM variants AS v WHERE v.product_id = of_product AND v.id = first_variant;
    IF stock.store_id IS NULL OR NOT coalesce(who.role = 'admin' OR who.store_id = stock.store_id, false) THEN
        RAISE EXCEPTION 'products are written by their store or an admin' USING ERRCODE = '42501';
    ELSIF first.id IS NULL THEN
        RAISE EXCEPTION 'variant % is not of product %', first_variant, of_product
        USING ERRCODE = '23503', TABLE = 'variants', CONSTRAINT = 'variants_pkey';
    ELSIF stock.reserved > 0 THEN
        RAISE EXCEPTION 'product % has open orders', of_product
        USING ERRCODE = '23514', TABLE = 'inventory', CONSTRAINT = 'inventory_turn_check';
    END IF;
    PERFORM set_config('app.stock', 'verb', true);
    UPDATE inventory AS i
    SET variant_id = first_variant, on_sale = NOT first.hidden, opened_at = now()
    WHERE i.product_id = of_product AND i.variant_id = 0;
    INSERT INTO stock_movements (created_at, product_id, variant_id, store_id, kind, change, change_reserved, user_id)
    VALUES
    (now(), of_product, 0, stock.store_id, 'turn', -stock.quantity, 0, (SELECT me())),
    (now(), of_product, first_variant, stock.store_id, 'opening', stock.quantity, 0, (SELECT me()));
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION turn_into_variants IS
'A simple product becomes one with variants: its row of stock becomes that of the first; only while nothing is held '
'(23514 inventory_turn_check).';

REVOKE ALL ON FUNCTION check_pieces, lock_stock, hold_stock, release_stock, take_held, release_lines, ship_stock,
return_stock, rehold_stock, set_stock, turn_into_variants FROM PUBLIC;
GRANT EXECUTE ON FUNCTION set_stock, turn_into_variants TO marketplace_app;
