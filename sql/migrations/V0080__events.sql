-- Events: what happened to orders, payments and refunds, a row each. The timeline of an order, and the source of mails
-- and of whatever else is told.
--
-- Why it is shaped so:
-- * Triggers write them (V0082): no verb can forget it, and a DBA's hand makes events too. They hold amounts and ids, no
--   names and no addresses: nothing in them has to be forgotten.
-- * Readers go on in the order (xid, id) below the horizon of transactions, as the change feed (V0006): a row that is
--   committed late comes late and is not skipped. A reader's cursor moves in the transaction of what it makes of them:
--   whoever is killed in between has read nothing.
-- * In a restored dump transaction ids begin anew. A cursor says where it is from (change_feed_origin), and next_events
--   refuses another's, loudly; settle_event_cursors, which `migrate` calls each time, sets it anew: what came with the
--   dump counts as told, whatever is written later is told.
-- * A month is a partition; a timeline says created_at >= placed_at, so that old months are not read.

CREATE SEQUENCE events_id_seq AS bigint;
CREATE TABLE events (
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id bigint NOT NULL DEFAULT nextval('events_id_seq'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    type text NOT NULL,
    actor text NOT NULL,
    user_id bigint,
    order_id bigint,
    checkout_id bigint,
    store_id bigint,
    buyer_id bigint,
    data jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT events_pkey PRIMARY KEY (created_at, id),
    CONSTRAINT events_actor_check CHECK (actor IN ('buyer', 'seller', 'admin', 'system', 'nobody'))
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE events_id_seq OWNED BY events.id;
CREATE INDEX events_order_idx ON events (order_id, created_at, id) WHERE order_id IS NOT NULL;
CREATE INDEX events_checkout_idx ON events (checkout_id, created_at, id)
WHERE checkout_id IS NOT NULL AND order_id IS NULL;
CREATE INDEX events_xid_idx ON events (xid, id);
COMMENT ON TABLE events IS
'What happened, in one row each, written by triggers: the timeline of an order and the source of mails. Never changed. '
'One partition a month.';
COMMENT ON COLUMN events.created_at IS 'When, by the clock.';
COMMENT ON COLUMN events.id IS 'Rises; with xid the place that readers go by.';
COMMENT ON COLUMN events.xid IS 'The transaction that wrote it.';
COMMENT ON COLUMN events.type IS
'order.placed, new, paid, accepted, shipped, delivered, undelivered, lines_cancelled, completed, cancelled, refunded; '
'request.opened, closed; payment.open, checking, refused, paid, failed, expired, cancelled, problem; '
'refund.due, needs_bank, sent, done, given_up.';
COMMENT ON COLUMN events.actor IS 'Who did it: buyer, seller, admin, system (the worker, a DBA) or nobody.';
COMMENT ON COLUMN events.user_id IS 'That user; NULL: nobody was signed in.';
COMMENT ON COLUMN events.order_id IS 'The order; NULL: of a checkout, a payment or a refund without one.';
COMMENT ON COLUMN events.checkout_id IS 'Its checkout.';
COMMENT ON COLUMN events.store_id IS 'Its store.';
COMMENT ON COLUMN events.buyer_id IS 'Its buyer.';
COMMENT ON COLUMN events.data IS 'Amounts and ids; no names, no addresses.';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY events_read ON events FOR SELECT TO marketplace_app
USING (buyer_id = (SELECT me()) OR store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY events_worker ON events FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON events TO marketplace_app, marketplace_worker;
INSERT INTO month_tables (name, append_only) VALUES ('events', true);
SELECT make_month_partitions('events', 13);

CREATE TABLE event_cursors (
    name text NOT NULL,
    origin text NOT NULL,
    after_id bigint NOT NULL DEFAULT 0,
    xid xid8 NOT NULL DEFAULT '0',
    event_id bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_cursors_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE event_cursors IS 'How far each reader of events has come.';
COMMENT ON COLUMN event_cursors.name IS 'The reader.';
COMMENT ON COLUMN event_cursors.origin IS 'Where its transaction ids come from: change_feed_origin().';
COMMENT ON COLUMN event_cursors.after_id IS 'Events up to this one came by a restore and count as told.';
COMMENT ON COLUMN event_cursors.xid IS 'The transaction of the last event it was told.';
COMMENT ON COLUMN event_cursors.event_id IS 'That event.';
COMMENT ON COLUMN event_cursors.moved_at IS 'When that was.';
INSERT INTO event_cursors (name, origin) VALUES ('mail', change_feed_origin());
ALTER TABLE event_cursors ENABLE ROW LEVEL SECURITY;
CREATE POLICY event_cursors_worker ON event_cursors FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON event_cursors TO marketplace_worker;

CREATE FUNCTION settle_event_cursors() RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    UPDATE event_cursors
    SET origin = change_feed_origin(), after_id = (SELECT coalesce(max(e.id), 0) FROM events AS e), xid = '0',
        event_id = 0, moved_at = now()
    WHERE origin <> change_feed_origin()
$$;
COMMENT ON FUNCTION settle_event_cursors IS
'After a restore transaction ids begin anew: what came with it counts as told. migrate calls it each time.';
REVOKE ALL ON FUNCTION settle_event_cursors FROM PUBLIC;

CREATE FUNCTION next_events(reader text, most integer) RETURNS SETOF events
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place event_cursors;
    event events;
    last events;
BEGIN
    SELECT c.*
    INTO place
    FROM event_cursors AS c
    WHERE c.name = reader
    FOR UPDATE;
    IF place.origin IS DISTINCT FROM change_feed_origin() THEN
        RAISE EXCEPTION 'the cursor of % comes from another database', reader USING ERRCODE = '55000';
    END IF;
    FOR event IN
        SELECT e.*
        FROM events AS e
        WHERE e.xid < pg_snapshot_xmin(pg_current_snapshot())
            AND e.id > place.after_id
            AND (e.xid, e.id) > (place.xid, place.event_id)
        ORDER BY e.xid, e.id
        LIMIT most
    LOOP
        last := event;
        RETURN NEXT event;
    END LOOP;
    IF last.id IS NOT NULL THEN
        UPDATE event_cursors
        SET xid = last.xid, event_id = last.id, moved_at = now()
        WHERE name = reader;
    END IF;
END
$$;
COMMENT ON FUNCTION next_events IS
'The next events that this reader was not told of, in order, and its cursor behind them: whoever calls it commits that '
'with what it makes of them. 55000: the cursor is of another database (settle_event_cursors), or there is none.';
REVOKE ALL ON FUNCTION next_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_events TO marketplace_worker;
