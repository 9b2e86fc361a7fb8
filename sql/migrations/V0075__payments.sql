-- Payments, and what their providers tell.
--
-- Why it is shaped so:
-- * A payment is a try to pay; one of a checkout (or, where the stores have the money, of an order) is open at a time.
--   checking is a state of its own, so that no timer cancels what waits for somebody to read its proof.
-- * received is 0 unless it is paid, and no more is promised back than was received.
-- * A callback is kept by what its provider calls it, so that a repeat meets the same row: no month is part of its key.
--   It is signed, and read by the worker alone.

CREATE TABLE payments (
    checkout_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id bigint,
    store_id bigint,
    method text NOT NULL,
    channel text,
    reference text,
    our_reference text NOT NULL,
    amount numeric(15, 2) NOT NULL,
    currency text NOT NULL,
    received numeric(15, 2) NOT NULL DEFAULT 0,
    provider_fee numeric(15, 2),
    refund_total numeric(15, 2) NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'opening',
    problem text,
    reversed text,
    settled_by bigint,
    instructions jsonb,
    return_url text,
    expires_at timestamptz,
    polled_at timestamptz,
    poll_at timestamptz DEFAULT now() + interval '60 seconds',
    tries integer NOT NULL DEFAULT 0,
    error text,
    proof jsonb,
    proof_at timestamptz,
    refusal text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_pkey PRIMARY KEY (checkout_id, id),
    CONSTRAINT payments_id_key UNIQUE (id),
    CONSTRAINT payments_our_reference_key UNIQUE (our_reference),
    CONSTRAINT payments_reference_key UNIQUE (method, reference),
    CONSTRAINT payments_checkout_id_fkey FOREIGN KEY (checkout_id) REFERENCES checkouts (id),
    CONSTRAINT payments_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT payments_order_check CHECK (
        (method = 'store_transfer') = (order_id IS NOT NULL) AND (order_id IS NULL) = (store_id IS NULL)
    ),
    CONSTRAINT payments_state_check CHECK (
        state IN ('opening', 'open', 'checking', 'paid', 'failed', 'expired', 'cancelled')
    ),
    CONSTRAINT payments_problem_check CHECK (problem IN ('amount_mismatch', 'currency_mismatch', 'late', 'twice')),
    CONSTRAINT payments_amount_check CHECK (
        amount > 0 AND received >= 0 AND greatest(amount, received, provider_fee) < 'NaN'
    ),
    CONSTRAINT payments_received_check CHECK (received = 0 OR state = 'paid'),
    CONSTRAINT payments_refund_check CHECK (refund_total BETWEEN 0 AND received),
    CONSTRAINT payments_reference_check CHECK (greatest(char_length(reference), char_length(our_reference)) <= 200),
    CONSTRAINT payments_return_url_check CHECK (char_length(return_url) <= 2048),
    CONSTRAINT payments_proof_check CHECK (octet_length(proof::text) <= 8000),
    CONSTRAINT payments_refusal_check CHECK (char_length(refusal) <= 500)
);
CREATE UNIQUE INDEX payments_one_key ON payments (checkout_id, coalesce(order_id, 0))
WHERE state IN ('opening', 'open', 'checking');
CREATE INDEX payments_poll_at_idx ON payments (poll_at) WHERE state IN ('opening', 'open');
-- What an operator looks through, oldest first.
CREATE INDEX payments_open_idx ON payments (created_at, id) WHERE state = 'open';
CREATE INDEX payments_checking_idx ON payments (proof_at, id) WHERE state = 'checking';
CREATE INDEX payments_problem_idx ON payments (updated_at, id)
WHERE (problem IS NOT NULL OR reversed IS NOT NULL) AND settled_by IS NULL;
CREATE INDEX payments_store_idx ON payments (store_id, state, id) WHERE store_id IS NOT NULL;
-- For an export of one's own, and for what is forgotten with an account.
CREATE INDEX payments_buyer_idx ON payments (buyer_id, id);
COMMENT ON TABLE payments IS
'A try to pay a checkout or, to a store itself, an order. Cash on delivery and 0 have none. Written by verbs alone.';
COMMENT ON COLUMN payments.checkout_id IS 'What it is for.';
COMMENT ON COLUMN payments.buyer_id IS 'Who pays.';
COMMENT ON COLUMN payments.id IS 'Identity, int64.';
COMMENT ON COLUMN payments.order_id IS 'The order, where the money goes to its store itself; else NULL.';
COMMENT ON COLUMN payments.store_id IS 'That store; else NULL.';
COMMENT ON COLUMN payments.method IS 'transfer, store_transfer, or the name of a provider: midtrans, pretend.';
COMMENT ON COLUMN payments.channel IS 'Which of the provider''s ways.';
COMMENT ON COLUMN payments.reference IS 'What the provider calls it.';
COMMENT ON COLUMN payments.our_reference IS 'What we call it there.';
COMMENT ON COLUMN payments.amount IS 'What is due.';
COMMENT ON COLUMN payments.currency IS 'ISO 4217, of all its amounts.';
COMMENT ON COLUMN payments.received IS 'What came in; 0 unless it is paid.';
COMMENT ON COLUMN payments.provider_fee IS 'What the provider kept of it; NULL: not said.';
COMMENT ON COLUMN payments.refund_total IS 'What was promised back out of it.';
COMMENT ON COLUMN payments.state IS
'opening, open, checking (a proof waits for somebody), paid, failed, expired or cancelled.';
COMMENT ON COLUMN payments.problem IS
'amount_mismatch, currency_mismatch, late or twice: for the operator''s queue; NULL: none.';
COMMENT ON COLUMN payments.reversed IS
'What its provider said after it was paid: failed, cancelled, charged_back, refunded (not by us).';
COMMENT ON COLUMN payments.settled_by IS 'Who closed the problem.';
COMMENT ON COLUMN payments.instructions IS 'What the buyer is told: how and where to pay.';
COMMENT ON COLUMN payments.return_url IS 'Where the provider sends the buyer back to.';
COMMENT ON COLUMN payments.expires_at IS 'Until when the provider takes it.';
COMMENT ON COLUMN payments.polled_at IS 'When the provider was last asked.';
COMMENT ON COLUMN payments.poll_at IS 'When it is asked next.';
COMMENT ON COLUMN payments.tries IS 'How often it was tried.';
COMMENT ON COLUMN payments.error IS 'What the last try said.';
COMMENT ON COLUMN payments.proof IS 'Of a transfer: the upload, bank, holder and amount that the buyer says.';
COMMENT ON COLUMN payments.proof_at IS 'When the proof was sent.';
COMMENT ON COLUMN payments.refusal IS 'Why the last proof was refused.';
COMMENT ON COLUMN payments.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN payments.created_at IS 'When it was begun.';
COMMENT ON COLUMN payments.updated_at IS 'When the row was last changed.';

-- Both tables are new and empty: nothing waits.
ALTER TABLE orders
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ADD CONSTRAINT orders_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id);

ALTER TABLE payments ENABLE ROW LEVEL SECURITY;
-- A store sees only those made to its own account.
CREATE POLICY payments_read ON payments FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY payments_worker ON payments FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON payments TO marketplace_app, marketplace_worker;

CREATE SEQUENCE provider_callbacks_id_seq AS bigint;
CREATE TABLE provider_callbacks (
    provider text NOT NULL,
    key text NOT NULL,
    id bigint NOT NULL DEFAULT nextval('provider_callbacks_id_seq'),
    received_at timestamptz NOT NULL DEFAULT now(),
    subject text,
    body bytea NOT NULL,
    times integer NOT NULL DEFAULT 1,
    applied_at timestamptz,
    outcome text,
    CONSTRAINT provider_callbacks_pkey PRIMARY KEY (provider, key),
    CONSTRAINT provider_callbacks_id_key UNIQUE (id),
    CONSTRAINT provider_callbacks_key_check CHECK (char_length(key) <= 200),
    CONSTRAINT provider_callbacks_body_check CHECK (octet_length(body) <= 65536)
);
ALTER SEQUENCE provider_callbacks_id_seq OWNED BY provider_callbacks.id;
CREATE INDEX provider_callbacks_received_at_idx ON provider_callbacks (received_at);
CREATE INDEX provider_callbacks_waiting_idx ON provider_callbacks (received_at) WHERE applied_at IS NULL;
COMMENT ON TABLE provider_callbacks IS
'What a provider told, signed: a knock, after which the provider is asked for the truth. Kept 400 days.';
COMMENT ON COLUMN provider_callbacks.provider IS 'Who told it.';
COMMENT ON COLUMN provider_callbacks.key IS
'What the provider calls it, or the SHA-256 of the body: a repeat is the same row.';
COMMENT ON COLUMN provider_callbacks.id IS 'Rises.';
COMMENT ON COLUMN provider_callbacks.received_at IS 'When it came first.';
COMMENT ON COLUMN provider_callbacks.subject IS 'Which payment it is about.';
COMMENT ON COLUMN provider_callbacks.body IS 'The bytes that came.';
COMMENT ON COLUMN provider_callbacks.times IS 'How often it came.';
COMMENT ON COLUMN provider_callbacks.applied_at IS 'When it was dealt with; NULL: it waits.';
COMMENT ON COLUMN provider_callbacks.outcome IS 'What became of it.';
ALTER TABLE provider_callbacks ENABLE ROW LEVEL SECURITY;
CREATE POLICY provider_callbacks_worker ON provider_callbacks TO marketplace_worker USING (true);
GRANT SELECT, DELETE ON provider_callbacks TO marketplace_worker;

CREATE TABLE provider_states (
    provider text NOT NULL,
    silent_until timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_states_pkey PRIMARY KEY (provider)
);
COMMENT ON TABLE provider_states IS
'Until when a provider is not asked, since it was silent; written by the worker, read by quotes.';
COMMENT ON COLUMN provider_states.provider IS 'The provider.';
COMMENT ON COLUMN provider_states.silent_until IS 'Until when it is not asked; NULL: it answers.';
COMMENT ON COLUMN provider_states.updated_at IS 'When that was last seen.';
GRANT SELECT ON provider_states TO marketplace_app;
GRANT SELECT, INSERT, UPDATE ON provider_states TO marketplace_worker;

CREATE TABLE reconciliations (
    provider text NOT NULL,
    day date NOT NULL,
    ours numeric(15, 2) NOT NULL,
    theirs numeric(15, 2) NOT NULL,
    differences jsonb NOT NULL DEFAULT '[]',
    checked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reconciliations_pkey PRIMARY KEY (provider, day)
);
COMMENT ON TABLE reconciliations IS 'A day of payments, ours beside the provider''s; written by the worker.';
COMMENT ON COLUMN reconciliations.provider IS 'The provider.';
COMMENT ON COLUMN reconciliations.day IS 'The day, in the time zone of the shop.';
COMMENT ON COLUMN reconciliations.ours IS 'What we received that day.';
COMMENT ON COLUMN reconciliations.theirs IS 'What the provider says.';
COMMENT ON COLUMN reconciliations.differences IS 'Where they differ, by reference.';
COMMENT ON COLUMN reconciliations.checked_at IS 'When they were compared.';
ALTER TABLE reconciliations ENABLE ROW LEVEL SECURITY;
CREATE POLICY reconciliations_read ON reconciliations FOR SELECT TO marketplace_app
USING ((SELECT my_role()) = 'admin');
CREATE POLICY reconciliations_worker ON reconciliations TO marketplace_worker USING (true);
GRANT SELECT ON reconciliations TO marketplace_app;
GRANT SELECT, INSERT, UPDATE ON reconciliations TO marketplace_worker;
