-- Uses of vouchers: counted at the voucher, which is the most shared row of a checkout and so locked last, and in the
-- order of ids. A use is given back when the last order of its checkout is cancelled.

CREATE TABLE voucher_uses (
    voucher_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    number integer NOT NULL,
    checkout_id bigint NOT NULL,
    amount numeric(15, 2) NOT NULL,
    given_back boolean NOT NULL DEFAULT false,
    CONSTRAINT voucher_uses_pkey PRIMARY KEY (voucher_id, buyer_id, number),
    CONSTRAINT voucher_uses_checkout_key UNIQUE (checkout_id, voucher_id),
    CONSTRAINT voucher_uses_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES vouchers (id),
    CONSTRAINT voucher_uses_checkout_id_fkey FOREIGN KEY (checkout_id) REFERENCES checkouts (id)
);
COMMENT ON TABLE voucher_uses IS 'Which checkout took which voucher. Written by verbs alone.';
COMMENT ON COLUMN voucher_uses.voucher_id IS 'The voucher.';
COMMENT ON COLUMN voucher_uses.buyer_id IS 'Who used it.';
COMMENT ON COLUMN voucher_uses.number IS 'Counts up for each buyer: two at once collide.';
COMMENT ON COLUMN voucher_uses.checkout_id IS 'What it was taken off.';
COMMENT ON COLUMN voucher_uses.amount IS 'What it gave.';
COMMENT ON COLUMN voucher_uses.given_back IS 'Whether it can be used again: every order of the checkout was cancelled.';
ALTER TABLE voucher_uses ENABLE ROW LEVEL SECURITY;
CREATE POLICY voucher_uses_read ON voucher_uses FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR (SELECT my_role()) = 'admin');
CREATE POLICY voucher_uses_worker ON voucher_uses FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON voucher_uses TO marketplace_app, marketplace_worker;

CREATE FUNCTION vouchers_for(
    codes text[],
    store_ids bigint[]
)
RETURNS TABLE (
    id bigint,
    store_id bigint,
    code text,
    name text,
    gives text,
    value numeric,
    max_discount numeric,
    min_total numeric,
    product_ids bigint[],
    category_ids bigint[],
    uses_left integer,
    mine_left integer
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT
        v.id,
        v.store_id,
        v.code,
        v.name,
        v.gives,
        v.value,
        v.max_discount,
        v.min_total,
        v.product_ids,
        v.category_ids,
        v.quota - v.used,
        v.per_buyer - (
            SELECT count(*)
            FROM voucher_uses AS u
            WHERE u.voucher_id = v.id AND u.buyer_id = (SELECT me()) AND NOT u.given_back
        )::integer
    FROM vouchers AS v
    WHERE v.active
        AND now() >= v.starts_at
        AND (v.ends_at IS NULL OR now() < v.ends_at)
        AND (v.code = ANY(codes) OR (v.listed AND (v.store_id IS NULL OR v.store_id = ANY(store_ids))))
    ORDER BY v.code = ANY(codes) DESC, v.id
    LIMIT 100
$$;
COMMENT ON FUNCTION vouchers_for IS
'Vouchers that a checkout of these stores may show or use: those on offer, and those whose code is known.';
GRANT EXECUTE ON FUNCTION vouchers_for TO marketplace_app;

CREATE FUNCTION use_vouchers(of_checkout bigint, buyer bigint, ids bigint[], amounts numeric[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    it record;
    most integer;
    n integer;
    top integer;
BEGIN
    PERFORM set_config('app.stock', 'verb', true);
    FOR it IN
        SELECT a.id, sum(a.amount) AS amount FROM unnest(ids, amounts) AS a (id, amount) GROUP BY a.id ORDER BY a.id
    LOOP
        UPDATE vouchers AS v
        SET used = v.used + 1
        WHERE v.id = it.id
            AND v.active
            AND now() >= v.starts_at
            AND (v.ends_at IS NULL OR now() < v.ends_at)
            AND (v.quota IS NULL OR v.used < v.quota)
        RETURNING v.per_buyer
        INTO most;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'voucher % is used up', it.id
            USING ERRCODE = '23514', TABLE = 'vouchers', CONSTRAINT = 'vouchers_used_check';
        END IF;
        SELECT count(*) FILTER (WHERE NOT u.given_back), coalesce(max(u.number), 0)
        INTO n, top
        FROM voucher_uses AS u
        WHERE u.voucher_id = it.id AND u.buyer_id = buyer;
        IF n >= most THEN
            RAISE EXCEPTION 'voucher % was used', it.id
            USING ERRCODE = '23514', TABLE = 'voucher_uses', CONSTRAINT = 'voucher_uses_pkey';
        END IF;
        INSERT INTO voucher_uses (voucher_id, buyer_id, number, checkout_id, amount)
        VALUES (it.id, buyer, top + 1, of_checkout, it.amount);
    END LOOP;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION use_vouchers IS
'Counts the uses of vouchers by a checkout; one that is used up (vouchers_used_check) or was used by this buyer '
'(voucher_uses_pkey) is refused. Granted to nobody.';

CREATE FUNCTION give_vouchers_back(of_checkout bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM set_config('app.stock', 'verb', true);
    PERFORM
    FROM vouchers AS v
    WHERE v.id IN (SELECT u.voucher_id FROM voucher_uses AS u WHERE u.checkout_id = of_checkout AND NOT u.given_back)
    ORDER BY v.id
    FOR NO KEY UPDATE;
    WITH back AS (
        UPDATE voucher_uses AS u
        SET given_back = true
        WHERE u.checkout_id = of_checkout AND NOT u.given_back
        RETURNING u.voucher_id
    )

    UPDATE vouchers AS v
    SET used = v.used - 1
    FROM back AS b
    WHERE v.id = b.voucher_id;
    PERFORM set_config('app.stock', '', true);
END
$$;
COMMENT ON FUNCTION give_vouchers_back IS
'Gives back what a checkout used; the second time nothing. Granted to nobody.';

CREATE VIEW invariants.voucher_used_is_uses (id) AS
SELECT v.id
FROM vouchers AS v
LEFT JOIN voucher_uses AS u ON u.voucher_id = v.id AND NOT u.given_back
GROUP BY v.id, v.used
HAVING v.used <> count(u.voucher_id)
UNION ALL
SELECT u.voucher_id
FROM voucher_uses AS u
JOIN orders AS o ON o.checkout_id = u.checkout_id
GROUP BY u.voucher_id, u.checkout_id, u.given_back
HAVING u.given_back <> bool_and(o.state = 'cancelled');
COMMENT ON VIEW invariants.voucher_used_is_uses IS
'A voucher counts its uses, and one is given back where every order of its checkout was cancelled.';

-- Free delivery of a store lowers the price of delivery, and is no discount.
CREATE VIEW invariants.voucher_uses_are_discounts (id) AS
SELECT o.checkout_id
FROM (
    SELECT x.checkout_id, sum(x.discount_total) AS discounts, sum(x.subsidy_total) AS subsidies
    FROM orders AS x
    GROUP BY x.checkout_id
) AS o
LEFT JOIN (
    SELECT
        u.checkout_id,
        sum(u.amount) FILTER (WHERE v.store_id IS NOT NULL AND v.gives <> 'free_delivery') AS discounts,
        sum(u.amount) FILTER (WHERE v.store_id IS NULL) AS subsidies
    FROM voucher_uses AS u
    JOIN vouchers AS v ON v.id = u.voucher_id
    GROUP BY u.checkout_id
) AS u ON u.checkout_id = o.checkout_id
WHERE o.discounts <> coalesce(u.discounts, 0) OR o.subsidies <> coalesce(u.subsidies, 0);
COMMENT ON VIEW invariants.voucher_uses_are_discounts IS
'What vouchers gave is what orders were lowered by: stores'' as discount, the platform''s as subsidy.';
