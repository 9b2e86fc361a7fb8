-- Files that only change what is there, columns that the seller names, and reports in the seller's language.
--
-- Why it is shaped so:
-- * Whether a row makes a product or changes one is known when it meets the catalogue. So a staged row may lack the
--   name or the price; one that matches no product is refused then.
-- * Words are kept in English and, beside that, as the template and the values they were made of: in what language they
--   are read is known when somebody reads them.

ALTER TABLE imports
ADD COLUMN column_names json,
ADD COLUMN image_base text,
ADD COLUMN rows_hidden bigint NOT NULL DEFAULT 0,
ADD COLUMN error_said json;
COMMENT ON COLUMN imports.column_names IS
'Which columns hold what, as asked for: our name to the file''s; NULL: the header tells.';
COMMENT ON COLUMN imports.image_base IS 'Where pictures stand that the file has the names of; NULL: they are left out.';
COMMENT ON COLUMN imports.rows_hidden IS 'Good rows that matched a hidden product which they do not show again.';
COMMENT ON COLUMN imports.error_said IS
'What error_message was made of: template and values; NULL: it is its own template.';
GRANT INSERT (column_names, image_base) ON imports TO marketplace_app;
GRANT UPDATE (rows_hidden) ON imports TO marketplace_app;

ALTER TABLE import_errors ADD COLUMN said json;
COMMENT ON COLUMN import_errors.said IS 'What message was made of: template and values; NULL: it is its own template.';

-- squawk-ignore ban-drop-not-null
ALTER TABLE import_rows ALTER COLUMN name DROP NOT NULL;
-- squawk-ignore ban-drop-not-null
ALTER TABLE import_rows ALTER COLUMN price DROP NOT NULL;
ALTER TABLE import_rows ADD COLUMN in_stock boolean;
COMMENT ON COLUMN import_rows.name IS 'As in products; NULL: not said, so that the row can only change a product.';
COMMENT ON COLUMN import_rows.price IS 'As in products; NULL: not said, so that the row can only change a product.';
COMMENT ON COLUMN import_rows.in_stock IS 'There is some, and the file does not say how much; NULL: not said.';
