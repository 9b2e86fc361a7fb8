-- What a typed word may stand for besides itself. Both functions give a query of to_tsquery's syntax, and about how many
-- products its most common word finds; NULL where there is nothing.
--
-- * search_related: what is found behind the word itself, always: synonyms, and what the stems of Indonesian leave: the
--   root of a doubled word (buku2), endings of a short one (tasnya), prefixes that swallow a letter (menulis, tulis).
-- * search_corrected: for a word that hardly any product has. All words with one letter more, less, changed or exchanged
--   with the next are looked up by key: some five hundred look-ups of a microsecond, however many words there are.
--   Trigrams, which read a part of the index that grows with the catalogue, come only where that finds none. A word that
--   nobody has is cut in two words that somebody has (iphonecase).

CREATE FUNCTION search_edits(word text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(word, n.place) || substr(word, n.place + 2)
    FROM generate_series(0, length(word) - 1) AS n (place)
    UNION ALL
    SELECT left(word, n.place) || substr(word, n.place + 2, 1) || substr(word, n.place + 1, 1) || substr(word, n.place + 3)
    FROM generate_series(0, length(word) - 2) AS n (place)
    UNION ALL
    SELECT left(word, n.place) || l.letter || substr(word, n.place + 1 + l.gone)
    FROM generate_series(0, length(word)) AS n (place)
    CROSS JOIN (
        SELECT chr(97 + c.number) AS letter, g.gone
        FROM generate_series(0, 25) AS c (number)
        CROSS JOIN (VALUES (0), (1)) AS g (gone)
    ) AS l
    WHERE n.place + l.gone <= length(word)
$$;
COMMENT ON FUNCTION search_edits IS
'A word with one letter less, exchanged with the next, more, or changed: those of a to z.';

CREATE FUNCTION search_related(typed text, finds integer, OUT forms text, OUT most integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT AS $$
DECLARE
    roots text[] := '{}';
    nasal text;
BEGIN
    IF typed ~ '^[a-z]{3,}2?(?:an|nya)?$' THEN
        nasal := CASE
            WHEN typed ~ '^t' THEN 'n' || substr(typed, 2)
            WHEN typed ~ '^p' THEN 'm' || substr(typed, 2)
            WHEN typed ~ '^k' THEN 'ng' || substr(typed, 2)
            WHEN typed ~ '^s' THEN 'ny' || substr(typed, 2)
            WHEN typed ~ '^[aiueogh]' THEN 'ng' || typed
            WHEN typed ~ '^[bfv]' THEN 'm' || typed
            WHEN typed ~ '^[cdjz]' THEN 'n' || typed
            ELSE typed
        END;
        roots := ARRAY['me' || nasal, 'pe' || nasal, 'ber' || typed];
        IF typed ~ '(?:2|2an|nya)$' THEN
            roots := roots || substring(typed FROM '^([a-z]{3,})2(?:an|nya)?$') || substring(typed FROM '^([a-z]{3,})nya$');
        END IF;
        IF finds = 0 THEN
            roots := roots || substring(typed FROM '^([a-z]{3,})(?:ku|mu|lah|kah|pun)$')
                || substring(typed FROM '^([a-z]{4,})(?:an|i)$') || substring(typed FROM '^([a-z]{4,})kan$');
        END IF;
        IF typed ~ '^(?:me|pe)' THEN
            roots := roots || substring(typed FROM '^(?:me|pe)(?:ng|n|m)?([a-z]{4,})$')
                || ('t' || substring(typed FROM '^(?:me|pe)n([a-z]{3,})$'))
                || ('p' || substring(typed FROM '^(?:me|pe)m([a-z]{3,})$'))
                || ('k' || substring(typed FROM '^(?:me|pe)ng([a-z]{3,})$'))
                || ('s' || substring(typed FROM '^(?:me|pe)ny([a-z]{3,})$'));
        END IF;
        roots := ARRAY(
            SELECT w.word
            FROM search_words AS w
            WHERE w.word = ANY(roots) AND (w.named > 0 OR w.found = 0)
        );
    END IF;
    IF roots = '{}' AND NOT EXISTS (SELECT FROM search_synonyms AS s WHERE s.word = typed COLLATE "C") THEN
        RETURN;
    END IF;
    SELECT string_agg(DISTINCT quote_literal(f.word), ' | '), max(coalesce(w.found, 0))
    INTO forms, most
    FROM (
        SELECT each.word
        FROM search_synonyms AS own
        JOIN search_synonyms AS other ON other.group_id = own.group_id AND other.word <> own.word
        CROSS JOIN LATERAL (
            SELECT other.word
            UNION ALL
            SELECT s.lexeme FROM unnest(search_stems(other.word)) AS s
        ) AS each
        WHERE own.word = ANY(roots || typed)
        UNION
        SELECT unnest(roots)
    ) AS f
    LEFT JOIN LATERAL (
        SELECT w.found
        FROM search_words AS w
        WHERE w.word = f.word COLLATE "C"
        LIMIT 1
    ) AS w ON true;
END
$$;
COMMENT ON FUNCTION search_related IS 'Synonyms of a typed word, which finds so many, and its root; as a query.';

CREATE FUNCTION search_corrected(typed text, finds integer, OUT forms text, OUT most integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT AS $$
DECLARE
    letters CONSTANT boolean := typed ~ '^[[:alpha:]]{3,20}$';
    cuts text;
    cuts_found integer;
BEGIN
    IF letters THEN
        SELECT string_agg(quote_literal(near.word), ' | '), max(near.found)
        INTO forms, most
        FROM (
            SELECT w.word, w.found
            FROM search_words AS w
            WHERE w.word = ANY(ARRAY(SELECT e.word COLLATE "C" FROM search_edits(typed) AS e (word)))
                AND w.word <> typed
                AND (w.named > 0 OR w.found = 0)
            ORDER BY w.named DESC, w.word
            LIMIT 8
        ) AS near;
    END IF;
    IF finds = 0 AND length(typed) BETWEEN 4 AND 40 THEN
        SELECT string_agg(pair.form, ' | '), max(pair.found)
        INTO cuts, cuts_found
        FROM (
            SELECT
                format('(%L & %L)', head.word, tail.word) AS form,
                least(head.found, tail.found) AS found
            FROM generate_series(2, length(typed) - 2) AS n (place)
            CROSS JOIN LATERAL (
                SELECT w.word, w.named, w.found
                FROM search_words AS w
                WHERE w.word = left(typed, n.place) COLLATE "C" AND (w.named > 0 OR w.found = 0)
                LIMIT 1
            ) AS head
            CROSS JOIN LATERAL (
                SELECT w.word, w.named, w.found
                FROM search_words AS w
                WHERE w.word = substr(typed, n.place + 1) COLLATE "C" AND (w.named > 0 OR w.found = 0)
                LIMIT 1
            ) AS tail
            ORDER BY least(head.named, tail.named) DESC, n.place
            LIMIT 4
        ) AS pair;
        forms := concat_ws(' | ', forms, cuts);
        most := greatest(most, cuts_found);
    END IF;
    IF letters AND coalesce(forms, '') = '' THEN
        SELECT string_agg(quote_literal(near.word), ' | '), max(near.found)
        INTO forms, most
        FROM (
            SELECT w.word, w.named, w.found
            FROM search_words AS w
            CROSS JOIN LATERAL (
                SELECT
                    levenshtein(w.word, typed) AS letters,
                    length(w.word) = length(typed)
                    AND regexp_split_to_array(w.word, '') @> regexp_split_to_array(typed, '') AS exchanged
            ) AS off
            WHERE length(typed) > 3
                AND w.word OPERATOR(public.%) typed -- noqa: LT01
                AND length(w.word) BETWEEN length(typed) - 2 AND length(typed) + 2
                AND w.word ~ '^[[:alpha:]]+$'
                AND w.word <> typed
                AND (w.named > 0 OR w.found = 0)
                AND (off.letters = 1 OR off.letters = 2 AND (off.exchanged OR length(typed) > 5))
            ORDER BY off.letters = 2 AND NOT off.exchanged, w.named DESC, w.word
            LIMIT 3
        ) AS near;
    END IF;
    forms := nullif(forms, '');
END
$$;
COMMENT ON FUNCTION search_corrected IS
'Words that a typed one, which finds so many, may be a misspelling of, or that it is two of; as a query.';
GRANT EXECUTE ON FUNCTION search_edits, search_related, search_corrected
TO marketplace_app, marketplace_worker, marketplace_readonly;
