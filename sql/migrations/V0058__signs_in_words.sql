-- What search finds of names with signs within a word.

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
