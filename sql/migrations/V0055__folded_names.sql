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

UPDATE products SET name_key = ''
WHERE name ~ '[^ -~]|''|`';
UPDATE product_categories AS c SET name_key = p.name_key
FROM products AS p
WHERE p.id = c.product_id AND p.name ~ '[^ -~]|''|`' AND c.name_key <> p.name_key;

-- Kept by a trigger, too: a table that is written anew is empty to statements that have waited for that.
ALTER TABLE brands ADD COLUMN folded text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN brands.folded IS 'What the name is sorted and looked for by.';
CREATE FUNCTION set_brand_folded() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.folded := fold_name(new.name);
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_brand_folded IS 'Keeps brands.folded.';
-- What is sorted by is no change of a brand that anybody has to hear of.
ALTER TABLE brands DISABLE TRIGGER USER;
UPDATE brands SET folded = fold_name(name)
WHERE folded = '';
ALTER TABLE brands ENABLE TRIGGER USER;
CREATE TRIGGER set_folded BEFORE INSERT OR UPDATE OF name, folded ON brands
FOR EACH ROW EXECUTE FUNCTION set_brand_folded();
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX brands_folded_idx ON brands (folded, id);

-- Other forms of words: signs within a word are left out (Wi-Fi also with the hyphen that does not break, AT&T).
-- As in V0008 but for the line that begins with IF.
CREATE OR REPLACE FUNCTION search_vector(
    name text, brand text, category text, description text, filters tsvector
) RETURNS tsvector
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    name_folded text := search_fold(name);
    name_spaced text := search_spaced(name_folded);
    name_pieces text := search_pieces(name_spaced);
    brand_folded text := search_fold(brand);
    brand_spaced text := coalesce(search_spaced(brand_folded), '');
    kind text := search_fold(category);
    written tsvector;
    others text;
    words tsvector := setweight(to_tsvector('simple', name_spaced), 'A')
        || setweight(to_tsvector('simple', brand_spaced), 'B');
BEGIN
    kind := coalesce(search_spaced(kind), '');
    others := concat_ws(' ', name_pieces, search_pieces(brand_spaced), kind);
    written := search_stems(others);
    others := concat_ws(' ', others, search_joined(name_pieces));
    IF name_folded ~ '[-&]' OR brand_folded ~ '[-&]' THEN
        name_folded := regexp_replace(
            concat_ws(' ', name_folded, brand_folded), '([[:alnum:]])[-&](?=[[:alnum:]])', '\1', 'g'
        );
        others := concat_ws(' ', others, search_spaced(name_folded));
    END IF;
    written := written || to_tsvector('simple', others);
    words := words || setweight(ts_delete(written, tsvector_to_array(words)), 'C') || filters;
    IF description <> '' THEN
        others := left(description, 5000);
        others := search_fold(others);
        others := search_spaced(others);
        others := search_pieces(others);
        written := search_stems(others);
        others := concat_ws(' ', others, search_joined(others));
        words := words || setweight(written || to_tsvector('simple', others), 'D');
    END IF;
    RETURN words;
END
$$;

-- What is there already and has such signs.
UPDATE product_search AS s
SET words = search_vector(
        p.name, b.name, c.name, p.description, search_filters(p.id, p.store_id, p.brand_id, c.path, p.price)
    )
FROM products AS p
LEFT JOIN brands AS b ON b.id = p.brand_id
LEFT JOIN categories AS c ON c.id = p.category_id
WHERE s.product_id = p.id AND (p.name ~ '[&‐‑]' OR b.name ~ '[&‐‑]');
