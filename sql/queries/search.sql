-- Search: the typed text is parsed first, with all that its words may stand for; then products are found.
-- V0008__search.sql explains what words are and how they count, V0174__typed_words.sql and
-- V0211__understood_words.sql what they may stand for.

-- name: understand
-- budget: 600 buffers
-- Returns a row for each word typed or excluded (-word), and for each filter (#c12; prices unless the range is
-- very wide), as the query that finds it. `forms` is the word in any form. A stop word of a language (for, dan)
-- is not `required`. `joined` neighbours (head set) find the two as one (headset). `rarity` is the root of BM25's
-- idf; `found` is about how many products it finds. Words that the worker has not counted yet are new or rare,
-- and are counted here. `related` words (synonyms) are found behind it, `corrected` ones (of a word that hardly
-- any product has) if it finds little. As in `find`, values come in by subqueries, which no plan depends on.
WITH typed AS MATERIALIZED (
    SELECT t.word, t.place::integer AS place, 'typed' AS role
    FROM (SELECT %(typed)s::text AS words) AS a
    CROSS JOIN LATERAL regexp_split_to_table(search_spaced(search_fold(a.words)), ' +')
        WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
    UNION ALL
    SELECT t.word, 100 + t.place::integer, 'left out'
    FROM (SELECT %(left_out)s::text AS words) AS a
    CROSS JOIN LATERAL regexp_split_to_table(
        CASE WHEN a.words <> '' THEN search_spaced(search_fold(a.words)) END, ' +'
    )
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
)

SELECT
    t.word, t.role, u.forms, u.required, u.in_names AS named, u.finds AS found,
    u.related, u.related_found, u.corrected, u.corrected_found,
    sqrt(ln(1 + greatest(c.reltuples, 10000) / (1 + u.in_names))) AS rarity,
    (SELECT max(p.id) FROM products AS p) AS newest_id
FROM (
    SELECT t.word, t.role, t.place, lag(t.word) OVER neighbours AS before, lead(t.word) OVER neighbours AS after
    FROM typed AS t
    WINDOW neighbours AS (PARTITION BY t.role ORDER BY t.place)
) AS t
CROSS JOIN LATERAL search_understood(
    t.word, t.role, CASE WHEN t.role = 'typed' THEN t.before END, CASE WHEN t.role = 'typed' THEN t.after END
) AS u
CROSS JOIN pg_class AS c
WHERE c.oid = 'product_search'::regclass
ORDER BY t.place;

-- fragment: shown
CASE WHEN a.show_hidden THEN (a.reached OR p.store_id = (SELECT my_store_id())) ELSE NOT p.hidden END
    AND (a.hidden IS NULL OR p.hidden = a.hidden)
    AND (a.min_price IS NULL OR p.price >= a.min_price)
    AND (a.max_price IS NULL OR p.price <= a.max_price)
    AND (a.in_stock IS NULL OR p.in_stock = a.in_stock)
    AND (a.ids IS NULL OR p.id = ANY(a.ids))

-- fragment: looked_at
-- Of those that do not fit it is remembered that they were looked at: no later step reads them again.
p.id, p.created_at, p.price, p.name_key,
    (/* include: shown */) AS fits,
    CASE WHEN a.sort = 'relevance' AND (/* include: shown */) THEN /* include: score */ END AS score

-- fragment: candidate
c.id, c.created_at, c.price, c.name_key, c.score

-- fragment: score
-- The saturation x / (x + 0.3) is written so that ts_rank is called once.
coalesce((
    SELECT sum(w.rarity * (1 - 0.3 / (0.3 + (
        ts_rank('{0.2,0.4,0.4,1}', s.words, w.forms)::float8 / (0.9 + 0.1 * s.name_words / 12)
    ))))
    FROM asked_words AS w
), 0)
+ CASE WHEN a.with_neighbours THEN coalesce((SELECT sum(n.bonus) FROM asked_neighbours AS n WHERE s.words @@ n.words), 0) ELSE 0 END

-- name: find
-- budget: 3500 buffers
-- Finds products in steps: at most 1,000 with all words as typed in name, brand or category; if these are fewer
-- than 300, as many as are missing with the words anywhere, then with `related` words, or if there are fewer than
-- `little`, with `corrected` ones; and if there are fewer than `few`, with some of the words. Each step stands behind
-- the ones before. Returns the page of them, in the
-- requested order. A page behind the end is one row without a document. The score is BM25-like (Robertson and
-- Zaragoza, The Probabilistic Relevance Framework, 2009): a word counts more the rarer it is (`rarity`),
-- saturating, and less the longer the name is; neighbours that are neighbours in the name count more. Conditions
-- that are no words (the exact price, stock, ids) are checked in 2,000 products that match. All values come
-- through `asked`, so the plan is the same for all of them, and is made once for a connection. If a word or
-- filter that all steps need leaves few products, the index is searched for it alone (`driver`), and the rest is
-- checked in the rows: to find out in the index which of these have the common words, too, takes longer. So it is
-- with partial matches (`partial_driver`).
WITH asked AS MATERIALIZED (
    SELECT
        %(all_words)s::tsquery AS all_words,
        %(related)s::tsquery AS related,
        %(corrected)s::tsquery AS corrected,
        %(any_word)s::tsquery AS any_word,
        %(driver)s::tsquery AS driver,
        %(driver)s::tsquery IS NOT NULL AS driven,
        coalesce(%(driver)s::tsquery, %(partial_driver)s::tsquery) AS partial_driver,
        %(little)s::integer AS little,
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
        cardinality(%(neighbours)s::tsquery[]) > 0 AS with_neighbours,
        %(limit)s::integer AS page_size,
        %(offset)s::integer AS skipped
),

asked_words AS MATERIALIZED (
    SELECT w.forms, w.rarity
    FROM unnest((SELECT %(forms)s::tsquery[]), (SELECT %(rarities)s::float8[])) AS w (forms, rarity)
),

asked_neighbours AS MATERIALIZED (
    SELECT n.words, n.bonus
    FROM unnest((SELECT %(neighbours)s::tsquery[]), (SELECT %(bonuses)s::float8[])) AS n (words, bonus)
),

title_read AS MATERIALIZED (
    SELECT /* include: looked_at */
    FROM (
        SELECT s.product_id, s.words, s.name_words
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT coalesce(a.driver, a.all_words) FROM asked AS a)
            AND CASE
                WHEN (SELECT a.driven FROM asked AS a) THEN ts_match_vq(search_title(s.words), (SELECT a.all_words FROM asked AS a))
                ELSE true
            END
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
),

title AS MATERIALIZED (
    SELECT /* include: candidate */
    FROM title_read AS c
    WHERE c.fits
    LIMIT 1000
),

anywhere_read AS MATERIALIZED (
    SELECT /* include: looked_at */
    FROM (
        SELECT s.product_id, s.words, s.name_words
        FROM product_search AS s
        WHERE s.words @@ (SELECT coalesce(a.driver, a.all_words) FROM asked AS a)
            AND CASE
                WHEN (SELECT a.driven FROM asked AS a) THEN ts_match_vq(s.words, (SELECT a.all_words FROM asked AS a))
                ELSE true
            END
            AND (SELECT count(*) FROM title) < 300
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE s.product_id NOT IN (SELECT t.id FROM title_read AS t)
),

anywhere AS MATERIALIZED (
    SELECT /* include: candidate */
    FROM anywhere_read AS c
    WHERE c.fits
    LIMIT (SELECT greatest(300 - count(*), 0) FROM title AS t)
),

so_far AS MATERIALIZED (
    SELECT n.found, w.words, CASE WHEN w.words IS NOT NULL THEN coalesce(a.driver, w.words) END AS driver
    FROM (SELECT (SELECT count(*) FROM title) + (SELECT count(*) FROM anywhere) AS found) AS n
    CROSS JOIN asked AS a
    CROSS JOIN LATERAL (
        -- Without those that were looked at before.
        SELECT tsquery_and(
            CASE WHEN n.found < a.little THEN a.corrected ELSE a.related END, tsquery_not(a.all_words)
        ) AS words
    ) AS w
),

wide_title_read AS MATERIALIZED (
    SELECT /* include: looked_at */
    FROM (
        SELECT s.product_id, s.words, s.name_words
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT f.driver FROM so_far AS f WHERE f.found < 300)
            AND CASE
                WHEN (SELECT a.driven FROM asked AS a) THEN ts_match_vq(search_title(s.words), (SELECT f.words FROM so_far AS f))
                ELSE true
            END
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE s.product_id NOT IN (
            SELECT t.id FROM title_read AS t
            UNION ALL SELECT y.id FROM anywhere_read AS y
        )
),

wide_title AS MATERIALIZED (
    SELECT /* include: candidate */
    FROM wide_title_read AS c
    WHERE c.fits
    LIMIT (SELECT greatest(300 - f.found, 0) FROM so_far AS f)
),

wide_anywhere_read AS MATERIALIZED (
    SELECT /* include: looked_at */
    FROM (
        SELECT s.product_id, s.words, s.name_words
        FROM product_search AS s
        WHERE s.words @@ (SELECT f.driver FROM so_far AS f)
            AND CASE
                WHEN (SELECT a.driven FROM asked AS a) THEN ts_match_vq(s.words, (SELECT f.words FROM so_far AS f))
                ELSE true
            END
            AND (SELECT f.found FROM so_far AS f) + (SELECT count(*) FROM wide_title) < (SELECT a.few FROM asked AS a)
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE s.product_id NOT IN (
            SELECT t.id FROM title_read AS t
            UNION ALL SELECT y.id FROM anywhere_read AS y
            UNION ALL SELECT w.id FROM wide_title_read AS w
        )
),

wide_anywhere AS MATERIALIZED (
    SELECT /* include: candidate */
    FROM wide_anywhere_read AS c
    WHERE c.fits
    LIMIT 300
),

whole AS MATERIALIZED (
    SELECT f.found + (SELECT count(*) FROM wide_title) + (SELECT count(*) FROM wide_anywhere) AS found
    FROM so_far AS f
),

partial_read AS MATERIALIZED (
    SELECT /* include: looked_at */
    FROM (
        SELECT s.product_id, s.words, s.name_words
        FROM product_search AS s
        WHERE s.words @@ (SELECT coalesce(a.partial_driver, a.any_word) FROM asked AS a)
            AND CASE
                WHEN (SELECT a.partial_driver IS NOT NULL FROM asked AS a)
                    THEN ts_match_vq(s.words, (SELECT a.any_word FROM asked AS a))
                ELSE true
            END
            AND (SELECT w.found FROM whole AS w) < (SELECT a.few FROM asked AS a)
        LIMIT 2000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    CROSS JOIN asked AS a
    WHERE s.product_id NOT IN (
            SELECT t.id FROM title_read AS t
            UNION ALL SELECT y.id FROM anywhere_read AS y
            UNION ALL SELECT w.id FROM wide_title_read AS w
            UNION ALL SELECT v.id FROM wide_anywhere_read AS v
        )
),

partial AS MATERIALIZED (
    SELECT /* include: candidate */
    FROM partial_read AS c
    WHERE c.fits
    LIMIT 300
),

candidates AS NOT MATERIALIZED (
    SELECT t.id, t.created_at, t.price, t.name_key, 2000 + t.score AS rank FROM title AS t
    UNION ALL
    SELECT y.id, y.created_at, y.price, y.name_key, 2000 + y.score FROM anywhere AS y
    UNION ALL
    SELECT w.id, w.created_at, w.price, w.name_key, 1000 + w.score FROM wide_title AS w
    UNION ALL
    SELECT v.id, v.created_at, v.price, v.name_key, 1000 + v.score FROM wide_anywhere AS v
    UNION ALL
    SELECT s.id, s.created_at, s.price, s.name_key, s.score FROM partial AS s
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
    CASE WHEN coalesce(page.place, 1) = 1 THEN n.ids END AS ids
FROM (
    SELECT
        (SELECT w.found FROM whole AS w) + (SELECT count(*) FROM partial AS s) AS matches,
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
        -- Numbers are compared as one key: a time and an amount are exact as float8.
        ORDER BY
            CASE
                WHEN a.sort = 'relevance' THEN c.rank
                WHEN a.sort = 'newest' THEN extract(EPOCH FROM c.created_at)::float8
                WHEN a.sort = 'price' THEN c.price::float8
            END * CASE WHEN a.descending THEN -1 ELSE 1 END,
            CASE WHEN a.sort = 'name' AND NOT a.descending THEN c.name_key END,
            CASE WHEN a.sort = 'name' AND a.descending THEN c.name_key END DESC,
            CASE WHEN a.descending AND a.sort <> 'relevance' THEN -c.id ELSE c.id END
        LIMIT (SELECT a.page_size FROM asked AS a) OFFSET (SELECT a.skipped FROM asked AS a)
    ) AS sorted
) AS page ON true
LEFT JOIN product_cards AS card ON card.product_id = page.id
ORDER BY page.place;

-- name: suggest
-- budget: 3000 buffers
-- Completions of the typed text, five of each kind: products that match as typed, and if these are fewer than five,
-- those that match in a `wider` sense. Of both, names that begin as typed come first, then short ones. Points leave a
-- blank each (search_spaced): only spaced twice, each of search_begun's twelve words is one.
WITH asked AS MATERIALIZED (
    SELECT b.begins, b.as_typed, b.wider, b.names
    FROM search_begun(search_spaced(search_fold((SELECT %(typed)s::text)))) AS b
),

as_typed AS MATERIALIZED (
    SELECT p.id, p.name, p.name_key, s.name_words
    FROM (
        SELECT s.product_id, s.name_words
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.as_typed FROM asked AS a)
        LIMIT 200
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE NOT p.hidden
),

wider AS MATERIALIZED (
    SELECT p.id, p.name, p.name_key, s.name_words
    FROM (
        SELECT s.product_id, s.name_words
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.wider FROM asked AS a) AND (SELECT count(*) FROM as_typed) < 5
        LIMIT 200
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE NOT p.hidden AND s.product_id NOT IN (SELECT y.id FROM as_typed AS y)
)

(
    SELECT 'products' AS kind, p.id, p.name
    FROM (
        SELECT y.id, y.name, y.name_key, y.name_words, 1 AS step FROM as_typed AS y
        UNION ALL
        SELECT w.id, w.name, w.name_key, w.name_words, 2 FROM wider AS w
    ) AS p
    ORDER BY p.step, starts_with(p.name_key, (SELECT a.begins FROM asked AS a)) DESC, p.name_words, p.id
    LIMIT 5
)
UNION ALL
(
    SELECT 'brands', b.id, b.name
    FROM brands AS b
    WHERE b.listed AND to_tsvector('names', b.name) @@ (SELECT a.names FROM asked AS a)
    ORDER BY starts_with(lower(b.name), (SELECT a.begins FROM asked AS a)) DESC, length(b.name), b.id
    LIMIT 5
)
UNION ALL
(
    SELECT 'categories', c.id, c.name
    FROM categories AS c
    WHERE c.listed AND to_tsvector('names', c.name) @@ (SELECT a.names FROM asked AS a)
    ORDER BY starts_with(lower(c.name), (SELECT a.begins FROM asked AS a)) DESC, length(c.name), c.id
    LIMIT 5
);

-- name: refresh_words
-- For the worker and the owner.
SELECT refresh_search_words(%(sample)s) AS counted;

-- name: prune_words
-- For the worker, again and again until last_word is NULL.
SELECT p.pruned, p.last_word
FROM prune_search_words(%(after)s, %(most)s) AS p;
