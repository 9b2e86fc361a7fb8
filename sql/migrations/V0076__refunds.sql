-- Refunds: money that goes back to a buyer, from the promise to the arrival.
--
-- Why it is shaped so:
-- * A refund is a row from the moment it is promised, in the transaction of what it is for: the order's refund_total is
--   what was promised, refunded what arrived.
-- * It is of an order, or of a payment that paid nothing: late, twice, wrong, or the surplus of one. Of cash on delivery
--   there is no payment.
-- * Its lines say for which pieces it is, with the commission that goes back with them.
-- * The API's role may not read the buyer's account: refund_account() says what who may know.

CREATE TABLE refunds (
    id bigint GENERATED ALWAYS AS IDENTITY,
    buyer_id bigint NOT NULL,
    store_id bigint,
    order_id bigint,
    payment_id bigint,
    amount numeric(15, 2) NOT NULL,
    subsidy numeric(15, 2) NOT NULL DEFAULT 0,
    currency text NOT NULL,
    reason text NOT NULL,
    bearer text NOT NULL DEFAULT 'store',
    request_id bigint,
    way text NOT NULL,
    state text NOT NULL DEFAULT 'due',
    reference text,
    bank jsonb,
    tries integer NOT NULL DEFAULT 0,
    error text,
    try_at timestamptz NOT NULL DEFAULT now(),
    done_by bigint,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refunds_pkey PRIMARY KEY (id),
    CONSTRAINT refunds_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT refunds_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT refunds_of_check CHECK (
        (order_id IS NULL OR store_id IS NOT NULL) AND num_nonnulls(order_id, payment_id) >= 1
    ),
    CONSTRAINT refunds_amount_check CHECK (amount > 0 AND subsidy >= 0 AND greatest(amount, subsidy) < 'NaN'),
    CONSTRAINT refunds_way_check CHECK (
        way IN ('provider', 'bank', 'store') AND (way <> 'provider' OR payment_id IS NOT NULL)
    ),
    CONSTRAINT refunds_bearer_check CHECK (bearer IN ('store', 'platform')),
    CONSTRAINT refunds_state_check CHECK (state IN ('due', 'sending', 'sent', 'needs_bank', 'done', 'given_up')),
    CONSTRAINT refunds_reference_check CHECK (char_length(reference) <= 200),
    CONSTRAINT refunds_account_check CHECK (octet_length(bank::text) <= 2000)
);
CREATE INDEX refunds_order_idx ON refunds (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX refunds_payment_idx ON refunds (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX refunds_try_at_idx ON refunds (try_at) WHERE way = 'provider' AND state IN ('due', 'sending', 'sent');
CREATE INDEX refunds_by_hand_idx ON refunds (way, state, created_at, id)
WHERE state IN ('due', 'needs_bank') AND way <> 'provider';
CREATE INDEX refunds_buyer_idx ON refunds (buyer_id, created_at, id);
CREATE INDEX refunds_store_idx ON refunds (store_id, created_at, id) WHERE store_id IS NOT NULL;
CREATE INDEX refunds_newest_idx ON refunds (created_at, id);
COMMENT ON TABLE refunds IS
'Money that goes back to a buyer, from the promise to the arrival. Written by verbs alone.';
COMMENT ON COLUMN refunds.id IS 'Identity, int64.';
COMMENT ON COLUMN refunds.buyer_id IS 'Who gets it.';
COMMENT ON COLUMN refunds.store_id IS 'The store of the order.';
COMMENT ON COLUMN refunds.order_id IS
'The order; NULL: of a payment that paid nothing (late, twice, wrong), or its surplus.';
COMMENT ON COLUMN refunds.payment_id IS 'The payment it comes out of; NULL: cash on delivery.';
COMMENT ON COLUMN refunds.amount IS 'What the buyer gets.';
COMMENT ON COLUMN refunds.subsidy IS 'What goes back to the platform beside it.';
COMMENT ON COLUMN refunds.currency IS 'ISO 4217, of its amounts.';
COMMENT ON COLUMN refunds.reason IS
'cancelled, out_of_stock, lines, undelivered, return, goodwill, late_payment, twice, mismatch or surplus.';
COMMENT ON COLUMN refunds.bearer IS 'Who bears it: store or platform.';
COMMENT ON COLUMN refunds.request_id IS 'The return that it answers.';
COMMENT ON COLUMN refunds.way IS
'provider; bank: an operator sends it; store: the store has the money and gives it back.';
COMMENT ON COLUMN refunds.state IS 'due, sending, sent, needs_bank, done or given_up.';
COMMENT ON COLUMN refunds.reference IS 'What the provider or the bank calls it.';
COMMENT ON COLUMN refunds.bank IS
'The account it goes to; cut to its bank and last four digits at the end. Read through refund_account() alone.';
COMMENT ON COLUMN refunds.tries IS 'How often it was tried.';
COMMENT ON COLUMN refunds.error IS 'What the last try said.';
COMMENT ON COLUMN refunds.try_at IS 'When it is tried next.';
COMMENT ON COLUMN refunds.done_by IS 'Who sent it by hand.';
COMMENT ON COLUMN refunds.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN refunds.created_at IS 'When it was promised.';
COMMENT ON COLUMN refunds.updated_at IS 'When the row was last changed.';

CREATE TABLE refund_lines (
    refund_id bigint NOT NULL,
    order_id bigint NOT NULL,
    line_id bigint NOT NULL,
    quantity integer NOT NULL,
    amount numeric(15, 2) NOT NULL,
    subsidy numeric(15, 2) NOT NULL DEFAULT 0,
    commission numeric(15, 2) NOT NULL DEFAULT 0,
    commission_tax numeric(15, 2) NOT NULL DEFAULT 0,
    CONSTRAINT refund_lines_pkey PRIMARY KEY (refund_id, line_id),
    CONSTRAINT refund_lines_refund_id_fkey FOREIGN KEY (refund_id) REFERENCES refunds (id),
    CONSTRAINT refund_lines_line_fkey FOREIGN KEY (order_id, line_id) REFERENCES order_lines (order_id, id),
    CONSTRAINT refund_lines_amount_check CHECK (
        quantity >= 0
        AND least(amount, subsidy, commission, commission_tax) >= 0
        AND greatest(amount, subsidy, commission, commission_tax) < 'NaN'
    )
);
CREATE INDEX refund_lines_line_idx ON refund_lines (order_id, line_id);
COMMENT ON TABLE refund_lines IS 'What of a refund is for which line, with the commission that goes back with it.';
COMMENT ON COLUMN refund_lines.refund_id IS 'The refund.';
COMMENT ON COLUMN refund_lines.order_id IS 'The order of the line.';
COMMENT ON COLUMN refund_lines.line_id IS 'The line.';
COMMENT ON COLUMN refund_lines.quantity IS 'How many pieces of it; 0: none, only money.';
COMMENT ON COLUMN refund_lines.amount IS 'What the buyer gets for it.';
COMMENT ON COLUMN refund_lines.subsidy IS 'What goes back to the platform.';
COMMENT ON COLUMN refund_lines.commission IS 'What the platform gives back of its commission.';
COMMENT ON COLUMN refund_lines.commission_tax IS 'What it gives back of the tax on that.';

ALTER TABLE refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE refund_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY refunds_read ON refunds FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY refunds_worker ON refunds FOR SELECT TO marketplace_worker USING (true);
-- Lines are read with their order, whose own policy does the rest.
CREATE POLICY refund_lines_read ON refund_lines FOR SELECT TO marketplace_app
USING (EXISTS (SELECT FROM orders AS o WHERE o.id = refund_lines.order_id));
CREATE POLICY refund_lines_worker ON refund_lines FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT (
    id, buyer_id, store_id, order_id, payment_id, amount, subsidy, currency, reason, bearer, request_id, way, state,
    reference, tries, error, try_at, done_by, version, created_at, updated_at
) ON refunds TO marketplace_app;
GRANT SELECT ON refund_lines TO marketplace_app;
GRANT SELECT ON refunds, refund_lines TO marketplace_worker;
