-- What a store said of itself goes with the account of its owner: city, logo, number, and the settings with its
-- address. By a trigger, so that whatever deletes an account does it.

CREATE FUNCTION forget_store() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM store_settings AS g
    USING stores AS s
    WHERE s.owner_id = new.id AND g.store_id = s.id;
    UPDATE stores AS s
    SET city = NULL, logo = NULL, whatsapp = NULL
    WHERE s.owner_id = new.id AND num_nonnulls(s.city, s.logo, s.whatsapp) > 0;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION forget_store IS 'Deletes what is personal of the store of an account that is deleted.';
REVOKE ALL ON FUNCTION forget_store FROM PUBLIC;
CREATE TRIGGER forget_store AFTER UPDATE OF deleted_at ON users
FOR EACH ROW WHEN (old.deleted_at IS NULL AND new.deleted_at IS NOT NULL) EXECUTE FUNCTION forget_store();
