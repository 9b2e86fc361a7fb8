-- What V0030 to V0032 hold new rows to, said of all of them: nobody waits for it.

ALTER TABLE inventory VALIDATE CONSTRAINT inventory_reserved_check;
ALTER TABLE products
VALIDATE CONSTRAINT products_variants_check,
VALIDATE CONSTRAINT products_option_names_check,
VALIDATE CONSTRAINT products_price_max_check,
VALIDATE CONSTRAINT products_price_before_check,
VALIDATE CONSTRAINT products_size_check,
VALIDATE CONSTRAINT products_quantities_check,
VALIDATE CONSTRAINT products_condition_check,
VALIDATE CONSTRAINT products_blocked_check;
ALTER TABLE stores
VALIDATE CONSTRAINT stores_state_check,
VALIDATE CONSTRAINT stores_state_reason_check,
VALIDATE CONSTRAINT stores_city_check,
VALIDATE CONSTRAINT stores_whatsapp_check;
