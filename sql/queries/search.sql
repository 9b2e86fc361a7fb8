-- Search: the typed text is parsed first, then products are found, and if there are few, words are corrected.
-- V0008__search.sql explains what words are and how they count.

-- name: understand
-- budget: 220 buffers
-- Returns a row for each word typed or excluded (-word), and for each filter (#c12; prices unless the range is
-- very wide), as the query that finds it. `forms` is the word in any form. A stop word of a language (for, dan)
-- is not `required`. `joined` neighbours (head set) find the two as one (headset), and `meant` words stand for
-- a `misspelt` one. `rarity` is BM25's idf; `found` is about how many products it finds. Words that the worker
-- has not counted yet are new or rare, and are counted here. As in `find`, values come in by subqueries, which
-- no plan depends on.
WITH typed AS MATERIALIZED (
    SELECT t.word, t.place::integer AS place, 'typed' AS role
    FROM (SELECT %(typed)s::text AS words) AS a
    CROSS JOIN LATERAL regexp_split_to_table(search_spaced(search_fold(a.words)), ' ')
        WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
    UNION ALL
    SELECT t.word, 100 + t.place::integer, 'left out'
    FROM (SELECT %(left_out)s::text AS words) AS a
    CROSS JOIN LATERAL regexp_split_to_table(search_spaced(search_fold(a.words)), ' ')
        WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
    UNION ALL
    SELECT t.word, 200 + t.place::integer, 'filter'
    FROM unnest((SELECT %(filters)s::text[])) WITH ORDINALITY AS t (word, place)
    UNION ALL
    SELECT string_agg('#p' || n.price, ' '), 300, 'filter'
    FROM (
        SELECT
            search_price(coalesce(%(min_price)s::numeric, 0)) AS low,
            search_price(coalesce(%(max_price)s::numeric, 1e12)) AS high
    ) AS range
    CROSS JOIN LATERAL generate_series(range.low, range.high) AS n (price)
    WHERE range.high - range.low < 20
    HAVING count(*) > 0
),

joined AS (
    SELECT step.place, pair.word
    FROM (
        SELECT t.place, t.word || lead(t.word) OVER (ORDER BY t.place) AS word
        FROM typed AS t
        WHERE t.role = 'typed'
    ) AS pair
    CROSS JOIN LATERAL (
        SELECT w.word
        FROM search_words AS w
        WHERE w.word = pair.word COLLATE "C"
        LIMIT 1
    ) AS known
    CROSS JOIN LATERAL (VALUES (pair.place), (pair.place + 1)) AS step (place)
),

forms AS (
    SELECT t.place, quote_literal(w.word) AS form, w.word
    FROM typed AS t
    CROSS JOIN LATERAL regexp_split_to_table(t.word, ' ') AS w (word)
    UNION
    SELECT t.place, quote_literal(s.lexeme), s.lexeme
    FROM typed AS t
    CROSS JOIN LATERAL unnest(search_stems(t.word)) AS s
    WHERE t.role <> 'filter' AND search_pieces(t.word) = t.word
    UNION
    SELECT pieces.place, string_agg(quote_literal(pieces.word || pieces.next), ' & '), NULL
    FROM (
        SELECT t.place, r.word, lead(r.word) OVER (PARTITION BY t.place ORDER BY r.place) AS next
        FROM typed AS t
        CROSS JOIN LATERAL regexp_split_to_table(search_pieces(t.word), ' ') WITH ORDINALITY AS r (word, place)
        WHERE t.role <> 'filter'
    ) AS pieces
    WHERE pieces.next IS NOT NULL
    GROUP BY pieces.place
    UNION
    -- 3.5mm: the index has a number with a point and its unit apart.
    SELECT t.place, string_agg(quote_literal(r.word), ' & '), NULL
    FROM typed AS t
    CROSS JOIN LATERAL regexp_split_to_table(search_pieces(t.word), ' ') AS r (word)
    WHERE t.role <> 'filter' AND strpos(t.word, '.') > 0 AND search_pieces(t.word) <> t.word
    GROUP BY t.place
    UNION
    SELECT j.place, quote_literal(j.word), j.word
    FROM joined AS j
    UNION
    SELECT t.place, quote_literal(m.word), m.word
    FROM unnest((SELECT %(misspelt)s::text[]), (SELECT %(meant)s::text[])) AS m (misspelt, word)
    JOIN typed AS t ON t.word = m.misspelt AND t.role = 'typed'
),

known AS (
    SELECT
        t.word, t.place, t.role, f.forms, f.named, f.found,
        t.role = 'filter'
        OR to_tsvector('search_first', t.word) <> ''::tsvector
        AND to_tsvector('search_second', t.word) <> ''::tsvector AS required
    FROM typed AS t
    CROSS JOIN LATERAL (
        SELECT
            string_agg('(' || f.form || ')', ' | ') AS forms,
            max(w.named) AS named,
            CASE WHEN t.role = 'filter' THEN sum(w.found) ELSE max(w.found) END AS found
        FROM forms AS f
        -- LIMIT 1, here and above: looked up one by one, however many words the planner assumes.
        LEFT JOIN LATERAL (
            SELECT w.named, w.found
            FROM search_words AS w
            WHERE w.word = f.word COLLATE "C"
            LIMIT 1
        ) AS w ON true
        WHERE f.place = t.place
    ) AS f
)

SELECT
    k.word, k.role, k.forms, k.required, n.named, n.found,
    ln(1 + greatest(c.reltuples, 10000) / (1 + n.named)) AS rarity,
    (SELECT max(p.id) FROM products AS p) AS newest_id
FROM known AS k
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN k.found > 0 THEN k.named
            ELSE (
                SELECT count(*)
                FROM (
                    SELECT FROM product_search AS s WHERE search_title(s.words) @@ k.forms::tsquery LIMIT 1000
                ) AS counted
            )
        END AS named,
        CASE
            WHEN k.found > 0 THEN k.found
            ELSE (
                SELECT count(*)
                FROM (SELECT FROM product_search AS s WHERE s.words @@ k.forms::tsquery LIMIT 1000) AS counted
            )
        END AS found
) AS n
CROSS JOIN pg_class AS c
WHERE c.oid = 'product_search'::regclass
ORDER BY k.place;

-- name: find
-- budget: 17000 buffers
-- Finds at most 1,000 products: those with all words in name, brand or category, then those with all words
-- anywhere, and if these are fewer than `few`, those with any of the rarest words. Returns the page of them, in
-- the requested order. A page behind the end is one row without a document. rank is BM25-like (Robertson and
-- Zaragoza, The Probabilistic Relevance Framework, 2009): a word counts more the rarer it is (`rarity`),
-- saturating, and less the longer the name is; products with all words come first. Conditions that are no words
-- (the exact price, stock, ids) are checked in 2,000 products that match. All values come through `asked`, so
-- the plan is the same for all of them, and is made once for a connection.
WITH asked AS MATERIALIZED (
    SELECT
        %(all_words)s::tsquery AS all_words,
        %(any_word)s::tsquery AS any_word,
        %(few)s::integer AS few,
        %(with_ids)s::boolean AS with_ids,
        %(show_hidden)s::boolean AS show_hidden,
        (SELECT my_role()) = 'admin' AS reached,
        %(hidden)s::boolean AS hidden,
        %(min_price)s::numeric AS min_price,
        %(max_price)s::numeric AS max_price,
        %(in_stock)s::boolean AS in_stock,
        %(ids)s::bigint[] AS ids,
        %(sort)s::text AS sort,
        %(descending)s::boolean AS descending,
        %(after_id)s::bigint AS after_id,
        %(after_time)s::timestamptz AS after_time,
        %(after_price)s::numeric AS after_price,
        %(after_name)s::text COLLATE "C" AS after_name,
        %(after_rank)s::float8 AS after_rank,
        %(limit)s::integer AS page_size,
        %(offset)s::integer AS skipped
),

asked_words AS MATERIALIZED (
    SELECT w.forms, w.rarity
    FROM unnest((SELECT %(forms)s::tsquery[]), (SELECT %(rarities)s::float8[])) AS w (forms, rarity)
),

title AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.all_words FROM asked AS a)
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE CASE WHEN a.show_hidden THEN (a.reached OR p.store_id = (SELECT my_store_id())) ELSE NOT p.hidden END
        AND (a.hidden IS NULL OR p.hidden = a.hidden)
        AND (a.min_price IS NULL OR p.price >= a.min_price)
        AND (a.max_price IS NULL OR p.price <= a.max_price)
        AND (a.in_stock IS NULL OR p.in_stock = a.in_stock)
        AND (a.ids IS NULL OR p.id = ANY(a.ids))
    LIMIT 1000
),

anywhere AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE s.words @@ (SELECT a.all_words FROM asked AS a) AND (SELECT count(*) FROM title) < 1000
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE p.id <> ALL(ARRAY(SELECT t.id FROM title AS t))
        AND CASE WHEN a.show_hidden THEN (a.reached OR p.store_id = (SELECT my_store_id())) ELSE NOT p.hidden END
        AND (a.hidden IS NULL OR p.hidden = a.hidden)
        AND (a.min_price IS NULL OR p.price >= a.min_price)
        AND (a.max_price IS NULL OR p.price <= a.max_price)
        AND (a.in_stock IS NULL OR p.in_stock = a.in_stock)
        AND (a.ids IS NULL OR p.id = ANY(a.ids))
    LIMIT (SELECT 1000 - count(*) FROM title AS t)
),

whole AS MATERIALIZED (
    SELECT t.id FROM title AS t
    UNION ALL
    SELECT a.id FROM anywhere AS a
),

partial AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE s.words @@ (SELECT a.any_word FROM asked AS a)
            AND (SELECT count(*) FROM whole) < (SELECT a.few FROM asked AS a)
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE p.id <> ALL(ARRAY(SELECT w.id FROM whole AS w))
        AND CASE WHEN a.show_hidden THEN (a.reached OR p.store_id = (SELECT my_store_id())) ELSE NOT p.hidden END
        AND (a.hidden IS NULL OR p.hidden = a.hidden)
        AND (a.min_price IS NULL OR p.price >= a.min_price)
        AND (a.max_price IS NULL OR p.price <= a.max_price)
        AND (a.in_stock IS NULL OR p.in_stock = a.in_stock)
        AND (a.ids IS NULL OR p.id = ANY(a.ids))
    LIMIT (SELECT 1000 - count(*) FROM whole AS w)
),

candidates AS MATERIALIZED (
    SELECT
        f.id, p.created_at, p.price, p.name_key, f.bonus + g.score AS rank
    FROM (
        SELECT w.id, 1000::float8 AS bonus FROM whole AS w
        UNION ALL
        SELECT s.id, 0 FROM partial AS s
    ) AS f
    JOIN product_search AS s ON s.product_id = f.id
    JOIN products AS p ON p.id = f.id
    CROSS JOIN LATERAL (
        SELECT sum(w.rarity * x.found / (x.found + 1)) AS score
        FROM asked_words AS w
        CROSS JOIN LATERAL (
            SELECT
                ts_rank('{0,0.4,0.4,1}', s.words, w.forms)::float8 / (0.7 + 0.3 * s.name_words / 12)
                + ts_rank('{0.1,0,0,0}', s.words, w.forms)::float8 AS found
        ) AS x
    ) AS g
)

SELECT
    card.document AS item, page.id,
    CASE page.sort
        WHEN 'newest' THEN page.created_at::text
        WHEN 'price' THEN page.price::text
        WHEN 'name' THEN page.name_key
        ELSE page.rank::text
    END AS key,
    n.matches,
    n.whole,
    n.ids
FROM (
    SELECT
        (SELECT count(*) FROM candidates AS c) AS matches,
        (SELECT count(*) FROM whole AS w) AS whole,
        CASE WHEN a.with_ids THEN ARRAY(SELECT c.id FROM candidates AS c) END AS ids
    FROM asked AS a
) AS n
LEFT JOIN (
    SELECT sorted.*, row_number() OVER () AS place
    FROM (
        SELECT c.id, c.created_at, c.price, c.name_key, c.rank, a.sort
        FROM candidates AS c
        CROSS JOIN asked AS a
        WHERE a.after_id IS NULL
            OR CASE
                WHEN a.sort = 'newest' AND a.descending THEN (c.created_at, c.id) < (a.after_time, a.after_id)
                WHEN a.sort = 'newest' THEN (c.created_at, c.id) > (a.after_time, a.after_id)
                WHEN a.sort = 'price' AND a.descending THEN (c.price, c.id) < (a.after_price, a.after_id)
                WHEN a.sort = 'price' THEN (c.price, c.id) > (a.after_price, a.after_id)
                WHEN a.sort = 'name' AND a.descending THEN (c.name_key, c.id) < (a.after_name, a.after_id)
                WHEN a.sort = 'name' THEN (c.name_key, c.id) > (a.after_name, a.after_id)
                WHEN a.descending THEN (-c.rank, c.id) > (-a.after_rank, a.after_id)
                ELSE (c.rank, c.id) > (a.after_rank, a.after_id)
            END
        ORDER BY
            CASE WHEN a.sort = 'newest' AND a.descending THEN c.created_at END DESC,
            CASE WHEN a.sort = 'newest' AND NOT a.descending THEN c.created_at END,
            CASE WHEN a.sort = 'price' AND a.descending THEN c.price END DESC,
            CASE WHEN a.sort = 'price' AND NOT a.descending THEN c.price END,
            CASE WHEN a.sort = 'name' AND a.descending THEN c.name_key END DESC,
            CASE WHEN a.sort = 'name' AND NOT a.descending THEN c.name_key END,
            CASE WHEN a.sort = 'relevance' AND a.descending THEN c.rank END DESC,
            CASE WHEN a.sort = 'relevance' AND NOT a.descending THEN c.rank END,
            CASE WHEN a.descending AND a.sort <> 'relevance' THEN c.id END DESC,
            c.id
        LIMIT (SELECT a.page_size FROM asked AS a) OFFSET (SELECT a.skipped FROM asked AS a)
    ) AS sorted
) AS page ON true
LEFT JOIN product_cards AS card ON card.product_id = page.id
ORDER BY page.place;

-- name: correct
-- budget: 140 buffers
-- Words of the catalogue that a misspelt word may mean: one letter off, or two neighbours exchanged, or two
-- letters off in a longer word; at most three of the nearest. pg_trgm.similarity_threshold (sessions.configure)
-- is how similar words must be for the index to return them.
SELECT t.word AS misspelt, near.word AS meant
FROM unnest(%(words)s::text[]) AS t (word)
CROSS JOIN LATERAL (
    SELECT w.word
    FROM search_words AS w
    CROSS JOIN LATERAL (
        SELECT
            levenshtein(w.word, t.word) AS letters,
            length(w.word) = length(t.word)
            AND regexp_split_to_array(w.word, '') @> regexp_split_to_array(t.word, '') AS exchanged
    ) AS off
    WHERE w.word OPERATOR(public.%%) t.word -- noqa: LT01
        AND length(w.word) BETWEEN length(t.word) - 1 AND length(t.word) + 1
        AND w.word ~ '^[[:alpha:]]+$'
        AND w.word <> t.word
        AND (w.named > 0 OR w.found = 0)
        AND (off.letters = 1 OR off.letters = 2 AND (off.exchanged OR length(t.word) > 5))
    ORDER BY off.letters = 2 AND NOT off.exchanged, w.named DESC, w.word
    LIMIT 3
) AS near;

-- name: suggest
-- budget: 2300 buffers
-- Completions of the typed text, five of each kind. The last word may be unfinished: `completed` are the most
-- common words that begin with it. Products match that have one of them and all words before; only the newest
-- 25,000 are searched if the words are common. Names that begin as typed come first, then short ones.
WITH typed AS MATERIALIZED (
    SELECT t.word, t.place, t.place = max(t.place) OVER () AS last, a.begins
    FROM (SELECT search_spaced(search_fold(%(typed)s::text)) AS begins) AS a
    CROSS JOIN LATERAL regexp_split_to_table(
        regexp_replace(a.begins, '(\.\d+)(?=[[:alpha:]])', '\1 ', 'g'), ' '
    ) WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
),

completed AS MATERIALIZED (
    SELECT w.word, w.found
    FROM typed AS t
    CROSS JOIN LATERAL (
        SELECT w.word, w.found
        FROM search_words AS w
        WHERE w.word >= t.word COLLATE "C" AND w.word < (t.word || chr(1114111)) COLLATE "C"
            AND (w.named > 0 OR w.found = 0)
        ORDER BY w.named DESC, w.word
        LIMIT 10
    ) AS w
    WHERE t.last
),

asked AS MATERIALIZED (
    SELECT concat_ws(
        ' & ',
        (SELECT string_agg(quote_literal(t.word), ' & ') FROM typed AS t WHERE NOT t.last),
        (SELECT '(' || string_agg(quote_literal(c.word), ' | ') || ')' FROM completed AS c),
        CASE
            WHEN (SELECT sum(c.found) FROM completed AS c) > 25000 THEN (
                SELECT '(' || string_agg(format('''#n%%s''', n.place), ' | ') || ')'
                FROM (SELECT max(p.id) / 8192 AS place FROM products AS p) AS newest
                CROSS JOIN LATERAL generate_series(newest.place - 3, newest.place) AS n (place)
            )
        END
    )::tsquery AS words
    FROM (SELECT count(*) AS words FROM completed AS c) AS n
    WHERE n.words > 0
),

unfinished AS MATERIALIZED (
    SELECT string_agg(quote_literal(t.word) || CASE WHEN t.last THEN ':*' ELSE '' END, ' & ')::tsquery AS words
    FROM typed AS t
)

(
    SELECT 'products' AS kind, p.id, p.name
    FROM (
        SELECT s.product_id, s.name_words
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.words FROM asked AS a)
        LIMIT 200
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE NOT p.hidden
    ORDER BY starts_with(p.name_key, (SELECT t.begins FROM typed AS t WHERE t.last)) DESC, s.name_words, p.id
    LIMIT 5
)
UNION ALL
(
    SELECT 'brands', b.id, b.name
    FROM brands AS b
    WHERE b.listed AND to_tsvector('names', b.name) @@ (SELECT u.words FROM unfinished AS u)
    ORDER BY starts_with(lower(b.name), (SELECT t.begins FROM typed AS t WHERE t.last)) DESC, length(b.name), b.id
    LIMIT 5
)
UNION ALL
(
    SELECT 'categories', c.id, c.name
    FROM categories AS c
    WHERE c.listed AND to_tsvector('names', c.name) @@ (SELECT u.words FROM unfinished AS u)
    ORDER BY starts_with(lower(c.name), (SELECT t.begins FROM typed AS t WHERE t.last)) DESC, length(c.name), c.id
    LIMIT 5
);

-- name: refresh_words
-- For the worker and the owner.
SELECT refresh_search_words(%(sample)s) AS counted;

-- name: prune_words
-- For the worker, again and again until last_word is NULL.
SELECT p.pruned, p.last_word
FROM prune_search_words(%(after)s, %(most)s) AS p;
