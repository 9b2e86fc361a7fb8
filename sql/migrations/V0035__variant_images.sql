-- The picture of a variant is one of its product's. In a file of its own, since it takes product_images; variants is
-- empty yet.

ALTER TABLE variants
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
ADD CONSTRAINT variants_image_fkey FOREIGN KEY (product_id, image_id) REFERENCES product_images (product_id, id)
ON DELETE SET NULL (image_id);
