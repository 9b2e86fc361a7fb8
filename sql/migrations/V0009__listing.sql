-- Lists of what is sold out: one in ten products, or none at all, so that no order finds them quickly. Few rows are in these
-- indexes, and only a sale of the last piece touches them.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX products_sold_out_idx ON products (price, id) WHERE NOT in_stock AND NOT hidden;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX products_brand_sold_out_idx ON products (brand_id, price, id) WHERE NOT in_stock AND NOT hidden;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX products_store_sold_out_idx ON products (store_id, price, id) WHERE NOT in_stock AND NOT hidden;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX product_categories_sold_out_idx
ON product_categories (category_id, price, product_id) WHERE NOT in_stock;
