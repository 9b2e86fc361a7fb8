-- Search: what products are found by, and the words of the catalogue.
--
-- Why it is shaped so:
-- * product_search is a table of its own: the words of a long description would push the document beside it out of its
--   page, and a listing reads documents.
-- * A word counts by where it stands: A the name, B the brand, C the category and other forms of the words of name
--   and brand, D the description. Weights order what is found; two indexes decide what is looked at: one of
--   all words, one without those of the description, so that who has a word in the name comes before who mentions it.
-- * Other forms of a word: its stem in two languages, its letters and digits apart and with the neighbour
--   together (RTX-4090, RTX 4090 and rtx4090 meet), without its hyphen (Wi-Fi, wifi).
-- * Category, brand, store and about the price are in there too, as words nobody can type (#c12): a filter and a word are
--   one lookup. So is the place in the catalogue (#n): of a word that very many have, only the newest are looked at.
-- * search_words knows every word of names and brands: to complete what is typed, to correct what is misspelt, and to
--   tell rare words from common ones. Reading it is cheap where the names themselves would have to be gone through.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;

-- Two languages, whose stems every text is searched by. Another one is put in their place by, for example,
-- ALTER TEXT SEARCH CONFIGURATION search_second ALTER MAPPING REPLACE english_stem WITH german_stem
-- and then all products are written anew: make check-documents ARGS=--rebuild
CREATE TEXT SEARCH CONFIGURATION search_first (COPY = indonesian);
CREATE TEXT SEARCH CONFIGURATION search_second (COPY = english);
COMMENT ON TEXT SEARCH CONFIGURATION search_first IS 'Stems that products are found by.';
COMMENT ON TEXT SEARCH CONFIGURATION search_second IS 'Stems that products are found by.';

-- The parts -------------------------------------------------------------------------------------------------------

-- Most work is for numbers: texts without any are spared it.
CREATE FUNCTION search_fold(words text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN CASE
    WHEN words ~ '\d' THEN regexp_replace(
        regexp_replace(
            translate(lower(unaccent(words)), '''’`', ''),
            '(\d)(?:\s*["″”]|\s*-?\s*(?:inch|inches|inci)\M|in\M)', '\1 inch ', 'g'
        ),
        '(\d),(?=\d)', '\1.', 'g'
    )
    ELSE translate(lower(unaccent(words)), '''’`', '')
END;
COMMENT ON FUNCTION search_fold IS 'Without accents and case; 13,3" is 13.3 inch.';

CREATE FUNCTION search_spaced(folded text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN btrim(CASE
    WHEN folded ~ '\d' THEN regexp_replace(folded, '[^[:alnum:].]+|\.(?!\d)|(?<!\d)\.', ' ', 'g')
    ELSE regexp_replace(folded, '[^[:alnum:]]+', ' ', 'g')
END);
COMMENT ON FUNCTION search_spaced IS 'Letters and digits with one blank between words; a point only within numbers.';

CREATE FUNCTION search_pieces(spaced text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN CASE
    WHEN spaced ~ '\d'
        THEN regexp_replace(spaced, '(?<=[[:alpha:]])(?=\d)|(?<=\d)(?=[[:alpha:]])', ' ', 'g')
    ELSE spaced
END;
COMMENT ON FUNCTION search_pieces IS 'Letters and digits apart: rtx4090 is rtx 4090.';

CREATE FUNCTION search_stems(pieces text) RETURNS tsvector
LANGUAGE sql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN to_tsvector('search_first', pieces) || to_tsvector('search_second', pieces);
COMMENT ON FUNCTION search_stems IS 'The stems of words, in both languages.';

CREATE FUNCTION search_joined(pieces text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN CASE
    WHEN pieces ~ '\d'
        THEN regexp_replace(pieces, '([[:alpha:]]+) ([\d.]+)', '\1\2', 'g') || ' '
            || regexp_replace(pieces, '([\d.]+) ([[:alpha:]]{1,5})\M', '\1\2', 'g')
    ELSE ''
END;
COMMENT ON FUNCTION search_joined IS 'Letters and the number behind them as one word, and numbers and their unit.';

CREATE FUNCTION search_price(price numeric) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN floor(2 * ln(greatest(price, 1)::float8) / ln(2::float8));
COMMENT ON FUNCTION search_price IS 'The half octave a price is in: 0 up to the root of 2, 1 up to 2, 2 up to its double root...';

CREATE FUNCTION search_filters(
    product_id bigint, store_id bigint, brand_id bigint, category_ids bigint[], price numeric
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN concat_ws(
    ' ',
    '#n' || product_id / 8192 || ':1C',
    '#p' || search_price(price) || ':1C',
    '#s' || store_id || ':1C',
    '#b' || brand_id || ':1C',
    '#c' || array_to_string(category_ids, ':1C #c') || ':1C'
)::tsvector;
COMMENT ON FUNCTION search_filters IS 'Place in the catalogue, price, store, brand and categories as words nobody can type.';

-- A step a line: PostgreSQL takes the functions above in where they are given a variable, and calls them elsewhere.
CREATE FUNCTION search_vector(
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
    IF name LIKE '%-%' OR brand LIKE '%-%' THEN
        name_folded := regexp_replace(concat_ws(' ', name_folded, brand_folded), '([[:alnum:]])-(?=[[:alnum:]])', '\1', 'g');
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
COMMENT ON FUNCTION search_vector IS 'The words a product is found by, with their weights.';

-- The tables ------------------------------------------------------------------------------------------------------

CREATE TABLE product_search (
    product_id bigint NOT NULL,
    words tsvector NOT NULL,
    name_words integer NOT NULL,
    CONSTRAINT product_search_pkey PRIMARY KEY (product_id),
    CONSTRAINT product_search_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);
COMMENT ON TABLE product_search IS 'The words each product is found by.';
COMMENT ON COLUMN product_search.product_id IS 'The product.';
COMMENT ON COLUMN product_search.words IS
'A name, B brand, C category and other forms of those words, D description; and filters: #s store, #b brand, #c category, #p price, #n place.';
COMMENT ON COLUMN product_search.name_words IS 'How many different words the name has: in a short one each says more.';

CREATE TABLE search_words (
    word text COLLATE "C" NOT NULL,
    named integer NOT NULL DEFAULT 0,
    found integer NOT NULL DEFAULT 0,
    CONSTRAINT search_words_pkey PRIMARY KEY (word)
);
COMMENT ON TABLE search_words IS 'Words, stems and filters that products are found by; every word of names and brands at once.';
COMMENT ON COLUMN search_words.word IS 'As product_search has it: folded letters and digits, or a filter.';
COMMENT ON COLUMN search_words.named IS
'About how many products have it in name or brand, as it is written; counted by the worker, 0 until then.';
COMMENT ON COLUMN search_words.found IS 'About how many products it finds; counted by the worker, 0 until then.';

CREATE FUNCTION search_title(words tsvector) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN ts_filter(words, '{a,b,c}');
COMMENT ON FUNCTION search_title IS 'All words but those of the description: what product_search_title_idx holds.';

-- What is there already. Indexes after it: together that takes a fraction of the time.
INSERT INTO product_search (product_id, words, name_words)
SELECT
    p.id,
    search_vector(
        p.name, b.name, c.name, p.description, search_filters(p.id, p.store_id, p.brand_id, c.path, p.price)
    ),
    length(to_tsvector('simple', search_spaced(search_fold(p.name))))
FROM products AS p
LEFT JOIN brands AS b ON b.id = p.brand_id
LEFT JOIN categories AS c ON c.id = p.category_id;
CREATE INDEX product_search_title_idx ON product_search USING gin (search_title(words)) WITH (fastupdate = off);
CREATE INDEX product_search_words_idx ON product_search USING gin (words) WITH (fastupdate = off);

INSERT INTO search_words (word, named)
SELECT w.word, w.ndoc FROM ts_stat('SELECT words FROM product_search', 'ab') AS w;
CREATE INDEX search_words_similar_idx ON search_words USING gin (word gin_trgm_ops);

-- Names of brands and categories by the beginning of any word, for suggestions.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX brands_words_idx ON brands USING gin (to_tsvector('names', name));
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX categories_words_idx ON categories USING gin (to_tsvector('names', name));

-- No release has read it. What is found by is product_search from here on.
-- squawk-ignore ban-drop-column
ALTER TABLE product_documents DROP COLUMN search;

CREATE TRIGGER guard_insert AFTER INSERT ON product_search
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts();
CREATE TRIGGER guard_update AFTER UPDATE ON product_search
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts();

-- Upkeep ---------------------------------------------------------------------------------------------------------

-- From a sample of the products, so that it takes the same second in a catalogue of any size. What is in none of the
-- sample keeps its counts; a word that no product has any more does no harm.
CREATE FUNCTION refresh_search_words(sample integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rows_there float8 := greatest(
        (SELECT c.reltuples FROM pg_class AS c WHERE c.oid = 'product_search'::regclass), 1
    );
    percent float8 := least(100, 100.0 * sample / rows_there);
    counted integer;
BEGIN
    CREATE TEMPORARY TABLE sampled_search ON COMMIT DROP AS
    SELECT s.words FROM product_search AS s TABLESAMPLE SYSTEM (percent);
    INSERT INTO search_words AS kept (word, named, found)
    SELECT f.word, ceil(coalesce(n.ndoc, 0) * 100 / percent), ceil(f.ndoc * 100 / percent)
    FROM ts_stat('SELECT words FROM pg_temp.sampled_search') AS f
    LEFT JOIN ts_stat('SELECT words FROM pg_temp.sampled_search', 'ab') AS n ON n.word = f.word
    ORDER BY f.word COLLATE "C"
    ON CONFLICT (word) DO UPDATE SET named = excluded.named, found = excluded.found
    WHERE kept.named NOT BETWEEN excluded.named * 0.8 AND excluded.named * 1.25
        OR kept.found NOT BETWEEN excluded.found * 0.8 AND excluded.found * 1.25;
    GET DIAGNOSTICS counted = ROW_COUNT;
    DROP TABLE pg_temp.sampled_search;
    RETURN counted;
END
$$;
COMMENT ON FUNCTION refresh_search_words IS 'Counts how many products have each word, from a sample of so many; how many changed.';

REVOKE ALL ON FUNCTION refresh_search_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_search_words TO marketplace_worker;
GRANT SELECT ON product_search, search_words TO marketplace_app, marketplace_readonly;
GRANT INSERT, UPDATE, DELETE ON product_search TO marketplace_app;
GRANT INSERT ON search_words TO marketplace_app;
