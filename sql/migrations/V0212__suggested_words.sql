-- What may complete a typed text, in one function, for the reason of V0211.
--
-- Three queries: `as_typed` for products that have a form of each word and a completion of the last; `wider` with what
-- the words may stand for besides (the last two as one, synonyms, roots, corrections of a word that the catalogue lacks),
-- NULL if that is no more; `names` for brands and categories, whose words are completed as they are.

CREATE FUNCTION search_completions(begins text) RETURNS TABLE (word text, found integer)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT w.word, w.found
    FROM search_words AS w
    WHERE w.word >= begins COLLATE "C" AND w.word < (begins || chr(1114111)) COLLATE "C"
        AND (w.named > 0 OR w.found = 0)
    ORDER BY w.named DESC, w.word
    LIMIT 10
$$;
COMMENT ON FUNCTION search_completions IS 'The ten most common words that begin so, with how many products they find.';

CREATE FUNCTION search_begun(
    typed text, OUT begins text, OUT as_typed tsquery, OUT wider tsquery, OUT names tsquery
)
LANGUAGE plpgsql STABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    common CONSTANT integer := 25000;
    words text[];
    word text;
    words_typed integer;
    stems text[];
    pairs text[];
    pair_forms text;
    known boolean;
    forms text;
    finds bigint;
    others text;
    others_find bigint;
    joined text;
    joined_find bigint;
    meant record;
    typed_all text := '';
    wider_all text := '';
    names_all text := '';
    rarest bigint;
    rarest_wider bigint;
    newest text;
BEGIN
    begins := search_spaced(search_fold(typed));
    words := (string_to_array(regexp_replace(begins, '(\.\d+)(?=[[:alpha:]])', '\1 ', 'g'), ' '))[:12];
    words_typed := cardinality(words);
    FOR place IN 1 .. words_typed LOOP
        word := words[place];
        forms := NULL;
        others := NULL;
        others_find := NULL;
        pair_forms := NULL;
        IF place = words_typed THEN
            SELECT string_agg(quote_literal(w.word), ' | '), sum(w.found), true
            INTO forms, finds, known
            FROM search_completions(word) AS w
            HAVING count(*) > 0;
        ELSE
            stems := tsvector_to_array(search_stems(word));
            -- Stop words of a language are in few names that are meant.
            CONTINUE WHEN word = ANY('{dan,atau,untuk,dengan,yang,di,ke,dari,pada}')
                OR to_tsvector('search_first', word) = '' OR to_tsvector('search_second', word) = '';
            forms := quote_literal(word);
            FOR step IN 1 .. cardinality(stems) LOOP
                forms := concat_ws(' | ', forms, nullif(quote_literal(stems[step]), quote_literal(word)));
            END LOOP;
            pairs := array_remove(
                ARRAY[words[place - 1] || word, CASE WHEN place + 1 < words_typed THEN word || words[place + 1] END], NULL
            );
            SELECT
                max(w.found) FILTER (WHERE w.word <> ALL(pairs)),
                bool_or(w.named > 0 OR w.found = 0 OR w.word <> words[place]) FILTER (WHERE w.word <> ALL(pairs)),
                string_agg(quote_literal(w.word), ' | ') FILTER (WHERE w.word = ANY(pairs))
            INTO finds, known, pair_forms
            FROM search_words AS w
            WHERE w.word = ANY(stems || words[place] || pairs);
        END IF;
        IF octet_length(word) > length(word) AND search_runs(word) IS NOT NULL THEN
            forms := concat_ws(
                ' | ', forms, '(''' || array_to_string(string_to_array(search_runs(word), ' '), ''' & ''') || ''')'
            );
        END IF;
        SELECT r.forms, r.most INTO others, others_find
        FROM search_related(word, CASE WHEN known THEN 1 ELSE 0 END) AS r;
        others := nullif(concat_ws(' | ', others, pair_forms), '');
        IF known IS NOT TRUE THEN
            SELECT c.forms, c.most INTO meant FROM search_corrected(word, 0) AS c;
            others := nullif(concat_ws(' | ', others, meant.forms), '');
            others_find := greatest(others_find, meant.most);
        ELSIF place = words_typed THEN
            stems := array_remove(tsvector_to_array(search_stems(word)), word);
            IF cardinality(stems) > 0 THEN
                others := concat_ws(' | ', others, '''' || array_to_string(stems, ''' | ''') || '''');
            END IF;
        END IF;
        IF place = words_typed - 1 THEN
            SELECT string_agg(quote_literal(w.word), ' | '), sum(w.found)
            INTO joined, joined_find
            FROM search_completions(word || words[words_typed]) AS w;
        END IF;
        IF place >= words_typed - 1 AND joined IS NOT NULL THEN
            others := concat_ws(' | ', others, joined);
            others_find := greatest(others_find, joined_find);
        END IF;
        typed_all := typed_all || ' & (' || forms || ')';
        wider_all := wider_all || ' & (' || nullif(concat_ws(' | ', forms, others), '') || ')';
        names_all := names_all || ' & ('
            || concat_ws(' | ', quote_literal(word) || CASE WHEN place = words_typed THEN ':*' ELSE '' END, forms, others) || ')';
        rarest := least(rarest, coalesce(finds, 0));
        rarest_wider := least(rarest_wider, greatest(finds, others_find, 0));
    END LOOP;
    IF rarest > common OR rarest_wider > common THEN
        SELECT ' & (' || string_agg(format('''#n%s''', n.place), ' | ') || ')'
        INTO newest
        FROM (SELECT max(p.id) / 8192 AS last FROM products AS p) AS there
        CROSS JOIN LATERAL generate_series(there.last - 3, there.last) AS n (place);
    END IF;
    as_typed := nullif(substr(typed_all || CASE WHEN rarest > common THEN newest ELSE '' END, 4), '')::tsquery;
    IF wider_all <> typed_all OR typed_all IS NULL THEN
        wider := nullif(substr(wider_all || CASE WHEN rarest_wider > common THEN newest ELSE '' END, 4), '')::tsquery;
    END IF;
    names := nullif(substr(names_all, 4), '')::tsquery;
END
$$;
COMMENT ON FUNCTION search_begun IS 'What may complete a typed text, as queries: as typed, with others for its words, for names.';
GRANT EXECUTE ON FUNCTION search_begun, search_completions TO marketplace_app, marketplace_worker, marketplace_readonly;
