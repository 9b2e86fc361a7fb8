-- Words within a run of letters: Chinese, Japanese, Thai, Lao, Burmese and Khmer are written without blanks.
--
-- Such a run is found by any two letters of it that are neighbours (bigrams), and what is typed is taken apart in the
-- same way: 牛乳 finds 北海道牛乳. Beside them, words of another script within the same run stand by themselves.

-- As in V0008, but that the vowels and tones above and below a letter of these scripts belong to it.
CREATE OR REPLACE FUNCTION search_spaced(folded text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN btrim(CASE
    WHEN octet_length(folded) > length(folded) THEN regexp_replace(
        folded,
        '[^[:alnum:].\u0E31-\u0E3A\u0E47-\u0E4E\u0EB1-\u0EBC\u0EC8-\u0ECD\u102B-\u103E\u17B4-\u17D3]+|\.(?!\d)|(?<!\d)\.',
        ' ', 'g'
    )
    WHEN folded ~ '\d' THEN regexp_replace(folded, '[^[:alnum:].]+|\.(?!\d)|(?<!\d)\.', ' ', 'g')
    ELSE regexp_replace(folded, '[^[:alnum:]]+', ' ', 'g')
END);

CREATE FUNCTION search_runs(spaced text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN CASE
    WHEN octet_length(spaced) > length(spaced) AND spaced
        ~ '[\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F]{2}'
        THEN (
            SELECT string_agg(piece.word, ' ')
            FROM (
                SELECT substr(r.run[1], n.place, 2) AS word
                FROM regexp_matches(
                    spaced,
                    '([\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F]{2,})',
                    'g'
                ) AS r (run)
                CROSS JOIN LATERAL generate_series(1, length(r.run[1]) - 1) AS n (place)
                UNION ALL
                SELECT w.word
                FROM regexp_split_to_table(
                    regexp_replace(
                        spaced,
                        '[\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F]+',
                        ' ', 'g'
                    ),
                    ' '
                ) AS w (word)
                WHERE w.word <> ''
            ) AS piece
        )
END;
COMMENT ON FUNCTION search_runs IS
'Two neighbours each of runs of scripts without blanks, and the words between such runs; NULL where there is no run.';
GRANT EXECUTE ON FUNCTION search_runs TO marketplace_app, marketplace_worker, marketplace_readonly;

-- As in V0058, but for search_runs.
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
    IF octet_length(others) > length(others) THEN
        others := concat_ws(' ', others, search_runs(concat_ws(' ', name_spaced, brand_spaced, kind)));
    END IF;
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
        IF octet_length(others) > length(others) THEN
            others := concat_ws(' ', others, search_runs(others));
        END IF;
        others := concat_ws(' ', others, search_joined(others));
        words := words || setweight(written || to_tsvector('simple', others), 'D');
    END IF;
    RETURN words;
END
$$;

-- What is there already is written by the worker's own job, a thousand products in a transaction, and only if a text has
-- such a run. Until then it is found as before. Without a queue (`psql -f`): make check-documents ARGS=--rebuild
DO $$
DECLARE
    run CONSTANT text :=
        '[\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F]{2}';
BEGIN
    IF to_regclass('jobs.procrastinate_jobs') IS NOT NULL AND (
        EXISTS (SELECT FROM categories AS c WHERE c.name ~ run)
        OR EXISTS (SELECT FROM brands AS b WHERE b.name ~ run)
        OR EXISTS (SELECT FROM products AS p WHERE p.name ~ run OR p.description ~ run)
    ) THEN
        INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, lock, args)
        VALUES ('quick', 'rebuild_documents', 'documents', '{"by": "all", "id": null}');
    END IF;
END
$$;
