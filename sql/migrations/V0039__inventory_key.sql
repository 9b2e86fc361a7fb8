-- The key of V0038 becomes the primary one: from here on a product may have several rows of stock.

ALTER TABLE inventory
-- squawk-ignore ban-drop-constraint
DROP CONSTRAINT inventory_pkey,
-- squawk-ignore adding-serial-primary-key-field
ADD CONSTRAINT inventory_pkey PRIMARY KEY USING INDEX inventory_variant_key;
