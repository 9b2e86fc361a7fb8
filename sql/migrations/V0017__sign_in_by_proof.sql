-- Signing in by proof: the hash of a password never leaves the database, and nothing of an account's is done without it.
--
-- Why it is shaped so:
-- * Until now the application read a hash, compared, and said to the database: it was right. Whoever could smuggle in a
--   statement could say the same. Now it is given the salt of the hash, computes the whole hash (which only the password
--   can yield) and hands it in as the proof; the database compares. What opens a session, sets a password or an address,
--   or deletes an account is given the proof and compares it again under a lock, so that it holds for the password that is
--   the present one at the commit, and for an account that is not suspended or deleted meanwhile.
-- * A password that is looked at has a ticket, good once, so that nobody takes back or forgives what others have tried.
-- * Many people share an address (a carrier, a school). One that tries many accounts is held up, not shut: a few tries a
--   minute are still looked at. And who mistypes and then signs in is no longer counted against it.
-- * Additive: the release before goes on for an hour through the functions it knows (old_doors), which then refuse. In a new
--   installation they refuse from the start. The next release drops them.

CREATE TABLE auth.old_doors (
    id boolean NOT NULL DEFAULT true,
    closes_at timestamptz NOT NULL,
    CONSTRAINT old_doors_pkey PRIMARY KEY (id),
    CONSTRAINT old_doors_id_check CHECK (id)
);
COMMENT ON TABLE auth.old_doors IS 'Until when functions that take no proof serve the release before: one row.';
COMMENT ON COLUMN auth.old_doors.id IS 'Always true.';
COMMENT ON COLUMN auth.old_doors.closes_at IS 'An hour after the upgrade; in a new installation its beginning.';
INSERT INTO auth.old_doors (closes_at)
SELECT CASE WHEN EXISTS (SELECT FROM users) THEN now() + interval '1 hour' ELSE now() END;

CREATE FUNCTION auth.are_old_doors_open() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM auth.old_doors AS d WHERE d.closes_at > clock_timestamp())
$$;
COMMENT ON FUNCTION auth.are_old_doors_open IS 'Whether the release before may still be at work.';

CREATE FUNCTION auth.require_old_doors() RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT auth.are_old_doors_open() THEN
        RAISE EXCEPTION 'this needs the proof of a password' USING ERRCODE = '42501';
    END IF;
END
$$;
COMMENT ON FUNCTION auth.require_old_doors IS 'Refuses (42501) what takes no proof, once the release before has gone.';

-- Attempts --------------------------------------------------------------------------------------------------------

-- Unlogged: after a crash nobody is waiting for a verdict any more.
CREATE UNLOGGED TABLE auth.attempts (
    ticket bytea NOT NULL,
    user_id bigint,
    key bytea NOT NULL,
    client inet,
    held boolean NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT attempts_pkey PRIMARY KEY (ticket)
);
COMMENT ON TABLE auth.attempts IS 'Passwords that are being looked at: from their count to their verdict.';
COMMENT ON COLUMN auth.attempts.ticket IS 'What the verdict is asked for with, once.';
COMMENT ON COLUMN auth.attempts.user_id IS 'Whose account it is; NULL where nobody has the address.';
COMMENT ON COLUMN auth.attempts.key IS 'What it is counted under: as auth.guesses.key.';
COMMENT ON COLUMN auth.attempts.client IS 'The client''s address.';
COMMENT ON COLUMN auth.attempts.held IS 'Whether it is one of the few that an address under suspicion still has.';
COMMENT ON COLUMN auth.attempts.begun_at IS 'When it was counted; an hour later nobody waits for it.';

-- As auth.take was; that one now serves the application alone.
CREATE FUNCTION auth.use_limit(
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
COMMENT ON FUNCTION auth.use_limit IS
'One use of a limit: what remains of it; retry_after (seconds) is set where it is refused.';

-- For limits by class of call. Those on passwords and mails are used up by their own functions alone, and no use shuts
-- anybody out for longer than a minute at a time.
CREATE OR REPLACE FUNCTION auth.take(
    of_key text, every double precision, burst integer,
    OUT remaining integer, OUT reset_after integer, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF of_key !~ '^[a-z-]+ (user [0-9]+|address [^ ]+)$' OR of_key LIKE 'wrong-password %' OR of_key LIKE 'held %'
        OR NOT every BETWEEN 0 AND 60
    THEN
        RAISE EXCEPTION 'there is no such limit' USING ERRCODE = '42501';
    END IF;
    SELECT u.remaining, u.reset_after, u.retry_after
    INTO remaining, reset_after, retry_after
    FROM auth.use_limit(of_key, every, burst) AS u;
END
$$;

CREATE OR REPLACE FUNCTION auth.mail_token(
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
    SELECT t.retry_after INTO refused FROM auth.use_limit('mail ' || of_kind || ' user ' || user_id, 1200, 3) AS t;
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

CREATE FUNCTION auth.client_block(client inet) RETURNS inet
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE family(client) WHEN 6 THEN network(set_masklen(client, 64)) ELSE client END
$$;
COMMENT ON FUNCTION auth.client_block IS 'What addresses are counted by: of IPv6 the /64.';

-- Counts an attempt, before the password is looked at, so that those sent side by side are all counted. An address that the
-- account has been used from lately has a count of its own and is not held up by others: nobody can lock a user out of
-- their own home. An address under suspicion has five looks at once and four a minute.
CREATE FUNCTION auth.begin_attempt(
    of_email text, client_ip inet, OUT ticket bytea, OUT salt text, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    instant CONSTANT timestamptz := clock_timestamp();
    account CONSTANT text := lower(of_email);
    whose bigint;
    at_home boolean;
    is_held boolean := false;
    counted_as bytea;
    counted integer;
BEGIN
    SELECT u.id, substring(c.password_hash FROM '^\$2[aby]\$\d\d\$[./A-Za-z0-9]{22}')
    INTO whose, salt
    FROM public.users AS u
    JOIN auth.credentials AS c ON c.user_id = u.id
    WHERE lower(u.email) = account AND u.suspended_at IS NULL;
    at_home := coalesce(EXISTS (
        SELECT
        FROM auth.sessions AS s
        WHERE s.user_id = whose AND s.ip = client_ip AND s.kind = 'device'
            AND s.last_used_at > instant - interval '90 days'
    ), false);
    counted_as := sha256(
        convert_to(concat_ws(' ', 'account', account, CASE WHEN at_home THEN host(client_ip) END), 'UTF8')
    );
    IF NOT at_home AND client_ip IS NOT NULL THEN
        is_held := auth.seconds_until_free(auth.address_key(client_ip), 10, 60) > 0;
    END IF;
    IF is_held THEN
        SELECT u.retry_after INTO retry_after FROM auth.use_limit('held ' || auth.address_key(client_ip), 15, 5) AS u;
        IF retry_after IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    INSERT INTO auth.guesses AS g (key, tries, last_at, locked_until)
    VALUES (counted_as, 1, instant, instant)
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
        WHERE g.key = counted_as;
        retry_after := coalesce(retry_after, 1);
        RETURN;
    END IF;
    ticket := uuid_send(gen_random_uuid());
    INSERT INTO auth.attempts (ticket, user_id, key, client, held)
    VALUES (begin_attempt.ticket, whose, counted_as, client_ip, is_held);
END
$$;
COMMENT ON FUNCTION auth.begin_attempt IS
'Counts a password before it is looked at: the salt to hash it with, a ticket; retry_after where none is looked at now.';

-- The verdict, once a ticket. outcome: right, wrong, or unread (no proof was sent: too many were waiting). tell_owner once
-- in a row of ten; spraying when an address has failed at thirty accounts in an hour; retry_after where a wrong one came
-- from an address that is held up.
CREATE FUNCTION auth.settle_attempt(
    of_ticket bytea, proof text,
    OUT outcome text, OUT user_id bigint, OUT tell_owner boolean, OUT spraying boolean, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tried record;
    accounts bigint;
BEGIN
    outcome := 'unread';
    tell_owner := false;
    spraying := false;
    DELETE FROM auth.attempts AS a WHERE a.ticket = of_ticket
    RETURNING a.user_id, a.key, a.client, a.held, auth.client_block(a.client) AS block INTO tried;
    IF tried IS NULL THEN
        RETURN;
    END IF;
    IF proof IS NULL THEN
        DELETE FROM auth.guesses AS g WHERE g.key = tried.key AND g.tries <= 1;
        UPDATE auth.guesses AS g SET tries = g.tries - 1, locked_until = clock_timestamp() WHERE g.key = tried.key;
        RETURN;
    END IF;
    SELECT c.user_id INTO user_id
    FROM auth.credentials AS c
    WHERE c.user_id = tried.user_id AND c.password_hash = proof;
    IF FOUND THEN
        outcome := 'right';
        DELETE FROM auth.guesses AS g WHERE g.key = tried.key;
        DELETE FROM auth.sprayed AS s WHERE s.address = tried.block AND s.account = tried.key;
        IF FOUND THEN
            UPDATE auth.limits AS l SET full_at = l.full_at - interval '10 seconds'
            WHERE l.key = auth.address_key(tried.client);
        END IF;
        RETURN;
    END IF;
    outcome := 'wrong';
    UPDATE auth.guesses AS g SET told = true WHERE g.key = tried.key AND g.tries >= 10 AND NOT g.told;
    tell_owner := FOUND;
    IF tried.client IS NULL THEN
        RETURN;
    END IF;
    PERFORM auth.use_limit(auth.address_key(tried.client), 10, 60);
    INSERT INTO auth.sprayed AS s (address, account, at)
    VALUES (tried.block, tried.key, clock_timestamp())
    ON CONFLICT (address, account) DO UPDATE SET at = excluded.at;
    IF tried.held THEN
        retry_after := greatest(1, auth.seconds_until_free(auth.address_key(tried.client), 10, 60));
        RETURN;
    END IF;
    SELECT count(*) INTO accounts
    FROM auth.sprayed AS s
    WHERE s.address = tried.block AND s.at > clock_timestamp() - interval '1 hour';
    IF accounts >= 30 THEN
        spraying := true;
        DELETE FROM auth.sprayed AS s WHERE s.address = tried.block;
        UPDATE auth.limits AS l
        SET full_at = greatest(l.full_at, clock_timestamp() + interval '900 seconds' + 59 * interval '10 seconds')
        WHERE l.key = auth.address_key(tried.client);
    END IF;
END
$$;
COMMENT ON FUNCTION auth.settle_attempt IS
'Compares a proof with the account''s hash and counts the outcome; without a proof the attempt is taken back.';

-- What needs the proof --------------------------------------------------------------------------------------------

-- Users before credentials, as everybody locks them. A change of the password, a suspension or a deletion under way is
-- waited for, and what it has made of the account is what counts.
CREATE FUNCTION auth.open_session(
    for_user bigint, proof text, hash bytea, refresh_hash bytea, seconds integer,
    device text, agent text, address inet
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    PERFORM FROM public.users AS u WHERE u.id = for_user AND u.suspended_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM FROM auth.credentials AS c WHERE c.user_id = for_user AND c.password_hash = proof FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO auth.sessions (user_id, secret_hash, device_name, user_agent, ip, expires_at)
    VALUES (for_user, hash, device, agent, address, now() + make_interval(secs => seconds))
    RETURNING id INTO new_id;
    INSERT INTO auth.refresh_tokens (session_id, token_hash) VALUES (new_id, refresh_hash);
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION auth.open_session(bigint, text, bytea, bytea, integer, text, text, inet) IS
'Signs a device in, where the proof is that of the present password; NULL where it is not, or the account is closed.';

CREATE FUNCTION auth.change_password(new_password_hash text, proof text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE auth.credentials SET password_hash = new_password_hash, changed_at = now()
    WHERE user_id = public.me() AND password_hash = proof;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM auth.end_other_sessions();
    RETURN true;
END
$$;
COMMENT ON FUNCTION auth.change_password(text, text) IS
'Sets the caller''s password and ends their other sessions; false where the proof is not that of the present one.';

CREATE FUNCTION auth.change_email(new_email text, proof text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM auth.credentials AS c WHERE c.user_id = public.me() AND c.password_hash = proof FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE public.users SET email = new_email, email_verified_at = NULL WHERE id = public.me();
    PERFORM auth.end_other_sessions();
    RETURN true;
END
$$;
COMMENT ON FUNCTION auth.change_email IS
'Sets the caller''s address, unverified, and ends their other sessions; false where the proof is not good.';

-- The mailbox is the proof here. Users before credentials, as everybody locks them.
CREATE OR REPLACE FUNCTION auth.reset_password(of_hash bytea, new_password_hash text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whose bigint;
    account text;
BEGIN
    DELETE FROM auth.mailed_tokens AS m
    USING public.users AS u
    WHERE m.token_hash = of_hash AND m.kind = 'reset' AND m.expires_at > clock_timestamp()
        AND u.id = m.user_id AND lower(u.email) = lower(m.email) AND u.suspended_at IS NULL
    RETURNING u.id INTO whose;
    SELECT lower(u.email) INTO account
    FROM public.users AS u
    WHERE u.id = whose AND u.suspended_at IS NULL
    FOR NO KEY UPDATE;
    IF account IS NULL THEN
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

-- A refresh token may come again while its successor was never used: its answer was lost, or another tab of the browser was
-- quicker. Also within `grace` seconds, whatever became of the successor. Else its second use ends the family.
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
    IF used < clock_timestamp() - make_interval(secs => grace) AND NOT EXISTS (
        SELECT
        FROM auth.refresh_tokens AS t
        WHERE t.token_hash = new_hash AND t.session_id = refresh.session_id AND t.used_at IS NULL
    ) THEN
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

-- Who acts, and in the role that the call was allowed for: one that was lost since then refuses (42501), also between two
-- batches of an export. A role that was won meanwhile is none that anybody relied on.
CREATE FUNCTION auth.act_as(
    hash bytea, expected text, OUT user_id bigint, OUT role text, OUT store_id bigint, OUT session_id bigint
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT a.user_id, a.role, a.store_id, a.session_id
    INTO user_id, role, store_id, session_id
    FROM auth.alive(hash) AS a;
    IF user_id IS NULL THEN
        RAISE EXCEPTION 'the session is not alive' USING ERRCODE = '28000';
    END IF;
    PERFORM set_config('app.session', encode(hash, 'hex'), true);
    IF (expected = 'admin' AND role <> 'admin') OR (expected = 'seller' AND role = 'buyer') THEN
        RAISE EXCEPTION 'the role was taken away' USING ERRCODE = '42501';
    END IF;
END
$$;
COMMENT ON FUNCTION auth.act_as(bytea, text) IS
'Makes the rest of the transaction act as the user of a living session, who still has the role that is relied on.';

-- The old doors ---------------------------------------------------------------------------------------------------

-- No release has called them.
-- squawk-ignore ban-drop-function
DROP FUNCTION auth.find_password(text);
-- squawk-ignore ban-drop-function
DROP FUNCTION auth.my_password();

CREATE OR REPLACE FUNCTION auth.begin_guess(
    of_email text, client inet, OUT user_id bigint, OUT password_hash text, OUT guess bytea, OUT retry_after integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given bytea;
BEGIN
    PERFORM auth.require_old_doors();
    SELECT b.ticket, b.retry_after INTO given, retry_after FROM auth.begin_attempt(of_email, client) AS b;
    guess := coalesce(given, '\x');
    SELECT u.id, c.password_hash
    INTO user_id, password_hash
    FROM public.users AS u
    JOIN auth.credentials AS c ON c.user_id = u.id
    WHERE lower(u.email) = lower(of_email) AND u.suspended_at IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth.end_guess(of_guess bytea, right_one boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    PERFORM auth.settle_attempt(of_guess, CASE WHEN right_one THEN (
        SELECT c.password_hash
        FROM auth.attempts AS a
        JOIN auth.credentials AS c ON c.user_id = a.user_id
        WHERE a.ticket = of_guess
    ) END);
END
$$;

CREATE OR REPLACE FUNCTION auth.wrong_guess(
    of_guess bytea, client inet, OUT tell_owner boolean, OUT spraying boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    SELECT s.tell_owner, s.spraying INTO tell_owner, spraying FROM auth.settle_attempt(of_guess, '') AS s;
END
$$;

CREATE OR REPLACE FUNCTION auth.open_session(
    for_user bigint, hash bytea, refresh_hash bytea, seconds integer,
    device text, agent text, address inet
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    RETURN (
        SELECT auth.open_session(for_user, c.password_hash, hash, refresh_hash, seconds, device, agent, address)
        FROM auth.credentials AS c
        WHERE c.user_id = for_user
    );
END
$$;

CREATE OR REPLACE FUNCTION auth.change_password(new_password_hash text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM auth.require_old_doors();
    UPDATE auth.credentials SET password_hash = new_password_hash, changed_at = now()
    WHERE user_id = public.me();
    PERFORM auth.end_other_sessions();
END
$$;

-- Guards and grants -----------------------------------------------------------------------------------------------

-- One's address is changed by auth.change_email, and confirmed by its mail. (The spelling of the same address is free.)
CREATE FUNCTION guard_users() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN new;
    END IF;
    IF new.email_verified_at IS NOT NULL AND new.email_verified_at IS DISTINCT FROM old.email_verified_at
        OR lower(new.email) <> lower(old.email) AND NOT auth.are_old_doors_open()
    THEN
        RAISE EXCEPTION 'an address is changed by its own function' USING ERRCODE = '42501';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION guard_users IS 'Refuses an address put in or confirmed by a plain statement (42501).';
CREATE TRIGGER guard_email BEFORE UPDATE OF email, email_verified_at ON users
FOR EACH ROW WHEN (
    old.email IS DISTINCT FROM new.email OR old.email_verified_at IS DISTINCT FROM new.email_verified_at
)
EXECUTE FUNCTION guard_users();

CREATE OR REPLACE FUNCTION auth.sweep_guarding() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM auth.limits WHERE full_at < clock_timestamp();
    DELETE FROM auth.guesses WHERE last_at < now() - interval '1 day';
    DELETE FROM auth.sprayed WHERE at < now() - interval '1 day';
    DELETE FROM auth.attempts WHERE begun_at < now() - interval '1 hour';
    DELETE FROM auth.mailed_tokens WHERE expires_at < now();
$$;

REVOKE ALL ON FUNCTION auth.are_old_doors_open, auth.require_old_doors, auth.use_limit, auth.client_block, auth.begin_attempt,
auth.settle_attempt, auth.open_session(bigint, text, bytea, bytea, integer, text, text, inet),
auth.change_password(text, text), auth.change_email, auth.act_as(bytea, text), guard_users FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.are_old_doors_open, auth.begin_attempt, auth.settle_attempt,
auth.open_session(bigint, text, bytea, bytea, integer, text, text, inet), auth.change_password(text, text),
auth.change_email, auth.act_as(bytea, text) TO marketplace_app;
