-- An image is the proof of one payment: shown for another one as well, one transfer could be counted twice by whoever looks.
-- As it was in V0134; the image that a payment shows may be sent for it again, after a lost response or a no.

CREATE OR REPLACE FUNCTION send_proof(of_payment bigint, doc jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    k checkouts;
    p payments;
BEGIN
    SELECT c.*
    INTO k
    FROM checkouts AS c
    JOIN payments AS x ON x.checkout_id = c.id
    WHERE x.id = of_payment AND x.buyer_id = me()
    FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO p FROM payments AS x WHERE x.id = of_payment FOR NO KEY UPDATE;
    IF p.state = 'paid' THEN
        RETURN p.state;
    END IF;
    IF p.method NOT IN ('transfer', 'store_transfer')
        OR NOT (
            p.state IN ('open', 'checking')
                OR (
                    p.state IN ('expired', 'cancelled')
                        AND k.state = 'cancelled'
                        AND p.expires_at > now() - interval '7 days'
                )
        ) THEN
        RAISE EXCEPTION 'payment % is %', of_payment, p.state
        USING ERRCODE = '23514', TABLE = 'checkouts', CONSTRAINT = 'checkouts_not_payable';
    END IF;
    UPDATE uploads AS u
    SET used = true
    WHERE u.id = (doc ->> 'upload')::uuid
        AND u.user_id = me()
        AND u.purpose = 'proof'
        AND (NOT u.used OR u.id = (p.proof ->> 'upload')::uuid);
    IF NOT FOUND AND EXISTS (
        SELECT
        FROM uploads AS u
        WHERE u.id = (doc ->> 'upload')::uuid AND u.user_id = me() AND u.purpose = 'proof'
    ) THEN
        RAISE EXCEPTION 'upload % is the proof of another payment', doc ->> 'upload'
        USING ERRCODE = '23514', CONSTRAINT = 'payments_proof_used', TABLE = 'payments';
    ELSIF NOT FOUND THEN
        RAISE EXCEPTION 'no such upload'
        USING ERRCODE = '23503', CONSTRAINT = 'payments_proof_upload', TABLE = 'payments';
    END IF;
    UPDATE payments AS x
    SET state = 'checking', proof = doc, proof_at = now(), refusal = NULL, version = x.version + 1, updated_at = now()
    WHERE x.id = of_payment;
    IF p.state <> 'checking' THEN
        UPDATE holds AS h
        SET expires_at = greatest(h.expires_at, now() + interval '3 days')
        FROM orders AS o
        WHERE o.checkout_id = k.id
            AND (p.order_id IS NULL OR o.id = p.order_id)
            AND h.order_id = o.id
            AND h.expires_at > now();
    END IF;
    RETURN 'checking';
END
$$;
