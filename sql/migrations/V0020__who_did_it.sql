-- The audit trail says who, and forgets who asks for it.
--
-- * Where nobody is signed in and yet a user acts (a code from a mail, registering, the end of an account), the trail names
--   that user; nobody is named where the owner of the tables acts by hand or by a command, and then alone.
-- * Who deletes the account proves the password. What is deleted lives on in no copy: words of a closed store and of its
--   products go from the products and from the trail. That is the one change the trail takes, and a trigger holds it to
--   that: an entry of a store whose owner has gone may become what audit_forgotten makes of it, and nothing else.

-- Who -------------------------------------------------------------------------------------------------------------

-- A session that this transaction has itself brought to an end (the account is being deleted) has still acted.
CREATE FUNCTION auth.actor(OUT user_id bigint, OUT role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.user_id, u.role
    FROM auth.sessions AS s
    JOIN public.users AS u ON u.id = s.user_id
    WHERE s.secret_hash = decode(nullif(current_setting('app.session', true), ''), 'hex')
$$;
COMMENT ON FUNCTION auth.actor IS 'Who began this transaction, whatever has become of the session in it; NULL: nobody signed in.';

CREATE FUNCTION auth.is_by_hand() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT current_setting('role') = 'none' AND pg_has_role(session_user, c.relowner, 'USAGE')
    FROM pg_class AS c
    WHERE c.oid = 'public.users'::regclass
$$;
COMMENT ON FUNCTION auth.is_by_hand IS 'Whether the owner of the tables acts: by hand in psql, or by a command.';

CREATE OR REPLACE FUNCTION add_audit(kind text, verb text, changes audit_change[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    request CONSTANT text := nullif(current_setting('app.request_id', true), '');
    acting bigint;
    acting_role text;
BEGIN
    IF changes IS NULL THEN
        RETURN;
    END IF;
    SELECT a.user_id, a.role INTO acting, acting_role FROM auth.actor() AS a;
    IF acting IS NULL AND kind = 'user' AND cardinality(changes) = 1 AND NOT auth.is_by_hand() THEN
        -- Who registers, confirms an address or sets a new password by a mail acts, though nobody is signed in.
        acting := changes[1].thing_id;
        SELECT u.role INTO acting_role FROM users AS u WHERE u.id = acting;
    ELSIF acting IS NULL AND current_setting('app.audit', true) = 'leaving'
        AND current_setting('role') = 'marketplace_worker'
    THEN
        -- The worker closes the store of somebody who has asked for it.
        SELECT s.owner_id, 'seller' INTO acting, acting_role FROM stores AS s WHERE s.id = changes[1].store_id;
    END IF;
    IF kind = 'user' AND acting = changes[1].thing_id THEN
        acting_role := coalesce(changes[1].before ->> 'role', acting_role);
    END IF;
    IF cardinality(changes) <= 100 THEN
        INSERT INTO audit (user_id, role, store_id, action, type, thing_id, before, after, request_id)
        SELECT acting, acting_role, c.store_id, verb, kind, c.thing_id, c.before, c.after, request
        FROM unnest(changes) AS c
        ORDER BY c.thing_id;
        RETURN;
    END IF;
    -- One entry a store, so that each seller finds theirs: how many, which ones, and of every column what it was and is,
    -- where that is the same for all of them.
    INSERT INTO audit (user_id, role, store_id, action, type, thing_id, before, after, request_id)
    SELECT
        acting, acting_role, s.store_id, verb, kind, CASE s.rows WHEN 1 THEN s.ids[1] END,
        CASE verb WHEN 'delete' THEN n.numbers ELSE d.before END,
        CASE WHEN verb <> 'delete' THEN n.numbers || coalesce(d.after, '{}') END,
        request
    FROM (
        SELECT
            c.store_id, count(*) AS rows, array_agg(c) AS changes, (array_agg(c.thing_id ORDER BY c.thing_id))[:100] AS ids
        FROM unnest(changes) AS c
        GROUP BY c.store_id
    ) AS s
    CROSS JOIN LATERAL jsonb_build_object('rows', s.rows, 'ids', s.ids) AS n (numbers)
    CROSS JOIN LATERAL (
        SELECT
            jsonb_object_agg(v.key, v.before) FILTER (WHERE v.same AND v.before IS NOT NULL) AS before,
            jsonb_object_agg(v.key, CASE WHEN v.same THEN v.after ELSE '"changed"' END) AS after
        FROM (
            SELECT
                e.key,
                (array_agg(c.before -> e.key))[1] AS before,
                (array_agg(e.value))[1] AS after,
                count(DISTINCT jsonb_build_array(c.before -> e.key, e.value)) = 1 AS same
            FROM unnest(s.changes) AS c
            CROSS JOIN LATERAL jsonb_each(c.after) AS e
            GROUP BY e.key
        ) AS v
    ) AS d;
END
$$;

CREATE OR REPLACE FUNCTION write_audit_password() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit (user_id, role, action, type, thing_id, after, request_id)
    SELECT
        w.user_id, CASE w.user_id WHEN u.id THEN u.role ELSE a.role END, 'update', 'user', t.user_id,
        '{"password": "changed"}', nullif(current_setting('app.request_id', true), '')
    FROM touched AS t
    JOIN users AS u ON u.id = t.user_id AND (tg_op <> 'INSERT' OR u.created_at < now())
    CROSS JOIN auth.actor() AS a
    CROSS JOIN LATERAL coalesce(a.user_id, CASE WHEN NOT auth.is_by_hand() THEN t.user_id END) AS w (user_id);
    RETURN NULL;
END
$$;

-- Forgetting ------------------------------------------------------------------------------------------------------

-- Amounts, numbers, flags and our own words say nothing of a person; texts of theirs do.
CREATE FUNCTION audit_forgotten(kept json) RETURNS json
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT json_object_agg(
        e.key,
        CASE
            WHEN e.key IN (
                'price', 'price_max', 'price_before', 'state', 'mode', 'error_code', 'role', 'suspended_at', 'ids', 'condition'
            ) OR jsonb_typeof(e.value) IN ('number', 'boolean', 'null') THEN e.value
            ELSE '"forgotten"'
        END
    )
    FROM jsonb_each(kept::jsonb) AS e
$$;
COMMENT ON FUNCTION audit_forgotten IS 'What the trail keeps of an entry when its words are forgotten.';

CREATE FUNCTION refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF tg_op = 'UPDATE'
        AND (to_jsonb(new) - 'before' - 'after') = (to_jsonb(old) - 'before' - 'after')
        AND new.before::text IS NOT DISTINCT FROM audit_forgotten(old.before)::text
        AND new.after::text IS NOT DISTINCT FROM audit_forgotten(old.after)::text
        AND EXISTS (
            SELECT
            FROM stores AS s
            JOIN users AS u ON u.id = s.owner_id
            WHERE s.id = new.store_id AND u.deleted_at IS NOT NULL
        )
    THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = '42501';
END
$$;
COMMENT ON FUNCTION refuse_audit_change IS 'Refuses to change the trail (42501), but for words of a store whose owner has gone.';
DROP TRIGGER refuse_change ON audit;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

-- By the worker, from the oldest entry on, some at a time: where it goes on, NULL when all are done. Safe to repeat.
CREATE FUNCTION auth.forget_trail(
    of_store bigint, after_time timestamptz, after_id bigint, most integer, OUT last_time timestamptz, OUT last_id bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    entries bigint;
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM stores AS s
        JOIN users AS u ON u.id = s.owner_id
        WHERE s.id = of_store AND u.deleted_at IS NOT NULL
    ) THEN
        RETURN;
    END IF;
    WITH entries AS (
        SELECT a.created_at, a.id
        FROM audit AS a
        WHERE a.store_id = of_store
            AND (after_id IS NULL OR (a.created_at, a.id) > (after_time, after_id))
        ORDER BY a.created_at, a.id
        LIMIT most
    ),

    forgotten AS (
        UPDATE audit AS a
        SET before = audit_forgotten(a.before), after = audit_forgotten(a.after)
        FROM entries AS e
        WHERE a.created_at = e.created_at AND a.id = e.id
            AND (
                a.before::text IS DISTINCT FROM audit_forgotten(a.before)::text
                OR a.after::text IS DISTINCT FROM audit_forgotten(a.after)::text
            )
    )

    SELECT count(*), max(e.created_at), (array_agg(e.id ORDER BY e.created_at DESC, e.id DESC))[1]
    INTO entries, last_time, last_id
    FROM entries AS e;
    IF entries < most THEN
        last_time := NULL;
        last_id := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION auth.forget_trail IS 'Forgets the words that the trail keeps of a closed store; where it goes on, NULL at the end.';

-- As in V0014, but that names of theirs in the logs of admins who managed them go, too.
CREATE OR REPLACE FUNCTION auth.forget_things(of_user bigint, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone CONSTANT boolean := EXISTS (
        SELECT FROM users AS u WHERE u.id = of_user AND u.deleted_at IS NOT NULL
    );
    theirs bigint[];
    deleted integer;
    forgotten integer := 0;
BEGIN
    IF NOT gone THEN
        RETURN 0;
    END IF;
    SELECT array_agg(i.id)
    INTO theirs
    FROM imports AS i
    WHERE i.user_id = of_user OR i.store_id IN (SELECT s.id FROM stores AS s WHERE s.owner_id = of_user);
    DELETE FROM import_errors AS e
    WHERE e.ctid = ANY(ARRAY(SELECT f.ctid FROM import_errors AS f WHERE f.import_id = ANY(theirs) LIMIT most));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    forgotten := forgotten + deleted;
    DELETE FROM import_rows AS r
    WHERE r.ctid = ANY(ARRAY(SELECT f.ctid FROM import_rows AS f WHERE f.import_id = ANY(theirs) LIMIT most));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    forgotten := forgotten + deleted;
    IF forgotten = 0 THEN
        DELETE FROM imports AS i WHERE i.id = ANY(theirs);
        DELETE FROM activities AS a
        WHERE a.user_id = of_user AND a.id = ANY(ARRAY(
            SELECT f.id FROM activities AS f WHERE f.user_id = of_user LIMIT most
        ));
        GET DIAGNOSTICS forgotten = ROW_COUNT;
    END IF;
    IF forgotten = 0 THEN
        UPDATE activities AS a
        SET related_name = NULL
        WHERE a.user_id = ANY(ARRAY(
            SELECT t.user_id FROM audit AS t WHERE t.thing_id = of_user AND t.type = 'user' AND t.user_id <> of_user
        ))
        AND a.type = 'manage_user' AND a.related_id = of_user AND a.related_name IS NOT NULL;
    END IF;
    RETURN forgotten;
END
$$;

-- As in V0014, but that nothing a seller has written stays on their products, and the trail says whose wish it is.
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
    UPDATE products AS p
    SET hidden = true, name = 'Product ' || p.id, description = NULL, sku = NULL, source_url = NULL,
        version = p.version + 1, updated_at = now()
    WHERE p.id = ANY(closed);
    PERFORM set_config('app.audit', '', true);
    RETURN coalesce(closed, '{}');
END
$$;
COMMENT ON FUNCTION auth.close_store IS 'Hides products of a store whose owner has gone, without pictures and words; which ones.';

-- What others rely on stays without a name: the number of the account, what was done to things in the audit trail, the
-- products of a closed store, hidden. All else goes. The role and the right to act end last, so that all of it is said to
-- be done by who did it.
CREATE FUNCTION auth.forget_caller(OUT user_id bigint, OUT store_id bigint)
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
        description = NULL, version = s.version + 1, updated_at = now()
    WHERE s.id = forget_caller.store_id;
    DELETE FROM auth.credentials AS c WHERE c.user_id = forget_caller.user_id;
    UPDATE users AS u
    SET name = 'Deleted user', email = 'deleted-' || u.id || '-' || left(md5(random()::text), 8) || '@deleted.invalid',
        email_verified_at = NULL, phone = NULL, address = NULL, avatar = NULL, role = 'buyer', suspended_at = now(),
        deleted_at = now(), version = u.version + 1, updated_at = now()
    WHERE u.id = forget_caller.user_id;
    DELETE FROM auth.sessions AS s WHERE s.user_id = forget_caller.user_id;
END
$$;
COMMENT ON FUNCTION auth.forget_caller IS 'Deletes what is known of the caller; for the functions that ask for a proof.';

CREATE FUNCTION auth.forget_me(proof text, OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM auth.credentials AS c WHERE c.user_id = me() AND c.password_hash = proof FOR SHARE;
    IF FOUND THEN
        SELECT f.user_id, f.store_id INTO user_id, store_id FROM auth.forget_caller() AS f;
    END IF;
END
$$;
COMMENT ON FUNCTION auth.forget_me(text) IS
'Deletes what is known of the caller, whose password is proved, and leaves a number without a name; NULL where it is not.';

CREATE OR REPLACE FUNCTION auth.forget_me(OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    SELECT f.user_id, f.store_id INTO user_id, store_id FROM auth.forget_caller() AS f;
END
$$;

REVOKE ALL ON FUNCTION auth.actor, auth.is_by_hand, audit_forgotten, refuse_audit_change, auth.forget_trail,
auth.forget_caller, auth.forget_me(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.forget_me(text) TO marketplace_app;
GRANT EXECUTE ON FUNCTION auth.forget_trail TO marketplace_worker;
