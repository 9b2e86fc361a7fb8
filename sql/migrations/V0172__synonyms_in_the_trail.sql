-- Who changed which synonym is a kind of entry of the audit trail.
ALTER TABLE audit
-- squawk-ignore ban-drop-constraint
DROP CONSTRAINT audit_type_check,
ADD CONSTRAINT audit_type_check CHECK (
    type IN (
        'product', 'product_image', 'variant', 'store', 'category', 'brand', 'user', 'import', 'voucher',
        'delivery_option', 'commission_rule', 'synonym'
    )
) NOT VALID;
COMMENT ON COLUMN audit.type IS
'The kind of thing: product, product_image, variant, store, category, brand, user, import, voucher, delivery_option, '
'commission_rule, synonym.';
