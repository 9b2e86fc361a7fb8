-- The walls of V0017 to V0020 around what V0030 to V0047 have built: variants, settings of stores, an account's end. And
-- the last of it: what a migration makes is nobody's until it says whose it is.
--
-- * A variant keeps its product and store.
-- * An account ends by proof alone: V0044 had written the old function anew.
-- * A closed store's variants lose their words too.
-- * From here on a new function is nobody's (PostgreSQL's own default is everybody's): grant EXECUTE where it is made.

CREATE TRIGGER refuse_move_of_product_id BEFORE UPDATE OF product_id ON variants FOR EACH ROW
WHEN (old.product_id IS DISTINCT FROM new.product_id) EXECUTE FUNCTION refuse_move();
CREATE TRIGGER refuse_move_of_store_id BEFORE UPDATE OF store_id ON variants FOR EACH ROW
WHEN (old.store_id IS DISTINCT FROM new.store_id) EXECUTE FUNCTION refuse_move();

-- An id is the sequence's to give, and a time the server's; the worker brings ids that it has had given.
-- In a block, so that `psql -f` leaves nobody without the right to write.
DO $$
BEGIN
    REVOKE INSERT ON products FROM marketplace_app;
    GRANT INSERT (
        store_id, category_id, brand_id, name, description, price, sku, source_url, hidden, in_stock, option_names,
        variant_count, price_max, price_before, weight_grams, length_cm, width_cm, height_cm, min_quantity, max_per_buyer,
        preorder_days, condition
    ) ON products TO marketplace_app;
    GRANT INSERT (id) ON products TO marketplace_worker;
END
$$;

-- As in V0020, and what V0032 and V0033 keep of a store goes too.
CREATE OR REPLACE FUNCTION auth.forget_caller(OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    account text;
BEGIN
    SELECT c.user_id, c.store_id INTO user_id, store_id FROM auth.caller() AS c;
    SELECT lower(u.email) INTO account FROM users AS u WHERE u.id = forget_caller.user_id FOR NO KEY UPDATE;
    DELETE FROM idempotency_keys AS k WHERE k.user_id = forget_caller.user_id;
    DELETE FROM auth.mailed_tokens AS m WHERE m.user_id = forget_caller.user_id;
    DELETE FROM jobs.procrastinate_jobs AS j
    WHERE j.task_name = 'send_mail' AND j.status <> 'doing' AND lower(j.args ->> 'email') = account;
    DELETE FROM auth.guesses AS g WHERE g.key = sha256(convert_to('account ' || account, 'UTF8'));
    UPDATE stores AS s
    SET name = concat_ws(' ', 'Closed store', s.id, CASE
            WHEN EXISTS (SELECT FROM stores AS o WHERE lower(o.name) = 'closed store ' || s.id)
                THEN left(md5(random()::text), 8)
        END),
        description = NULL, city = NULL, logo = NULL, whatsapp = NULL, version = s.version + 1, updated_at = now()
    WHERE s.id = forget_caller.store_id;
    DELETE FROM store_settings AS g WHERE g.store_id = forget_caller.store_id;
    DELETE FROM auth.credentials AS c WHERE c.user_id = forget_caller.user_id;
    UPDATE users AS u
    SET name = 'Deleted user', email = 'deleted-' || u.id || '-' || left(md5(random()::text), 8) || '@deleted.invalid',
        email_verified_at = NULL, phone = NULL, address = NULL, avatar = NULL, role = 'buyer', suspended_at = now(),
        deleted_at = now(), version = u.version + 1, updated_at = now()
    WHERE u.id = forget_caller.user_id;
    DELETE FROM auth.sessions AS s WHERE s.user_id = forget_caller.user_id;
END
$$;

CREATE OR REPLACE FUNCTION auth.forget_me(OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    SELECT f.user_id, f.store_id INTO user_id, store_id FROM auth.forget_caller() AS f;
END
$$;

-- As in V0020, and variants keep the number of their options, not the words.
CREATE OR REPLACE FUNCTION auth.close_store(which bigint, most integer) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    closed bigint[];
BEGIN
    SELECT array_agg(found.id)
    INTO closed
    FROM (
        SELECT p.id
        FROM products AS p
        JOIN stores AS s ON s.id = p.store_id
        JOIN users AS u ON u.id = s.owner_id
        WHERE p.store_id = which AND u.deleted_at IS NOT NULL
            AND (
                NOT p.hidden OR num_nonnulls(p.description, p.sku, p.source_url) > 0 OR p.name <> 'Product ' || p.id
                OR EXISTS (SELECT FROM product_images AS m WHERE m.product_id = p.id)
            )
        ORDER BY p.id
        LIMIT most
        FOR UPDATE OF p
    ) AS found;
    PERFORM set_config('app.audit', 'leaving', true);
    DELETE FROM product_images AS m WHERE m.product_id = ANY(closed);
    UPDATE variants AS v
    SET options = ARRAY(
            SELECT CASE n.place WHEN 1 THEN v.id::text ELSE '-' END
            FROM generate_subscripts(v.options, 1) AS n (place)
            ORDER BY n.place
        ),
        sku = NULL, barcode = NULL, version = v.version + 1, updated_at = now()
    WHERE v.product_id = ANY(closed);
    UPDATE products AS p
    SET hidden = true, name = 'Product ' || p.id, description = NULL, sku = NULL, source_url = NULL,
        option_names = ARRAY(
            SELECT 'Option ' || n.place FROM generate_subscripts(p.option_names, 1) AS n (place) ORDER BY n.place
        ),
        version = p.version + 1, updated_at = now()
    WHERE p.id = ANY(closed);
    PERFORM set_config('app.audit', '', true);
    RETURN coalesce(closed, '{}');
END
$$;

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
