-- Brands are sorted and looked for without accents.

-- Kept by a trigger, too: a table that is written anew is empty to statements that have waited for that.
ALTER TABLE brands ADD COLUMN name_key text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN brands.name_key IS 'What the name is sorted and looked for by.';
CREATE FUNCTION set_brand_folded() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.name_key := fold_name(new.name);
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_brand_folded IS 'Keeps brands.name_key.';
-- What is sorted by is no change of a brand that anybody has to hear of.
ALTER TABLE brands DISABLE TRIGGER USER;
UPDATE brands SET name_key = fold_name(name)
WHERE name_key = '';
ALTER TABLE brands ENABLE TRIGGER USER;
CREATE TRIGGER set_folded BEFORE INSERT OR UPDATE OF name, name_key ON brands
FOR EACH ROW EXECUTE FUNCTION set_brand_folded();
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX brands_folded_idx ON brands (name_key, id);
