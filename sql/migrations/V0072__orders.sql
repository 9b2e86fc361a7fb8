-- Orders and their lines: what one store is to send one buyer.
--
-- Why it is shaped so:
-- * One state is written (placed, accepted, completed, cancelled), by verbs, and order_transitions says who may move it.
--   stage and the two statuses are generated from it, the amounts and the pieces: nobody writes them, they can be
--   filtered and are never wrong. Amounts and pieces only add up (V0081).
-- * settled says that the store may act, and stands in the generated columns where a sum compared with paid could be
--   wrong: an order of 0 beside unpaid ones, a part that was cancelled before it was paid.
-- * payment_id names the one payment that paid the order; a second one cannot be taken for it.
-- * units_undelivered counts pieces of parcels that were refused or lost, units_returned those that came back after
--   they had arrived: one number for both would call "one sent back, one still on the road" delivered.
-- * A line is a copy of what was bought, with the digest of its image, so that the sweeper of images leaves it. What the
--   platform takes of it is frozen in it when it is placed.
-- * An index for a count carries the other column that the policy reads: only so it is read alone.

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    checkout_id bigint NOT NULL,
    number text NOT NULL,
    state text NOT NULL DEFAULT 'placed',
    settled boolean NOT NULL DEFAULT false,
    cod boolean NOT NULL DEFAULT false,
    cod_collector text,
    currency text NOT NULL,
    payment_id bigint,
    items_total numeric(15, 2) NOT NULL,
    discount_total numeric(15, 2) NOT NULL DEFAULT 0,
    subsidy_total numeric(15, 2) NOT NULL DEFAULT 0,
    subsidy_returned numeric(15, 2) NOT NULL DEFAULT 0,
    delivery_total numeric(15, 2) NOT NULL DEFAULT 0,
    tax_total numeric(15, 2) NOT NULL DEFAULT 0,
    tax_included boolean NOT NULL DEFAULT true,
    total numeric(15, 2) NOT NULL,
    cancelled_total numeric(15, 2) NOT NULL DEFAULT 0,
    paid numeric(15, 2) NOT NULL DEFAULT 0,
    refund_total numeric(15, 2) NOT NULL DEFAULT 0,
    refunded numeric(15, 2) NOT NULL DEFAULT 0,
    units integer NOT NULL,
    units_cancelled integer NOT NULL DEFAULT 0,
    units_shipped integer NOT NULL DEFAULT 0,
    units_delivered integer NOT NULL DEFAULT 0,
    units_undelivered integer NOT NULL DEFAULT 0,
    units_returned integer NOT NULL DEFAULT 0,
    delivery jsonb NOT NULL,
    delivery_option_id bigint,
    note text,
    cancel_reason text,
    cancelled_by text,
    cancel_asked_at timestamptz,
    cancel_by timestamptz,
    cancel_asked_reason text,
    open_request text,
    accept_at timestamptz,
    ship_by timestamptz,
    deliver_by timestamptz,
    complete_at timestamptz,
    completed_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    placed_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    payment_status text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN state = 'cancelled' AND paid = 0 THEN 'unpaid'
            WHEN paid > 0 AND refunded >= paid THEN 'refunded'
            WHEN refunded > 0 THEN 'partially_refunded'
            WHEN cod AND paid < total - cancelled_total THEN 'on_delivery'
            WHEN settled THEN 'paid'
            ELSE 'unpaid'
        END
    ) STORED,
    fulfilment_status text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN units_cancelled = units THEN 'cancelled'
            WHEN units_shipped > 0 AND units_undelivered + units_returned = units_shipped THEN 'returned'
            WHEN units_shipped > 0 AND units_delivered + units_undelivered + units_cancelled >= units THEN 'delivered'
            WHEN units_shipped > 0 AND units_shipped + units_cancelled >= units THEN 'shipped'
            WHEN units_shipped > 0 THEN 'partially_shipped'
            ELSE 'unshipped'
        END
    ) STORED,
    stage text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN state IN ('cancelled', 'completed') THEN state
            WHEN NOT settled THEN 'unpaid'
            WHEN state = 'placed' THEN 'new'
            WHEN units_shipped + units_cancelled < units THEN 'to_ship'
            WHEN units_delivered + units_undelivered + units_cancelled < units THEN 'shipping'
            ELSE 'delivered'
        END
    ) STORED,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_store_key UNIQUE (store_id, id),
    CONSTRAINT orders_checkout_key UNIQUE (checkout_id, store_id),
    CONSTRAINT orders_number_key UNIQUE (number),
    CONSTRAINT orders_checkout_id_fkey FOREIGN KEY (checkout_id) REFERENCES checkouts (id),
    CONSTRAINT orders_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id),
    CONSTRAINT orders_state_check CHECK (state IN ('placed', 'accepted', 'completed', 'cancelled')),
    CONSTRAINT orders_completed_check CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT orders_request_check CHECK (open_request IN ('cancel', 'return', 'dispute')),
    CONSTRAINT orders_cod_check CHECK (
        NOT cod OR (settled AND coalesce(cod_collector IN ('store', 'platform'), false) AND payment_id IS NULL)
    ),
    CONSTRAINT orders_paid_by_check CHECK (paid = 0 OR cod OR payment_id IS NOT NULL),
    CONSTRAINT orders_total_check CHECK (
        total >= 0
        AND total = items_total - discount_total - subsidy_total + delivery_total
            + CASE WHEN tax_included THEN 0 ELSE tax_total END
    ),
    CONSTRAINT orders_amounts_check CHECK (
        least(items_total, discount_total, delivery_total, tax_total) >= 0
        AND greatest(items_total, discount_total, delivery_total, tax_total, total) < 'NaN'
    ),
    CONSTRAINT orders_paid_check CHECK (paid BETWEEN 0 AND total AND cancelled_total BETWEEN 0 AND total),
    CONSTRAINT orders_refund_check CHECK (0 <= refunded AND refunded <= refund_total AND refund_total <= paid),
    CONSTRAINT orders_subsidy_check CHECK (subsidy_total >= 0 AND subsidy_returned BETWEEN 0 AND subsidy_total),
    CONSTRAINT orders_units_check CHECK (
        units > 0
        AND units_cancelled >= 0
        AND units_shipped >= 0
        AND units_shipped + units_cancelled <= units
        AND units_delivered >= 0
        AND units_undelivered >= 0
        AND units_delivered + units_undelivered <= units_shipped
        AND units_returned BETWEEN 0 AND units_delivered
    ),
    CONSTRAINT orders_delivery_check CHECK (octet_length(delivery::text) <= 8000),
    CONSTRAINT orders_note_check CHECK (char_length(note) <= 500),
    CONSTRAINT orders_cancel_reason_check CHECK (
        greatest(char_length(cancel_reason), char_length(cancel_asked_reason)) <= 500
    )
) WITH (fillfactor = 85);
CREATE INDEX orders_store_stage_idx ON orders (store_id, stage, placed_at, id) INCLUDE (buyer_id);
CREATE INDEX orders_store_newest_idx ON orders (store_id, placed_at, id);
CREATE INDEX orders_store_ship_by_idx ON orders (store_id, ship_by, id) WHERE stage IN ('new', 'to_ship');
CREATE INDEX orders_store_request_idx ON orders (store_id, placed_at, id) WHERE open_request IS NOT NULL;
CREATE INDEX orders_buyer_stage_idx ON orders (buyer_id, stage, placed_at, id) INCLUDE (store_id);
CREATE INDEX orders_buyer_newest_idx ON orders (buyer_id, placed_at, id);
-- For admins, and what timers look for.
CREATE INDEX orders_newest_idx ON orders (placed_at, id);
CREATE INDEX orders_accept_at_idx ON orders (accept_at) WHERE stage = 'new' AND accept_at IS NOT NULL;
CREATE INDEX orders_ship_by_idx ON orders (ship_by) WHERE stage IN ('new', 'to_ship');
CREATE INDEX orders_cancel_by_idx ON orders (cancel_by) WHERE open_request = 'cancel';
CREATE INDEX orders_deliver_by_idx ON orders (deliver_by) WHERE stage = 'shipping';
CREATE INDEX orders_complete_at_idx ON orders (complete_at) WHERE stage = 'delivered';
COMMENT ON TABLE orders IS
'What one store is to send one buyer. One state, written by verbs; stage and the two statuses follow from it, the '
'amounts and the pieces.';
COMMENT ON COLUMN orders.id IS 'Identity, int64.';
COMMENT ON COLUMN orders.store_id IS 'The store that sends it.';
COMMENT ON COLUMN orders.buyer_id IS 'Who placed it.';
COMMENT ON COLUMN orders.checkout_id IS 'What it is paid with.';
COMMENT ON COLUMN orders.number IS 'What people call it: random, with a check symbol.';
COMMENT ON COLUMN orders.state IS
'placed, accepted, completed or cancelled; order_transitions says who may move it.';
COMMENT ON COLUMN orders.settled IS
'The store may act: it is paid, cash on delivery, or its checkout costs nothing. Set once.';
COMMENT ON COLUMN orders.cod IS 'Whether it is paid in cash when it arrives.';
COMMENT ON COLUMN orders.cod_collector IS 'Who has that cash then: store or platform.';
COMMENT ON COLUMN orders.currency IS 'ISO 4217, of all its amounts.';
COMMENT ON COLUMN orders.payment_id IS
'The payment that paid it; NULL for cash on delivery, what costs nothing and what is unpaid.';
COMMENT ON COLUMN orders.items_total IS 'Prices times pieces of its lines.';
COMMENT ON COLUMN orders.discount_total IS 'What the store bears of it.';
COMMENT ON COLUMN orders.subsidy_total IS 'What the platform bears of it: the store is credited with it.';
COMMENT ON COLUMN orders.subsidy_returned IS
'Of the subsidy, what went back to the platform for pieces that did not come or came back.';
COMMENT ON COLUMN orders.delivery_total IS 'What its delivery costs.';
COMMENT ON COLUMN orders.tax_total IS 'The tax of its lines.';
COMMENT ON COLUMN orders.tax_included IS 'Whether the prices contain the tax; else it comes on top.';
COMMENT ON COLUMN orders.total IS 'What the buyer pays.';
COMMENT ON COLUMN orders.cancelled_total IS
'Of the total, what is for pieces that will not come; the total itself once it is cancelled.';
COMMENT ON COLUMN orders.paid IS 'What came in for it.';
COMMENT ON COLUMN orders.refund_total IS 'What was promised to go back: on its way, done or given up.';
COMMENT ON COLUMN orders.refunded IS 'What went back.';
COMMENT ON COLUMN orders.units IS 'Pieces of its lines.';
COMMENT ON COLUMN orders.units_cancelled IS 'Pieces that will not be sent.';
COMMENT ON COLUMN orders.units_shipped IS 'Pieces that left.';
COMMENT ON COLUMN orders.units_delivered IS 'Of the shipped: pieces that arrived.';
COMMENT ON COLUMN orders.units_undelivered IS 'Of the shipped: pieces of parcels that were refused or lost.';
COMMENT ON COLUMN orders.units_returned IS 'Of the delivered: pieces that the buyer sent back.';
COMMENT ON COLUMN orders.delivery IS 'The delivery as it was chosen: name, days.';
COMMENT ON COLUMN orders.delivery_option_id IS 'The option it was chosen from, which may be another by now.';
COMMENT ON COLUMN orders.note IS 'What the buyer wrote to the store.';
COMMENT ON COLUMN orders.cancel_reason IS 'Why it was cancelled.';
COMMENT ON COLUMN orders.cancelled_by IS 'Who cancelled it: buyer, seller, admin or system.';
COMMENT ON COLUMN orders.cancel_asked_at IS 'When the buyer asked the store to cancel it.';
COMMENT ON COLUMN orders.cancel_by IS 'Until when the store may answer that; then it is cancelled.';
COMMENT ON COLUMN orders.cancel_asked_reason IS 'Why the buyer asked.';
COMMENT ON COLUMN orders.open_request IS 'What waits for an answer: cancel, return or dispute; kept by verbs.';
COMMENT ON COLUMN orders.accept_at IS 'When a new order is accepted by itself; NULL: by hand alone.';
COMMENT ON COLUMN orders.ship_by IS 'Until when the store sends it; then a timer cancels what was not sent.';
COMMENT ON COLUMN orders.deliver_by IS 'From then on it counts as delivered, unless it is cash on delivery.';
COMMENT ON COLUMN orders.complete_at IS 'From then on it is completed by itself.';
COMMENT ON COLUMN orders.completed_at IS
'When it was completed; returns and the sight of its address are counted from it.';
COMMENT ON COLUMN orders.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN orders.placed_at IS 'When it was placed.';
COMMENT ON COLUMN orders.updated_at IS 'When the row was last changed.';
COMMENT ON COLUMN orders.payment_status IS
'unpaid, on_delivery, paid, partially_refunded or refunded; follows from the amounts.';
COMMENT ON COLUMN orders.fulfilment_status IS
'unshipped, partially_shipped, shipped, delivered, returned or cancelled; follows from the pieces.';
COMMENT ON COLUMN orders.stage IS
'unpaid, new, to_ship, shipping, delivered, completed or cancelled; follows from the state and the pieces.';

ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY orders_read ON orders FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY orders_worker ON orders FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON orders TO marketplace_app, marketplace_worker;

CREATE TABLE order_lines (
    store_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    order_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    product_id bigint NOT NULL,
    variant_id bigint NOT NULL DEFAULT 0,
    name text NOT NULL,
    option_names text[] NOT NULL DEFAULT '{}',
    options text[] NOT NULL DEFAULT '{}',
    sku text,
    image_url text,
    image_digest text,
    placeholder text,
    weight_grams integer,
    price numeric(15, 2) NOT NULL,
    quantity integer NOT NULL,
    discount numeric(15, 2) NOT NULL DEFAULT 0,
    subsidy numeric(15, 2) NOT NULL DEFAULT 0,
    tax numeric(15, 2) NOT NULL DEFAULT 0,
    total numeric(15, 2) NOT NULL,
    commission_rule_id bigint,
    commission_rate numeric(7, 4) NOT NULL DEFAULT 0,
    commission numeric(15, 2) NOT NULL DEFAULT 0,
    commission_tax numeric(15, 2) NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    shipped integer NOT NULL DEFAULT 0,
    delivered integer NOT NULL DEFAULT 0,
    undelivered integer NOT NULL DEFAULT 0,
    returned integer NOT NULL DEFAULT 0,
    forgone integer NOT NULL DEFAULT 0,
    CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT order_lines_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT order_lines_quantity_check CHECK (quantity BETWEEN 1 AND 1000),
    CONSTRAINT order_lines_units_check CHECK (
        cancelled >= 0
        AND shipped >= 0
        AND cancelled + shipped <= quantity
        AND delivered >= 0
        AND undelivered >= 0
        AND delivered + undelivered <= shipped
        AND returned BETWEEN 0 AND delivered
        AND forgone BETWEEN 0 AND quantity
    ),
    CONSTRAINT order_lines_commission_check CHECK (
        commission >= 0 AND commission_tax >= 0 AND greatest(commission, commission_tax, commission_rate) < 'NaN'
    ),
    CONSTRAINT order_lines_tax_check CHECK (tax >= 0 AND tax < 'NaN'),
    CONSTRAINT order_lines_total_check CHECK (
        least(price, discount, subsidy, total) >= 0
        AND greatest(price, discount, subsidy) < 'NaN'
        AND total = price * quantity - discount - subsidy
    )
);
CREATE INDEX order_lines_product_idx ON order_lines (product_id, order_id);
CREATE INDEX order_lines_store_product_idx ON order_lines (store_id, product_id, order_id);
CREATE INDEX order_lines_image_idx ON order_lines (image_digest) WHERE image_digest IS NOT NULL;
COMMENT ON TABLE order_lines IS 'What was bought, as it was called and cost then; nothing in it follows the product.';
COMMENT ON COLUMN order_lines.store_id IS 'The store of its order.';
COMMENT ON COLUMN order_lines.buyer_id IS 'The buyer of its order.';
COMMENT ON COLUMN order_lines.order_id IS 'The order.';
COMMENT ON COLUMN order_lines.id IS 'Identity, int64.';
COMMENT ON COLUMN order_lines.product_id IS 'The product.';
COMMENT ON COLUMN order_lines.variant_id IS 'Its variant; 0: the product itself.';
COMMENT ON COLUMN order_lines.name IS 'The name of that day.';
COMMENT ON COLUMN order_lines.option_names IS 'Names of its options: colour, size.';
COMMENT ON COLUMN order_lines.options IS 'Their values, in the same order.';
COMMENT ON COLUMN order_lines.sku IS 'The SKU of that day.';
COMMENT ON COLUMN order_lines.image_url IS 'The image of that day.';
COMMENT ON COLUMN order_lines.image_digest IS 'Content hash of the image: which files it uses; the sweeper asks.';
COMMENT ON COLUMN order_lines.placeholder IS 'The image in a few bytes, while it loads.';
COMMENT ON COLUMN order_lines.weight_grams IS 'What one piece weighs.';
COMMENT ON COLUMN order_lines.price IS 'The price of one piece.';
COMMENT ON COLUMN order_lines.quantity IS 'How many pieces.';
COMMENT ON COLUMN order_lines.discount IS 'What the store bears of the line.';
COMMENT ON COLUMN order_lines.subsidy IS 'What the platform bears of the line.';
COMMENT ON COLUMN order_lines.tax IS 'The tax of the line.';
COMMENT ON COLUMN order_lines.total IS 'Price times pieces, without discount and subsidy.';
COMMENT ON COLUMN order_lines.commission_rule_id IS 'The rule that it was placed under.';
COMMENT ON COLUMN order_lines.commission_rate IS 'Per cent of price times pieces without the discount.';
COMMENT ON COLUMN order_lines.commission IS 'What the platform takes of the whole line.';
COMMENT ON COLUMN order_lines.commission_tax IS 'The tax on that.';
COMMENT ON COLUMN order_lines.cancelled IS 'Pieces that will not be sent.';
COMMENT ON COLUMN order_lines.shipped IS 'Pieces that left.';
COMMENT ON COLUMN order_lines.delivered IS 'Of the shipped: pieces that arrived.';
COMMENT ON COLUMN order_lines.undelivered IS 'Of the shipped: pieces of parcels that were refused or lost.';
COMMENT ON COLUMN order_lines.returned IS 'Of the delivered: pieces that the buyer sent back.';
COMMENT ON COLUMN order_lines.forgone IS
'Pieces that went without a refund: cash on delivery, nothing paid, all given back.';

ALTER TABLE order_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY order_lines_read ON order_lines FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY order_lines_worker ON order_lines FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON order_lines TO marketplace_app, marketplace_worker;

CREATE TABLE order_transitions (
    from_state text NOT NULL,
    to_state text NOT NULL,
    actor text NOT NULL,
    CONSTRAINT order_transitions_pkey PRIMARY KEY (from_state, to_state, actor)
);
COMMENT ON TABLE order_transitions IS 'Who may move an order from one state to another.';
COMMENT ON COLUMN order_transitions.from_state IS 'The state it is in.';
COMMENT ON COLUMN order_transitions.to_state IS 'The state it goes to.';
COMMENT ON COLUMN order_transitions.actor IS 'buyer, seller, admin, or system: the worker at its own work.';
INSERT INTO order_transitions (from_state, to_state, actor) VALUES
('placed', 'accepted', 'seller'),
('placed', 'accepted', 'system'),
('placed', 'accepted', 'admin'),
('placed', 'cancelled', 'buyer'),
('placed', 'cancelled', 'seller'),
('placed', 'cancelled', 'system'),
('placed', 'cancelled', 'admin'),
-- Nothing is shipped, or all that was came back.
('accepted', 'cancelled', 'seller'),
('accepted', 'cancelled', 'system'),
('accepted', 'cancelled', 'admin'),
('accepted', 'completed', 'buyer'),
('accepted', 'completed', 'system'),
('accepted', 'completed', 'admin');
GRANT SELECT ON order_transitions TO marketplace_app, marketplace_worker;
