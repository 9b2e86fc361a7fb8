-- A statement that touches no row has nothing to guard.
--
-- A guard of a product's parts looked up who acts before it looked at what was touched. INSERT ... ON CONFLICT DO
-- UPDATE fires the triggers of both commands, so writing one product looked eight times, four of them for nothing. Who
-- acts is found out by three tables, as a setting that says it could be forged.
CREATE OR REPLACE FUNCTION guard_product_parts() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    who record;
BEGIN
    IF NOT EXISTS (SELECT FROM touched AS t) THEN
        RETURN NULL;
    END IF;
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF who.role = 'admin' OR (who.role IS NULL AND pg_has_role(current_user, 'marketplace_worker', 'USAGE')) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT
        FROM touched AS t
        JOIN products AS p ON p.id = t.product_id
        WHERE p.store_id IS DISTINCT FROM who.store_id
    ) THEN
        RAISE EXCEPTION 'what belongs to a product is written by its store or an admin' USING ERRCODE = '42501';
    END IF;
    RETURN NULL;
END
$$;
