-- A brand that a seller names is public when something on sale has it, not before: a product that is still hidden does not
-- tell of its maker. V0063 lists a brand with its first product on sale; the worker takes it out when none is left.

ALTER TABLE brands ALTER COLUMN listed SET DEFAULT (my_role() IS DISTINCT FROM 'seller');
COMMENT ON COLUMN brands.listed IS
'Guests see it: it is kept, or a product on sale has it. Made true by V0063, kept true by the worker.';

-- As in V0025, but that brands are looked at again when they are locked: the first look may be older than a product that
-- was shown meanwhile, and whoever comes later waits for the lock.
CREATE OR REPLACE FUNCTION settle_brands(which bigint[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    unused bigint[];
    wrong bigint[];
    settled integer;
    removed integer;
BEGIN
    PERFORM set_config('app.audit', 'import', true);
    SELECT array_agg(u.id)
    INTO unused
    FROM (
        SELECT b.id
        FROM brands AS b
        WHERE (which IS NULL OR b.id = ANY(which))
            AND NOT b.kept
            AND NOT EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id)
        ORDER BY b.id
        FOR UPDATE SKIP LOCKED
    ) AS u;
    DELETE FROM brands AS b
    WHERE b.id = ANY(unused) AND NOT EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    SELECT array_agg(w.id)
    INTO wrong
    FROM (
        SELECT b.id
        FROM brands AS b
        WHERE (which IS NULL OR b.id = ANY(which))
            AND b.listed <> (b.kept OR EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id AND NOT p.hidden))
        ORDER BY b.id
        FOR UPDATE SKIP LOCKED
    ) AS w;
    UPDATE brands AS b
    SET listed = NOT b.listed
    WHERE b.id = ANY(wrong)
        AND b.listed <> (b.kept OR EXISTS (SELECT FROM products AS p WHERE p.brand_id = b.id AND NOT p.hidden));
    GET DIAGNOSTICS settled = ROW_COUNT;
    PERFORM set_config('app.audit', '', true);
    RETURN removed + settled;
END
$$;
