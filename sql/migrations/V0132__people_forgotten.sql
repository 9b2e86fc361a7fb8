-- Who leaves while something of theirs is open would leave it to somebody who cannot be asked: an order on its way, money
-- that is to go back, a return, a balance. They are refused, and told which orders. What is closed stays, as bookkeeping
-- asks for it, without the words that lead to a person.

-- The tables are a release old at most, and small: no index of theirs is worth a file of its own.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX shipments_tracked_idx ON shipments (shipped_at) WHERE tracking_number IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX payments_proof_idx ON payments (proof_at) WHERE proof <> '{}';

CREATE FUNCTION open_orders(of_user bigint, of_store bigint, OUT is_open boolean, OUT numbers text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT array_agg(found.number ORDER BY found.number)
    INTO numbers
    FROM (
        SELECT o.number
        FROM orders AS o
        WHERE o.buyer_id = of_user AND o.stage IN ('unpaid', 'new', 'to_ship', 'shipping', 'delivered')
        UNION
        SELECT o.number
        FROM orders AS o
        WHERE o.store_id = of_store AND o.stage IN ('unpaid', 'new', 'to_ship', 'shipping', 'delivered')
        UNION
        SELECT coalesce(o.number, c.number)
        FROM refunds AS r
        LEFT JOIN orders AS o ON o.id = r.order_id
        LEFT JOIN payments AS p ON p.id = r.payment_id
        LEFT JOIN checkouts AS c ON c.id = p.checkout_id
        WHERE (r.buyer_id = of_user OR r.store_id = of_store)
            AND r.state NOT IN ('done', 'given_up')
            AND NOT (r.buyer_id = of_user AND r.state = 'needs_bank')
        UNION
        SELECT o.number
        FROM order_requests AS q
        JOIN orders AS o ON o.id = q.order_id
        WHERE (q.buyer_id = of_user OR q.store_id = of_store)
            AND (
                q.state IN ('open', 'approved', 'sent_back')
                OR (q.disputed AND q.state = 'rejected' AND q.decided_by IS NULL)
            )
        LIMIT 10
    ) AS found;
    numbers := coalesce(numbers, '{}');
    is_open := cardinality(numbers) > 0
        OR EXISTS (SELECT FROM store_balances AS b WHERE b.store_id = of_store AND b.balance <> 0);
END
$$;
COMMENT ON FUNCTION open_orders IS
'Whether a user, and their store, have orders, refunds, returns or a balance that are not closed; up to ten numbers.';

CREATE FUNCTION my_open_orders(OUT is_open boolean, OUT numbers text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.is_open, o.numbers
    FROM auth.caller() AS c
    CROSS JOIN open_orders(c.user_id, c.store_id) AS o
$$;
COMMENT ON FUNCTION my_open_orders IS 'Whether something of the caller, or of their store, is not closed; up to ten numbers.';

-- Money that waits for the account of somebody who leaves is theirs no more: it stays with the platform, in the books as
-- what nobody could be paid.
CREATE FUNCTION give_up_refunds(of_user bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    refund refunds;
BEGIN
    -- Checkouts first, as everything that changes money does.
    PERFORM
    FROM checkouts AS c
    WHERE c.id IN (
        SELECT coalesce(o.checkout_id, p.checkout_id)
        FROM refunds AS r
        LEFT JOIN orders AS o ON o.id = r.order_id
        LEFT JOIN payments AS p ON p.id = r.payment_id
        WHERE r.buyer_id = of_user AND r.state = 'needs_bank'
    )
    ORDER BY c.id
    FOR NO KEY UPDATE;
    FOR refund IN
        SELECT r.*
        FROM refunds AS r
        WHERE r.buyer_id = of_user AND r.state = 'needs_bank'
        ORDER BY r.id
        FOR NO KEY UPDATE
    LOOP
        UPDATE refunds AS r
        SET state = 'given_up', error = 'the buyer has left',
            bank = CASE
                WHEN r.bank IS NOT NULL THEN
                    jsonb_build_object('bank', r.bank ->> 'bank', 'number', '***' || right(r.bank ->> 'number', 4))
            END,
            version = r.version + 1, updated_at = now()
        WHERE r.id = refund.id;
        PERFORM post_entry(
            'refund_given_up', 'refund ' || refund.id, refund.order_id, ARRAY['refund_due', 'unallocated'],
            NULL, ARRAY[refund.amount, -refund.amount], why => 'the buyer has left'
        );
    END LOOP;
END
$$;
COMMENT ON FUNCTION give_up_refunds IS 'Gives up refunds that wait for the account of a buyer who leaves.';
REVOKE ALL ON FUNCTION open_orders, my_open_orders, give_up_refunds FROM PUBLIC;
GRANT EXECUTE ON FUNCTION my_open_orders TO marketplace_app;

-- As in V0059, but that open orders refuse it, and addresses and cart go. The row of the user is locked against an order
-- that is being placed in another session: it is either seen here, or finds nobody.
CREATE OR REPLACE FUNCTION auth.forget_caller(OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    account text;
BEGIN
    SELECT c.user_id, c.store_id INTO user_id, store_id FROM auth.caller() AS c;
    SELECT lower(u.email) INTO account FROM users AS u WHERE u.id = forget_caller.user_id FOR UPDATE;
    IF (SELECT o.is_open FROM open_orders(forget_caller.user_id, forget_caller.store_id) AS o) THEN
        RAISE EXCEPTION 'user % has open orders', forget_caller.user_id
        USING ERRCODE = '23514', CONSTRAINT = 'users_open_orders', TABLE = 'users';
    END IF;
    PERFORM give_up_refunds(forget_caller.user_id);
    DELETE FROM cart_lines AS l WHERE l.user_id = forget_caller.user_id;
    DELETE FROM carts AS c WHERE c.user_id = forget_caller.user_id;
    DELETE FROM addresses AS a WHERE a.user_id = forget_caller.user_id;
    DELETE FROM idempotency_keys AS k WHERE k.user_id = forget_caller.user_id;
    DELETE FROM auth.mailed_tokens AS m WHERE m.user_id = forget_caller.user_id;
    DELETE FROM jobs.procrastinate_jobs AS j
    WHERE j.task_name = 'send_mail' AND j.status <> 'doing' AND lower(j.args ->> 'email') = account;
    DELETE FROM auth.guesses AS g WHERE g.key = sha256(convert_to('account ' || account, 'UTF8'));
    UPDATE stores AS s
    SET name = concat_ws(' ', 'Closed store', s.id, CASE
            WHEN EXISTS (SELECT FROM stores AS o WHERE lower(o.name) = 'closed store ' || s.id)
                THEN left(md5(random()::text), 8)
        END),
        description = NULL, city = NULL, logo = NULL, whatsapp = NULL, version = s.version + 1, updated_at = now()
    WHERE s.id = forget_caller.store_id;
    DELETE FROM store_settings AS g WHERE g.store_id = forget_caller.store_id;
    DELETE FROM auth.credentials AS c WHERE c.user_id = forget_caller.user_id;
    UPDATE users AS u
    SET name = 'Deleted user', email = 'deleted-' || u.id || '-' || left(md5(random()::text), 8) || '@deleted.invalid',
        email_verified_at = NULL, phone = NULL, address = NULL, avatar = NULL, role = 'buyer', suspended_at = now(),
        deleted_at = now(), version = u.version + 1, updated_at = now()
    WHERE u.id = forget_caller.user_id;
    DELETE FROM auth.sessions AS s WHERE s.user_id = forget_caller.user_id;
END
$$;

CREATE FUNCTION auth.private_images(of_user bigint) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.key
    FROM uploads AS p
    JOIN users AS u ON u.id = p.user_id
    WHERE p.user_id = of_user AND u.deleted_at IS NOT NULL
    ORDER BY p.key
$$;
COMMENT ON FUNCTION auth.private_images IS 'Keys of the private images of a user who has gone: the files go before their rows.';

-- What orders keep of a buyer who has gone. In one transaction, since no buyer has so many that it would take long.
CREATE FUNCTION auth.forget_trade(of_user bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    stores_of CONSTANT bigint[] := ARRAY(SELECT s.id FROM stores AS s WHERE s.owner_id = of_user);
    changed integer;
    forgotten integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM users AS u WHERE u.id = of_user AND u.deleted_at IS NOT NULL) THEN
        RETURN 0;
    END IF;
    UPDATE checkouts AS c
    SET address = jsonb_build_object(
            'recipient', '–', 'city', c.address ->> 'city', 'country', c.address ->> 'country'
        ),
        version = c.version + 1, updated_at = now()
    WHERE c.buyer_id = of_user AND c.address ->> 'recipient' IS DISTINCT FROM '–';
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE orders AS o
    SET note = NULL, version = o.version + 1
    WHERE o.buyer_id = of_user AND o.note IS NOT NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    forgotten := forgotten + changed;
    UPDATE order_requests AS q
    SET message = CASE WHEN q.buyer_id = of_user THEN NULL ELSE q.message END,
        reply = NULL,
        images = CASE WHEN q.buyer_id = of_user THEN '{}' ELSE q.images END,
        tracking_number = CASE WHEN q.buyer_id = of_user THEN NULL ELSE q.tracking_number END,
        version = q.version + 1, updated_at = now()
    WHERE (q.buyer_id = of_user AND (num_nonnulls(q.message, q.reply, q.tracking_number) > 0 OR q.images <> '{}'))
        OR (q.store_id = ANY(stores_of) AND q.reply IS NOT NULL);
    GET DIAGNOSTICS changed = ROW_COUNT;
    forgotten := forgotten + changed;
    UPDATE payments AS p
    SET proof = '{}', version = p.version + 1, updated_at = now()
    WHERE p.buyer_id = of_user AND p.proof <> '{}';
    GET DIAGNOSTICS changed = ROW_COUNT;
    forgotten := forgotten + changed;
    DELETE FROM uploads AS u WHERE u.user_id = of_user;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN forgotten + changed;
END
$$;
COMMENT ON FUNCTION auth.forget_trade IS
'Takes the words of a user who has gone from their orders, payments and returns, and those of their store from returns.';

-- What leads to somebody's door, or shows their account, is not needed half a year after the order has ended.
CREATE FUNCTION forget_ended(days integer, most integer, OUT parcels integer, OUT proofs integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE shipments AS h
    SET tracking_number = NULL, tracking_url = NULL, checkpoints = '[]'
    WHERE (h.order_id, h.id) IN (
        SELECT s.order_id, s.id
        FROM shipments AS s
        JOIN orders AS o ON o.id = s.order_id
        WHERE s.tracking_number IS NOT NULL
            AND s.shipped_at < now() - make_interval(days => days)
            AND o.stage IN ('completed', 'cancelled')
            AND coalesce(o.completed_at, o.updated_at) < now() - make_interval(days => days)
        ORDER BY s.shipped_at
        LIMIT most
    );
    GET DIAGNOSTICS parcels = ROW_COUNT;
    UPDATE payments AS p
    SET proof = '{}', version = p.version + 1
    WHERE p.id IN (
        SELECT x.id
        FROM payments AS x
        WHERE x.proof <> '{}'
            AND x.proof_at < now() - make_interval(days => days)
            AND x.state <> 'checking'
            AND NOT EXISTS (
                SELECT
                FROM orders AS o
                WHERE o.checkout_id = x.checkout_id
                    AND (
                        o.stage NOT IN ('completed', 'cancelled')
                        OR coalesce(o.completed_at, o.updated_at) >= now() - make_interval(days => days)
                    )
            )
        ORDER BY x.proof_at
        LIMIT most
    );
    GET DIAGNOSTICS proofs = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION forget_ended IS
'Takes tracking numbers and proofs of payment from orders that ended so many days ago, some at a time; how many.';
REVOKE ALL ON FUNCTION auth.private_images, auth.forget_trade, forget_ended FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.private_images, auth.forget_trade, forget_ended TO marketplace_worker;
