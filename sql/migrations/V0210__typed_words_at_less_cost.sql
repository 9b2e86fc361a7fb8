-- As in V0174, at less cost: what few words need is no longer asked for each of them.
--
-- A connection keeps 32 compiled regular expressions. Two dozen of these functions pushed those of others out, which were
-- compiled anew for each search; letters are compared as text instead. Roots and synonyms are looked up in one statement.
-- Statements that look a few words up by key are planned once for a connection, and not for each word.

CREATE OR REPLACE FUNCTION search_edits(word text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(word, n.place) || substr(word, n.place + 2)
    FROM generate_series(0, length(word) - 1) AS n (place)
    UNION ALL
    SELECT left(word, n.place) || substr(word, n.place + 2, 1) || substr(word, n.place + 1, 1) || substr(word, n.place + 3)
    FROM generate_series(0, length(word) - 2) AS n (place)
    UNION ALL
    SELECT cut.head || l.letter || cut.tail
    FROM (
        SELECT left(word, n.place) AS head, substr(word, n.place + 1 + g.gone) AS tail
        FROM generate_series(0, length(word)) AS n (place)
        CROSS JOIN (VALUES (0), (1)) AS g (gone)
        WHERE n.place + g.gone <= length(word)
        OFFSET 0 -- cut once a place, and not once a letter
    ) AS cut
    CROSS JOIN unnest('{a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z}'::text[]) AS l (letter)
$$;

CREATE OR REPLACE FUNCTION search_related(typed text, finds integer, OUT forms text, OUT most integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    roots text[];
    letter CONSTANT text := left(typed, 1);
    nasal text;
BEGIN
    IF typed ~ '^[a-z]{3,}2?(?:an|nya)?$' THEN
        nasal := CASE
            WHEN letter = 't' THEN 'n' || substr(typed, 2)
            WHEN letter = 'p' THEN 'm' || substr(typed, 2)
            WHEN letter = 'k' THEN 'ng' || substr(typed, 2)
            WHEN letter = 's' THEN 'ny' || substr(typed, 2)
            WHEN strpos('aiueogh', letter) > 0 THEN 'ng' || typed
            WHEN strpos('bfv', letter) > 0 THEN 'm' || typed
            WHEN strpos('cdjz', letter) > 0 THEN 'n' || typed
            ELSE typed
        END;
        roots := ARRAY['me' || nasal, 'pe' || nasal, 'ber' || typed];
        IF strpos(typed, '2') > 0 THEN
            roots := roots || split_part(typed, '2', 1);
        ELSIF right(typed, 3) = 'nya' THEN
            roots := roots || left(typed, -3);
        END IF;
        IF finds = 0 AND strpos(typed, '2') = 0 THEN
            roots := roots
                || CASE WHEN right(typed, 3) IN ('lah', 'kah', 'pun') THEN left(typed, -3) END
                || CASE WHEN right(typed, 2) IN ('ku', 'mu') THEN left(typed, -2) END
                || CASE WHEN right(typed, 2) = 'an' AND length(typed) > 5 THEN left(typed, -2) END
                || CASE WHEN right(typed, 1) = 'i' AND length(typed) > 4 THEN left(typed, -1) END
                || CASE WHEN right(typed, 3) = 'kan' AND length(typed) > 6 THEN left(typed, -3) END;
        END IF;
        IF left(typed, 2) IN ('me', 'pe') THEN
            roots := roots || substring(typed FROM '^(?:me|pe)(?:ng|n|m)?([a-z]{4,})$')
                || ('t' || substring(typed FROM '^(?:me|pe)n([a-z]{3,})$'))
                || ('p' || substring(typed FROM '^(?:me|pe)m([a-z]{3,})$'))
                || ('k' || substring(typed FROM '^(?:me|pe)ng([a-z]{3,})$'))
                || ('s' || substring(typed FROM '^(?:me|pe)ny([a-z]{3,})$'));
        END IF;
    END IF;
    roots := ARRAY(
        SELECT w.word
        FROM search_words AS w
        WHERE w.word = ANY(roots) AND length(w.word) > 2 AND (w.named > 0 OR w.found = 0)
        UNION ALL
        SELECT s.word FROM search_synonyms AS s WHERE s.word = typed COLLATE "C"
    );
    IF roots = '{}' THEN
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
        WHERE own.word = ANY(roots)
        UNION
        SELECT r.word FROM unnest(roots) AS r (word) WHERE r.word <> typed
    ) AS f
    LEFT JOIN LATERAL (
        SELECT w.found
        FROM search_words AS w
        WHERE w.word = f.word COLLATE "C"
        LIMIT 1
    ) AS w ON true;
END
$$;

CREATE OR REPLACE FUNCTION search_corrected(typed text, finds integer, OUT forms text, OUT most integer)
LANGUAGE plpgsql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    letters CONSTANT boolean := typed ~ '^[[:alpha:]]{3,20}$';
    parts text[] := '{}';
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
        FOR place IN 2 .. length(typed) - 2 LOOP
            parts := parts || left(typed, place) || substr(typed, place + 1);
        END LOOP;
    END IF;
    IF EXISTS (SELECT FROM search_words AS w WHERE w.word = ANY(parts) AND (w.named > 0 OR w.found = 0)) THEN
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
