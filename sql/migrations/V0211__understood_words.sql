-- What a typed word finds, in one function: its forms, how many products have them, what else it may stand for.
--
-- It was part of a statement, whose plan of a hundred nodes cost more to start and to end than the look-ups in it. What a
-- word does not need is not asked for here: corrections of a word that five products have, counts of one that is counted.

CREATE FUNCTION search_understood(
    typed text, role text, before text, after text,
    OUT forms text, OUT required boolean, OUT in_names integer, OUT finds integer,
    OUT related text, OUT related_found integer, OUT corrected text, OUT corrected_found integer
)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    pieces text[];
    words text[];
    pairs text[];
    known text[];
    has_synonyms boolean;
    form text;
BEGIN
    IF role = 'filter' THEN
        SELECT string_agg('(' || quote_literal(f.word) || ')', ' | '), max(w.named), sum(w.found)
        INTO forms, in_names, finds
        FROM unnest(string_to_array(typed, ' ')) AS f (word)
        LEFT JOIN LATERAL (
            SELECT w.named, w.found
            FROM search_words AS w
            WHERE w.word = f.word COLLATE "C"
            LIMIT 1 -- looked up one by one, however many words the planner assumes
        ) AS w ON true;
        required := true;
    ELSE
        pieces := string_to_array(search_pieces(typed), ' ');
        words := ARRAY[typed];
        forms := '(' || quote_literal(typed) || ')';
        IF cardinality(pieces) = 1 THEN
            FOREACH form IN ARRAY tsvector_to_array(search_stems(typed)) LOOP
                IF form <> typed THEN
                    words := words || form;
                    forms := forms || ' | (' || quote_literal(form) || ')';
                END IF;
            END LOOP;
        END IF;
        IF cardinality(pieces) > 2 THEN
            -- Letters and the number behind them are one word in the index, and numbers and their unit.
            form := quote_literal(pieces[1] || pieces[2]);
            FOR place IN 2 .. cardinality(pieces) - 1 LOOP
                form := form || ' & ' || quote_literal(pieces[place] || pieces[place + 1]);
            END LOOP;
            forms := forms || ' | (' || form || ')';
        END IF;
        IF cardinality(pieces) > 1 AND strpos(typed, '.') > 0 THEN
            -- 3.5mm: the index has a number with a point and its unit apart.
            form := quote_literal(pieces[1]);
            FOR place IN 2 .. cardinality(pieces) LOOP
                form := form || ' & ' || quote_literal(pieces[place]);
            END LOOP;
            forms := forms || ' | (' || form || ')';
        END IF;
        IF octet_length(typed) > length(typed) THEN
            -- A part of a run of letters of a script without blanks.
            forms := concat_ws(' | ', forms, (
                SELECT '(' || string_agg(quote_literal(r.word), ' & ') || ')'
                FROM unnest(string_to_array(search_runs(typed), ' ')) AS r (word)
            ));
        END IF;
        -- Two neighbours (head set) that are one word of the catalogue.
        pairs := array_remove(ARRAY[before || typed, typed || after], NULL);
        SELECT
            max(w.named), max(w.found), array_agg(w.word) FILTER (WHERE w.word = ANY(pairs)),
            EXISTS (SELECT FROM search_synonyms AS s WHERE s.word = typed COLLATE "C")
        INTO in_names, finds, known, has_synonyms
        FROM search_words AS w
        WHERE w.word = ANY(words || pairs);
        FOREACH form IN ARRAY coalesce(known, '{}') LOOP
            forms := forms || ' | (' || quote_literal(form) || ')';
        END LOOP;
        -- PostgreSQL has no list of stop words for Indonesian.
        required := typed <> ALL('{dan,atau,untuk,dengan,yang,di,ke,dari,pada}')
            AND to_tsvector('search_first', typed) <> ''
            AND to_tsvector('search_second', typed) <> '';
    END IF;
    IF coalesce(finds, 0) = 0 THEN
        -- Not counted yet: new, or rare.
        SELECT count(*)
        INTO finds
        FROM (SELECT FROM product_search AS s WHERE s.words @@ forms::tsquery LIMIT 1000) AS counted;
        in_names := 0;
        IF finds > 0 THEN
            SELECT count(*)
            INTO in_names
            FROM (SELECT FROM product_search AS s WHERE search_title(s.words) @@ forms::tsquery LIMIT 1000) AS counted;
        END IF;
    END IF;
    IF role = 'typed' THEN
        IF has_synonyms OR typed ~ '^[a-z]{3,}2?(?:an|nya)?$' THEN
            SELECT r.forms, r.most INTO related, related_found FROM search_related(typed, finds) AS r;
        END IF;
        IF finds < 5 THEN
            SELECT c.forms, c.most INTO corrected, corrected_found FROM search_corrected(typed, finds) AS c;
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION search_understood IS
'What a typed word (or one left out, or a filter) finds; of two neighbours also as one word.';
GRANT EXECUTE ON FUNCTION search_understood TO marketplace_app, marketplace_worker, marketplace_readonly;
