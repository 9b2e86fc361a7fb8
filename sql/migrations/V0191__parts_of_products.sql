-- What reads need of products is written by two verbs: documents, rows of categories, words.
--
-- Why it is shaped so:
-- * Each of the three statements, and that of new words, had its guards look up who acts: four times three tables for a
--   new product. A verb looks once, and writes as the owner of the tables, whom the guards let pass at a glance.
-- * It writes what follows from the tables and nothing else, so whoever may write a product may have it written.
-- * A statement that has nothing to write is not sent: a price touches no words but its own, an image no category.
-- * Products that this transaction has made have no rows yet: they are inserted without looking for any.
-- * The functions that say what is written are taken into the statements by the planner. Ids come by
--   ARRAY(SELECT unnest(...)), so that no plan depends on them: it holds for one product and for a thousand.

CREATE FUNCTION true_documents(product_ids bigint[], shown_currency text)
RETURNS TABLE (product_id bigint, store_id bigint, document text)
LANGUAGE sql STABLE AS $$
    SELECT p.id, p.store_id, left(to_json(shown)::text, -1)
    FROM products AS p
    JOIN stores AS s ON s.id = p.store_id
    LEFT JOIN categories AS c ON c.id = p.category_id
    LEFT JOIN brands AS b ON b.id = p.brand_id
    CROSS JOIN LATERAL (
        SELECT
            p.id,
            p.name,
            p.slug,
            p.price::text AS price,
            p.price_max::text AS price_max,
            p.price_before::text AS price_before,
            shown_currency AS currency,
            p.sku,
            p.source_url,
            p.category_id,
            (SELECT to_json(n) FROM (SELECT c.id, c.name) AS n WHERE c.id IS NOT NULL) AS category,
            p.brand_id,
            (SELECT to_json(n) FROM (SELECT b.id, b.name) AS n WHERE b.id IS NOT NULL) AS brand,
            (
                SELECT to_json(n)
                FROM (SELECT s.id, s.name, s.logo ->> 'url' AS logo_url, s.city, NULL::text AS closed_until) AS n
            ) AS store,
            p.variant_count,
            array_to_json(ARRAY(
                SELECT to_json(n)
                FROM (
                    SELECT
                        o.name,
                        ARRAY(
                            SELECT v.options[o.place]
                            FROM variants AS v
                            WHERE v.product_id = p.id AND NOT v.hidden
                            GROUP BY v.options[o.place]
                            ORDER BY min(v.position), min(v.id)
                        ) AS values
                    FROM unnest(p.option_names) WITH ORDINALITY AS o (name, place)
                    ORDER BY o.place
                ) AS n
            )) AS options,
            array_to_json(ARRAY(
                SELECT to_json(n)
                FROM (
                    SELECT i.id, i.url AS image_url, i.is_main, i.alt, i.width, i.height, i.placeholder, i.variants
                    FROM product_images AS i
                    WHERE i.product_id = p.id
                    ORDER BY i.is_main DESC, i.position, i.id
                ) AS n
            )) AS images,
            p.hidden,
            p.version,
            to_char(p.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
            to_char(p.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS updated_at
    ) AS shown
    WHERE p.id = ANY(ARRAY(SELECT unnest(product_ids)))
$$;
COMMENT ON FUNCTION true_documents IS
'The documents of these products: a JSON object each, without its last brace. Stock, in_stock (both live) and the '
'description follow when it is sent; closed_until is live, too: product_cards (V0067) puts it where NULL stands here.';

CREATE FUNCTION true_words(product_ids bigint[])
RETURNS TABLE (product_id bigint, words tsvector, name_words integer)
LANGUAGE sql STABLE AS $$
    SELECT p.id, found.words, length(ts_filter(found.words, '{a}'))
    FROM products AS p
    LEFT JOIN brands AS b ON b.id = p.brand_id
    LEFT JOIN categories AS c ON c.id = p.category_id
    CROSS JOIN LATERAL (
        SELECT
            search_vector(
                p.name,
                b.name,
                -- What kinds there are counts as the category does: red finds the shirt that comes in red, too.
                concat_ws(' ', c.name, (
                    SELECT string_agg(DISTINCT o.value, ' ')
                    FROM variants AS v
                    CROSS JOIN LATERAL unnest(v.options) AS o (value)
                    WHERE v.product_id = p.id AND NOT v.hidden
                )),
                p.description,
                search_filters(p.id, p.store_id, p.brand_id, c.path, p.price)
            ) AS words
        LIMIT 1
    ) AS found
    WHERE p.id = ANY(ARRAY(SELECT unnest(product_ids)))
$$;
COMMENT ON FUNCTION true_words IS 'The words that these products are found by.';

CREATE FUNCTION true_categories(product_ids bigint[])
RETURNS TABLE (
    product_id bigint, category_id bigint, created_at timestamptz, price numeric, name_key text, in_stock boolean
)
LANGUAGE sql STABLE AS $$
    SELECT p.id, step.category_id, p.created_at, p.price, p.name_key, p.in_stock
    FROM products AS p
    JOIN categories AS c ON c.id = p.category_id
    CROSS JOIN LATERAL unnest(c.path) AS step (category_id)
    WHERE p.id = ANY(ARRAY(SELECT unnest(product_ids))) AND NOT p.hidden
$$;
COMMENT ON FUNCTION true_categories IS
'A row for the category and each of its ancestors, for visible products; none for hidden ones.';

-- By the guards' own rule (V0003): a store writes its own, an admin and the worker at its own work all.
CREATE FUNCTION require_products(product_ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    who record;
BEGIN
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF who.role = 'admin' OR (who.role IS NULL AND (is_system() OR auth.is_by_hand())) THEN
        RETURN;
    END IF;
    IF EXISTS (
        SELECT
        FROM products AS p
        WHERE p.id = ANY(ARRAY(SELECT unnest(product_ids))) AND p.store_id IS DISTINCT FROM who.store_id
    ) THEN
        RAISE EXCEPTION 'what belongs to a product is written by its store or an admin' USING ERRCODE = '42501';
    END IF;
END
$$;
COMMENT ON FUNCTION require_products IS 'Refuses products that are not for who acts to write (42501).';

-- Words are written in their order and last of all, so that two transactions that add the same new ones wait for each
-- other and for nothing else. The index alone finds those that exist: leaving them out by a join first is a plan that was
-- right for few words, and took a minute a batch of an import for many.
CREATE FUNCTION add_product_parts(product_ids bigint[], shown_currency text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_products(product_ids);
    INSERT INTO product_documents (product_id, store_id, document)
    SELECT t.product_id, t.store_id, t.document
    FROM true_documents(product_ids, shown_currency) AS t;
    INSERT INTO product_categories (product_id, category_id, created_at, price, name_key, in_stock)
    SELECT t.product_id, t.category_id, t.created_at, t.price, t.name_key, t.in_stock
    FROM true_categories(product_ids) AS t;
    WITH written AS (
        INSERT INTO product_search (product_id, words, name_words)
        SELECT t.product_id, t.words, t.name_words
        FROM true_words(product_ids) AS t
        RETURNING words
    )

    INSERT INTO search_words (word)
    SELECT DISTINCT u.lexeme
    FROM written AS w
    CROSS JOIN LATERAL unnest(ts_filter(w.words, '{a,b}')) AS u
    ORDER BY u.lexeme
    ON CONFLICT (word) DO NOTHING;
END
$$;
COMMENT ON FUNCTION add_product_parts IS
'Writes documents, rows of categories and words of products that this transaction has made.';

CREATE FUNCTION write_product_parts(
    of_documents bigint[],
    of_categories bigint[],
    of_words bigint[],
    of_prices bigint[],
    shown_currency text,
    OUT documents bigint[],
    OUT categories bigint[],
    OUT search bigint[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    documents := '{}';
    categories := '{}';
    search := '{}';
    PERFORM require_products(of_documents || of_categories || of_words || of_prices);
    IF cardinality(of_documents) > 0 THEN
        WITH written AS (
            INSERT INTO product_documents AS kept (product_id, store_id, document)
            SELECT t.product_id, t.store_id, t.document
            FROM true_documents(of_documents, shown_currency) AS t
            ON CONFLICT (product_id) DO UPDATE
            SET document = excluded.document, store_id = excluded.store_id
            WHERE kept.document <> excluded.document OR kept.store_id IS NULL
            RETURNING kept.product_id
        )

        SELECT coalesce(array_agg(w.product_id), '{}') INTO documents FROM written AS w;
    END IF;
    IF cardinality(of_categories) > 0 THEN
        WITH wanted AS (
            SELECT t.product_id, t.category_id, t.created_at, t.price, t.name_key, t.in_stock
            FROM true_categories(of_categories) AS t
        ),

        removed AS (
            DELETE FROM product_categories AS old
            WHERE old.product_id = ANY(ARRAY(SELECT unnest(of_categories)))
                AND (old.product_id, old.category_id) NOT IN (SELECT w.product_id, w.category_id FROM wanted AS w)
            RETURNING old.product_id
        ),

        written AS (
            INSERT INTO product_categories AS kept (product_id, category_id, created_at, price, name_key, in_stock)
            SELECT w.product_id, w.category_id, w.created_at, w.price, w.name_key, w.in_stock
            FROM wanted AS w
            ON CONFLICT (product_id, category_id) DO UPDATE
            SET created_at = excluded.created_at,
                price = excluded.price,
                name_key = excluded.name_key,
                in_stock = excluded.in_stock
            WHERE (kept.created_at, kept.price, kept.name_key, kept.in_stock)
                IS DISTINCT FROM (excluded.created_at, excluded.price, excluded.name_key, excluded.in_stock)
            RETURNING kept.product_id
        )

        SELECT coalesce(array_agg(e.product_id), '{}')
        INTO categories
        FROM (SELECT r.product_id FROM removed AS r UNION SELECT w.product_id FROM written AS w) AS e;
    END IF;
    IF cardinality(of_words) > 0 THEN
        WITH written AS (
            INSERT INTO product_search AS kept (product_id, words, name_words)
            SELECT t.product_id, t.words, t.name_words
            FROM true_words(of_words) AS t
            ON CONFLICT (product_id) DO UPDATE
            SET words = excluded.words, name_words = excluded.name_words
            WHERE (kept.words, kept.name_words) IS DISTINCT FROM (excluded.words, excluded.name_words)
            RETURNING kept.product_id, kept.words
        ),

        added AS (
            INSERT INTO search_words (word)
            SELECT DISTINCT u.lexeme
            FROM written AS w
            CROSS JOIN LATERAL unnest(ts_filter(w.words, '{a,b}')) AS u
            ORDER BY u.lexeme
            ON CONFLICT (word) DO NOTHING
        )

        SELECT coalesce(array_agg(w.product_id), '{}') INTO search FROM written AS w;
    END IF;
    -- Only the word that stands for the price is another, where it is: written as search_vector writes them, at a tenth
    -- of the cost.
    IF cardinality(of_prices) > 0 THEN
        UPDATE product_search AS s
        SET words = regexp_replace(s.words::text, '''#p[0-9]+''', concat('''#p', search_price(p.price), ''''))::tsvector
        FROM products AS p
        WHERE s.product_id = ANY(ARRAY(SELECT unnest(of_prices)))
            AND p.id = s.product_id
            AND NOT s.words @@ concat('#p', search_price(p.price))::tsquery;
    END IF;
END
$$;
COMMENT ON FUNCTION write_product_parts IS
'Writes documents, rows of categories and words of products, and of those in of_prices the word of the price alone. '
'Returns which of the first three were not true.';

REVOKE ALL ON FUNCTION true_documents, true_words, true_categories, require_products, add_product_parts,
write_product_parts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_product_parts, write_product_parts TO marketplace_app, marketplace_worker;

-- As in V0019, but that the owner of the tables is known at a glance, and nobody else looked for.
CREATE OR REPLACE FUNCTION guard_words() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE')
        OR pg_has_role(current_user, 'marketplace_worker', 'USAGE')
    THEN
        RETURN NULL;
    END IF;
    IF coalesce(my_role(), '') IN ('seller', 'admin') THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'words come with products' USING ERRCODE = '42501';
END
$$;
