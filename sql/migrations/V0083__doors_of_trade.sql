-- The ways to what no grant opens: addresses, accounts, private images. Each says who may know what.

CREATE FUNCTION delivery_address(of_order bigint, OUT address jsonb, OUT masked boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    who record;
    sent record;
BEGIN
    SELECT c.user_id, c.role, c.store_id INTO who FROM auth.caller() AS c;
    SELECT o.buyer_id, o.store_id, o.stage, o.completed_at, c.address
    INTO sent
    FROM orders AS o
    JOIN checkouts AS c ON c.id = o.checkout_id
    WHERE o.id = of_order;
    IF NOT FOUND OR who.user_id IS NULL OR NOT (
        who.user_id = sent.buyer_id OR who.role = 'admin' OR who.store_id IS NOT DISTINCT FROM sent.store_id
    ) THEN
        RETURN;
    END IF;
    masked := NOT (
        who.user_id = sent.buyer_id
        OR who.role = 'admin'
        OR sent.stage IN ('new', 'to_ship', 'shipping', 'delivered')
        OR (sent.stage = 'completed' AND sent.completed_at > now() - interval '30 days')
    );
    address := CASE
        WHEN masked THEN jsonb_build_object(
            'recipient', left(sent.address ->> 'recipient', 1) || '***',
            'city', sent.address ->> 'city',
            'country', sent.address ->> 'country'
        )
        ELSE sent.address
    END;
END
$$;
COMMENT ON FUNCTION delivery_address IS
'Recipient, phone and street of an order: whole for its buyer, admins, and its store from new until 30 days after it was '
'completed; else a letter and the city for its store; NULL for everybody else.';
REVOKE ALL ON FUNCTION delivery_address FROM PUBLIC;
GRANT EXECUTE ON FUNCTION delivery_address TO marketplace_app;

CREATE FUNCTION order_mail(of_order bigint, party text, OUT user_id bigint, OUT email text, OUT name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.email, u.name
    FROM orders AS o
    JOIN stores AS s ON s.id = o.store_id
    JOIN users AS u ON u.id = CASE party WHEN 'buyer' THEN o.buyer_id WHEN 'seller' THEN s.owner_id END
    WHERE o.id = of_order AND u.suspended_at IS NULL
$$;
COMMENT ON FUNCTION order_mail IS
'Whom a mail about an order goes to: its buyer or its seller, nobody who is suspended. The worker''s only way to it.';
REVOKE ALL ON FUNCTION order_mail FROM PUBLIC;
GRANT EXECUTE ON FUNCTION order_mail TO marketplace_worker;

CREATE FUNCTION images_of_payment(of_payment bigint) RETURNS TABLE (id uuid, key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.key
    FROM payments AS p
    JOIN uploads AS u ON u.id = (p.proof ->> 'upload')::uuid AND u.user_id = p.buyer_id
    WHERE p.id = of_payment
        AND coalesce(p.buyer_id = me() OR p.store_id = my_store_id() OR my_role() = 'admin', false)
$$;
COMMENT ON FUNCTION images_of_payment IS
'The proof of a payment, for its buyer, the store it was paid to, and admins; no row for everybody else.';

CREATE FUNCTION images_of_return(of_order bigint, of_request bigint) RETURNS TABLE (id uuid, key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.key
    FROM order_requests AS r
    JOIN uploads AS u ON u.id::text = ANY(r.images) AND u.user_id = r.buyer_id
    WHERE r.order_id = of_order
        AND r.id = of_request
        AND coalesce(r.buyer_id = me() OR r.store_id = my_store_id() OR my_role() = 'admin', false)
$$;
COMMENT ON FUNCTION images_of_return IS
'The images of a return, for its buyer, its store and admins; no row for everybody else.';

CREATE FUNCTION refund_account(of_refund bigint) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT CASE
        WHEN my_role() = 'admin' THEN r.bank
        ELSE jsonb_build_object('bank', r.bank ->> 'bank', 'number', '***' || right(r.bank ->> 'number', 4))
    END
    FROM refunds AS r
    WHERE r.id = of_refund
        AND r.bank IS NOT NULL
        AND coalesce(my_role() = 'admin' OR r.buyer_id = me(), false)
$$;
COMMENT ON FUNCTION refund_account IS
'The account that a refund goes to: whole for admins, who send it; bank and four digits for its buyer; else NULL.';
REVOKE ALL ON FUNCTION images_of_payment, images_of_return, refund_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION images_of_payment, images_of_return, refund_account TO marketplace_app;

-- How money goes home, and where it lies, by the method of a payment.
CREATE FUNCTION refund_way(of_method text, of_channel text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN of_method = 'pretend' OR (of_method = 'midtrans' AND of_channel IN ('qris', 'snap')) THEN 'provider'
        WHEN of_method = 'store_transfer' THEN 'store'
        ELSE 'bank'
    END
$$;
COMMENT ON FUNCTION refund_way IS
'How money of a payment goes home: provider, bank (an operator sends it) or store (which has it).';
CREATE FUNCTION payment_account(of_method text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE of_method WHEN 'transfer' THEN 'bank' WHEN 'store_transfer' THEN 'payable' ELSE 'provider' END
$$;
COMMENT ON FUNCTION payment_account IS 'Where the money of a payment lies in the books: bank, payable or provider.';
REVOKE ALL ON FUNCTION refund_way, payment_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refund_way, payment_account TO marketplace_app, marketplace_worker;

-- As it was in V0032, and a picture is used where an order shows it.
CREATE OR REPLACE FUNCTION lock_unused_pictures(digests text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    digest_ text;
BEGIN
    FOREACH digest_ IN ARRAY digests LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('picture ' || digest_, 0));
        CONTINUE WHEN EXISTS (SELECT FROM product_images AS i WHERE i.digest = digest_);
        CONTINUE WHEN EXISTS (SELECT FROM users AS u WHERE u.avatar_digest = digest_);
        CONTINUE WHEN EXISTS (
            SELECT
            FROM stores AS s
            WHERE s.logo IS NOT NULL AND substring(s.logo ->> 'url' FROM '[0-9a-f]{64}') = digest_
        );
        CONTINUE WHEN EXISTS (SELECT FROM order_lines AS l WHERE l.image_digest = digest_);
        RETURN NEXT digest_;
    END LOOP;
END
$$;
