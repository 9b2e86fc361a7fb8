-- Stores that are somebody (logo, city, a number to write to), that go on holiday, and that can be stopped.
--
-- logo_digest is kept by a trigger: a generated column would write the table anew, and a statement that waits for that
-- with an older snapshot then reads an empty table.

ALTER TABLE stores
ADD COLUMN state text NOT NULL DEFAULT 'active',
ADD COLUMN state_reason text,
ADD COLUMN closed_until timestamptz,
ADD COLUMN city text,
ADD COLUMN logo jsonb,
ADD COLUMN logo_digest text,
ADD COLUMN whatsapp text,
ADD CONSTRAINT stores_state_check CHECK (state IN ('pending', 'active', 'suspended')) NOT VALID,
ADD CONSTRAINT stores_state_reason_check CHECK (char_length(state_reason) <= 500) NOT VALID,
ADD CONSTRAINT stores_city_check CHECK (char_length(city) BETWEEN 1 AND 100) NOT VALID,
ADD CONSTRAINT stores_whatsapp_check CHECK (char_length(whatsapp) BETWEEN 1 AND 20) NOT VALID;
COMMENT ON COLUMN stores.state IS
'active; pending: waits for an admin (STORES_NEED_APPROVAL); suspended: an admin stopped it. Only active ones sell.';
COMMENT ON COLUMN stores.state_reason IS
'Why it is not active; ''owner'': its owner was suspended, and it goes with them.';
COMMENT ON COLUMN stores.closed_until IS 'A holiday: nothing is sold before; NULL: open.';
COMMENT ON COLUMN stores.city IS 'Where it is; stands beside the name, in documents of products too.';
COMMENT ON COLUMN stores.logo IS 'Picture as the API answers it, as users.avatar.';
COMMENT ON COLUMN stores.logo_digest IS 'Content hash of the logo: which files it uses. Kept by PostgreSQL.';
COMMENT ON COLUMN stores.whatsapp IS 'Number buyers may write to.';
CREATE FUNCTION set_logo_digest() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.logo_digest := substring(new.logo ->> 'url' FROM '[0-9a-f]{64}');
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_logo_digest IS 'Keeps stores.logo_digest.';
CREATE TRIGGER set_logo_digest BEFORE INSERT OR UPDATE OF logo, logo_digest ON stores
FOR EACH ROW EXECUTE FUNCTION set_logo_digest();
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stores_logo_digest_idx ON stores (logo_digest) WHERE logo_digest IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stores_stopped_idx ON stores (id) WHERE state <> 'active';

GRANT INSERT (state), UPDATE (state, state_reason, closed_until, city, logo, whatsapp) ON stores TO marketplace_app;

-- As it was in V0011, and a picture is used where it is a logo.
CREATE OR REPLACE FUNCTION lock_unused_pictures(digests text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    digest_ text;
BEGIN
    FOREACH digest_ IN ARRAY digests LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('picture ' || digest_, 0));
        CONTINUE WHEN EXISTS (SELECT FROM product_images AS i WHERE i.digest = digest_);
        CONTINUE WHEN EXISTS (SELECT FROM users AS u WHERE u.avatar_digest = digest_);
        CONTINUE WHEN EXISTS (SELECT FROM stores AS s WHERE s.logo_digest = digest_);
        RETURN NEXT digest_;
    END LOOP;
END
$$;
