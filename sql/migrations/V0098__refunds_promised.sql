-- Money that goes back, from the promise on: what pieces of a line are worth, and the part of the platform in it. Parts
-- telescope: all parts of a line sum to the line.

CREATE FUNCTION line_share(of_order bigint, line_ids bigint[], pieces integer[]) RETURNS numeric
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT
        coalesce(
            sum(
                round_money(
                    w.worth * (w.gone + w.n) / l.quantity, o.currency
                ) - round_money(w.worth * w.gone / l.quantity, o.currency)
            ),
            0
        )
    FROM (SELECT a.id, sum(a.n)::integer AS n FROM unnest(line_ids, pieces) AS a (id, n) GROUP BY 1) AS s
    JOIN order_lines AS l ON l.order_id = of_order AND l.id = s.id
    JOIN orders AS o ON o.id = l.order_id
    CROSS JOIN LATERAL (
        SELECT
            l.total + CASE WHEN o.tax_included THEN 0 ELSE l.tax END AS worth,
            l.cancelled + l.undelivered AS gone,
            s.n
    ) AS w
$$;
COMMENT ON FUNCTION line_share IS 'What so many pieces of these lines are worth to the buyer. Granted to nobody.';

-- Cash on delivery, nothing paid, or all given back. Called before the lines are counted.
CREATE FUNCTION return_subsidy(of_order bigint, line_ids bigint[], pieces integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    back numeric;
BEGIN
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order;
    WITH gone AS (
        SELECT
            l.id,
            l.subsidy,
            l.quantity,
            s.n,
            l.forgone + coalesce(
                (SELECT sum(r.quantity) FROM refund_lines AS r WHERE r.order_id = of_order AND r.line_id = l.id), 0
            ) AS before
        FROM (SELECT a.id, sum(a.n)::integer AS n FROM unnest(line_ids, pieces) AS a (id, n) GROUP BY 1) AS s
        JOIN order_lines AS l ON l.order_id = of_order AND l.id = s.id
    ),

    noted AS (
        UPDATE order_lines AS l
        SET forgone = l.forgone + g.n
        FROM gone AS g
        WHERE l.order_id = of_order AND l.id = g.id
    )

    SELECT
        coalesce(
            sum(
                round_money(
                    g.subsidy * (g.before + g.n) / g.quantity, o.currency
                ) - round_money(g.subsidy * g.before / g.quantity, o.currency)
            ),
            0
        )
    INTO back
    FROM gone AS g;
    back := least(back, o.subsidy_total - o.subsidy_returned);
    IF back > 0 THEN
        UPDATE orders AS x SET subsidy_returned = x.subsidy_returned + back WHERE x.id = of_order;
        PERFORM post_entry(
            'subsidy_back', 'order ' || of_order || ' from ' || o.subsidy_returned, of_order,
            ARRAY['escrow', 'expense_voucher'], NULL, ARRAY[back, -back]
        );
    END IF;
END
$$;
COMMENT ON FUNCTION return_subsidy IS
'Notes pieces that will not come and are not refunded; the platform gets its part of them back. Granted to nobody.';

CREATE FUNCTION promise_refund(
    of_order bigint,
    much numeric,
    why text,
    line_ids bigint[],
    pieces integer[],
    borne_by text,
    of_request bigint,
    strict boolean DEFAULT false
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o orders;
    p payments;
    new_id bigint;
    way text;
    part record;
    rest numeric;
BEGIN
    PERFORM FROM checkouts AS c JOIN orders AS x ON x.checkout_id = c.id WHERE x.id = of_order FOR NO KEY UPDATE OF c;
    SELECT * INTO o FROM orders AS x WHERE x.id = of_order FOR NO KEY UPDATE;
    IF o.id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT * INTO p FROM payments AS x WHERE x.id = o.payment_id FOR NO KEY UPDATE;
    -- who has the cash of a COD order gives it back
    way := CASE
        WHEN p.id IS NOT NULL THEN refund_way(p.method, p.channel)
        WHEN o.cod_collector = 'store' THEN 'store'
        ELSE 'bank'
    END;
    IF coalesce(borne_by NOT IN ('store', 'platform'), true) OR (line_ids IS NOT NULL AND borne_by = 'platform') THEN
        RAISE EXCEPTION 'the platform gives a sum'
        USING ERRCODE = '23514', CONSTRAINT = 'refunds_bearer_sum', TABLE = 'refunds';
    ELSIF borne_by = 'platform' AND o.stage NOT IN ('shipping', 'delivered', 'completed') THEN
        -- not for what the store may still cancel
        RAISE EXCEPTION 'order % is %', of_order, o.stage
        USING ERRCODE = '23514', CONSTRAINT = 'orders_transition', TABLE = 'orders';
    END IF;
    WITH want AS (
        SELECT w.id, sum(w.n)::integer AS n FROM unnest(line_ids, pieces) AS w (id, n) WHERE w.n > 0 GROUP BY w.id
    ),

    line AS (
        SELECT
            w.id,
            k.n,
            -- What has not left is cancelled, and not refunded by a person.
            l.id IS NOT NULL
                AND m.gone + k.n <= CASE WHEN strict THEN l.shipped + l.cancelled ELSE l.quantity END AS fits,
            round_money(
                m.worth * (m.gone + k.n) / l.quantity, o.currency
            ) - round_money(m.worth * m.gone / l.quantity, o.currency) AS amount,
            round_money(
                l.subsidy * (m.gone + k.n) / l.quantity, o.currency
            ) - round_money(l.subsidy * m.gone / l.quantity, o.currency) AS subsidy,
            round_money(
                l.commission * (m.gone + k.n) / l.quantity, o.currency
            ) - round_money(l.commission * m.gone / l.quantity, o.currency) AS commission,
            round_money(
                l.commission_tax * (m.gone + k.n) / l.quantity, o.currency
            ) - round_money(l.commission_tax * m.gone / l.quantity, o.currency) AS commission_tax
        FROM want AS w
        LEFT JOIN order_lines AS l ON l.order_id = of_order AND l.id = w.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(r.quantity), 0)::integer AS n
            FROM refund_lines AS r
            WHERE r.order_id = of_order AND r.line_id = w.id
        ) AS d
        -- All parts of a line are counted on from the pieces that went before, so that they sum to it.
        CROSS JOIN LATERAL (
            SELECT l.forgone + d.n AS gone, l.total + CASE WHEN o.tax_included THEN 0 ELSE l.tax END AS worth
        ) AS m
        -- What went without a refund was never paid; pieces that were refunded before they went back are not refunded
        -- twice (strict: refused).
        CROSS JOIN LATERAL (
            SELECT CASE WHEN strict OR l.id IS NULL THEN w.n ELSE least(w.n, l.quantity - m.gone) END AS n
        ) AS k
        WHERE k.n > 0
    )

    SELECT
        coalesce(bool_and(x.fits), true) AS fits,
        coalesce(sum(x.amount), 0) AS amount,
        coalesce(sum(x.subsidy), 0) AS subsidy,
        coalesce(sum(x.commission), 0) AS commission,
        coalesce(sum(x.commission_tax), 0) AS commission_tax,
        array_agg(x.id) AS ids,
        array_agg(x.n) AS ns,
        array_agg(x.amount) AS amounts,
        array_agg(x.subsidy) AS subsidies,
        array_agg(x.commission) AS commissions,
        array_agg(x.commission_tax) AS taxes
    INTO part
    FROM line AS x;
    IF NOT part.fits THEN
        RAISE EXCEPTION 'not so many pieces'
        USING ERRCODE = '23514', CONSTRAINT = 'refund_lines_units', TABLE = 'refund_lines';
    END IF;
    IF line_ids IS NOT NULL THEN
        rest := o.subsidy_total - o.subsidy_returned;
        IF part.subsidy > rest THEN
            -- rounding, where pieces went back without a refund
            FOR i IN 1..cardinality(part.subsidies) LOOP
                part.subsidies[i] := least(part.subsidies[i], rest);
                rest := rest - part.subsidies[i];
            END LOOP;
            part.subsidy := o.subsidy_total - o.subsidy_returned;
        END IF;
        rest := o.paid - o.refund_total;
        IF NOT strict AND part.amount > rest THEN
            -- what a goodwill has left; a person who asks for more is told so (strict)
            FOR i IN 1..cardinality(part.amounts) LOOP
                part.amounts[i] := least(part.amounts[i], rest);
                rest := rest - part.amounts[i];
            END LOOP;
            part.amount := o.paid - o.refund_total;
        END IF;
        much := part.amount;
        IF much = 0 AND NOT strict THEN
            IF o.state <> 'completed' THEN
                PERFORM return_subsidy(of_order, part.ids, part.ns);
            END IF;
            RETURN NULL;
        END IF;
    END IF;
    IF coalesce(much < 0 OR much <> round_money(much, o.currency), true) THEN
        RAISE EXCEPTION 'no such coin'
        USING ERRCODE = '23514', CONSTRAINT = 'refunds_amount_check', TABLE = 'refunds';
    END IF;
    -- orders_refund_check: too much
    UPDATE orders
    SET
        refund_total = refund_total + much,
        subsidy_returned = subsidy_returned + part.subsidy,
        version = version + 1,
        updated_at = now()
    WHERE id = of_order;
    UPDATE payments SET refund_total = refund_total + much WHERE id = p.id;
    INSERT INTO refunds (
        buyer_id, store_id, order_id, payment_id, amount, subsidy, currency, reason, bearer, request_id, way, state
    )
    VALUES
        (
            o.buyer_id, o.store_id, of_order, p.id, much, part.subsidy, o.currency, why, borne_by, of_request, way,
            CASE way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
        )
    RETURNING id
    INTO new_id;
    INSERT INTO refund_lines (refund_id, order_id, line_id, quantity, amount, subsidy, commission, commission_tax)
    SELECT new_id, of_order, x.*
    FROM unnest(part.ids, part.ns, part.amounts, part.subsidies, part.commissions, part.taxes) AS x
    WHERE part.ids IS NOT NULL;
    IF o.state = 'completed' THEN
        PERFORM post_entry(
            'refund', 'refund ' || new_id, of_order,
            ARRAY['payable', 'commission', 'commission_tax', 'refund_due', 'expense_voucher'],
            ARRAY[o.store_id, NULL, NULL, NULL, NULL],
            ARRAY[
                much + part.subsidy - part.commission - part.commission_tax, part.commission, part.commission_tax,
                -much, -part.subsidy
            ],
            why => why
        );
    ELSE
        PERFORM post_entry(
            'refund', 'refund ' || new_id, of_order, ARRAY['escrow', 'refund_due', 'expense_voucher'], NULL,
            ARRAY[much + part.subsidy, -much, -part.subsidy], why => why
        );
    END IF;
    IF borne_by = 'platform' THEN
        PERFORM post_entry(
            'dispute', 'refund ' || new_id, of_order, ARRAY['expense_dispute', 'payable'], ARRAY[NULL, o.store_id],
            ARRAY[much, -much], why => why
        );
    END IF;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION promise_refund IS
'Promises money of an order to its buyer, as a sum or for pieces of lines; the refund, or NULL for nothing. Granted '
'to nobody.';

CREATE FUNCTION refund_rest(of_orders bigint[], why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    o record;
    n integer := 0;
    p record;
BEGIN
    FOR p IN
        SELECT x.payment_id AS id, sum(x.paid - x.refund_total) AS much
        FROM orders AS x
        WHERE x.id = ANY(of_orders) AND x.payment_id IS NOT NULL AND x.paid > x.refund_total
        GROUP BY 1
        ORDER BY 1
    LOOP
        UPDATE payments SET refund_total = refund_total + p.much WHERE id = p.id;
    END LOOP;
    FOR o IN
        SELECT x.*, coalesce(refund_way(y.method, y.channel), 'bank') AS way
        FROM orders AS x
        LEFT JOIN payments AS y ON y.id = x.payment_id
        WHERE x.id = ANY(of_orders)
            AND x.settled
            AND (x.paid > x.refund_total OR x.subsidy_total > x.subsidy_returned)
        ORDER BY x.id
    LOOP
        UPDATE orders SET refund_total = paid, subsidy_returned = subsidy_total WHERE id = o.id;
        IF o.paid > o.refund_total THEN
            INSERT INTO refunds (
                buyer_id, store_id, order_id, payment_id, amount, subsidy, currency, reason, way, state
            )
            VALUES
                (
                    o.buyer_id, o.store_id, o.id, o.payment_id, o.paid - o.refund_total,
                    o.subsidy_total - o.subsidy_returned, o.currency, why, o.way,
                    CASE o.way WHEN 'bank' THEN 'needs_bank' ELSE 'due' END
                );
            n := n + 1;
        END IF;
        PERFORM post_entry(
            'cancellation', 'order ' || o.id, o.id, ARRAY['escrow', 'refund_due', 'expense_voucher'], NULL,
            ARRAY[
                o.paid - o.refund_total + o.subsidy_total - o.subsidy_returned, o.refund_total - o.paid,
                o.subsidy_returned - o.subsidy_total
            ],
            why => why
        );
    END LOOP;
    RETURN n;
END
$$;
COMMENT ON FUNCTION refund_rest IS
'Promises all that is left of these orders, which are cancelled; how many refunds. Granted to nobody.';
