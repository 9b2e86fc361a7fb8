-- Parcels of orders, and what buyers send back.
--
-- Why it is shaped so:
-- * The same parcel told twice is one: a tracking number stands once in an order.
-- * Only returns are requests. A cancellation that is asked for stands on the order itself; a dispute is a flag on the
--   return, and from then on an admin alone decides. One is open at a time.
-- * The worker takes the tracking number away when it is old: it leads to an address at the courier.

CREATE TABLE shipments (
    store_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    order_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    courier text,
    service text,
    tracking_number text,
    tracking_url text,
    state text NOT NULL DEFAULT 'shipped',
    outcome text,
    shipped_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    ended_at timestamptz,
    checkpoints jsonb NOT NULL DEFAULT '[]',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT shipments_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT shipments_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT shipments_state_check CHECK (state IN ('shipped', 'delivered', 'returned', 'lost')),
    CONSTRAINT shipments_courier_check CHECK (
        greatest(char_length(courier), char_length(service), char_length(tracking_number)) <= 100
    ),
    CONSTRAINT shipments_tracking_url_check CHECK (char_length(tracking_url) <= 2048),
    CONSTRAINT shipments_checkpoints_check CHECK (octet_length(checkpoints::text) <= 65536)
);
CREATE UNIQUE INDEX shipments_tracking_key ON shipments (order_id, tracking_number) WHERE tracking_number IS NOT NULL;
-- For the worker, which takes old numbers away.
CREATE INDEX shipments_tracking_idx ON shipments (shipped_at) WHERE tracking_number IS NOT NULL;
COMMENT ON TABLE shipments IS 'Parcels of an order. Written by verbs alone.';
COMMENT ON COLUMN shipments.store_id IS 'The store of its order.';
COMMENT ON COLUMN shipments.buyer_id IS 'The buyer of its order.';
COMMENT ON COLUMN shipments.order_id IS 'The order.';
COMMENT ON COLUMN shipments.id IS 'Identity, int64.';
COMMENT ON COLUMN shipments.courier IS 'Who carries it.';
COMMENT ON COLUMN shipments.service IS 'How: REG, YES.';
COMMENT ON COLUMN shipments.tracking_number IS
'Its number at the courier, in capitals, without blanks. Taken away 180 days after the end.';
COMMENT ON COLUMN shipments.tracking_url IS 'Where the courier shows it.';
COMMENT ON COLUMN shipments.state IS
'shipped, delivered, returned (refused or undeliverable: it came back) or lost.';
COMMENT ON COLUMN shipments.outcome IS 'How that is known: refused, undeliverable, lost; assumed: nobody said so.';
COMMENT ON COLUMN shipments.shipped_at IS 'When it left.';
COMMENT ON COLUMN shipments.delivered_at IS 'When it arrived.';
COMMENT ON COLUMN shipments.ended_at IS 'When it came back or was lost.';
COMMENT ON COLUMN shipments.checkpoints IS 'Where the courier saw it, oldest first.';
COMMENT ON COLUMN shipments.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN shipments.created_at IS 'When the row was made.';
COMMENT ON COLUMN shipments.updated_at IS 'When the row was last changed.';

CREATE TABLE shipment_lines (
    order_id bigint NOT NULL,
    shipment_id bigint NOT NULL,
    line_id bigint NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT shipment_lines_pkey PRIMARY KEY (order_id, shipment_id, line_id),
    CONSTRAINT shipment_lines_quantity_check CHECK (quantity > 0),
    CONSTRAINT shipment_lines_shipment_fkey FOREIGN KEY (order_id, shipment_id) REFERENCES shipments (order_id, id),
    CONSTRAINT shipment_lines_line_fkey FOREIGN KEY (order_id, line_id) REFERENCES order_lines (order_id, id)
);
COMMENT ON TABLE shipment_lines IS 'Which pieces are in a parcel.';
COMMENT ON COLUMN shipment_lines.order_id IS 'The order of both.';
COMMENT ON COLUMN shipment_lines.shipment_id IS 'The parcel.';
COMMENT ON COLUMN shipment_lines.line_id IS 'The line.';
COMMENT ON COLUMN shipment_lines.quantity IS 'How many pieces of it.';

CREATE TABLE order_requests (
    store_id bigint NOT NULL,
    buyer_id bigint NOT NULL,
    order_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL DEFAULT 'return',
    state text NOT NULL DEFAULT 'open',
    disputed boolean NOT NULL DEFAULT false,
    bearer text,
    reason text NOT NULL,
    message text,
    images text[] NOT NULL DEFAULT '{}',
    amount numeric(15, 2) NOT NULL,
    keep_goods boolean NOT NULL DEFAULT false,
    reply text,
    tracking_number text,
    deadline_at timestamptz,
    decided_by bigint,
    refund_id bigint,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_requests_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT order_requests_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT order_requests_kind_check CHECK (kind = 'return'),
    CONSTRAINT order_requests_state_check CHECK (
        state IN ('open', 'approved', 'sent_back', 'done', 'rejected', 'withdrawn')
    ),
    CONSTRAINT order_requests_bearer_check CHECK (bearer IN ('store', 'platform')),
    CONSTRAINT order_requests_amount_check CHECK (amount > 0 AND amount < 'NaN'),
    CONSTRAINT order_requests_reason_check CHECK (char_length(reason) <= 500),
    CONSTRAINT order_requests_message_check CHECK (greatest(char_length(message), char_length(reply)) <= 2000),
    CONSTRAINT order_requests_images_check CHECK (
        cardinality(images) <= 20 AND octet_length(array_to_string(images, '')) <= 2000
    ),
    CONSTRAINT order_requests_tracking_number_check CHECK (char_length(tracking_number) <= 100)
);
CREATE UNIQUE INDEX order_requests_open_key ON order_requests (order_id)
WHERE state IN ('open', 'approved', 'sent_back') OR (disputed AND state = 'rejected' AND decided_by IS NULL);
CREATE INDEX order_requests_store_idx ON order_requests (store_id, state, created_at, id);
CREATE INDEX order_requests_store_newest_idx ON order_requests (store_id, created_at, id);
CREATE INDEX order_requests_buyer_idx ON order_requests (buyer_id, created_at, id);
CREATE INDEX order_requests_newest_idx ON order_requests (created_at, id);
CREATE INDEX order_requests_disputed_idx ON order_requests (created_at, id) WHERE disputed AND decided_by IS NULL;
CREATE INDEX order_requests_deadline_idx ON order_requests (deadline_at)
WHERE state IN ('open', 'approved', 'sent_back') AND NOT disputed;
COMMENT ON TABLE order_requests IS
'Returns: a buyer wants to give something back, or their money for what never came. Written by verbs alone.';
COMMENT ON COLUMN order_requests.store_id IS 'The store of its order.';
COMMENT ON COLUMN order_requests.buyer_id IS 'The buyer of its order.';
COMMENT ON COLUMN order_requests.order_id IS 'The order.';
COMMENT ON COLUMN order_requests.id IS 'Identity, int64.';
COMMENT ON COLUMN order_requests.kind IS 'Always return.';
COMMENT ON COLUMN order_requests.state IS 'open, approved, sent_back, done, rejected or withdrawn.';
COMMENT ON COLUMN order_requests.disputed IS 'One side asks an admin, who alone decides from then on.';
COMMENT ON COLUMN order_requests.bearer IS 'Who bears what is given back: store or platform.';
COMMENT ON COLUMN order_requests.reason IS 'damaged, wrong, not_as_described, missing or changed_mind.';
COMMENT ON COLUMN order_requests.message IS 'What the buyer writes.';
COMMENT ON COLUMN order_requests.images IS 'Uploads of the buyer that show it.';
COMMENT ON COLUMN order_requests.amount IS 'What is asked for; what was given stands in the refund.';
COMMENT ON COLUMN order_requests.keep_goods IS 'Whether the buyer keeps the pieces.';
COMMENT ON COLUMN order_requests.reply IS 'What the store or an admin writes.';
COMMENT ON COLUMN order_requests.tracking_number IS 'The number of the parcel that goes back.';
COMMENT ON COLUMN order_requests.deadline_at IS 'When silence decides.';
COMMENT ON COLUMN order_requests.decided_by IS 'The admin who decided a dispute.';
COMMENT ON COLUMN order_requests.refund_id IS 'The refund that it led to.';
COMMENT ON COLUMN order_requests.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN order_requests.created_at IS 'When it was opened.';
COMMENT ON COLUMN order_requests.updated_at IS 'When the row was last changed.';

CREATE TABLE order_request_lines (
    order_id bigint NOT NULL,
    request_id bigint NOT NULL,
    line_id bigint NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT order_request_lines_pkey PRIMARY KEY (order_id, request_id, line_id),
    CONSTRAINT order_request_lines_quantity_check CHECK (quantity > 0),
    CONSTRAINT order_request_lines_request_fkey
    FOREIGN KEY (order_id, request_id) REFERENCES order_requests (order_id, id),
    CONSTRAINT order_request_lines_line_fkey FOREIGN KEY (order_id, line_id) REFERENCES order_lines (order_id, id)
);
COMMENT ON TABLE order_request_lines IS 'Which pieces a return is about.';
COMMENT ON COLUMN order_request_lines.order_id IS 'The order of both.';
COMMENT ON COLUMN order_request_lines.request_id IS 'The return.';
COMMENT ON COLUMN order_request_lines.line_id IS 'The line.';
COMMENT ON COLUMN order_request_lines.quantity IS 'How many pieces of it.';

ALTER TABLE shipments ENABLE ROW LEVEL SECURITY;
ALTER TABLE shipment_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_request_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY shipments_read ON shipments FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY order_requests_read ON order_requests FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
-- Lines of these are read with their order, whose own policy does the rest.
CREATE POLICY shipment_lines_read ON shipment_lines FOR SELECT TO marketplace_app
USING (EXISTS (SELECT FROM orders AS o WHERE o.id = shipment_lines.order_id));
CREATE POLICY order_request_lines_read ON order_request_lines FOR SELECT TO marketplace_app
USING (EXISTS (SELECT FROM orders AS o WHERE o.id = order_request_lines.order_id));
CREATE POLICY shipments_worker ON shipments TO marketplace_worker USING (true);
CREATE POLICY shipment_lines_worker ON shipment_lines FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY order_requests_worker ON order_requests FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY order_request_lines_worker ON order_request_lines FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON shipments, shipment_lines, order_requests, order_request_lines TO marketplace_app, marketplace_worker;
GRANT UPDATE (tracking_number) ON shipments TO marketplace_worker;
