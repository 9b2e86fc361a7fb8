-- The floor of a transaction: the rows that it has written, by one statement, into tables with the same columns, indexes
-- and checks, without triggers, foreign keys and policies. By the owner of the tables.

CREATE SCHEMA floor;

-- How many rows a transaction has left in each table of a schema.
CREATE FUNCTION floor.written(place text, tx text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    thing text;
    lines bigint;
    found jsonb := '{}';
BEGIN
    FOR thing IN
        SELECT c.relname
        FROM pg_class AS c
        WHERE c.relnamespace = place::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT count(*) FROM %I.%I AS t WHERE t.xmin = %L::xid', place, thing, tx) INTO lines;
        IF lines > 0 THEN
            found := found || jsonb_build_object(thing, lines);
        END IF;
    END LOOP;
    RETURN found;
END
$$;

-- A value of a row p as text of a statement: $1 counts the calls, so that no key comes twice.
CREATE FUNCTION floor.value(name text, kind text) RETURNS text
LANGUAGE sql AS $$
    SELECT format(
        CASE
            WHEN kind = 'bigint' AND name IN ('id', 'checkout_id', 'order_id', 'payment_id', 'entry_id')
                THEN 'format(''(%%L::bigint + $1 * 1000)'', p.%1$I)'
            WHEN kind = 'text' AND name IN ('number', 'our_reference', 'source', 'key')
                THEN 'format(''(%%L::text || $1)'', p.%1$I)'
            ELSE 'format(''%%L::%2$s'', p.%1$I::text)'
        END,
        name, kind
    )
$$;

-- The parts of a statement that writes again what a transaction has written: an INSERT for the rows of a table, or an
-- UPDATE for each row of those that are only changed.
CREATE FUNCTION floor.parts(thing text, tx text, changed boolean) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    columns text[];
    written text[];
    keys text[];
    found text[];
    query text;
BEGIN
    SELECT
        array_agg(quote_ident(a.attname) ORDER BY a.attnum),
        array_agg(floor.value(a.attname::text, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum),
        array_agg((a.attnum = ANY(i.indkey::smallint[]))::text ORDER BY a.attnum)
    INTO columns, written, keys
    FROM pg_attribute AS a
    JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = format('public.%I', thing)::regclass
        AND a.attnum > 0
        AND NOT a.attisdropped
        AND a.attgenerated = '';
    IF changed THEN
        query := format(
            'SELECT array_agg(%L || concat_ws('', '', %s) || '' WHERE '' || concat_ws('' AND '', %s)) FROM public.%I AS p'
            ' WHERE p.xmin = %L::xid',
            format('UPDATE floor.%I SET ', thing),
            (
                SELECT string_agg(format('%L || %s', c || ' = ', w), ', ')
                FROM unnest(columns, written, keys) AS u (c, w, k)
                WHERE k <> 'true'
            ),
            (
                SELECT string_agg(format('%L || %s', c || ' = ', w), ', ')
                FROM unnest(columns, written, keys) AS u (c, w, k)
                WHERE k = 'true'
            ),
            thing, tx
        );
    ELSE
        query := format(
            'SELECT ARRAY[%L || string_agg(''('' || concat_ws('', '', %s) || '')'', '', '')] FROM public.%I AS p'
            ' WHERE p.xmin = %L::xid',
            format('INSERT INTO floor.%I (%s) OVERRIDING SYSTEM VALUE VALUES ', thing, array_to_string(columns, ', ')),
            array_to_string(written, ', '), thing, tx
        );
    END IF;
    EXECUTE query INTO found;
    RETURN found;
END
$$;

-- Prepares, for this session, a statement of that name that writes what a transaction has written.
CREATE FUNCTION floor.prepare(name text, tx text, changed text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    thing text;
    parts text[] := '{}';
BEGIN
    FOR thing IN SELECT w.key FROM jsonb_each(floor.written('public', tx)) AS w ORDER BY w.key LOOP
        IF to_regclass(format('floor.%I', thing)) IS NULL THEN
            EXECUTE format('CREATE TABLE floor.%I (LIKE public.%I INCLUDING ALL)', thing, thing);
            IF thing = ANY(changed) THEN
                EXECUTE format('INSERT INTO floor.%I SELECT * FROM public.%I', thing, thing);
            END IF;
        END IF;
        parts := parts || floor.parts(thing, tx, thing = ANY(changed));
    END LOOP;
    EXECUTE format(
        'PREPARE %I (bigint) AS WITH %s SELECT 1',
        name, (SELECT string_agg(format('w%s AS (%s)', p.n, p.part), ', ') FROM unnest(parts) WITH ORDINALITY AS p (part, n))
    );
END
$$;
