-- A completed order has its invoice, or the worker knows that it is due; and so has a refund that came after it.
CREATE VIEW invariants.every_sale_is_invoiced (id, detail) AS
SELECT o.id, 'invoice'
FROM orders AS o
WHERE o.state = 'completed'
    AND NOT EXISTS (SELECT FROM invoices AS i WHERE i.order_id = o.id AND i.kind = 'invoice')
    AND NOT EXISTS (SELECT FROM invoices_due AS d WHERE d.order_id = o.id AND d.refund_id = 0)
UNION ALL
SELECT r.order_id, concat_ws(' ', 'credit note of refund', r.id)
FROM refunds AS r
JOIN orders AS o ON o.id = r.order_id AND o.completed_at < r.created_at
WHERE r.state = 'done'
    AND NOT EXISTS (SELECT FROM invoices AS i WHERE i.order_id = r.order_id AND i.refund_id = r.id)
    AND NOT EXISTS (SELECT FROM invoices_due AS d WHERE d.order_id = r.order_id AND d.refund_id = r.id)
UNION ALL
SELECT i.order_id, concat_ws(' ', i.kind, 'of what is not completed')
FROM invoices AS i
JOIN orders AS o ON o.id = i.order_id
WHERE o.state <> 'completed';
COMMENT ON VIEW invariants.every_sale_is_invoiced IS
'What is completed has an invoice, a refund behind it a credit note, or one is due; nothing else has. Order, what.';
