-- A store whose owner deletes their account is stopped in the same transaction: it is in no list any more, nothing of
-- it can be bought, and the worker hides its products.

CREATE OR REPLACE FUNCTION forget_store() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM store_settings AS g
    USING stores AS s
    WHERE s.owner_id = new.id AND g.store_id = s.id;
    UPDATE stores AS s
    SET city = NULL, logo = NULL, whatsapp = NULL, closed_until = NULL, state = 'suspended', state_reason = 'owner'
    WHERE s.owner_id = new.id
        AND (s.state <> 'suspended' OR s.state_reason <> 'owner' OR num_nonnulls(s.city, s.logo, s.whatsapp) > 0);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION forget_store IS
'Stops the store of an account that is deleted, and deletes what is personal of it.';

-- Those that were deleted before. Few rows, each for a moment.
UPDATE stores AS s
SET state = 'suspended', state_reason = 'owner'
FROM users AS u
WHERE u.id = s.owner_id AND u.deleted_at IS NOT NULL AND s.state <> 'suspended';
