-- The change feed: which products, stores, categories and brands were made, changed, hidden or deleted, for apps that
-- keep a copy of the catalogue and ask what is new.
--
-- Why it is shaped so:
-- * One row a thing, not one a change: it says in which transaction the thing was last written. So the table is as large
--   as the catalogue and no larger, reading it from the start is an app's first copy, and a thing comes once a pass.
--   The row is a pointer: what is answered is the thing as it is now, or that it is gone.
-- * The order is that of transaction ids (xid8), and only rows below the horizon are served: below the oldest
--   transaction still running, pg_snapshot_xmin(pg_current_snapshot()). A sequence or a time would not do: a row that
--   is committed late would appear behind a reader who has passed its place, and be skipped for ever.
-- * A writer puts its own transaction id into the row, also where that is LOWER than the one it finds there. While a
--   transaction runs, no horizon is above its id, so every reader still stands at or below it and comes by
--   the row when it is committed.
-- * Everything is written by triggers: there is no way to change a thing and not to tell.
--
-- Locks. A row of `changes` is locked from the statement that writes the thing to the end of its transaction, after the
-- thing's own row and after every row that this statement locks (stock: the product, where in_stock flips). Within
-- a statement they are taken in the order of ids. So no circle is closed by them:
-- * a rebuild locks its products by id, then writes documents, then these rows by id: rebuilds wait for each other, and
--   for a change of one of the products, before they hold any row here;
-- * a change of one product holds the product first and one row here last; a rename of a store or brand the same;
-- * stock of several products is changed in one statement, in the order of ids: when it comes to these rows it has
--   all else that it needs. Spread over several statements of one transaction it could wait for a rebuild that waits
--   for it: do not.
-- * an import writes rows nobody else can see yet; whoever changes or removes categories holds the lock of the tree.

-- In the order in which writers take them, so that the triggers below wait for nobody halfway. In a block, since psql -f
-- has no transaction around it.
DO $$
BEGIN
    LOCK TABLE stores, categories, brands, inventory, product_documents IN SHARE ROW EXCLUSIVE MODE;
END
$$;

CREATE TABLE changes (
    type text NOT NULL,
    thing_id bigint NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    waiting_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    waiting_since timestamptz NOT NULL DEFAULT statement_timestamp(),
    gone boolean NOT NULL DEFAULT false,
    CONSTRAINT changes_pkey PRIMARY KEY (type, thing_id),
    CONSTRAINT changes_type_check CHECK (type IN ('product', 'store', 'category', 'brand'))
);
CREATE INDEX changes_xid_idx ON changes (type, xid, thing_id);
-- For pruning; what is gone is rare.
CREATE INDEX changes_gone_idx ON changes (changed_at) WHERE gone;
COMMENT ON TABLE changes IS 'When each thing of the catalogue was last written: what the change feed goes through.';
COMMENT ON COLUMN changes.type IS 'product, store, category or brand.';
COMMENT ON COLUMN changes.thing_id IS 'Which one.';
COMMENT ON COLUMN changes.xid IS 'The transaction that wrote it last; with type and id the place in the feed.';
COMMENT ON COLUMN changes.changed_at IS 'When that was.';
COMMENT ON COLUMN changes.waiting_xid IS
'xid, or that of an earlier transaction whose change nobody had been told of when it was changed again.';
COMMENT ON COLUMN changes.waiting_since IS 'When that was: what a delay is measured by, while waiting_xid is not told.';
COMMENT ON COLUMN changes.gone IS 'Deleted for good; pruned some months later. A hidden product is not gone.';

CREATE TABLE change_feed (
    id boolean NOT NULL DEFAULT true,
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    origin text NOT NULL,
    pruned_xid xid8 NOT NULL DEFAULT '0',
    CONSTRAINT change_feed_pkey PRIMARY KEY (id),
    CONSTRAINT change_feed_id_check CHECK (id)
);
COMMENT ON TABLE change_feed IS 'The state of the change feed as a whole: one row.';
COMMENT ON COLUMN change_feed.id IS 'Always true.';
COMMENT ON COLUMN change_feed.epoch IS 'Made anew when readers have to begin again.';
COMMENT ON COLUMN change_feed.origin IS 'Where the transaction ids in changes come from: change_feed_origin().';
COMMENT ON COLUMN change_feed.pruned_xid IS 'The highest transaction id of a tombstone that was pruned.';

-- A dump that is restored makes a new table in a new database or cluster, a clone a new database: each goes its own way
-- from there, and cursors of the other are no good. What this cannot tell apart are copies of a whole
-- cluster's files (point-in-time recovery, a promoted standby): those need restart_change_feed() by hand.
CREATE FUNCTION change_feed_origin() RETURNS text
LANGUAGE sql VOLATILE SET search_path = public, pg_temp AS $$
    SELECT concat_ws('/', s.system_identifier, d.oid, 'change_feed'::regclass::oid)
    FROM pg_control_system() AS s
    JOIN pg_database AS d ON d.datname = current_database()
$$;
COMMENT ON FUNCTION change_feed_origin IS 'Which cluster, database and table this is: others in every copy by dump or clone.';

-- Writing --------------------------------------------------------------------------------------------------------

CREATE FUNCTION note_changes(kind text, ids bigint[], deleted boolean) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    horizon xid8;
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN;
    END IF;
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    INSERT INTO changes AS kept (type, thing_id, gone)
    SELECT kind, i.id, deleted
    FROM unnest(ids) AS i (id)
    ORDER BY i.id
    ON CONFLICT (type, thing_id) DO UPDATE
    SET xid = excluded.xid,
        changed_at = excluded.changed_at,
        waiting_xid = CASE WHEN kept.waiting_xid >= horizon THEN kept.waiting_xid ELSE excluded.xid END,
        waiting_since = CASE WHEN kept.waiting_xid >= horizon THEN kept.waiting_since ELSE excluded.changed_at END,
        gone = excluded.gone
    WHERE kept.xid <> excluded.xid OR kept.gone <> excluded.gone;
END
$$;
COMMENT ON FUNCTION note_changes IS 'Notes that this transaction has written these things, or deleted them.';

-- A document holds all of a product that is answered but its stock and its description, and the description's change
-- counts up the version, which is in the document.
CREATE FUNCTION note_products() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_changes('product', ARRAY(SELECT t.product_id FROM touched AS t), tg_op = 'DELETE');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_products IS 'Tells of products whose documents were written.';

-- Grouped, not joined: a transition table has no statistics, and the plan that a session keeps from small updates
-- would compare each row of a large one with every other.
CREATE FUNCTION note_stock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_changes(
        'product',
        ARRAY(
            SELECT s.product_id
            FROM (
                SELECT t.product_id, t.quantity FROM touched AS t
                UNION ALL
                SELECT u.product_id, u.quantity FROM untouched AS u
            ) AS s
            GROUP BY s.product_id
            HAVING min(s.quantity) <> max(s.quantity)
        ),
        false
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_stock IS 'Tells of products whose stock is another.';

CREATE FUNCTION note_things() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM note_changes(tg_argv[0], ARRAY(SELECT t.id FROM touched AS t), tg_op = 'DELETE');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION note_things IS 'Tells of stores, categories and brands that were written or deleted.';

CREATE TRIGGER note_insert AFTER INSERT ON product_documents
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_products();
CREATE TRIGGER note_update AFTER UPDATE ON product_documents
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_products();
CREATE TRIGGER note_delete AFTER DELETE ON product_documents
REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_products();
CREATE TRIGGER note_update AFTER UPDATE ON inventory
REFERENCING OLD TABLE AS untouched NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION note_stock();
DO $$
DECLARE
    kind text;
    things text;
BEGIN
    FOR kind, things IN VALUES ('store', 'stores'), ('category', 'categories'), ('brand', 'brands') LOOP
        EXECUTE format('CREATE TRIGGER note_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_things(%L)', things, kind);
        EXECUTE format('CREATE TRIGGER note_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_things(%L)', things, kind);
        EXECUTE format('CREATE TRIGGER note_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION note_things(%L)', things, kind);
    END LOOP;
END
$$;

-- Upkeep ---------------------------------------------------------------------------------------------------------

-- Not above the horizon: nobody has been told of those yet.
CREATE FUNCTION prune_changes(days integer, most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    pruned integer;
    highest xid8;
BEGIN
    WITH old AS (
        SELECT c.type, c.thing_id
        FROM changes AS c
        WHERE c.gone AND c.changed_at < now() - make_interval(days => days)
            AND c.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY c.changed_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    ),

    deleted AS (
        DELETE FROM changes AS c
        USING old AS o
        WHERE c.type = o.type AND c.thing_id = o.thing_id
        RETURNING c.xid
    )

    SELECT count(*), max(d.xid) INTO pruned, highest FROM deleted AS d;
    -- In the same transaction: a reader sees the tombstones, or that they are missing.
    UPDATE change_feed SET pruned_xid = highest WHERE pruned_xid < highest;
    RETURN pruned;
END
$$;
COMMENT ON FUNCTION prune_changes IS 'Forgets what was deleted so many days ago, at most so much at once; how much it was.';

CREATE FUNCTION restart_change_feed() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE changes IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM changes WHERE gone;
    UPDATE changes
    SET xid = pg_current_xact_id(), waiting_xid = pg_current_xact_id(), waiting_since = statement_timestamp();
    DELETE FROM change_feed;
    INSERT INTO change_feed (origin) VALUES (change_feed_origin());
END
$$;
COMMENT ON FUNCTION restart_change_feed IS
'Has every reader begin again: after a restore that put the database back to an earlier time. Writers wait meanwhile.';

CREATE FUNCTION settle_change_feed() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM change_feed AS f WHERE f.origin = change_feed_origin()) THEN
        PERFORM restart_change_feed();
    END IF;
END
$$;
COMMENT ON FUNCTION settle_change_feed IS
'Restarts the feed where its transaction ids come from another database; migrate calls it each time.';

REVOKE ALL ON FUNCTION note_changes, note_products, note_stock, note_things, prune_changes, restart_change_feed,
settle_change_feed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_changes TO marketplace_worker;
GRANT SELECT ON changes, change_feed TO marketplace_app, marketplace_readonly;

-- What is there already.
INSERT INTO change_feed (origin) VALUES (change_feed_origin());
INSERT INTO changes (type, thing_id)
SELECT 'product', d.product_id FROM product_documents AS d
UNION ALL
SELECT 'store', s.id FROM stores AS s
UNION ALL
SELECT 'category', c.id FROM categories AS c
UNION ALL
SELECT 'brand', b.id FROM brands AS b;
