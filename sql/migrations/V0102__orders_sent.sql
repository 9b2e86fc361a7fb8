-- A parcel leaves: pieces are counted on the lines and the order, and their stock is out of the store.

-- The same tracking number again is the same parcel.
CREATE FUNCTION ship_order(
    of_order bigint,
    line_ids bigint[],
    pieces integer[],
    by_courier text,
    its_service text,
    tracking text
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    new_id bigint;
    n integer;
BEGIN
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL OR order_actor(o.buyer_id, o.store_id) NOT IN ('seller', 'admin') THEN
        RETURN NULL;
    END IF;
    SELECT s.id INTO new_id FROM shipments AS s WHERE s.order_id = of_order AND s.tracking_number = tracking;
    IF FOUND THEN
        RETURN new_id;
    ELSIF o.stage NOT IN ('new', 'to_ship') THEN
        RAISE EXCEPTION 'order % is %', of_order, o.stage
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_transition';
    END IF;
    IF EXISTS (
        SELECT
        FROM unnest(line_ids, pieces) AS a (id, n)
        LEFT JOIN order_lines AS l ON l.order_id = of_order AND l.id = a.id
        WHERE line_ids IS NOT NULL AND (l.id IS NULL OR a.n IS NULL OR a.n < 1)
    ) THEN
        RAISE EXCEPTION 'no such line or pieces'
        USING ERRCODE = '23514', TABLE = 'order_lines', CONSTRAINT = 'order_lines_units_check';
    ELSIF line_ids IS NULL THEN
        SELECT array_agg(l.id ORDER BY l.id), array_agg(l.quantity - l.cancelled - l.shipped ORDER BY l.id)
        INTO line_ids, pieces
        FROM order_lines AS l
        WHERE l.order_id = of_order AND l.quantity > l.cancelled + l.shipped;
    ELSE
        SELECT array_agg(s.id ORDER BY s.id), array_agg(s.n ORDER BY s.id)
        INTO line_ids, pieces
        FROM (SELECT a.id, sum(a.n)::integer AS n FROM unnest(line_ids, pieces) AS a (id, n) GROUP BY 1) AS s
        JOIN order_lines AS l ON l.order_id = of_order AND l.id = s.id
        WHERE s.n > 0;
    END IF;
    n := (SELECT coalesce(sum(a), 0) FROM unnest(pieces) AS a);
    IF n = 0 OR n > o.units - o.units_cancelled - o.units_shipped THEN
        RAISE EXCEPTION 'too many'
        USING ERRCODE = '23514', TABLE = 'order_lines', CONSTRAINT = 'order_lines_units_check';
    ELSIF o.cod AND n < o.units - o.units_cancelled THEN
        RAISE EXCEPTION 'cash on delivery leaves in one parcel'
        USING ERRCODE = '23514', TABLE = 'orders', CONSTRAINT = 'orders_cod_parcel';
    END IF;
    UPDATE order_lines AS l
    SET shipped = l.shipped + s.n
    FROM unnest(line_ids, pieces) AS s (id, n)
    WHERE l.order_id = of_order AND l.id = s.id;
    INSERT INTO shipments (store_id, buyer_id, order_id, courier, service, tracking_number)
    VALUES (o.store_id, o.buyer_id, of_order, by_courier, its_service, tracking)
    RETURNING id
    INTO new_id;
    INSERT INTO shipment_lines (order_id, shipment_id, line_id, quantity)
    SELECT of_order, new_id, s.id, s.n
    FROM unnest(line_ids, pieces) AS s (id, n);
    UPDATE orders AS x
    SET
        state = 'accepted',
        units_shipped = x.units_shipped + n,
        accept_at = NULL,
        deliver_by = now() + interval '15 days',
        open_request = CASE WHEN x.open_request = 'cancel' THEN NULL ELSE x.open_request END,
        cancel_by = NULL,
        version = x.version + 1,
        updated_at = now()
    WHERE x.id = of_order;
    PERFORM ship_stock(
        of_order, array_agg(l.product_id ORDER BY s.i), array_agg(l.variant_id ORDER BY s.i),
        array_agg(s.n ORDER BY s.i)
    )
    FROM unnest(line_ids, pieces) WITH ORDINALITY AS s (id, n, i)
    JOIN order_lines AS l ON l.order_id = of_order AND l.id = s.id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION ship_order IS
'Sends lines of an order, or all that is left (NULL), in a parcel: its id; NULL: not the caller''s.';

GRANT EXECUTE ON FUNCTION ship_order TO marketplace_app;
