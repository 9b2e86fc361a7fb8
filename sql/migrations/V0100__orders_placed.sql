-- Writes a checkout that the application has priced, and refuses what does not follow from the tables: a price that is
-- not the present one, sums, tax, delivery, more discount than the vouchers give, another's address, a method that is not
-- offered. Each fault has the name of a constraint. What is not there is refused as inventory_quantity_check, whose
-- DETAIL names all that is short.

CREATE FUNCTION place_checkout(doc jsonb, OUT checkout_id bigint, OUT number text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    buyer CONSTANT bigint := me();
    way CONSTANT text := doc ->> 'method';
    money CONSTANT text := doc ->> 'currency';
    sum_total CONSTANT numeric := (doc ->> 'total')::numeric;
    settled_now CONSTANT boolean := way IN ('cod', 'none');
    until timestamptz := now() + make_interval(mins => least((doc ->> 'pay_within_minutes')::integer, 4320));
    home record;
    rule record;
    placed bigint[];
    wrong text;
    shorts text;
BEGIN
    IF buyer IS NULL THEN
        RAISE EXCEPTION 'nobody acts' USING ERRCODE = '28000';
    END IF;
    -- The cart's row is the buyer's turn: two checkouts of one buyer go one after the other.
    INSERT INTO carts (user_id) VALUES (buyer) ON CONFLICT (user_id) DO NOTHING;
    PERFORM FROM carts AS c WHERE c.user_id = buyer FOR NO KEY UPDATE;
    IF NOT settled_now
        AND (SELECT count(*) FROM checkouts AS c WHERE c.buyer_id = buyer AND c.state = 'unpaid') >= 10 THEN
        RAISE EXCEPTION 'too many are unpaid'
        USING ERRCODE = '23514', TABLE = 'checkouts', CONSTRAINT = 'checkouts_unpaid_limit';
    END IF;
    SELECT
        a.country,
        a.area_code,
        to_jsonb(a) - '{user_id, is_default, version, created_at, updated_at}'::text[] AS copy
    INTO home
    FROM addresses AS a
    WHERE a.user_id = buyer AND a.id = (doc ->> 'address_id')::bigint;
    SELECT r.rule_id, r.rate, r.tax_rate INTO rule FROM resolve_commission() AS r;
    WITH line AS MATERIALIZED (
        SELECT
            l.*,
            s.store_id AS seller,
            s.name,
            s.options,
            s.sku,
            s.weight_grams,
            s.image_id,
            s.min_quantity,
            s.max_per_buyer,
            s.hidden,
            unit_price(l.product_id, l.variant_id, l.quantity) AS now,
            s.category_id,
            r.rate,
            r.included,
            l.price * l.quantity - l.discount - l.subsidy AS rest
        FROM jsonb_to_recordset(doc -> 'lines') AS l (
            product_id bigint, variant_id bigint, quantity integer, price numeric, discount numeric, subsidy numeric,
            tax numeric
        )
        LEFT JOIN sellables AS s ON s.product_id = l.product_id AND s.variant_id = l.variant_id
        LEFT JOIN store_settings AS g ON g.store_id = s.store_id AND g.taxable
        LEFT JOIN LATERAL tax_rate(s.category_id, home.country) AS r ON g.store_id IS NOT NULL
    ),

    part AS MATERIALIZED (
        SELECT
            o.*,
            s.state,
            s.closed_until,
            s.owner_id,
            t.items,
            t.units,
            t.grams,
            t.discounts,
            t.subsidies,
            t.taxes,
            d.cod,
            delivery_price(
                o.store_id, o.delivery_option_id, home.country, home.area_code, t.grams, t.items
            ) AS delivery_price,
            coalesce(
                (
                    SELECT sum(v.amount)
                    FROM jsonb_to_recordset(doc -> 'vouchers') AS v (id bigint, amount numeric, store_id bigint)
                    JOIN vouchers AS x ON x.id = v.id AND x.store_id = o.store_id
                    WHERE x.gives = 'free_delivery'
                ),
                0
            ) AS freed,
            coalesce(
                (
                    SELECT sum(v.amount)
                    FROM jsonb_to_recordset(doc -> 'vouchers') AS v (id bigint, amount numeric, store_id bigint)
                    JOIN vouchers AS x ON x.id = v.id AND x.store_id = o.store_id
                    WHERE x.gives <> 'free_delivery'
                ),
                0
            ) AS given
        FROM jsonb_to_recordset(doc -> 'orders') AS o (
            store_id bigint, delivery_option_id bigint, note text, discount_total numeric, subsidy_total numeric,
            delivery_total numeric, tax_total numeric, tax_included boolean, total numeric
        )
        JOIN stores AS s ON s.id = o.store_id
        LEFT JOIN delivery_options AS d ON d.store_id = o.store_id AND d.id = o.delivery_option_id
        LEFT JOIN (
            SELECT
                l.seller,
                sum(l.price * l.quantity) AS items,
                sum(l.quantity)::integer AS units,
                least(sum(coalesce(l.weight_grams, 0)::bigint * l.quantity), 2147483647)::integer AS grams,
                sum(l.discount) AS discounts,
                sum(l.subsidy) AS subsidies,
                sum(l.tax) AS taxes
            FROM line AS l
            GROUP BY l.seller
        ) AS t ON t.seller = o.store_id
    ),

    used AS MATERIALIZED (
        SELECT
            v.id,
            v.amount,
            x.store_id,
            x.gives,
            x.value,
            x.max_discount,
            x.min_total,
            x.listed OR x.code = v.code AS known,
            s.items,
            i.here,
            -- What is left to take off: the stores' vouchers come before the platform's, and of one bearer those
            -- before it in doc.
            CASE
                WHEN x.gives = 'free_delivery' THEN s.delivery
                ELSE i.there - CASE
                    WHEN x.product_ids IS NULL AND x.category_ids IS NULL
                        THEN coalesce(
                            sum(v.amount) FILTER (WHERE x.gives <> 'free_delivery') OVER (
                                PARTITION BY x.store_id
                                ORDER BY v.nth ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                            ),
                            0
                        )
                    ELSE 0
                END
            END AS base
        FROM ROWS FROM (jsonb_to_recordset(doc -> 'vouchers') AS (id bigint, amount numeric, code text))
            WITH ORDINALITY AS v (id, amount, code, nth)
        LEFT JOIN vouchers AS x ON x.id = v.id
        LEFT JOIN LATERAL (
            SELECT
                sum(l.price * l.quantity) AS items,
                sum(l.price * l.quantity - CASE WHEN x.store_id IS NULL THEN l.discount ELSE 0 END) AS there,
                sum(CASE WHEN x.store_id IS NULL THEN l.subsidy ELSE l.discount END) AS here
            FROM line AS l
            WHERE (x.store_id IS NULL OR l.seller = x.store_id)
                AND (x.product_ids IS NULL OR l.product_id = ANY(x.product_ids))
                AND (
                    x.category_ids IS NULL
                        OR EXISTS (
                            SELECT
                            FROM product_categories AS g
                            WHERE g.product_id = l.product_id AND g.category_id = ANY(x.category_ids)
                        )
                )
        ) AS i ON true
        LEFT JOIN LATERAL (
            SELECT
                i.items,
                sum(CASE WHEN x.store_id IS NULL THEN p.delivery_total ELSE p.delivery_price END) AS delivery
            FROM part AS p
            WHERE x.store_id IS NULL OR p.store_id = x.store_id
        ) AS s ON true
    ),

    fault AS (
        SELECT 'checkouts_prices' AS what
        FROM line AS l
        WHERE l.now IS NULL OR l.price IS DISTINCT FROM l.now OR l.hidden OR l.quantity < l.min_quantity
        UNION ALL
        SELECT 'checkouts_lines'
        FROM line AS l
        WHERE coalesce(l.quantity NOT BETWEEN 1 AND 1000, true)
        UNION ALL
        SELECT 'checkouts_lines'
        WHERE NOT EXISTS (SELECT FROM line)
        UNION ALL
        SELECT 'checkouts_lines'
        FROM part AS p
        GROUP BY p.store_id
        HAVING count(*) > 1
        UNION ALL
        SELECT 'checkouts_lines'
        FROM line AS l
        WHERE l.seller IS NULL OR NOT EXISTS (SELECT FROM part AS p WHERE p.store_id = l.seller)
        UNION ALL
        SELECT 'checkouts_lines'
        FROM part AS p
        WHERE p.units IS NULL
        UNION ALL
        SELECT 'checkouts_address'
        WHERE home.copy IS NULL
        UNION ALL
        SELECT 'checkouts_store'
        FROM part AS p
        WHERE p.state <> 'active' OR p.closed_until > now()
        UNION ALL
        SELECT 'checkouts_self'
        FROM part AS p
        WHERE p.owner_id = buyer
        UNION ALL
        SELECT 'checkouts_delivery'
        FROM part AS p
        WHERE p.delivery_price IS NULL
            OR p.delivery_total IS DISTINCT FROM p.delivery_price - p.freed
            OR p.delivery_total < 0
        UNION ALL
        SELECT 'checkouts_delivery'
        FROM part AS p
        WHERE way = 'cod' AND NOT p.cod
        UNION ALL
        SELECT 'checkouts_discount'
        FROM part AS p
        WHERE p.discount_total IS DISTINCT FROM p.given
            OR p.discounts IS DISTINCT FROM p.discount_total
            OR coalesce(p.subsidy_total - p.subsidies NOT BETWEEN 0 AND p.delivery_total, true)
        UNION ALL
        SELECT 'checkouts_discount'
        FROM line AS l
        WHERE coalesce(l.discount < 0 OR l.discount <> round_money(l.discount, money), true)
            OR coalesce(l.subsidy < 0 OR l.subsidy <> round_money(l.subsidy, money), true)
            OR l.rest < 0
        UNION ALL
        -- The platform's: on things it stands in the lines, on delivery beyond them.
        SELECT 'checkouts_discount'
        FROM (SELECT sum(p.subsidies) AS things, sum(p.subsidy_total - p.subsidies) AS delivery FROM part AS p) AS p,
        (
            SELECT
                coalesce(sum(u.amount) FILTER (WHERE u.gives <> 'free_delivery'), 0) AS things,
                coalesce(sum(u.amount) FILTER (WHERE u.gives = 'free_delivery'), 0) AS delivery
            FROM used AS u
            WHERE u.store_id IS NULL
        ) AS u
        WHERE p.things <> u.things OR p.delivery <> u.delivery
        UNION ALL
        SELECT 'checkouts_discount'
        FROM used AS u
        WHERE u.known IS NOT TRUE OR (u.gives <> 'free_delivery' AND u.amount > u.here)
        UNION ALL
        SELECT 'checkouts_discount'
        FROM used AS u
        WHERE u.gives IS NULL
            OR u.base IS NULL
            OR u.items IS NULL
            OR u.items < u.min_total
            OR coalesce(u.amount < 0, true)
            OR u.amount > least(
                u.base, coalesce(u.max_discount, u.base),
                CASE u.gives
                    WHEN 'percent' THEN round_money(u.base * u.value / 100, money)
                    WHEN 'amount' THEN u.value
                    ELSE u.base
                END
            )
        UNION ALL
        SELECT 'checkouts_discount'
        FROM used AS u
        GROUP BY u.id
        HAVING count(*) > 1
        UNION ALL
        SELECT 'checkouts_total'
        WHERE sum_total IS DISTINCT FROM (SELECT sum(p.total) FROM part AS p)
        UNION ALL
        SELECT 'checkouts_total'
        FROM part AS p
        WHERE coalesce(p.total <> round_money(p.total, money), true)
        UNION ALL
        SELECT 'checkouts_tax'
        FROM part AS p
        WHERE p.tax_total IS DISTINCT FROM p.taxes OR p.tax_included IS NULL
        UNION ALL
        SELECT 'checkouts_tax'
        FROM line AS l
        JOIN part AS p ON p.store_id = l.seller
        WHERE l.included <> p.tax_included
            OR l.tax IS DISTINCT FROM coalesce(
                round_money(round(l.rest * l.rate, 20) / (100 + CASE WHEN l.included THEN l.rate ELSE 0 END), money),
                0
            )
        UNION ALL
        -- The books know no currency: the first checkout says it for all.
        SELECT 'checkouts_currency'
        WHERE (
            money ~ '^[A-Z]{3}$'
                AND money = coalesce((SELECT c.currency FROM checkouts AS c ORDER BY c.id DESC LIMIT 1), money)
        ) IS NOT TRUE
        UNION ALL
        SELECT 'checkouts_pay_by_check'
        WHERE NOT settled_now AND coalesce((doc ->> 'pay_within_minutes')::integer, 0) < 1
        UNION ALL
        SELECT 'checkouts_method'
        FROM part AS p
        LEFT JOIN store_settings AS s ON s.store_id = p.store_id
        WHERE way = 'store_transfer' AND s.pay_account IS NULL
        UNION ALL
        SELECT 'checkouts_method'
        FROM part AS p
        WHERE way = 'store_transfer' AND p.total = 0
        UNION ALL
        SELECT 'checkouts_method'
        WHERE way IS NULL OR way NOT IN ('none', 'cod', 'transfer', 'store_transfer', 'midtrans', 'pretend')
        UNION ALL
        SELECT 'checkouts_method'
        WHERE (way = 'none') <> (sum_total = 0)
        UNION ALL
        SELECT 'checkouts_max_per_buyer'
        FROM line AS l
        WHERE l.max_per_buyer IS NOT NULL
            AND l.max_per_buyer < (SELECT sum(m.quantity) FROM line AS m WHERE m.product_id = l.product_id)
                + coalesce(
                    (
                        SELECT sum(b.quantity - b.cancelled)
                        FROM order_lines AS b
                        JOIN orders AS o ON o.id = b.order_id
                        WHERE b.product_id = l.product_id
                            AND b.buyer_id = buyer
                            AND o.placed_at > now() - interval '30 days'
                            AND o.state <> 'cancelled'
                    ),
                    0
                )
    )

    SELECT min(f.what)
    INTO wrong
    FROM fault AS f;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the checkout does not follow from the tables: %', wrong
        USING ERRCODE = '23514', TABLE = 'checkouts', CONSTRAINT = wrong;
    END IF;
    LOOP
        number := draw_number();
        INSERT INTO checkouts (
            buyer_id, number, currency, total, units, method, channel, state, pay_by, settled_at, address
        )
        SELECT
            buyer,
            number,
            doc ->> 'currency',
            sum_total,
            (SELECT sum((l ->> 'quantity')::integer) FROM jsonb_array_elements(doc -> 'lines') AS l),
            way,
            doc ->> 'channel',
            CASE WHEN settled_now THEN 'settled' ELSE 'unpaid' END,
            CASE WHEN NOT settled_now THEN until END,
            CASE WHEN settled_now THEN now() END,
            home.copy
        ON CONFLICT (number) DO NOTHING
        RETURNING id
        INTO checkout_id;
        EXIT WHEN checkout_id IS NOT NULL;
    END LOOP;
    WITH line AS (
        SELECT l.*, s.store_id AS seller, s.name, s.option_names, s.options, s.sku, s.weight_grams, s.image_id
        FROM jsonb_to_recordset(doc -> 'lines') AS l (
            product_id bigint, variant_id bigint, quantity integer, price numeric, discount numeric, subsidy numeric,
            tax numeric
        )
        JOIN sellables AS s ON s.product_id = l.product_id AND s.variant_id = l.variant_id
    ),

    made AS (
        INSERT INTO orders (
            store_id, buyer_id, checkout_id, number, cod, cod_collector, settled, currency, items_total,
            discount_total, subsidy_total, delivery_total, tax_total, tax_included, total, units, delivery,
            delivery_option_id, note, accept_at, ship_by
        )
        SELECT
            o.store_id,
            buyer,
            checkout_id,
            number || '-' || row_number() OVER (ORDER BY o.store_id),
            way = 'cod',
            CASE WHEN way = 'cod' THEN coalesce(s.cod_collector, 'store') END,
            settled_now,
            doc ->> 'currency',
            t.items,
            o.discount_total,
            o.subsidy_total,
            o.delivery_total,
            o.tax_total,
            o.tax_included,
            o.total,
            t.units,
            jsonb_build_object(
                'option_id', d.id, 'name', d.name, 'pricing', d.pricing, 'days_min', d.days_min, 'days_max',
                d.days_max
            ),
            d.id,
            o.note,
            CASE
                WHEN settled_now
                    THEN now() + make_interval(
                        mins => CASE WHEN s.store_id IS NULL THEN 30 ELSE s.accept_after_minutes END
                    )
            END,
            CASE WHEN settled_now THEN working_day(2 + t.preorder) END
        FROM jsonb_to_recordset(doc -> 'orders') AS o (
            store_id bigint, delivery_option_id bigint, note text, discount_total numeric, subsidy_total numeric,
            delivery_total numeric, tax_total numeric, tax_included boolean, total numeric
        )
        JOIN delivery_options AS d ON d.store_id = o.store_id AND d.id = o.delivery_option_id
        JOIN (
            SELECT
                l.seller,
                sum(l.price * l.quantity) AS items,
                sum(l.quantity)::integer AS units,
                coalesce(max(p.preorder_days), 0)::integer AS preorder
            FROM line AS l
            JOIN products AS p ON p.id = l.product_id
            GROUP BY l.seller
        ) AS t ON t.seller = o.store_id
        LEFT JOIN store_settings AS s ON s.store_id = o.store_id
        ORDER BY o.store_id
        RETURNING id, store_id
    ),

    written AS (
        INSERT INTO order_lines (
            store_id, buyer_id, order_id, product_id, variant_id, name, option_names, options, sku, image_url,
            image_digest, placeholder, weight_grams, price, quantity, discount, subsidy, tax, total,
            commission_rule_id, commission_rate, commission, commission_tax
        )
        SELECT
            m.store_id,
            buyer,
            m.id,
            l.product_id,
            l.variant_id,
            l.name,
            l.option_names,
            l.options,
            l.sku,
            i.url,
            i.digest,
            i.placeholder,
            l.weight_grams,
            l.price,
            l.quantity,
            l.discount,
            l.subsidy,
            l.tax,
            l.price * l.quantity - l.discount - l.subsidy,
            rule.rule_id,
            coalesce(rule.rate, 0),
            c.commission,
            round_money(c.commission * coalesce(rule.tax_rate, 0) / 100, money)
        FROM line AS l
        JOIN made AS m ON m.store_id = l.seller
        LEFT JOIN LATERAL (
            SELECT
                (
                    SELECT size.value ->> 'url'
                    FROM json_array_elements(g.variants) AS size
                    ORDER BY (size.value ->> 'width')::integer
                    LIMIT 1
                ) AS url,
                g.digest,
                g.placeholder
            FROM product_images AS g
            WHERE g.product_id = l.product_id AND (g.id = l.image_id OR (l.image_id IS NULL AND g.is_main))
            LIMIT 1
        ) AS i ON true
        CROSS JOIN LATERAL (
            SELECT
                round_money((l.price * l.quantity - l.discount) * coalesce(rule.rate, 0) / 100, money) AS commission
        ) AS c
        ORDER BY m.id
    ),

    emptied AS (
        DELETE FROM cart_lines AS x
        USING line AS l
        WHERE (doc ->> 'from_cart')::boolean
            AND x.user_id = buyer
            AND x.product_id = l.product_id
            AND x.variant_id = l.variant_id
            AND x.quantity <= l.quantity
    ),

    lessened AS (
        UPDATE cart_lines AS x
        SET quantity = x.quantity - l.quantity
        FROM line AS l
        WHERE (doc ->> 'from_cart')::boolean
            AND x.user_id = buyer
            AND x.product_id = l.product_id
            AND x.variant_id = l.variant_id
            AND x.quantity > l.quantity
    ),

    paying AS (
        INSERT INTO payments (
            checkout_id, buyer_id, order_id, store_id, method, channel, our_reference, amount, currency, state,
            return_url, expires_at
        )
        SELECT
            checkout_id,
            buyer,
            p.order_id,
            p.store_id,
            way,
            doc ->> 'channel',
            number || coalesce('-' || p.store_id, '') || '.1',
            p.amount,
            doc ->> 'currency',
            CASE WHEN way IN ('transfer', 'store_transfer') THEN 'open' ELSE 'opening' END,
            doc ->> 'return_url',
            until
        FROM (
            SELECT NULL::bigint AS order_id, NULL::bigint AS store_id, sum_total AS amount
            WHERE NOT settled_now AND way <> 'store_transfer'
            UNION ALL
            SELECT m.id, m.store_id, o.total
            FROM made AS m
            JOIN jsonb_to_recordset(doc -> 'orders') AS o (store_id bigint, total numeric) ON o.store_id = m.store_id
            WHERE way = 'store_transfer' AND o.total > 0
        ) AS p
    )

    SELECT array_agg(m.id ORDER BY m.id)
    INTO placed
    FROM made AS m;
    -- Stock, then vouchers: what more people share is locked later and shorter.
    SELECT jsonb_agg(h)::text
    INTO shorts
    FROM (
        SELECT
            array_agg(l.order_id ORDER BY l.order_id, l.id) AS o,
            array_agg(l.product_id ORDER BY l.order_id, l.id) AS p,
            array_agg(l.variant_id ORDER BY l.order_id, l.id) AS v,
            array_agg(l.quantity ORDER BY l.order_id, l.id) AS n
        FROM order_lines AS l
        WHERE l.order_id = ANY(placed)
    ) AS a
    CROSS JOIN LATERAL hold_stock(a.o, a.p, a.v, a.n, CASE WHEN NOT settled_now THEN until END) AS h;
    IF shorts IS NOT NULL THEN
        RAISE EXCEPTION 'not all is there'
        USING ERRCODE = '23514', TABLE = 'inventory', CONSTRAINT = 'inventory_quantity_check', DETAIL = shorts;
    END IF;
    PERFORM use_vouchers(checkout_id, buyer, array_agg(v.id), array_agg(v.amount))
    FROM jsonb_to_recordset(doc -> 'vouchers') AS v (id bigint, amount numeric)
    HAVING count(*) > 0;
    IF settled_now THEN
        PERFORM post_subsidy(placed);
    END IF;
END
$$;
COMMENT ON FUNCTION place_checkout IS
'Places what doc says: checkout, orders, lines, payments, holds and uses of vouchers, in the caller''s name. Vouchers '
'stand in doc in the order in which they were taken.';

CREATE FUNCTION change_payment(
    of_checkout bigint,
    way text,
    its_channel text,
    back_to text,
    minutes integer
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k checkouts;
    n integer;
    new_id bigint;
BEGIN
    SELECT * INTO k FROM checkouts AS c WHERE c.id = of_checkout AND c.buyer_id = me() FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM payments AS p WHERE p.checkout_id = of_checkout ORDER BY p.id FOR NO KEY UPDATE;
    IF k.state <> 'unpaid'
        OR k.method = 'store_transfer'
        OR coalesce(way NOT IN ('transfer', 'midtrans', 'pretend'), true)
        OR EXISTS (
            SELECT
            FROM payments AS p
            WHERE p.checkout_id = of_checkout AND (p.state = 'checking' OR (p.state = 'paid' AND p.problem IS NULL))
        ) THEN
        RAISE EXCEPTION 'checkout % cannot be paid so', of_checkout
        USING ERRCODE = '23514', TABLE = 'checkouts', CONSTRAINT = 'checkouts_not_payable';
    END IF;
    UPDATE payments AS p
    SET state = 'cancelled', poll_at = NULL, version = p.version + 1, updated_at = now()
    WHERE p.checkout_id = of_checkout AND p.state IN ('opening', 'open');
    SELECT count(*) + 1 INTO n FROM payments AS p WHERE p.checkout_id = of_checkout;
    -- The holds last as long as the checkout: more time to pay is never more time to hold than three days from placing.
    UPDATE checkouts AS c
    SET
        method = way,
        channel = its_channel,
        version = c.version + 1,
        updated_at = now(),
        pay_by = greatest(c.pay_by, least(now() + make_interval(mins => minutes), c.placed_at + interval '3 days'))
    WHERE c.id = of_checkout
    RETURNING *
    INTO k;
    UPDATE holds AS h
    SET expires_at = k.pay_by
    FROM orders AS o
    WHERE o.checkout_id = of_checkout AND h.order_id = o.id AND h.expires_at > now();
    INSERT INTO payments (
        checkout_id, buyer_id, method, channel, our_reference, amount, currency, state, return_url, expires_at
    )
    VALUES
        (
            of_checkout, k.buyer_id, way, its_channel, k.number || '.' || n, k.total, k.currency,
            CASE way WHEN 'transfer' THEN 'open' ELSE 'opening' END, back_to, k.pay_by
        )
    RETURNING id
    INTO new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION change_payment IS
'Another way to pay what is unpaid: the open payment is closed and a new one opened; its id, NULL: not the caller''s.';

GRANT EXECUTE ON FUNCTION place_checkout, change_payment TO marketplace_app;
