-- What a buyer keeps for buying goes with the account, by a trigger, so that whatever deletes an account does it:
-- addresses and the cart. What was placed keeps its copy of the address (bookkeeping).

CREATE FUNCTION forget_buyer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM addresses AS a
    WHERE a.user_id = new.id;
    DELETE FROM carts AS c
    WHERE c.user_id = new.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION forget_buyer IS 'Deletes addresses and cart of an account that is deleted.';
REVOKE ALL ON FUNCTION forget_buyer FROM PUBLIC;
CREATE TRIGGER forget_buyer AFTER UPDATE OF deleted_at ON users
FOR EACH ROW WHEN (old.deleted_at IS NULL AND new.deleted_at IS NOT NULL) EXECUTE FUNCTION forget_buyer();
