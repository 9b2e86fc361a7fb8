-- Stock: what the worker keeps. The verbs stand in migrations/V0045__stock_verbs.sql.

-- name: refresh_low
-- Lists anew what is on sale and has at most so many pieces.
SELECT refresh_low_stock(%(most)s);
