-- Who uses the marketplace: users, their passwords and sessions, and the stores they own.
--
-- Why two schemas: the application's role has no grant on anything in `auth` but its functions. A session or a
-- password is reached only through a SECURITY DEFINER function that does one thing, so that a forgotten WHERE, or
-- a statement smuggled in, reads no secret.
--
-- Needs the roles of sql/admin/roles.sql (`migrate` makes them where it may).

CREATE SCHEMA auth;
COMMENT ON SCHEMA auth IS 'Passwords and sessions; no grants on tables, functions only.';
GRANT USAGE ON SCHEMA auth TO marketplace_app;

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    email text NOT NULL,
    email_verified_at timestamptz,
    phone text,
    address text,
    role text NOT NULL DEFAULT 'buyer',
    avatar json,
    suspended_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT users_email_check CHECK (char_length(email) BETWEEN 3 AND 254),
    CONSTRAINT users_phone_check CHECK (char_length(phone) <= 32),
    CONSTRAINT users_address_check CHECK (char_length(address) <= 1000),
    CONSTRAINT users_role_check CHECK (role IN ('buyer', 'seller', 'admin'))
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
COMMENT ON TABLE users IS 'Everybody with an account. Private: row-level security shows each user their own row.';
COMMENT ON COLUMN users.id IS 'Identity, int64.';
COMMENT ON COLUMN users.name IS 'Display name, 1 to 200 characters.';
COMMENT ON COLUMN users.email IS 'Address as typed (domain normalised); unique without regard to case.';
COMMENT ON COLUMN users.email_verified_at IS 'When the owner proved to read this mailbox; NULL until then.';
COMMENT ON COLUMN users.phone IS 'Telephone number as the user wrote it.';
COMMENT ON COLUMN users.address IS 'Postal address, free text.';
COMMENT ON COLUMN users.role IS 'buyer, seller or admin; changed only through functions of auth.';
COMMENT ON COLUMN users.avatar IS 'Picture as the API answers it; URLs begin with chr(127), replaced by PUBLIC_URL.';
COMMENT ON COLUMN users.suspended_at IS 'Since when an admin has locked the account out; NULL when it may act.';
COMMENT ON COLUMN users.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN users.created_at IS 'When the row was made.';
COMMENT ON COLUMN users.updated_at IS 'When the row was last changed.';

CREATE TABLE stores (
    id bigint GENERATED ALWAYS AS IDENTITY,
    owner_id bigint NOT NULL,
    name text NOT NULL,
    description text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stores_pkey PRIMARY KEY (id),
    CONSTRAINT stores_owner_id_key UNIQUE (owner_id),
    CONSTRAINT stores_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT stores_name_check CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT stores_description_check CHECK (char_length(description) <= 5000)
);
CREATE UNIQUE INDEX stores_name_key ON stores (lower(name));
COMMENT ON TABLE stores IS 'A seller''s shop; one a user. Public to read, written by its owner or an admin.';
COMMENT ON COLUMN stores.id IS 'Identity, int64.';
COMMENT ON COLUMN stores.owner_id IS 'The user who sells here.';
COMMENT ON COLUMN stores.name IS 'Name buyers see; unique without regard to case.';
COMMENT ON COLUMN stores.description IS 'What the store says of itself.';
COMMENT ON COLUMN stores.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN stores.created_at IS 'When the store was opened.';
COMMENT ON COLUMN stores.updated_at IS 'When the row was last changed.';

CREATE TABLE auth.credentials (
    user_id bigint NOT NULL,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credentials_pkey PRIMARY KEY (user_id),
    CONSTRAINT credentials_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
COMMENT ON TABLE auth.credentials IS 'Passwords, hashed by bcrypt in the application.';
COMMENT ON COLUMN auth.credentials.user_id IS 'Whose password it is.';
COMMENT ON COLUMN auth.credentials.password_hash IS 'bcrypt of base64(HMAC-SHA384(password, NFKC)).';
COMMENT ON COLUMN auth.credentials.changed_at IS 'When the password was last set.';

CREATE TABLE auth.sessions (
    id bigint GENERATED ALWAYS AS IDENTITY,
    user_id bigint NOT NULL,
    kind text NOT NULL DEFAULT 'device',
    secret_hash bytea NOT NULL,
    device_name text,
    user_agent text,
    ip inet,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_secret_hash_key UNIQUE (secret_hash),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_kind_check CHECK (kind IN ('device', 'import'))
);
CREATE INDEX sessions_user_id_idx ON auth.sessions (user_id) WHERE ended_at IS NULL;
COMMENT ON TABLE auth.sessions IS 'A device that is signed in, or an import at work for the user who sent it.';
COMMENT ON COLUMN auth.sessions.id IS 'Identity, int64.';
COMMENT ON COLUMN auth.sessions.user_id IS 'Who acts through it.';
COMMENT ON COLUMN auth.sessions.kind IS 'device: listed to the user; import: lives as long as the import.';
COMMENT ON COLUMN auth.sessions.secret_hash IS 'SHA-256 of the secret that rides in access and refresh tokens.';
COMMENT ON COLUMN auth.sessions.device_name IS 'Name the app gave at sign-in.';
COMMENT ON COLUMN auth.sessions.user_agent IS 'User-Agent header at sign-in.';
COMMENT ON COLUMN auth.sessions.ip IS 'Address at the last sign-in or refresh.';
COMMENT ON COLUMN auth.sessions.created_at IS 'When the device signed in.';
COMMENT ON COLUMN auth.sessions.last_used_at IS 'When its tokens were last refreshed.';
COMMENT ON COLUMN auth.sessions.expires_at IS 'After this it is dead without a refresh.';
COMMENT ON COLUMN auth.sessions.ended_at IS 'When it was ended: log-out, reuse of a refresh token, password change.';

CREATE TABLE auth.refresh_tokens (
    session_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (session_id, token_hash),
    CONSTRAINT refresh_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT refresh_tokens_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES auth.sessions (id) ON DELETE CASCADE
);
COMMENT ON TABLE auth.refresh_tokens IS 'One-time tokens; all of a session are one family.';
COMMENT ON COLUMN auth.refresh_tokens.session_id IS 'The family.';
COMMENT ON COLUMN auth.refresh_tokens.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN auth.refresh_tokens.issued_at IS 'When it was given out.';
COMMENT ON COLUMN auth.refresh_tokens.used_at IS 'When it was exchanged; a second use ends the family.';

-- Who acts ---------------------------------------------------------------------------------------------------

-- The living session behind a secret's hash: not ended, not expired, its user not suspended.
-- plpgsql, so that the plan is kept by the connection.
CREATE FUNCTION auth.alive(
    hash bytea, OUT user_id bigint, OUT role text, OUT store_id bigint, OUT session_id bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT u.id, u.role, st.id, s.id
    INTO user_id, role, store_id, session_id
    FROM auth.sessions AS s
    JOIN public.users AS u ON u.id = s.user_id
    LEFT JOIN public.stores AS st ON st.owner_id = u.id
    WHERE s.secret_hash = hash
        AND s.ended_at IS NULL
        AND s.expires_at > clock_timestamp()
        AND u.suspended_at IS NULL;
END
$$;
COMMENT ON FUNCTION auth.alive IS 'User, role, store and session of a living session; all NULL when there is none.';

-- Begins every transaction that acts for somebody: 28000 when the session is not alive (the API answers 401).
CREATE FUNCTION auth.act_as(
    hash bytea, OUT user_id bigint, OUT role text, OUT store_id bigint, OUT session_id bigint
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
END
$$;
COMMENT ON FUNCTION auth.act_as IS 'Makes the rest of the transaction act as the user of a living session.';

-- The caller of this transaction. The setting carries the hash of a secret, so that a statement that
-- manages to change the setting still cannot become somebody whose secret it does not know.
CREATE FUNCTION auth.caller(OUT user_id bigint, OUT role text, OUT store_id bigint, OUT session_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT a.user_id, a.role, a.store_id, a.session_id
    INTO user_id, role, store_id, session_id
    FROM auth.alive(decode(nullif(current_setting('app.session', true), ''), 'hex')) AS a;
END
$$;
COMMENT ON FUNCTION auth.caller IS 'Who acts in this transaction; all NULL when nobody does.';

CREATE FUNCTION me() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.user_id FROM auth.caller() AS c);
END
$$;
COMMENT ON FUNCTION me IS 'Id of the user who acts; policies say (SELECT me()), always in that form.';

CREATE FUNCTION my_role() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.role FROM auth.caller() AS c);
END
$$;
COMMENT ON FUNCTION my_role IS 'Role of the user who acts.';

CREATE FUNCTION my_store_id() RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.store_id FROM auth.caller() AS c);
END
$$;
COMMENT ON FUNCTION my_store_id IS 'Store of the user who acts; NULL when they have none.';

-- The narrow door: what happens before there is a caller -------------------------------------------------------

CREATE FUNCTION auth.register(
    new_name text, new_email text, new_role text, new_phone text, new_password_hash text
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    IF new_role NOT IN ('buyer', 'seller') THEN
        RAISE EXCEPTION 'role % cannot be registered', new_role USING ERRCODE = '42501';
    END IF;
    INSERT INTO public.users (name, email, role, phone)
    VALUES (new_name, new_email, new_role, new_phone)
    RETURNING id INTO new_id;
    INSERT INTO auth.credentials (user_id, password_hash) VALUES (new_id, new_password_hash);
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION auth.register IS 'A new buyer or seller; 23505 users_email_key when the address is taken.';

CREATE FUNCTION auth.find_password(wanted_email text, OUT user_id bigint, OUT password_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT u.id, c.password_hash
    INTO user_id, password_hash
    FROM public.users AS u
    JOIN auth.credentials AS c ON c.user_id = u.id
    WHERE lower(u.email) = lower(wanted_email) AND u.suspended_at IS NULL;
END
$$;
COMMENT ON FUNCTION auth.find_password IS 'What a sign-in is checked against; NULL for unknown and suspended.';

CREATE FUNCTION auth.open_session(
    for_user bigint, hash bytea, refresh_hash bytea, seconds integer,
    device text, agent text, address inet
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO auth.sessions (user_id, secret_hash, device_name, user_agent, ip, expires_at)
    VALUES (for_user, hash, device, agent, address, now() + make_interval(secs => seconds))
    RETURNING id INTO new_id;
    INSERT INTO auth.refresh_tokens (session_id, token_hash) VALUES (new_id, refresh_hash);
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION auth.open_session IS 'Signs a device in: a session and the first refresh token of its family.';

-- Exchanges a refresh token. `outcome` is renewed, unknown or reused; a token used before ends its family, unless
-- that was only `grace` seconds ago: a phone that sent two requests at once is no thief.
-- It answers, it does not raise: the end of a family has to be committed.
CREATE FUNCTION auth.refresh(
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
    INSERT INTO auth.refresh_tokens (session_id, token_hash) VALUES (refresh.session_id, new_hash);
    UPDATE auth.sessions
    SET last_used_at = now(), expires_at = now() + make_interval(secs => seconds), ip = address
    WHERE id = refresh.session_id;
    outcome := 'renewed';
END
$$;
COMMENT ON FUNCTION auth.refresh IS 'Exchanges a one-time refresh token for the next; a reused one ends the session.';

-- What a signed-in user may do to their own account -------------------------------------------------------------

CREATE FUNCTION auth.end_session(which bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE auth.sessions SET ended_at = now()
    WHERE id = which AND user_id = public.me() AND ended_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION auth.end_session IS 'Ends one of the caller''s own sessions; false when it is not theirs or ended.';

CREATE FUNCTION auth.end_other_sessions() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended bigint;
    mine record;
BEGIN
    SELECT c.user_id, c.session_id INTO mine FROM auth.caller() AS c;
    UPDATE auth.sessions SET ended_at = now()
    WHERE user_id = mine.user_id AND id <> mine.session_id AND kind = 'device' AND ended_at IS NULL;
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION auth.end_other_sessions IS 'Ends all devices of the caller but the one that asks; how many.';

CREATE FUNCTION auth.my_sessions()
RETURNS TABLE (
    id bigint, device_name text, user_agent text, ip inet,
    created_at timestamptz, last_used_at timestamptz, expires_at timestamptz, current boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, s.device_name, s.user_agent, s.ip, s.created_at, s.last_used_at, s.expires_at, s.id = c.session_id
    FROM auth.caller() AS c
    JOIN auth.sessions AS s ON s.user_id = c.user_id
    WHERE s.kind = 'device' AND s.ended_at IS NULL AND s.expires_at > now()
    ORDER BY s.last_used_at DESC, s.id DESC
    LIMIT 100;
END
$$;
COMMENT ON FUNCTION auth.my_sessions IS 'The caller''s devices that are signed in, the last used first.';

CREATE FUNCTION auth.my_password() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.password_hash FROM auth.credentials AS c WHERE c.user_id = public.me());
END
$$;
COMMENT ON FUNCTION auth.my_password IS 'The caller''s password hash, to check the present password against.';

CREATE FUNCTION auth.change_password(new_password_hash text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE auth.credentials SET password_hash = new_password_hash, changed_at = now()
    WHERE user_id = public.me();
    PERFORM auth.end_other_sessions();
END
$$;
COMMENT ON FUNCTION auth.change_password IS 'Sets the caller''s password and ends their other sessions.';

CREATE FUNCTION auth.become_seller() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.users SET role = 'seller', version = version + 1, updated_at = now()
    WHERE id = public.me() AND role = 'buyer';
END
$$;
COMMENT ON FUNCTION auth.become_seller IS 'Makes the calling buyer a seller: they have opened a store.';

-- Roles and suspension are an admin's to change. Suspending ends every session at once: alive() looks.
CREATE FUNCTION auth.manage_user(which bigint, new_role text, suspend boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.my_role() IS DISTINCT FROM 'admin' OR new_role = 'admin' THEN
        RAISE EXCEPTION 'only an admin manages users, and admins are made on the command line'
        USING ERRCODE = '42501';
    END IF;
    UPDATE public.users
    SET role = coalesce(new_role, role),
        suspended_at = CASE
            WHEN suspend IS NULL THEN suspended_at
            WHEN suspend THEN coalesce(suspended_at, now())
        END,
        version = version + 1,
        updated_at = now()
    WHERE id = which;
    IF suspend THEN
        UPDATE auth.sessions SET ended_at = now() WHERE user_id = which AND ended_at IS NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION auth.manage_user IS 'An admin changes a role or suspends; NULL leaves a thing as it is.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA auth TO marketplace_app;
GRANT EXECUTE ON FUNCTION me(), my_role(), my_store_id() TO marketplace_app;

-- The walls ------------------------------------------------------------------------------------------------------

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY users_read ON users FOR SELECT TO marketplace_app
USING (id = (SELECT me()) OR (SELECT my_role()) = 'admin');
CREATE POLICY users_change ON users FOR UPDATE TO marketplace_app
USING (id = (SELECT me()));
GRANT SELECT ON users TO marketplace_app;
GRANT UPDATE (name, email, email_verified_at, phone, address, avatar, version, updated_at) ON users TO marketplace_app;

-- Stores are public and searched, so they have no policies (a policy spoils the plans); this guard refuses the
-- write instead. It looks at a whole statement's rows at once and lets the tables' owner through (migrations,
-- a DBA's own hand).
CREATE FUNCTION guard_stores() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    who record;
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    SELECT c.user_id, c.role INTO who FROM auth.caller() AS c;
    IF who.role IS DISTINCT FROM 'admin'
        AND EXISTS (SELECT FROM touched AS t WHERE t.owner_id IS DISTINCT FROM who.user_id) THEN
        RAISE EXCEPTION 'a store is written by its owner or an admin' USING ERRCODE = '42501';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION guard_stores IS 'Refuses a write to another owner''s store (42501).';
CREATE TRIGGER guard_insert AFTER INSERT ON stores
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_stores();
CREATE TRIGGER guard_update AFTER UPDATE ON stores
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_stores();
CREATE TRIGGER guard_delete AFTER DELETE ON stores
REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_stores();
GRANT SELECT ON stores TO marketplace_app, marketplace_readonly;
GRANT INSERT (owner_id, name, description), UPDATE (name, description, version, updated_at) ON stores TO marketplace_app;
