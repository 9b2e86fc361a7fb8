-- Search: what was typed is understood first, then products are found, and where few are, words are corrected.
-- What words are and how they count stands in V0008__search.sql.

-- name: understand
-- A row for each word typed or left out (-word), and for each filter (#c12), as the query that finds it: `forms` is the
-- word in any form. A word that a language leaves out (for, dan) is not `required`. `joined` neighbours (head set)
-- find the two as one (headset), and `meant` words what is `misspelt`. `rarity` is BM25's idf; `found` is about how
-- many products it finds. Words the worker has not counted yet are new or rare, and are counted here.
WITH typed AS (
    SELECT t.word, t.place::integer AS place, 'typed' AS role
    FROM regexp_split_to_table(search_spaced(search_fold(%(typed)s::text)), ' ') WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
    UNION ALL
    SELECT t.word, 100 + t.place::integer, 'left out'
    FROM regexp_split_to_table(search_spaced(search_fold(%(left_out)s::text)), ' ') WITH ORDINALITY AS t (word, place)
    WHERE t.word <> '' AND t.place <= 12
    UNION ALL
    SELECT t.word, 200 + t.place::integer, 'filter'
    FROM unnest(%(filters)s::text[]) WITH ORDINALITY AS t (word, place)
),

joined AS (
    SELECT step.place, pair.word
    FROM (
        SELECT t.place, t.word || lead(t.word) OVER (ORDER BY t.place) AS word
        FROM typed AS t
        WHERE t.role = 'typed'
    ) AS pair
    JOIN search_words AS known ON known.word = pair.word COLLATE "C"
    CROSS JOIN LATERAL (VALUES (pair.place), (pair.place + 1)) AS step (place)
),

forms AS (
    SELECT t.place, quote_literal(t.word) AS form, t.word
    FROM typed AS t
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
    SELECT j.place, quote_literal(j.word), j.word
    FROM joined AS j
    UNION
    SELECT t.place, quote_literal(m.word), m.word
    FROM unnest(%(misspelt)s::text[], %(meant)s::text[]) AS m (misspelt, word)
    JOIN typed AS t ON t.word = m.misspelt AND t.role = 'typed'
),

known AS (
    SELECT
        t.word, t.place, t.role, f.forms, f.named, f.found,
        t.role = 'filter' OR NOT EXISTS (
            SELECT FROM search_languages AS l WHERE to_tsvector(l.language, t.word) = ''::tsvector
        ) AS required
    FROM typed AS t
    CROSS JOIN LATERAL (
        SELECT string_agg('(' || f.form || ')', ' | ') AS forms, max(w.named) AS named, max(w.found) AS found
        FROM forms AS f
        LEFT JOIN search_words AS w ON w.word = f.word COLLATE "C"
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
            ELSE (SELECT count(*) FROM product_search AS s WHERE search_title(s.words) @@ k.forms::tsquery)
        END AS named,
        CASE
            WHEN k.found > 0 THEN k.found
            ELSE (SELECT count(*) FROM product_search AS s WHERE s.words @@ k.forms::tsquery)
        END AS found
) AS n
CROSS JOIN pg_class AS c
WHERE c.oid = 'product_search'::regclass
ORDER BY k.place;

-- name: find
-- At most 1,000 products: those with all words in name, brand or category, then those with all words anywhere, and where
-- that makes fewer than `few`, those with any of the rarest words. Of these the page, in the order asked for. A page
-- behind the end is one row without a document.
-- rank is BM25-like (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009): a word counts more the rarer
-- it is (`rarity`), saturating, and the less the longer the name is; who has all words comes first.
-- Price, stock and ids are no words: of 10,000 products that match, those are taken.
WITH asked AS MATERIALIZED (
    SELECT %(all_words)s::tsquery AS all_words, %(any_word)s::tsquery AS any_word
),

title AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE search_title(s.words) @@ (SELECT a.all_words FROM asked AS a)
        LIMIT 10000
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
        LIMIT 10000
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

partial AS MATERIALIZED (
    SELECT p.id
    FROM (
        SELECT s.product_id
        FROM product_search AS s
        WHERE s.words @@ (SELECT a.any_word FROM asked AS a) AND (SELECT count(*) FROM whole) < %(few)s
        LIMIT 10000
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
        SELECT s.id, 0 FROM partial AS s
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
LEFT JOIN (
    SELECT sorted.*, row_number() OVER () AS place
    FROM (
        SELECT c.id, c.created_at, c.price, c.name_key, c.in_stock, c.quantity, c.rank
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
    ) AS sorted
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
        AND (w.named > 0 OR w.found = 0)
        AND levenshtein(w.word, t.word) <= CASE WHEN length(t.word) < 6 THEN 1 ELSE 2 END
    ORDER BY levenshtein(w.word, t.word), similarity(w.word, t.word) DESC, w.named DESC, w.word
    LIMIT 3
) AS near;

-- name: refresh_words
-- For the worker and the owner.
SELECT refresh_search_words(%(sample)s) AS counted;
