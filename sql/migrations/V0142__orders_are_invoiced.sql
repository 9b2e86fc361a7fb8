-- An order that is completed is invoiced (V0141), whoever completes it.
CREATE TRIGGER note_invoice_due AFTER UPDATE ON orders
FOR EACH ROW WHEN (new.state = 'completed' AND old.state <> 'completed') EXECUTE FUNCTION note_invoice_due();
