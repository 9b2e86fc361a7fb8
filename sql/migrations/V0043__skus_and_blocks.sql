-- A SKU stands once in a store, among products and variants; and what an admin says of a product, its seller cannot
-- take back.

-- Looked at, not locked: of two that come at the same instant both get in, and invariants.skus_stand_once (V0047)
-- tells. Each is looked up by itself (LIMIT): a join could keep a plan that reads all variants for one product.
CREATE FUNCTION check_skus() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    taken boolean;
BEGIN
    IF tg_relid = 'variants'::regclass THEN
        taken := EXISTS (
            SELECT
            FROM touched AS t
            CROSS JOIN LATERAL (
                SELECT p.id FROM products AS p WHERE p.store_id = t.store_id AND p.sku = t.sku LIMIT 1
            ) AS other
            WHERE t.sku IS NOT NULL
        );
    ELSE
        taken := EXISTS (
            SELECT
            FROM touched AS t
            CROSS JOIN LATERAL (
                SELECT v.id FROM variants AS v WHERE v.store_id = t.store_id AND v.sku = t.sku LIMIT 1
            ) AS other
            WHERE t.sku IS NOT NULL
        );
    END IF;
    IF taken THEN
        RAISE EXCEPTION 'the SKU is that of another product or variant of the store'
        USING ERRCODE = '23505', TABLE = 'variants', CONSTRAINT = 'variants_sku_key';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION check_skus IS 'Refuses a SKU that a product and a variant of a store would share (23505).';
REVOKE ALL ON FUNCTION check_skus FROM PUBLIC;

CREATE FUNCTION guard_said() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE')
        AND my_role() IS DISTINCT FROM 'admin' THEN
        RAISE EXCEPTION 'that is for admins to say' USING ERRCODE = '42501';
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION guard_said IS 'Refuses a change of what only admins say (42501).';
REVOKE ALL ON FUNCTION guard_said FROM PUBLIC;

CREATE TRIGGER check_skus_insert AFTER INSERT ON products REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION check_skus();
CREATE TRIGGER check_skus_update AFTER UPDATE ON products REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION check_skus();
CREATE TRIGGER guard_said BEFORE UPDATE ON products FOR EACH ROW
WHEN (old.blocked IS DISTINCT FROM new.blocked OR old.hidden_before IS DISTINCT FROM new.hidden_before)
EXECUTE FUNCTION guard_said();
CREATE TRIGGER check_skus_insert AFTER INSERT ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION check_skus();
CREATE TRIGGER check_skus_update AFTER UPDATE ON variants REFERENCING NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION check_skus();
