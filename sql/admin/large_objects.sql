-- Large objects belong to no table, so no grant and no policy holds them: whoever may connect may make them, without a
-- bound. The application uses none.
-- As a superuser, in the application's database:  psql -d marketplace -f sql/admin/large_objects.sql
--
-- The embedded server is set up so by itself; `doctor` tells where it is still to be done. Running it twice
-- does no harm.

DO $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('large objects', 0));
    IF has_function_privilege('public', 'pg_catalog.lo_create(oid)', 'EXECUTE') THEN
        REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
        pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_put(oid, bigint, bytea), pg_catalog.lowrite(integer, bytea),
        pg_catalog.lo_truncate(integer, integer), pg_catalog.lo_truncate64(integer, bigint), pg_catalog.lo_unlink(oid)
        FROM PUBLIC;
    END IF;
END
$$;
