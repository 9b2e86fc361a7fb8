-- Payments at providers: what a job writes when it has asked one, and what a callback leaves behind. A callback is
-- only a knock: the worker asks the provider, and what it hears is applied by apply_payment().

CREATE FUNCTION payment_opened(
    of_payment bigint,
    its_reference text,
    its_instructions jsonb,
    until timestamptz,
    refused text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE payments AS p
    SET
        state = CASE WHEN refused IS NULL THEN 'open' ELSE 'failed' END,
        error = refused,
        reference = its_reference,
        instructions = its_instructions,
        expires_at = coalesce(until, p.expires_at),
        poll_at = CASE WHEN refused IS NULL THEN now() + interval '60 seconds' END,
        tries = 0,
        version = p.version + 1,
        updated_at = now()
    WHERE p.id = of_payment AND p.state = 'opening';
    RETURN (SELECT p.state FROM payments AS p WHERE p.id = of_payment);
END
$$;
COMMENT ON FUNCTION payment_opened IS
'Writes what a provider answered to an opening; returns the state. Who reads cancelled cancels at the provider. For '
'the worker.';

CREATE FUNCTION reopen_payment(of_payment bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k checkouts;
    p payments;
    n integer;
    new_id bigint;
BEGIN
    SELECT c.*
    INTO k
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment
    FOR NO KEY UPDATE OF c;
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment FOR NO KEY UPDATE;
    IF p.state IS DISTINCT FROM 'opening' OR k.state <> 'unpaid' THEN
        RETURN NULL;
    END IF;
    UPDATE payments AS x
    SET state = 'cancelled', poll_at = NULL, error = 'unseen', version = x.version + 1, updated_at = now()
    WHERE x.id = of_payment;
    SELECT count(*) + 1 INTO n FROM payments AS x WHERE x.checkout_id = k.id;
    INSERT INTO payments (
        checkout_id, buyer_id, method, channel, our_reference, amount, currency, return_url, expires_at
    )
    VALUES
        (
            k.id, p.buyer_id, p.method, p.channel, k.number || '.' || n, p.amount, p.currency, p.return_url,
            p.expires_at
        )
    RETURNING id
    INTO new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION reopen_payment IS
'Begins a payment anew, under the next number, whose session was opened unseen; its id, NULL: it does not wait for that. '
'For the worker.';

CREATE FUNCTION claim_payments(most integer) RETURNS TABLE (id bigint, our_reference text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH due AS (
        SELECT p.id
        FROM payments AS p
        WHERE p.state IN ('opening', 'open')
            AND p.poll_at <= now()
            AND p.method NOT IN ('transfer', 'store_transfer')
        ORDER BY p.poll_at
        LIMIT most
        FOR NO KEY UPDATE SKIP LOCKED
    )

    UPDATE payments AS p
    SET poll_at = now() + interval '2 minutes', tries = p.tries + 1
    FROM due AS d
    WHERE p.id = d.id
    RETURNING p.id, p.our_reference
$$;
COMMENT ON FUNCTION claim_payments IS
'Takes payments whose provider is to be asked, for two minutes. For the worker.';

CREATE FUNCTION take_callback(
    from_provider text,
    its_key text,
    about text,
    raw bytea
)
RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO provider_callbacks AS c (provider, key, subject, body)
    VALUES (from_provider, its_key, about, raw)
    ON CONFLICT (provider, key) DO UPDATE
        SET times = c.times + 1
    RETURNING CASE WHEN c.applied_at IS NULL THEN c.id END
$$;
COMMENT ON FUNCTION take_callback IS
'Keeps a callback that was found true; its id, NULL where it was applied already. For the API, with nobody signed in.';

CREATE FUNCTION callback_applied(which bigint, became text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE provider_callbacks SET applied_at = now(), outcome = became WHERE id = which AND applied_at IS NULL
$$;
COMMENT ON FUNCTION callback_applied IS 'Says what became of a callback. For the worker.';

-- As it was in V0019, and a provider that nobody signs in may knock: its job looks for the callback itself.
CREATE OR REPLACE FUNCTION guard_jobs() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, 'marketplace_worker', 'USAGE')
        OR me() IS NOT NULL
        OR auth.are_old_doors_open()
        OR (new.task_name = 'send_mail' AND new.args - '{kind,email,language}'::text[] = '{}')
        OR (new.task_name = 'apply_callback' AND new.args - 'callback_id' = '{}') THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'nobody has no work for the worker' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION guard_jobs IS
'Refuses jobs of those who are not signed in, but for mails and callbacks of providers (42501).';

GRANT EXECUTE ON FUNCTION take_callback TO marketplace_app;
GRANT EXECUTE ON FUNCTION
payment_opened, reopen_payment, claim_payments, callback_applied TO marketplace_worker;
