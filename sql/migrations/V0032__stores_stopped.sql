-- Stores that are somebody (logo, city, a number to write to), that go on holiday, and that can be stopped.
--
-- Which files a logo uses is an index, not a column that PostgreSQL keeps: adding such a column writes the table anew,
-- and a statement that began before and looks for its caller's store afterwards would find none.

ALTER TABLE stores
ADD COLUMN state text NOT NULL DEFAULT 'active',
ADD COLUMN state_reason text,
ADD COLUMN closed_until timestamptz,
ADD COLUMN city text,
ADD COLUMN logo jsonb,
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
COMMENT ON COLUMN stores.whatsapp IS 'Number buyers may write to.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX stores_logo_idx ON stores (substring(logo ->> 'url' FROM '[0-9a-f]{64}')) WHERE logo IS NOT NULL;
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
        CONTINUE WHEN EXISTS (
            SELECT
            FROM stores AS s
            WHERE s.logo IS NOT NULL AND substring(s.logo ->> 'url' FROM '[0-9a-f]{64}') = digest_
        );
        RETURN NEXT digest_;
    END LOOP;
END
$$;
