-- Holds, and why stock changed: what orders hold, a movement for each change, what runs low, how many were sold.
--
-- Why it is shaped so:
-- * A hold is a row, and whoever deletes it gives the stock back. One that has lapsed is taken over by whoever is
--   short, inside the statement that holds: no job decides whether somebody can buy.
-- * Movements have no gap: the verbs of V0045 write their own, a trigger (V0041) writes what no verb has told, also
--   that of a DBA's hand. The first change of a row writes `opening`, what stood there: so nothing is written here, and
--   from there on the sum of the movements is the stock.
-- * What runs low is a table that the worker keeps, minutes old, so that a seller's list of it needs no index on a
--   number which every sale changes.

CREATE TABLE holds (
    product_id bigint NOT NULL,
    variant_id bigint NOT NULL,
    order_id bigint NOT NULL,
    quantity integer NOT NULL,
    expires_at timestamptz,
    CONSTRAINT holds_pkey PRIMARY KEY (product_id, variant_id, order_id),
    CONSTRAINT holds_quantity_check CHECK (quantity > 0)
) WITH (fillfactor = 80);
CREATE INDEX holds_order_id_idx ON holds (order_id);
COMMENT ON TABLE holds IS 'Pieces held for orders. Written by verbs alone; the API reads inventory.reserved instead.';
COMMENT ON COLUMN holds.product_id IS 'The product.';
COMMENT ON COLUMN holds.variant_id IS 'Its variant; 0: the product itself.';
COMMENT ON COLUMN holds.order_id IS 'The order it is held for.';
COMMENT ON COLUMN holds.quantity IS 'How many pieces.';
COMMENT ON COLUMN holds.expires_at IS
'From then on whoever is short may take it over; NULL: firm (paid, cash on delivery, nothing to pay).';
ALTER TABLE holds ENABLE ROW LEVEL SECURITY;
CREATE POLICY holds_worker ON holds TO marketplace_worker USING (true);
GRANT SELECT ON holds TO marketplace_worker;

CREATE SEQUENCE stock_movements_id_seq AS bigint;
CREATE TABLE stock_movements (
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    product_id bigint NOT NULL,
    variant_id bigint NOT NULL,
    id bigint NOT NULL DEFAULT nextval('stock_movements_id_seq'),
    store_id bigint NOT NULL,
    kind text NOT NULL,
    change integer NOT NULL,
    change_reserved integer NOT NULL,
    order_id bigint,
    user_id bigint,
    CONSTRAINT stock_movements_pkey PRIMARY KEY (created_at, product_id, variant_id, id),
    CONSTRAINT stock_movements_kind_check CHECK (
        kind IN ('opening', 'set', 'import', 'hold', 'release', 'ship', 'return', 'turn')
    )
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE stock_movements_id_seq OWNED BY stock_movements.id;
CREATE INDEX stock_movements_product_idx ON stock_movements (product_id, variant_id, created_at, id);
COMMENT ON TABLE stock_movements IS
'Why stock changed. Written by verbs and triggers alone, never changed. One partition a month.';
COMMENT ON COLUMN stock_movements.created_at IS 'When, by the clock: behind the lock of the row of stock.';
COMMENT ON COLUMN stock_movements.product_id IS 'The product.';
COMMENT ON COLUMN stock_movements.variant_id IS 'Its variant; 0: the product itself.';
COMMENT ON COLUMN stock_movements.id IS 'Rises; breaks ties of the same instant.';
COMMENT ON COLUMN stock_movements.store_id IS 'Whose it is.';
COMMENT ON COLUMN stock_movements.kind IS
'opening: what stood there before; set: by hand; import; hold, release, ship, return: by orders; turn: it became '
'that of a variant.';
COMMENT ON COLUMN stock_movements.change IS 'By how many pieces inventory.quantity changed.';
COMMENT ON COLUMN stock_movements.change_reserved IS 'By how many pieces inventory.reserved changed.';
COMMENT ON COLUMN stock_movements.order_id IS 'The order it was for; NULL: none.';
COMMENT ON COLUMN stock_movements.user_id IS 'Who set it; NULL: an order did, or nobody was signed in.';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON stock_movements FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON stock_movements FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE stock_movements ENABLE ROW LEVEL SECURITY;
CREATE POLICY stock_movements_read ON stock_movements FOR SELECT TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY stock_movements_worker ON stock_movements FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON stock_movements TO marketplace_app, marketplace_worker;
INSERT INTO month_tables (name, append_only) VALUES ('stock_movements', true);
SELECT make_month_partitions('stock_movements', 13);

CREATE TABLE low_stock (
    store_id bigint NOT NULL,
    product_id bigint NOT NULL,
    variant_id bigint NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT low_stock_pkey PRIMARY KEY (store_id, product_id, variant_id)
);
CREATE INDEX low_stock_quantity_idx ON low_stock (store_id, quantity, product_id, variant_id);
COMMENT ON TABLE low_stock IS
'What is on sale and runs low, as it was some minutes ago; kept by the worker. Private to the store.';
COMMENT ON COLUMN low_stock.store_id IS 'Whose it is.';
COMMENT ON COLUMN low_stock.product_id IS 'The product.';
COMMENT ON COLUMN low_stock.variant_id IS 'Its variant; 0: the product itself.';
COMMENT ON COLUMN low_stock.quantity IS 'Pieces that could be sold.';
ALTER TABLE low_stock ENABLE ROW LEVEL SECURITY;
CREATE POLICY low_stock_read ON low_stock FOR SELECT TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY low_stock_worker ON low_stock TO marketplace_worker USING (true) WITH CHECK (true);
GRANT SELECT ON low_stock TO marketplace_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON low_stock TO marketplace_worker;

CREATE TABLE refreshes (
    name text NOT NULL,
    refreshed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refreshes_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE refreshes IS 'When the worker last made anew what it keeps, for answers that say how old they are.';
COMMENT ON COLUMN refreshes.name IS 'What it keeps: low_stock.';
COMMENT ON COLUMN refreshes.refreshed_at IS 'As of when it is.';
GRANT SELECT ON refreshes TO marketplace_app;
GRANT SELECT, INSERT, UPDATE ON refreshes TO marketplace_worker;

CREATE TABLE product_counts (
    product_id bigint NOT NULL,
    sold bigint NOT NULL DEFAULT 0,
    CONSTRAINT product_counts_pkey PRIMARY KEY (product_id)
);
COMMENT ON TABLE product_counts IS 'How many of a product were sold; answered beside its stock, never in its document.';
COMMENT ON COLUMN product_counts.product_id IS 'The product.';
COMMENT ON COLUMN product_counts.sold IS 'Pieces delivered, counted by the worker.';
GRANT SELECT ON product_counts TO marketplace_app, marketplace_readonly;
GRANT SELECT, INSERT, UPDATE ON product_counts TO marketplace_worker;
