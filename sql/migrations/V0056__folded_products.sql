-- What is there already, in a file of its own: no lock on the table but on the rows, as a seller's change takes them.

UPDATE products SET name_key = ''
WHERE name ~ '[^ -~]|''|`';
UPDATE product_categories AS c SET name_key = p.name_key
FROM products AS p
WHERE p.id = c.product_id AND p.name ~ '[^ -~]|''|`' AND c.name_key <> p.name_key;
