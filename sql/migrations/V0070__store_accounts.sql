-- Where buyers may pay a store directly. As the rest of its settings it stands in no audit trail and goes with the
-- account of the store's owner.

ALTER TABLE store_settings
ADD COLUMN pay_account jsonb,
ADD CONSTRAINT store_settings_pay_account_check CHECK (octet_length(pay_account::text) <= 2000) NOT VALID;
COMMENT ON COLUMN store_settings.pay_account IS
'The account that buyers pay to directly: bank, number, holder, qris_upload. NULL: the store offers no such payment. '
'Buyers read it in the instructions of a payment.';
