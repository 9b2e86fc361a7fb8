-- Invoices and credit notes. The worker numbers them without gaps, per store, year and kind: a counter that is counted
-- in the transaction of the document, never in a buyer's. What was issued never changes.

CREATE TABLE invoice_counters (
    store_id bigint NOT NULL,
    year integer NOT NULL,
    kind text NOT NULL,
    last integer NOT NULL DEFAULT 0,
    CONSTRAINT invoice_counters_pkey PRIMARY KEY (store_id, year, kind),
    CONSTRAINT invoice_counters_kind_check CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT invoice_counters_last_check CHECK (last >= 0)
);
COMMENT ON TABLE invoice_counters IS 'The last number given, without gaps; counted by the worker alone.';
COMMENT ON COLUMN invoice_counters.store_id IS 'The store.';
COMMENT ON COLUMN invoice_counters.year IS 'The year, in the time zone of the shop.';
COMMENT ON COLUMN invoice_counters.kind IS 'invoice or credit_note.';
COMMENT ON COLUMN invoice_counters.last IS 'The last number given.';

CREATE TABLE invoices (
    store_id bigint NOT NULL,
    year integer NOT NULL,
    kind text NOT NULL,
    number integer NOT NULL,
    buyer_id bigint NOT NULL,
    order_id bigint NOT NULL,
    refund_id bigint,
    document jsonb NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invoices_pkey PRIMARY KEY (store_id, year, kind, number),
    CONSTRAINT invoices_once_key UNIQUE NULLS NOT DISTINCT (order_id, kind, refund_id),
    CONSTRAINT invoices_order_fkey FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
    CONSTRAINT invoices_kind_check CHECK (kind IN ('invoice', 'credit_note')),
    CONSTRAINT invoices_number_check CHECK (number > 0)
);
COMMENT ON TABLE invoices IS 'What was issued never changes; a refund issues a credit note. Written by the worker.';
COMMENT ON COLUMN invoices.store_id IS 'The store that issues it.';
COMMENT ON COLUMN invoices.year IS 'The year of its number.';
COMMENT ON COLUMN invoices.kind IS 'invoice or credit_note.';
COMMENT ON COLUMN invoices.number IS 'Counts from 1, without gaps, per store, year and kind.';
COMMENT ON COLUMN invoices.buyer_id IS 'The buyer of the order.';
COMMENT ON COLUMN invoices.order_id IS 'The order.';
COMMENT ON COLUMN invoices.refund_id IS 'The refund of a credit note.';
COMMENT ON COLUMN invoices.document IS 'What was true then: names, lines, taxes, sums; no street, no phone.';
COMMENT ON COLUMN invoices.issued_at IS 'When it was issued.';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON invoices FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON invoices FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE invoice_counters ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;
CREATE POLICY invoices_read ON invoices FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY invoices_worker ON invoices TO marketplace_worker USING (true);
CREATE POLICY invoice_counters_worker ON invoice_counters TO marketplace_worker USING (true);
GRANT SELECT ON invoices TO marketplace_app;
GRANT SELECT, INSERT ON invoices TO marketplace_worker;
GRANT SELECT, INSERT, UPDATE ON invoice_counters TO marketplace_worker;
