-- Lists of what is sold out: one in ten products, or none at all, so that no order finds them quickly.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX products_sold_out_idx ON products (id) WHERE NOT in_stock AND NOT hidden;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX product_categories_sold_out_idx ON product_categories (category_id, product_id) WHERE NOT in_stock;
