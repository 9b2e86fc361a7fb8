-- Search: what was typed is understood first, then products are found, and where few are, words are corrected.
-- What words are and how they count stands in V0008__search.sql.

-- name: understand
-- A row for each word typed, as the queries that find it: `forms` is the word in any form; a word that a language leaves
-- out (for, dan) is not `required`. `joined` neighbours (head set) count for both where the catalogue knows them
-- (headset), and so do `meant` words where a word is `misspelt`. `products` is about how many have the word.
WITH typed AS (
    SELECT t.word, t.place
    FROM regexp_split_to_table(search_spaced(search_fold(%(typed)s::text)), ' ') WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
),

neighbours AS (
    SELECT t.place, t.word || lead(t.word) OVER (ORDER BY t.place) AS word
    FROM typed AS t
),

joined AS (
    SELECT step.place, n.word
    FROM neighbours AS n
    JOIN search_words AS known ON known.word = n.word COLLATE "C"
    CROSS JOIN LATERAL (VALUES (n.place), (n.place + 1)) AS step (place)
),

forms AS (
    SELECT t.place, f.form
    FROM typed AS t
    CROSS JOIN LATERAL (VALUES (search_pieces(t.word))) AS p (pieces)
    CROSS JOIN LATERAL (
        SELECT quote_literal(t.word) AS form
        UNION
        SELECT quote_literal(s.lexeme) FROM unnest(search_stems(t.word)) AS s WHERE p.pieces = t.word
        UNION
        SELECT string_agg(quote_literal(pair.word), ' & ')
        FROM (
            SELECT r.word || lead(r.word) OVER (ORDER BY r.place) AS word
            FROM regexp_split_to_table(p.pieces, ' ') WITH ORDINALITY AS r (word, place)
        ) AS pair
        WHERE pair.word IS NOT NULL
        UNION
        SELECT quote_literal(j.word) FROM joined AS j WHERE j.place = t.place
        UNION
        SELECT quote_literal(m.word)
        FROM unnest(%(misspelt)s::text[], %(meant)s::text[]) AS m (misspelt, word)
        WHERE m.misspelt = t.word
    ) AS f
    WHERE f.form IS NOT NULL
)

SELECT
    t.word,
    (SELECT string_agg('(' || f.form || ')', ' | ') FROM forms AS f WHERE f.place = t.place) AS forms,
    NOT EXISTS (
        SELECT FROM search_languages AS l WHERE to_tsvector(l.language, t.word) = ''::tsvector
    ) AS required,
    coalesce((
        SELECT max(w.products)
        FROM search_words AS w
        WHERE w.word = ANY(ARRAY(SELECT trim(BOTH '''' FROM f.form) FROM forms AS f WHERE f.place = t.place))
    ), 0) AS products
FROM typed AS t
ORDER BY t.place;

-- name: find
-- At most 1,000 products: those with all words in name, brand or category, then those with all words anywhere, and where
-- that makes fewer than `few`, those with any of the rarest words. Of these the page, in the order asked for.
-- rank is BM25-like (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009): a word counts more the rarer
-- it is (`rarity`), saturating, and the less the longer the name is; who has all words comes first.
-- Filters that are not words look at 20,000 matches at most.
WITH asked AS MATERIALIZED (
    SELECT %(all_words)s::tsquery AS all_words, %(any_word)s::tsquery AS any_word
),

title AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.all_words FROM asked AS a)
        LIMIT 20000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE (%(show_hidden)s::boolean OR NOT p.hidden)
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
    LIMIT 1000
),

anywhere AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE s.words @@ (SELECT a.all_words FROM asked AS a) AND (SELECT count(*) FROM title) < 1000
        LIMIT 20000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE p.id <> ALL(ARRAY(SELECT t.id FROM title AS t))
        AND (%(show_hidden)s::boolean OR NOT p.hidden)
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
    LIMIT (SELECT 1000 - count(*) FROM title AS t)
),

whole AS MATERIALIZED (
    SELECT t.id FROM title AS t
    UNION ALL
    SELECT a.id FROM anywhere AS a
),

some AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE s.words @@ (SELECT a.any_word FROM asked AS a) AND (SELECT count(*) FROM whole) < %(few)s
        LIMIT 20000
    ) AS s
    JOIN products AS p ON p.id = s.product_id
    WHERE p.id <> ALL(ARRAY(SELECT w.id FROM whole AS w))
        AND (%(show_hidden)s::boolean OR NOT p.hidden)
        AND (%(hidden)s::boolean IS NULL OR p.hidden = %(hidden)s)
        AND (%(min_price)s::numeric IS NULL OR p.price >= %(min_price)s)
        AND (%(max_price)s::numeric IS NULL OR p.price <= %(max_price)s)
        AND (%(in_stock)s::boolean IS NULL OR p.in_stock = %(in_stock)s)
        AND (%(ids)s::bigint[] IS NULL OR p.id = ANY(%(ids)s))
    LIMIT (SELECT 1000 - count(*) FROM whole AS w)
),

candidates AS MATERIALIZED (
    SELECT f.id, p.created_at, p.price, p.name_key, p.in_stock, i.quantity, f.bonus + g.score AS rank
    FROM (
        SELECT w.id, 1000::float8 AS bonus FROM whole AS w
        UNION ALL
        SELECT s.id, 0 FROM some AS s
    ) AS f
    JOIN product_search AS s ON s.product_id = f.id
    JOIN products AS p ON p.id = f.id
    JOIN inventory AS i ON i.product_id = f.id
    CROSS JOIN LATERAL (
        SELECT sum(word.rarity * x.found / (x.found + 1)) AS score
        FROM unnest(%(forms)s::tsquery[], %(rarities)s::float8[]) AS word (forms, rarity)
        CROSS JOIN LATERAL (
            SELECT
                ts_rank('{0,0.4,0.4,1}', s.words, word.forms)::float8 / (0.7 + 0.3 * s.name_words / 12)
                + ts_rank('{0.3,0,0,0}', s.words, word.forms)::float8 AS found
        ) AS x
    ) AS g
)

SELECT
    d.document, page.quantity, page.in_stock, page.id,
    CASE
        WHEN %(sort)s = 'newest' THEN page.created_at::text
        WHEN %(sort)s = 'price' THEN page.price::text
        WHEN %(sort)s = 'name' THEN page.name_key
        WHEN %(sort)s = 'stock' THEN page.quantity::text
        ELSE page.rank::text
    END AS key,
    n.matches,
    n.whole
FROM (
    SELECT (SELECT count(*) FROM candidates AS c) AS matches, (SELECT count(*) FROM whole AS w) AS whole
) AS n
LEFT JOIN LATERAL (
    SELECT c.id, c.created_at, c.price, c.name_key, c.in_stock, c.quantity, c.rank, row_number() OVER () AS place
    FROM candidates AS c
    WHERE %(after_id)s::bigint IS NULL
        OR CASE
            WHEN %(sort)s = 'newest' AND %(descending)s THEN (c.created_at, c.id) < (%(after_time)s::timestamptz, %(after_id)s)
            WHEN %(sort)s = 'newest' THEN (c.created_at, c.id) > (%(after_time)s::timestamptz, %(after_id)s)
            WHEN %(sort)s = 'price' AND %(descending)s THEN (c.price, c.id) < (%(after_price)s::numeric, %(after_id)s)
            WHEN %(sort)s = 'price' THEN (c.price, c.id) > (%(after_price)s::numeric, %(after_id)s)
            WHEN %(sort)s = 'name' AND %(descending)s THEN (c.name_key, c.id) < (%(after_name)s::text COLLATE "C", %(after_id)s)
            WHEN %(sort)s = 'name' THEN (c.name_key, c.id) > (%(after_name)s::text COLLATE "C", %(after_id)s)
            WHEN %(sort)s = 'stock' AND %(descending)s THEN (c.quantity, c.id) < (%(after_stock)s::integer, %(after_id)s)
            WHEN %(sort)s = 'stock' THEN (c.quantity, c.id) > (%(after_stock)s::integer, %(after_id)s)
            WHEN %(descending)s THEN (c.rank, c.id) < (%(after_rank)s::float8, %(after_id)s)
            ELSE (c.rank, c.id) > (%(after_rank)s::float8, %(after_id)s)
        END
    ORDER BY
        CASE WHEN %(sort)s = 'newest' AND %(descending)s THEN c.created_at END DESC,
        CASE WHEN %(sort)s = 'newest' AND NOT %(descending)s THEN c.created_at END,
        CASE WHEN %(sort)s = 'price' AND %(descending)s THEN c.price END DESC,
        CASE WHEN %(sort)s = 'price' AND NOT %(descending)s THEN c.price END,
        CASE WHEN %(sort)s = 'name' AND %(descending)s THEN c.name_key END DESC,
        CASE WHEN %(sort)s = 'name' AND NOT %(descending)s THEN c.name_key END,
        CASE WHEN %(sort)s = 'stock' AND %(descending)s THEN c.quantity END DESC,
        CASE WHEN %(sort)s = 'stock' AND NOT %(descending)s THEN c.quantity END,
        CASE WHEN %(sort)s = 'relevance' AND %(descending)s THEN c.rank END DESC,
        CASE WHEN %(sort)s = 'relevance' AND NOT %(descending)s THEN c.rank END,
        CASE WHEN %(descending)s THEN c.id END DESC,
        CASE WHEN NOT %(descending)s THEN c.id END
    LIMIT %(limit)s OFFSET %(offset)s
) AS page ON true
LEFT JOIN product_documents AS d ON d.product_id = page.id
ORDER BY page.place;

-- name: correct
-- Words of the catalogue that a word may have been meant to be: at most two letters off, at most three of the nearest.
SELECT t.word AS misspelt, near.word AS meant
FROM unnest(%(words)s::text[]) AS t (word)
CROSS JOIN LATERAL (
    SELECT w.word
    FROM search_words AS w
    WHERE w.word %% t.word
        AND length(w.word) BETWEEN length(t.word) - 1 AND length(t.word) + 1
        AND w.word ~ '^[[:alpha:]]+$'
        AND w.word <> t.word
        AND levenshtein(w.word, t.word) <= CASE WHEN length(t.word) < 6 THEN 1 ELSE 2 END
    ORDER BY levenshtein(w.word, t.word), similarity(w.word, t.word) DESC, w.products DESC, w.word
    LIMIT 3
) AS near;

-- name: refresh_words
-- For the worker and the owner.
SELECT refresh_search_words(%(sample)s);
