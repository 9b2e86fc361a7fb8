-- What placing and paying have in common: terms of stores, numbers, deadlines, and an order that the store may act on.

CREATE FUNCTION store_terms(of_store bigint, OUT taxable boolean, OUT takes_transfer boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(bool_or(s.taxable), false), coalesce(bool_or(s.pay_account IS NOT NULL), false)
    FROM store_settings AS s
    WHERE s.store_id = of_store
$$;
COMMENT ON FUNCTION store_terms IS 'What a buyer has to know of a store''s settings, and nothing else of them.';
GRANT EXECUTE ON FUNCTION store_terms TO marketplace_app;

-- Sundays and holidays are none. Days are those of the shop (SHOP_TIME_ZONE, which every session says as
-- app.time_zone), not of the sessions, which are in UTC.
CREATE FUNCTION working_day(days integer, of_country text DEFAULT 'ID') RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    zone CONSTANT text := coalesce(nullif(current_setting('app.time_zone', true), ''), 'Asia/Jakarta');
    today CONSTANT date := (now() AT TIME ZONE zone)::date;
BEGIN
    RETURN (
        SELECT (d.day + 1)::timestamp AT TIME ZONE zone
        FROM generate_series(1, days * 2 + 40) AS s (n)
        CROSS JOIN LATERAL (SELECT today + s.n AS day) AS d
        WHERE extract(isodow FROM d.day) < 7
            AND NOT EXISTS (SELECT FROM holidays AS h WHERE h.country = of_country AND h.day = d.day)
        ORDER BY d.day
        LIMIT 1 OFFSET greatest(days, 1) - 1
    );
END
$$;
COMMENT ON FUNCTION working_day IS
'The end of the n-th working day from now in the zone of the shop: when something has to be sent.';
GRANT EXECUTE ON FUNCTION working_day TO marketplace_app, marketplace_worker;

-- 8 symbols of Crockford's base 32: 35 random bits and a check symbol (mod 37; one of seven draws has a check that is
-- none of the 32 and is drawn again). Random, so that nobody reads off how much is sold, and no secret has to be kept.
CREATE FUNCTION draw_number() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    symbols CONSTANT text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    bits bigint;
    word text;
BEGIN
    LOOP
        bits := ('x' || translate(left(gen_random_uuid()::text, 13), '-', ''))::bit(48)::bigint >> 13;
        EXIT WHEN bits % 37 < 32;
    END LOOP;
    word := '';
    FOR n IN 0..6 LOOP
        word := substr(symbols, ((bits >> (5 * n)) & 31)::integer + 1, 1) || word;
    END LOOP;
    RETURN left(word, 4) || '-' || right(word, 3) || substr(symbols, (bits % 37)::integer + 1, 1);
END
$$;
COMMENT ON FUNCTION draw_number IS
'A new number of a checkout: 7 random symbols and a check symbol. Granted to nobody.';

-- Called last, when the stock is firm.
CREATE FUNCTION settle_orders(order_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE orders AS o
    SET
        settled = true,
        version = o.version + 1,
        updated_at = now(),
        accept_at = now() + make_interval(
            mins => CASE WHEN s.store_id IS NULL THEN 30 ELSE s.accept_after_minutes END
        ),
        ship_by = working_day(
            2 + coalesce(
                (
                    SELECT max(p.preorder_days)
                    FROM order_lines AS l
                    JOIN products AS p ON p.id = l.product_id
                    WHERE l.order_id = o.id
                ),
                0
            )::integer
        )
    FROM orders AS x
    LEFT JOIN store_settings AS s ON s.store_id = x.store_id
    WHERE x.id = o.id AND o.id = ANY(order_ids) AND NOT o.settled;
    UPDATE checkouts AS c
    SET state = 'settled', settled_at = now(), version = c.version + 1, updated_at = now()
    WHERE c.state = 'unpaid'
        AND c.id IN (SELECT o.checkout_id FROM orders AS o WHERE o.id = ANY(order_ids))
        AND NOT EXISTS (
            SELECT FROM orders AS o WHERE o.checkout_id = c.id AND NOT o.settled AND o.state <> 'cancelled'
        );
END
$$;
COMMENT ON FUNCTION settle_orders IS
'The stores may act on these orders: paid, cash on delivery, or nothing to pay. Granted to nobody.';

-- In one statement over all lines: stock is locked once, in the order of ids.
CREATE FUNCTION settle_stock(of_orders bigint[]) RETURNS bigint[]
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(r.id ORDER BY r.id), '{}')
    FROM (
        SELECT
            array_agg(l.order_id) AS o,
            array_agg(l.product_id) AS p,
            array_agg(l.variant_id) AS v,
            array_agg(l.quantity - l.cancelled) AS n
        FROM order_lines AS l
        WHERE l.order_id = ANY(of_orders) AND l.quantity > l.cancelled
    ) AS a
    CROSS JOIN LATERAL rehold_stock(a.o, a.p, a.v, a.n) AS r (id)
$$;
COMMENT ON FUNCTION settle_stock IS
'Holds what these orders want for good, again where it has lapsed; the orders that have all of theirs. Granted to '
'nobody.';

CREATE FUNCTION post_subsidy(of_orders bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o record;
BEGIN
    FOR o IN
        SELECT x.id, x.subsidy_total AS much
        FROM orders AS x
        WHERE x.id = ANY(of_orders) AND x.subsidy_total > 0 AND x.state <> 'cancelled'
        ORDER BY x.id
    LOOP
        PERFORM post_entry(
            'subsidy', 'order ' || o.id, o.id, ARRAY['expense_voucher', 'escrow'], NULL, ARRAY[o.much, -o.much]
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION post_subsidy IS 'Books what the platform pays of these orders, once each. Granted to nobody.';
