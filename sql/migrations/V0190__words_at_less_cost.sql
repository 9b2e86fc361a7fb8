-- Words of products at less cost: what search_vector calls is taken into its own expressions.
--
-- PostgreSQL takes no function in that is strict and has a CASE: it called these five times a text, and each call started
-- an executor of its own. Without RETURNS NULL ON NULL INPUT they return the same, NULL for NULL. Nothing of what
-- products are found by changes.

CREATE OR REPLACE FUNCTION search_fold(words text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
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

CREATE OR REPLACE FUNCTION search_spaced(folded text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(CASE
    WHEN octet_length(folded) > length(folded) THEN regexp_replace(
        folded,
        '[^[:alnum:].\u0E31-\u0E3A\u0E47-\u0E4E\u0EB1-\u0EBC\u0EC8-\u0ECD\u102B-\u103E\u17B4-\u17D3]+|\.(?!\d)|(?<!\d)\.',
        ' ', 'g'
    )
    WHEN folded ~ '\d' THEN regexp_replace(folded, '[^[:alnum:].]+|\.(?!\d)|(?<!\d)\.', ' ', 'g')
    ELSE regexp_replace(folded, '[^[:alnum:]]+', ' ', 'g')
END);

CREATE OR REPLACE FUNCTION search_pieces(spaced text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN spaced ~ '\d'
        THEN regexp_replace(spaced, '(?<=[[:alpha:]])(?=\d)|(?<=\d)(?=[[:alpha:]])', ' ', 'g')
    ELSE spaced
END;

CREATE OR REPLACE FUNCTION search_joined(pieces text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN pieces ~ '\d'
        THEN regexp_replace(pieces, '([[:alpha:]]+) ([\d.]+)', '\1\2', 'g') || ' '
            || regexp_replace(pieces, '([\d.]+) ([[:alpha:]]{1,5})\M', '\1\2', 'g')
    WHEN pieces IS NOT NULL THEN ''
END;
