-- Files of pictures: which rows use them, so that a sweeper can tell which nobody uses; and a product with pictures has a
-- main one.

-- Who has this avatar: as product_images.digest.
ALTER TABLE users
-- squawk-ignore adding-field-with-default
ADD COLUMN avatar_digest text GENERATED ALWAYS AS (substring(avatar ->> 'url' FROM '[0-9a-f]{64}')) STORED;
COMMENT ON COLUMN users.avatar_digest IS 'Content hash of the avatar: which files it uses. Kept by PostgreSQL.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX users_avatar_digest_idx ON users (avatar_digest) WHERE avatar_digest IS NOT NULL;

-- Of these pictures those that no row uses, each locked until the transaction ends: whoever is about to use one waits
-- (images.hold_files), and then looks whether its files are still there. Step by step, not in one statement: what is
-- looked up must be newer than the lock. A picture that somebody holds is left out.
CREATE FUNCTION lock_unused_pictures(digests text[]) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    digest_ text;
BEGIN
    FOREACH digest_ IN ARRAY digests LOOP
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('picture ' || digest_, 0));
        CONTINUE WHEN EXISTS (SELECT FROM product_images AS i WHERE i.digest = digest_);
        CONTINUE WHEN EXISTS (SELECT FROM users AS u WHERE u.avatar_digest = digest_);
        RETURN NEXT digest_;
    END LOOP;
END
$$;
COMMENT ON FUNCTION lock_unused_pictures IS 'For the sweeper: pictures that no row uses, locked against those who begin to.';
REVOKE ALL ON FUNCTION lock_unused_pictures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lock_unused_pictures TO marketplace_worker;

-- At most one main picture is an index (product_images_main_key); at least one is looked at when the transaction ends.
CREATE FUNCTION check_main_picture() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM product_images AS i WHERE i.product_id = coalesce(new.product_id, old.product_id))
        AND NOT EXISTS (
            SELECT FROM product_images AS i WHERE i.product_id = coalesce(new.product_id, old.product_id) AND i.is_main
        )
    THEN
        RAISE EXCEPTION 'product % has pictures and no main one', coalesce(new.product_id, old.product_id)
            USING ERRCODE = 'check_violation', TABLE = 'product_images', CONSTRAINT = 'product_images_main_check';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION check_main_picture IS 'A product with pictures has a main one.';
CREATE CONSTRAINT TRIGGER main_insert AFTER INSERT ON product_images DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NOT new.is_main) EXECUTE FUNCTION check_main_picture();
CREATE CONSTRAINT TRIGGER main_update AFTER UPDATE OF is_main ON product_images DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (old.is_main AND NOT new.is_main) EXECUTE FUNCTION check_main_picture();
CREATE CONSTRAINT TRIGGER main_delete AFTER DELETE ON product_images DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (old.is_main) EXECUTE FUNCTION check_main_picture();
