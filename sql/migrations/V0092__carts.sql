-- What a buyer means to buy. Lines hold no stock, and name things that may be gone: no foreign key, the cart says so. The
-- cart's row is also its user's turn: two checkouts of one buyer go one after the other.

CREATE TABLE carts (
    user_id bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT carts_pkey PRIMARY KEY (user_id),
    CONSTRAINT carts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX carts_updated_at_idx ON carts (updated_at);
COMMENT ON TABLE carts IS 'One a user; emptied when nothing was put in for 180 days.';
COMMENT ON COLUMN carts.user_id IS 'Whose it is.';
COMMENT ON COLUMN carts.version IS 'Rises with every change of its lines.';
COMMENT ON COLUMN carts.updated_at IS 'When its lines were last changed.';

CREATE TABLE cart_lines (
    user_id bigint NOT NULL,
    product_id bigint NOT NULL,
    variant_id bigint NOT NULL DEFAULT 0,
    quantity integer NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cart_lines_pkey PRIMARY KEY (user_id, product_id, variant_id),
    CONSTRAINT cart_lines_user_id_fkey FOREIGN KEY (user_id) REFERENCES carts (user_id) ON DELETE CASCADE,
    CONSTRAINT cart_lines_quantity_check CHECK (quantity BETWEEN 1 AND 1000)
);
COMMENT ON TABLE cart_lines IS 'What is in a cart, at most 200 lines.';
COMMENT ON COLUMN cart_lines.user_id IS 'Whose cart.';
COMMENT ON COLUMN cart_lines.product_id IS 'The product, which may have gone since.';
COMMENT ON COLUMN cart_lines.variant_id IS 'Its variant; 0: the product itself.';
COMMENT ON COLUMN cart_lines.quantity IS 'Pieces.';
COMMENT ON COLUMN cart_lines.added_at IS 'When it was first put in; lines are shown in this order.';

ALTER TABLE carts ENABLE ROW LEVEL SECURITY;
ALTER TABLE cart_lines ENABLE ROW LEVEL SECURITY;
CREATE POLICY carts_own ON carts TO marketplace_app USING (user_id = (SELECT me()));
CREATE POLICY carts_worker ON carts TO marketplace_worker USING (true);
CREATE POLICY cart_lines_own ON cart_lines TO marketplace_app USING (user_id = (SELECT me()));
CREATE POLICY cart_lines_worker ON cart_lines FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT, INSERT, DELETE ON carts, cart_lines TO marketplace_app;
GRANT UPDATE (version, updated_at) ON carts TO marketplace_app;
GRANT UPDATE (quantity) ON cart_lines TO marketplace_app;
GRANT SELECT, DELETE ON carts TO marketplace_worker;
GRANT SELECT ON cart_lines TO marketplace_worker;

-- The worker's: a cart goes with its lines.
CREATE FUNCTION sweep_carts(days integer, most integer) RETURNS integer
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    swept integer;
BEGIN
    WITH old AS (
        SELECT c.user_id
        FROM carts AS c
        WHERE c.updated_at < now() - make_interval(days => days)
        ORDER BY c.updated_at
        LIMIT most
        FOR UPDATE SKIP LOCKED
    )

    DELETE FROM carts AS c
    USING old AS o
    WHERE c.user_id = o.user_id;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$$;
COMMENT ON FUNCTION sweep_carts IS 'Removes carts that nobody has touched for so long, some at a time; how many.';
GRANT EXECUTE ON FUNCTION sweep_carts TO marketplace_worker;

-- Pieces in holds that have lapsed can be bought, though the stock row does not say so yet. Asked only where stock is short.
CREATE FUNCTION lapsed_stock(of_product bigint, of_variant bigint) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(sum(h.quantity), 0)::integer
        FROM holds AS h
        WHERE h.product_id = of_product AND h.variant_id = of_variant AND h.expires_at <= now()
    );
END
$$;
COMMENT ON FUNCTION lapsed_stock IS 'Pieces of a product or variant that holds have let go.';
GRANT EXECUTE ON FUNCTION lapsed_stock TO marketplace_app;
