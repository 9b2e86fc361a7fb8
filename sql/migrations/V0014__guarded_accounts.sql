-- Guessing, limits, what is sent by mail, and being forgotten: what protects accounts from those who are not their owners.
--
-- Everything is counted here, so that all workers and machines agree. Addresses and e-mail addresses that are only
-- counted are kept as hashes.

-- How often -------------------------------------------------------------------------------------------------------

-- Unlogged: after a crash everybody begins anew, and counting costs no WAL.
CREATE UNLOGGED TABLE auth.limits (
    key text COLLATE "C" NOT NULL,
    full_at timestamptz NOT NULL,
    CONSTRAINT limits_pkey PRIMARY KEY (key)
) WITH (fillfactor = 50);
COMMENT ON TABLE auth.limits IS 'How much of each limit is used up: one row a class of calls and who calls.';
COMMENT ON COLUMN auth.limits.key IS 'Class and subject: `write user 17`, `sign-in address 203.0.113.7`.';
COMMENT ON COLUMN auth.limits.full_at IS 'When all of it may be used again; each use moves it on (the TAT of GCRA).';

-- The generic cell rate algorithm (ITU-T I.371): a use moves full_at on by `every` seconds, and is refused where that would
-- be more than `burst` uses ahead of the clock.
CREATE FUNCTION auth.take(
    of_key text, every double precision, burst integer,
    OUT remaining integer, OUT reset_after integer, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    instant CONSTANT timestamptz := clock_timestamp();
    step CONSTANT interval := make_interval(secs => every);
    used_until timestamptz;
BEGIN
    INSERT INTO auth.limits AS l (key, full_at)
    VALUES (of_key, instant + step)
    ON CONFLICT (key) DO UPDATE SET full_at = greatest(l.full_at, instant) + step
    WHERE greatest(l.full_at, instant) + step <= instant + burst * step
    RETURNING l.full_at INTO used_until;
    IF used_until IS NULL THEN
        SELECT l.full_at INTO used_until FROM auth.limits AS l WHERE l.key = of_key;
        remaining := 0;
        retry_after := greatest(1, ceil(extract(EPOCH FROM used_until + step - burst * step - instant)));
    ELSE
        remaining := greatest(0, floor((burst * every - extract(EPOCH FROM used_until - instant)) / every + 1e-6));
    END IF;
    reset_after := greatest(0, ceil(extract(EPOCH FROM used_until - instant)));
END
$$;
COMMENT ON FUNCTION auth.take IS 'One use of a limit: what remains of it; retry_after (seconds) is set where it is refused.';

-- A look, without using any: seconds to wait, 0 where a use would be taken.
CREATE FUNCTION auth.seconds_until_free(of_key text, every double precision, burst integer) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(greatest(0, ceil(
        extract(EPOCH FROM l.full_at - clock_timestamp()) + every - burst * every
    ))), 0)::integer
    FROM auth.limits AS l
    WHERE l.key = of_key
$$;
COMMENT ON FUNCTION auth.seconds_until_free IS 'How long until a limit would take one more use; 0 for at once.';

-- Guessing --------------------------------------------------------------------------------------------------------

CREATE TABLE auth.guesses (
    key bytea NOT NULL,
    tries integer NOT NULL,
    last_at timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,
    told boolean NOT NULL DEFAULT false,
    CONSTRAINT guesses_pkey PRIMARY KEY (key)
) WITH (fillfactor = 70);
COMMENT ON TABLE auth.guesses IS 'Passwords tried in a row for an account, whether or not there is one of that address.';
COMMENT ON COLUMN auth.guesses.key IS 'SHA-256 of the e-mail address; with the client''s, where the account has signed in from it.';
COMMENT ON COLUMN auth.guesses.tries IS 'How many, counted before the password is looked at; gone when the right one comes.';
COMMENT ON COLUMN auth.guesses.last_at IS 'The last of them.';
COMMENT ON COLUMN auth.guesses.locked_until IS 'Until then none is looked at.';
COMMENT ON COLUMN auth.guesses.told IS 'Whether the owner has been written to.';

CREATE TABLE auth.sprayed (
    address inet NOT NULL,
    account bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT sprayed_pkey PRIMARY KEY (address, account)
);
COMMENT ON TABLE auth.sprayed IS 'Accounts for which a wrong password came from an address: many mean that it tries them in turn.';
COMMENT ON COLUMN auth.sprayed.address IS 'The client''s address; of IPv6 its /64.';
COMMENT ON COLUMN auth.sprayed.account IS 'As auth.guesses.key.';
COMMENT ON COLUMN auth.sprayed.at IS 'The last time.';

-- Five guesses are looked at at once; then come 1, 2, 4, 8, 16 seconds; from the tenth on a quarter of an hour each.
CREATE FUNCTION auth.lock_seconds(tries integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN tries < 5 THEN 0 WHEN tries < 10 THEN 1 << (tries - 5) ELSE 900 END
$$;
COMMENT ON FUNCTION auth.lock_seconds IS 'How long an account is locked after so many wrong passwords in a row.';

-- Sixty wrong passwords an address, one more every ten seconds: many people share one (a carrier''s NAT, a school).
CREATE FUNCTION auth.address_key(client inet) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT 'wrong-password address ' || CASE family(client)
        WHEN 6 THEN network(set_masklen(client, 64))::text ELSE host(client)
    END
$$;
COMMENT ON FUNCTION auth.address_key IS 'What wrong passwords from an address are counted under.';

-- Begins a sign-in: counts it before the password is looked at, so that guesses sent side by side are all counted.
-- An address that the account has been used from lately has a count of its own and is not held up by others'
-- guesses: nobody can lock a user out of their own home.
CREATE FUNCTION auth.begin_guess(
    of_email text, client inet, OUT user_id bigint, OUT password_hash text, OUT guess bytea, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    instant CONSTANT timestamptz := clock_timestamp();
    account CONSTANT text := lower(of_email);
    at_home boolean;
    counted integer;
BEGIN
    SELECT u.id, c.password_hash
    INTO user_id, password_hash
    FROM public.users AS u
    JOIN auth.credentials AS c ON c.user_id = u.id
    WHERE lower(u.email) = account AND u.suspended_at IS NULL;
    at_home := coalesce(EXISTS (
        SELECT
        FROM auth.sessions AS s
        WHERE s.user_id = begin_guess.user_id AND s.ip = client AND s.kind = 'device'
            AND s.last_used_at > instant - interval '90 days'
    ), false);
    guess := sha256(convert_to(concat_ws(' ', 'account', account, CASE WHEN at_home THEN host(client) END), 'UTF8'));
    IF NOT at_home AND client IS NOT NULL THEN
        retry_after := nullif(auth.seconds_until_free(auth.address_key(client), 10, 60), 0);
        IF retry_after IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO auth.guesses AS g (key, tries, last_at, locked_until)
    VALUES (guess, 1, instant, instant)
    ON CONFLICT (key) DO UPDATE
    SET tries = CASE WHEN g.last_at < instant - interval '1 day' THEN 1 ELSE g.tries + 1 END,
        told = g.told AND g.last_at >= instant - interval '1 day',
        last_at = instant,
        locked_until = instant + make_interval(secs => auth.lock_seconds(
            CASE WHEN g.last_at < instant - interval '1 day' THEN 1 ELSE g.tries + 1 END
        ))
    WHERE g.locked_until <= instant
    RETURNING g.tries INTO counted;
    IF counted IS NULL THEN
        SELECT greatest(1, ceil(extract(EPOCH FROM g.locked_until - instant)))
        INTO retry_after
        FROM auth.guesses AS g
        WHERE g.key = guess;
        retry_after := coalesce(retry_after, 1);
    END IF;
END
$$;
COMMENT ON FUNCTION auth.begin_guess IS 'What a password is checked against, once it is counted; retry_after (seconds) where none is looked at now.';

-- The password was right, or was never looked at: as if it had not been tried.
CREATE FUNCTION auth.end_guess(of_guess bytea, right_one boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM auth.guesses AS g WHERE g.key = of_guess AND (right_one OR g.tries <= 1);
    IF NOT FOUND THEN
        UPDATE auth.guesses AS g
        SET tries = g.tries - 1, locked_until = clock_timestamp()
        WHERE g.key = of_guess;
    END IF;
END
$$;
COMMENT ON FUNCTION auth.end_guess IS 'Forgets the guesses of an account whose password came; or takes one back that was not looked at.';

-- The password was wrong. `tell_owner` once in a row of ten, `spraying` when an address has tried thirty accounts in an hour:
-- then it waits until a quarter of an hour is over.
CREATE FUNCTION auth.wrong_guess(of_guess bytea, client inet, OUT tell_owner boolean, OUT spraying boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    block CONSTANT inet := CASE family(client) WHEN 6 THEN network(set_masklen(client, 64)) ELSE client END;
    accounts bigint;
BEGIN
    UPDATE auth.guesses AS g SET told = true WHERE g.key = of_guess AND g.tries >= 10 AND NOT g.told;
    tell_owner := FOUND;
    spraying := false;
    IF client IS NULL THEN
        RETURN;
    END IF;
    PERFORM auth.take(auth.address_key(client), 10, 60);
    INSERT INTO auth.sprayed AS s (address, account, at)
    VALUES (block, of_guess, clock_timestamp())
    ON CONFLICT (address, account) DO UPDATE SET at = excluded.at;
    SELECT count(*) INTO accounts
    FROM auth.sprayed AS s
    WHERE s.address = block AND s.at > clock_timestamp() - interval '1 hour';
    IF accounts >= 30 THEN
        spraying := true;
        DELETE FROM auth.sprayed AS s WHERE s.address = block;
        UPDATE auth.limits AS l
        SET full_at = greatest(l.full_at, clock_timestamp() + interval '900 seconds' + 59 * interval '10 seconds')
        WHERE l.key = auth.address_key(client);
    END IF;
END
$$;
COMMENT ON FUNCTION auth.wrong_guess IS 'Counts a wrong password for its address; whether the owner is to be told, and whether the address sprays.';

-- Raised cost: the same password, hashed anew at sign-in. Compares, so that a password changed meanwhile stays.
CREATE FUNCTION auth.rehash(of_user bigint, old_hash text, new_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE auth.credentials SET password_hash = new_hash WHERE user_id = of_user AND password_hash = old_hash
$$;
COMMENT ON FUNCTION auth.rehash IS 'Replaces the hash of a password by a costlier one of the same password.';

CREATE FUNCTION auth.is_verified(of_session bytea) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.email_verified_at IS NOT NULL
    FROM auth.sessions AS s
    JOIN public.users AS u ON u.id = s.user_id
    WHERE s.secret_hash = of_session
$$;
COMMENT ON FUNCTION auth.is_verified IS 'Whether the user of a session has shown to read the mail of their address.';

-- By mail ---------------------------------------------------------------------------------------------------------

CREATE TABLE auth.mailed_tokens (
    token_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    kind text NOT NULL,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT mailed_tokens_pkey PRIMARY KEY (token_hash),
    CONSTRAINT mailed_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT mailed_tokens_kind_check CHECK (kind IN ('reset', 'verify'))
);
CREATE INDEX mailed_tokens_user_id_idx ON auth.mailed_tokens (user_id);
COMMENT ON TABLE auth.mailed_tokens IS 'Tokens sent by mail, each good once; the row goes with its use.';
COMMENT ON COLUMN auth.mailed_tokens.token_hash IS 'SHA-256 of the token, which only the mail has.';
COMMENT ON COLUMN auth.mailed_tokens.user_id IS 'Whose it is.';
COMMENT ON COLUMN auth.mailed_tokens.kind IS 'reset: sets a new password; verify: shows that the mailbox is read.';
COMMENT ON COLUMN auth.mailed_tokens.email IS 'The address it was sent to; another one since then voids it.';
COMMENT ON COLUMN auth.mailed_tokens.created_at IS 'When it was made.';
COMMENT ON COLUMN auth.mailed_tokens.expires_at IS 'After this it is no good.';

-- For the worker, which writes the mails: so the API does the same, in the same time, for an address nobody has.
-- Three mails of a kind an hour and mailbox; older tokens of the kind are void.
CREATE FUNCTION auth.mail_token(
    of_email text, of_kind text, new_hash bytea, seconds integer, OUT user_id bigint, OUT email text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refused integer;
BEGIN
    SELECT u.id, u.email
    INTO user_id, email
    FROM public.users AS u
    WHERE lower(u.email) = lower(of_email) AND u.suspended_at IS NULL
        AND (of_kind <> 'verify' OR u.email_verified_at IS NULL);
    IF user_id IS NULL THEN
        RETURN;
    END IF;
    SELECT t.retry_after INTO refused FROM auth.take('mail ' || of_kind || ' user ' || user_id, 1200, 3) AS t;
    IF refused IS NOT NULL THEN
        user_id := NULL;
        RETURN;
    END IF;
    IF of_kind IN ('reset', 'verify') THEN
        DELETE FROM auth.mailed_tokens AS m WHERE m.user_id = mail_token.user_id AND m.kind = of_kind;
        INSERT INTO auth.mailed_tokens (token_hash, user_id, kind, email, expires_at)
        VALUES (new_hash, mail_token.user_id, of_kind, mail_token.email, now() + make_interval(secs => seconds));
    END IF;
END
$$;
COMMENT ON FUNCTION auth.mail_token IS 'Whom to write to, with a new token where the kind has one; NULL where nobody is to be written to.';

CREATE FUNCTION auth.find_reset(of_hash bytea, OUT name text, OUT email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT u.name, u.email
    FROM auth.mailed_tokens AS m
    JOIN public.users AS u ON u.id = m.user_id AND lower(u.email) = lower(m.email) AND u.suspended_at IS NULL
    WHERE m.token_hash = of_hash AND m.kind = 'reset' AND m.expires_at > clock_timestamp()
$$;
COMMENT ON FUNCTION auth.find_reset IS 'Whose password a token may set; NULL where it is no good.';

-- Whoever reads the mailbox owns the account: all its devices are signed out, the address is verified, guesses are forgotten.
CREATE FUNCTION auth.reset_password(of_hash bytea, new_password_hash text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whose bigint;
    account text;
BEGIN
    DELETE FROM auth.mailed_tokens AS m
    USING public.users AS u
    WHERE m.token_hash = of_hash AND m.kind = 'reset' AND m.expires_at > clock_timestamp()
        AND u.id = m.user_id AND lower(u.email) = lower(m.email) AND u.suspended_at IS NULL
    RETURNING u.id, lower(u.email) INTO whose, account;
    IF whose IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE auth.credentials SET password_hash = new_password_hash, changed_at = now() WHERE user_id = whose;
    UPDATE auth.sessions SET ended_at = now() WHERE user_id = whose AND ended_at IS NULL;
    UPDATE public.users
    SET email_verified_at = now(), version = version + 1, updated_at = now()
    WHERE id = whose AND email_verified_at IS NULL;
    DELETE FROM auth.mailed_tokens AS m WHERE m.user_id = whose;
    DELETE FROM auth.guesses AS g WHERE g.key = sha256(convert_to('account ' || account, 'UTF8'));
    RETURN whose;
END
$$;
COMMENT ON FUNCTION auth.reset_password IS 'Sets a password by a mailed token and ends all sessions; whose, NULL where the token is no good.';

CREATE FUNCTION auth.verify_email(of_hash bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whose bigint;
BEGIN
    DELETE FROM auth.mailed_tokens AS m
    USING public.users AS u
    WHERE m.token_hash = of_hash AND m.kind = 'verify' AND m.expires_at > clock_timestamp()
        AND u.id = m.user_id AND lower(u.email) = lower(m.email) AND u.suspended_at IS NULL
    RETURNING u.id INTO whose;
    UPDATE public.users
    SET email_verified_at = now(), version = version + 1, updated_at = now()
    WHERE id = whose AND email_verified_at IS NULL;
    RETURN whose;
END
$$;
COMMENT ON FUNCTION auth.verify_email IS 'Notes that an address''s owner reads its mail; whose, NULL where the token is no good.';

-- Being forgotten -------------------------------------------------------------------------------------------------

ALTER TABLE users ADD COLUMN deleted_at timestamptz;
COMMENT ON COLUMN users.deleted_at IS 'When its owner had the account deleted: a number without a name since then.';

-- What others rely on stays without a name: the account''s number, its lines in the audit trail (which hold no personal
-- data), the products of a closed store, hidden. All else goes.
CREATE FUNCTION auth.forget_me(OUT user_id bigint, OUT store_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    account text;
BEGIN
    SELECT c.user_id, c.store_id INTO user_id, store_id FROM auth.caller() AS c;
    SELECT lower(u.email) INTO account FROM users AS u WHERE u.id = forget_me.user_id;
    DELETE FROM idempotency_keys AS k WHERE k.user_id = forget_me.user_id;
    DELETE FROM auth.mailed_tokens AS m WHERE m.user_id = forget_me.user_id;
    DELETE FROM jobs.procrastinate_jobs AS j
    WHERE j.task_name = 'send_mail' AND j.status <> 'doing' AND lower(j.args ->> 'email') = account;
    DELETE FROM auth.guesses AS g WHERE g.key = sha256(convert_to('account ' || account, 'UTF8'));
    UPDATE stores AS s
    SET name = concat_ws(' ', 'Closed store', s.id, CASE
            WHEN EXISTS (SELECT FROM stores AS o WHERE lower(o.name) = 'closed store ' || s.id)
                THEN left(md5(random()::text), 8)
        END),
        description = NULL, version = s.version + 1, updated_at = now()
    WHERE s.id = forget_me.store_id;
    UPDATE users AS u
    SET name = 'Deleted user', email = 'deleted-' || u.id || '-' || left(md5(random()::text), 8) || '@deleted.invalid',
        email_verified_at = NULL, phone = NULL, address = NULL, avatar = NULL, role = 'buyer', suspended_at = now(),
        deleted_at = now(), version = u.version + 1, updated_at = now()
    WHERE u.id = forget_me.user_id;
    DELETE FROM auth.credentials AS c WHERE c.user_id = forget_me.user_id;
    DELETE FROM auth.sessions AS s WHERE s.user_id = forget_me.user_id;
END
$$;
COMMENT ON FUNCTION auth.forget_me IS 'Deletes what is known of the caller and leaves a number without a name; whose, and their store.';

-- By the worker, some at a time, until nothing is left: an import may have a million bad rows.
CREATE FUNCTION auth.forget_things(of_user bigint, most integer) RETURNS integer
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
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION auth.forget_things IS 'Deletes imports and activities of who has gone; how many rows, 0 when none are left.';

-- A store may have a million products.
CREATE FUNCTION auth.close_store(which bigint, most integer) RETURNS bigint[]
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
            AND (NOT p.hidden OR p.description IS NOT NULL OR EXISTS (
                SELECT FROM product_images AS m WHERE m.product_id = p.id
            ))
        ORDER BY p.id
        LIMIT most
        FOR UPDATE OF p
    ) AS found;
    DELETE FROM product_images AS m WHERE m.product_id = ANY(closed);
    UPDATE products AS p
    SET hidden = true, description = NULL, version = p.version + 1, updated_at = now()
    WHERE p.id = ANY(closed);
    RETURN coalesce(closed, '{}');
END
$$;
COMMENT ON FUNCTION auth.close_store IS 'Hides products of a store whose owner has gone, without pictures and words; which ones.';

-- As it was in V0001, but that a token has one successor, whoever asks for it at the same time: it may be there already.
CREATE OR REPLACE FUNCTION auth.refresh(
    old_hash bytea, new_hash bytea, seconds integer, grace integer, address inet,
    OUT outcome text, OUT session_id bigint, OUT user_id bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    used timestamptz;
BEGIN
    SELECT t.session_id, s.user_id
    INTO session_id, user_id
    FROM auth.refresh_tokens AS t
    JOIN auth.sessions AS s ON s.id = t.session_id
    JOIN public.users AS u ON u.id = s.user_id
    WHERE t.token_hash = old_hash AND s.ended_at IS NULL AND s.expires_at > now() AND u.suspended_at IS NULL
    FOR UPDATE OF s;
    IF session_id IS NULL THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    -- Read behind the lock: a twin may have used it while we waited.
    SELECT t.used_at INTO used FROM auth.refresh_tokens AS t WHERE t.token_hash = old_hash;
    IF used IS NOT NULL AND used < clock_timestamp() - make_interval(secs => grace) THEN
        UPDATE auth.sessions SET ended_at = now() WHERE id = refresh.session_id;
        outcome := 'reused';
        RETURN;
    END IF;
    UPDATE auth.refresh_tokens SET used_at = clock_timestamp() WHERE token_hash = old_hash AND used_at IS NULL;
    INSERT INTO auth.refresh_tokens (session_id, token_hash) VALUES (refresh.session_id, new_hash)
    ON CONFLICT (token_hash) DO NOTHING;
    UPDATE auth.sessions
    SET last_used_at = now(), expires_at = now() + make_interval(secs => seconds), ip = address
    WHERE id = refresh.session_id;
    outcome := 'renewed';
END
$$;

-- Nobody makes temporary tables but the owner, whose functions do.
DO $$
BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO CURRENT_USER', current_database());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

-- Keeping in bounds -----------------------------------------------------------------------------------------------

CREATE FUNCTION auth.sweep_guarding() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.limits WHERE full_at < clock_timestamp();
    DELETE FROM auth.guesses WHERE last_at < now() - interval '1 day';
    DELETE FROM auth.sprayed WHERE at < now() - interval '1 day';
    DELETE FROM auth.mailed_tokens WHERE expires_at < now();
$$;
COMMENT ON FUNCTION auth.sweep_guarding IS 'Forgets counts and tokens that mean nothing any more.';

CREATE FUNCTION drop_month_partitions(parent text, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month text;
    dropped integer := 0;
BEGIN
    IF parent NOT IN ('activities', 'audit') OR days < 1 THEN
        RAISE EXCEPTION '% has no months to drop', parent USING ERRCODE = '22023';
    END IF;
    FOR month IN
        SELECT c.relname
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = format('public.%I', parent)::regclass
            AND c.relname ~ ('^' || parent || '_[0-9]{4}_[0-9]{2}$')
            AND to_timestamp(right(c.relname, 7), 'YYYY_MM') + interval '1 month' < now() - make_interval(days => days)
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', month);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION drop_month_partitions IS 'Drops the months of a table that ended more than so many days ago; how many.';

REVOKE ALL ON FUNCTION auth.take, auth.seconds_until_free, auth.lock_seconds, auth.address_key, auth.begin_guess,
auth.end_guess, auth.wrong_guess, auth.rehash, auth.is_verified, auth.mail_token, auth.find_reset, auth.reset_password, auth.verify_email,
auth.forget_me, auth.forget_things, auth.close_store, auth.sweep_guarding, drop_month_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.take, auth.begin_guess, auth.end_guess, auth.wrong_guess, auth.rehash, auth.is_verified, auth.find_reset,
auth.reset_password, auth.verify_email, auth.forget_me TO marketplace_app;
GRANT EXECUTE ON FUNCTION auth.mail_token, auth.forget_things, auth.close_store, auth.sweep_guarding, drop_month_partitions
TO marketplace_worker;
