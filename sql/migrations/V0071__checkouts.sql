-- Checkouts: what a buyer places and pays at once, with an order for each store in it (V0072).
--
-- Why it is shaped so:
-- * What is unpaid moves as one: its state is here and not in each order. Settled is not paid: cash on delivery and what
--   costs nothing are settled when they are placed.
-- * The address is a copy, so that nothing follows the buyer's own; the API's role has no right on the column.
-- * Nobody but verbs writes: the API and the worker may SELECT. The worker acts as nobody and has a policy of its own: a
--   timer that sees no row is silent for ever.

CREATE TABLE checkouts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    buyer_id bigint NOT NULL,
    number text NOT NULL,
    currency text NOT NULL,
    total numeric(15, 2) NOT NULL,
    method text NOT NULL,
    channel text,
    state text NOT NULL DEFAULT 'unpaid',
    units integer NOT NULL,
    pay_by timestamptz,
    address jsonb NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    placed_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    cancelled_at timestamptz,
    CONSTRAINT checkouts_pkey PRIMARY KEY (id),
    CONSTRAINT checkouts_number_key UNIQUE (number),
    CONSTRAINT checkouts_buyer_id_fkey FOREIGN KEY (buyer_id) REFERENCES users (id),
    CONSTRAINT checkouts_total_check CHECK (total >= 0 AND total < 'NaN' AND units > 0),
    CONSTRAINT checkouts_method_check CHECK ((method = 'none') = (total = 0)),
    CONSTRAINT checkouts_state_check CHECK (state IN ('unpaid', 'settled', 'cancelled')),
    CONSTRAINT checkouts_pay_by_check CHECK (state <> 'unpaid' OR pay_by IS NOT NULL),
    CONSTRAINT checkouts_address_check CHECK (octet_length(address::text) <= 8000)
);
CREATE INDEX checkouts_buyer_state_idx ON checkouts (buyer_id, state, placed_at, id);
CREATE INDEX checkouts_buyer_newest_idx ON checkouts (buyer_id, placed_at, id);
CREATE INDEX checkouts_pay_by_idx ON checkouts (pay_by) WHERE state = 'unpaid';
COMMENT ON TABLE checkouts IS
'What a buyer placed and pays at once: an order for each store. What is unpaid moves as one. Written by verbs alone.';
COMMENT ON COLUMN checkouts.id IS 'Identity, int64.';
COMMENT ON COLUMN checkouts.buyer_id IS 'Who placed it.';
COMMENT ON COLUMN checkouts.number IS 'What people call it: random, with a check symbol.';
COMMENT ON COLUMN checkouts.currency IS 'ISO 4217, of all its amounts.';
COMMENT ON COLUMN checkouts.total IS 'What the buyer pays for all its orders.';
COMMENT ON COLUMN checkouts.method IS
'none (it costs nothing), cod, transfer, store_transfer, or the name of a provider: midtrans, pretend.';
COMMENT ON COLUMN checkouts.channel IS
'Of midtrans: bca_va, bni_va, bri_va, permata_va, qris or snap; NULL of methods that have one way alone.';
COMMENT ON COLUMN checkouts.state IS
'unpaid; settled: paid, cash on delivery or nothing to pay; cancelled: every order of it was.';
COMMENT ON COLUMN checkouts.units IS 'Pieces of all its orders.';
COMMENT ON COLUMN checkouts.pay_by IS 'Until when it waits for its payment; then a timer cancels it.';
COMMENT ON COLUMN checkouts.address IS
'Where it is sent: a copy of recipient, phone and street. Read through delivery_address() alone.';
COMMENT ON COLUMN checkouts.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN checkouts.placed_at IS 'When it was placed.';
COMMENT ON COLUMN checkouts.updated_at IS 'When the row was last changed.';
COMMENT ON COLUMN checkouts.settled_at IS 'Since when it is settled.';
COMMENT ON COLUMN checkouts.cancelled_at IS 'Since when it is cancelled.';

ALTER TABLE checkouts ENABLE ROW LEVEL SECURITY;
CREATE POLICY checkouts_read ON checkouts FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR (SELECT my_role()) = 'admin');
CREATE POLICY checkouts_worker ON checkouts FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT (
    id, buyer_id, number, currency, total, method, channel, state, units, pay_by, version, placed_at, updated_at,
    settled_at, cancelled_at
) ON checkouts TO marketplace_app;
GRANT SELECT ON checkouts TO marketplace_worker;
