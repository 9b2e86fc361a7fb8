-- Which invoices and credit notes are still to be issued: noted in the transaction that makes them due, deleted in the one
-- that issues them. So each is issued once, whichever worker is killed when, and a backup brings the rest along. Numbers
-- have no gaps, since a number is counted in the transaction of its document: never in a buyer's, who would wait for all
-- others of the store.

CREATE TABLE invoices_due (
    order_id bigint NOT NULL,
    refund_id bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invoices_due_pkey PRIMARY KEY (order_id, refund_id),
    CONSTRAINT invoices_due_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
);
CREATE INDEX invoices_due_at_idx ON invoices_due (due_at);
COMMENT ON TABLE invoices_due IS 'Invoices and credit notes that the worker has not issued yet; it deletes what it has.';
COMMENT ON COLUMN invoices_due.order_id IS 'The order, which is completed.';
COMMENT ON COLUMN invoices_due.refund_id IS 'The refund of a credit note; 0: the invoice itself.';
COMMENT ON COLUMN invoices_due.due_at IS 'When it was completed, or the money went back: the date of the document.';
ALTER TABLE invoices_due ENABLE ROW LEVEL SECURITY;
CREATE POLICY invoices_due_worker ON invoices_due TO marketplace_worker USING (true);
GRANT SELECT, DELETE ON invoices_due TO marketplace_worker;

CREATE FUNCTION note_invoice_due() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO invoices_due (order_id, due_at) VALUES (new.id, new.completed_at)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_invoice_due IS 'Notes the invoice of an order that is completed.';

-- What was promised before the order was completed is not in its invoice, and so needs no credit note.
CREATE FUNCTION note_credit_note_due() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO invoices_due (order_id, refund_id, due_at)
    SELECT o.id, new.id, new.updated_at
    FROM orders AS o
    WHERE o.id = new.order_id AND o.completed_at < new.created_at
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_credit_note_due IS
'Notes the credit note of a refund that is done and was promised after its order was completed.';
REVOKE ALL ON FUNCTION note_invoice_due, note_credit_note_due FROM PUBLIC;

INSERT INTO invoices_due (order_id, due_at)
SELECT o.id, o.completed_at
FROM orders AS o
WHERE o.state = 'completed' AND NOT EXISTS (SELECT FROM invoices AS i WHERE i.order_id = o.id);
INSERT INTO invoices_due (order_id, refund_id, due_at)
SELECT o.id, r.id, r.updated_at
FROM refunds AS r
JOIN orders AS o ON o.id = r.order_id AND o.completed_at < r.created_at
WHERE r.state = 'done' AND NOT EXISTS (SELECT FROM invoices AS i WHERE i.order_id = o.id AND i.refund_id = r.id);
