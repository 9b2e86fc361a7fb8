-- Names are sorted and looked for without accents, as products are found: Ärm stands beside Arm, and eclat finds Éclat.
--
-- products.name_key was generated from lower(name). Another expression would rewrite the table, so a trigger keeps it
-- from here on, and only names that have more than ASCII are written anew.

-- unaccent() is not immutable since a search path could lead it to another dictionary; this one is named.
CREATE FUNCTION fold_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN translate(lower(public.unaccent('public.unaccent'::regdictionary, name)), '''’`´', '');
COMMENT ON FUNCTION fold_name IS 'A name without case, accents and apostrophes: L''Oréal is loreal.';

-- No rewrite; the code of the last release does not write the column, and goes on.
-- squawk-ignore ban-drop-generated-expression
ALTER TABLE products ALTER COLUMN name_key DROP EXPRESSION, ALTER COLUMN name_key SET DEFAULT '';
COMMENT ON COLUMN products.name_key IS 'What the name is sorted by: its first 100 characters, folded; kept by a trigger.';

CREATE FUNCTION set_name_key() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.name_key := fold_name(left(new.name, 100));
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_name_key IS 'Keeps products.name_key.';
CREATE TRIGGER set_name_key_insert BEFORE INSERT ON products
FOR EACH ROW EXECUTE FUNCTION set_name_key();
CREATE TRIGGER set_name_key_update BEFORE UPDATE OF name, name_key ON products
FOR EACH ROW EXECUTE FUNCTION set_name_key();
