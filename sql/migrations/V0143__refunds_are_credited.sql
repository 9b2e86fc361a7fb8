-- A refund that is done after its order was completed has a credit note (V0141), whoever sends the money.
CREATE TRIGGER note_credit_note_due AFTER UPDATE ON refunds
FOR EACH ROW WHEN (new.state = 'done' AND old.state <> 'done' AND new.order_id IS NOT NULL)
EXECUTE FUNCTION note_credit_note_due();
