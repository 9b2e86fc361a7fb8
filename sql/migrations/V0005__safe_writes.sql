-- Writes that may be sent again, and writes that hold only for what was read.
--
-- idempotency_keys keeps answers for requests that come again: a phone in a tunnel does not know whether its first
-- try arrived. The row is written in the transaction of the effect. It holds the answer itself, since a second reading
-- of the thing could say something else than the first.

CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    location text,
    version text,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, key),
    CONSTRAINT idempotency_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT idempotency_keys_key_check CHECK (char_length(key) BETWEEN 1 AND 255)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
COMMENT ON TABLE idempotency_keys IS 'What was answered to a POST with an Idempotency-Key; a day long. Private to its user.';
COMMENT ON COLUMN idempotency_keys.user_id IS 'Whose key it is: two users may send the same.';
COMMENT ON COLUMN idempotency_keys.key IS 'As the client sent it.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'SHA-256 of method, path, query and body: another request under the key is refused.';
COMMENT ON COLUMN idempotency_keys.status IS 'HTTP status of the answer.';
COMMENT ON COLUMN idempotency_keys.location IS 'Its Location header.';
COMMENT ON COLUMN idempotency_keys.version IS 'Version of the thing that was answered; part of its ETag.';
COMMENT ON COLUMN idempotency_keys.body IS 'The answer; URLs of uploads begin with chr(127), replaced by PUBLIC_URL on the way out.';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When the request was done; a day later the key may be used anew.';

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY idempotency_keys_own ON idempotency_keys TO marketplace_app
USING (user_id = (SELECT me())) WITH CHECK (user_id = (SELECT me()));
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO marketplace_app;
CREATE POLICY idempotency_keys_worker ON idempotency_keys TO marketplace_worker USING (true);
GRANT SELECT, UPDATE, DELETE ON idempotency_keys TO marketplace_worker;

-- A change that holds only for the version its client has read: the row is locked before that is looked at. Users are
-- changed through functions, so they are locked through one.
CREATE FUNCTION auth.hold_user(which bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present bigint;
BEGIN
    IF which IS DISTINCT FROM public.me() AND public.my_role() IS DISTINCT FROM 'admin' THEN
        RETURN NULL;
    END IF;
    SELECT u.version INTO present FROM public.users AS u WHERE u.id = which FOR NO KEY UPDATE;
    RETURN present;
END
$$;
COMMENT ON FUNCTION auth.hold_user IS 'Locks the caller''s own row, or any for an admin; its version, NULL when there is none.';
REVOKE ALL ON FUNCTION auth.hold_user FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.hold_user TO marketplace_app;
