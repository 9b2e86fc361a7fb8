-- How a store sends, and what that costs: one SQL function says the price, to the quote and to whoever places an order.
-- What was offered stands in the audit trail; rates of a table are a part of their option, and are not told one by one.

CREATE TABLE delivery_options (
    store_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    pricing text NOT NULL,
    price numeric(15, 2) NOT NULL DEFAULT 0,
    per_kg numeric(15, 2) NOT NULL DEFAULT 0,
    free_from numeric(15, 2),
    max_grams integer,
    areas text[] NOT NULL DEFAULT '{}',
    cod boolean NOT NULL DEFAULT false,
    days_min integer,
    days_max integer,
    active boolean NOT NULL DEFAULT true,
    position integer NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT delivery_options_pkey PRIMARY KEY (store_id, id),
    CONSTRAINT delivery_options_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id),
    CONSTRAINT delivery_options_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT delivery_options_pricing_check CHECK (pricing IN ('flat', 'weight', 'table', 'pickup')),
    CONSTRAINT delivery_options_price_check CHECK (
        price >= 0 AND price < 'NaN' AND per_kg >= 0 AND per_kg < 'NaN' AND free_from >= 0 AND free_from < 'NaN'
        AND max_grams > 0
    ),
    CONSTRAINT delivery_options_areas_check CHECK (cardinality(areas) <= 600 AND octet_length(areas::text) <= 16000),
    CONSTRAINT delivery_options_days_check CHECK (
        days_min BETWEEN 0 AND 90 AND days_max BETWEEN days_min AND 90 AND (days_min IS NULL) = (days_max IS NULL)
    )
);
COMMENT ON TABLE delivery_options IS 'Ways in which a store sends, at most 100 active ones. Never deleted: orders name them.';
COMMENT ON COLUMN delivery_options.store_id IS 'The store.';
COMMENT ON COLUMN delivery_options.id IS 'Identity, int64.';
COMMENT ON COLUMN delivery_options.name IS 'As buyers read it: JNE Reguler, Kurir toko, Ambil sendiri.';
COMMENT ON COLUMN delivery_options.pricing IS 'flat, weight, table (delivery_rates) or pickup.';
COMMENT ON COLUMN delivery_options.price IS 'flat: all of the price; weight: what comes before the weight.';
COMMENT ON COLUMN delivery_options.per_kg IS 'weight: for each kilogram begun.';
COMMENT ON COLUMN delivery_options.free_from IS 'Price of the things, before any discount, from which it costs nothing.';
COMMENT ON COLUMN delivery_options.max_grams IS 'The heaviest parcel; NULL: any.';
COMMENT ON COLUMN delivery_options.areas IS 'Countries or beginnings of area codes it goes to; none: everywhere.';
COMMENT ON COLUMN delivery_options.cod IS 'Whether it can be paid on delivery.';
COMMENT ON COLUMN delivery_options.days_min IS 'Days until it arrives, at the best; NULL: not said.';
COMMENT ON COLUMN delivery_options.days_max IS 'Days until it arrives, at the latest.';
COMMENT ON COLUMN delivery_options.active IS 'Whether it is offered.';
COMMENT ON COLUMN delivery_options.position IS 'Order in which they are offered.';
COMMENT ON COLUMN delivery_options.version IS 'Rises with every change of the row or its rates.';
COMMENT ON COLUMN delivery_options.created_at IS 'When the row was made.';
COMMENT ON COLUMN delivery_options.updated_at IS 'When the row or its rates were last changed.';

CREATE TABLE delivery_rates (
    store_id bigint NOT NULL,
    option_id bigint NOT NULL,
    area text COLLATE "C" NOT NULL,
    up_to_grams integer NOT NULL,
    price numeric(15, 2) NOT NULL,
    CONSTRAINT delivery_rates_pkey PRIMARY KEY (store_id, option_id, area, up_to_grams),
    CONSTRAINT delivery_rates_option_fkey FOREIGN KEY (store_id, option_id)
    REFERENCES delivery_options (store_id, id) ON DELETE CASCADE,
    CONSTRAINT delivery_rates_area_check CHECK (char_length(area) BETWEEN 1 AND 43),
    CONSTRAINT delivery_rates_price_check CHECK (price >= 0 AND price < 'NaN' AND up_to_grams > 0)
);
COMMENT ON TABLE delivery_rates IS
'Prices of an option by table, at most 1,000: the longest beginning of the area code wins, then the smallest weight that fits.';
COMMENT ON COLUMN delivery_rates.store_id IS 'The store.';
COMMENT ON COLUMN delivery_rates.option_id IS 'The option.';
COMMENT ON COLUMN delivery_rates.area IS 'A country, or the beginning of an area code.';
COMMENT ON COLUMN delivery_rates.up_to_grams IS 'The heaviest parcel at this price.';
COMMENT ON COLUMN delivery_rates.price IS 'What it costs.';

GRANT SELECT, INSERT (
    store_id, name, pricing, price, per_kg, free_from, max_grams, areas, cod, days_min, days_max, active, position
), UPDATE (
    name, pricing, price, per_kg, free_from, max_grams, areas, cod, days_min, days_max, active, position, version, updated_at
) ON delivery_options TO marketplace_app;
GRANT SELECT, INSERT, DELETE ON delivery_rates TO marketplace_app;
GRANT SELECT ON delivery_options, delivery_rates TO marketplace_worker, marketplace_readonly;

DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['delivery_options', 'delivery_rates'] LOOP
        EXECUTE format('CREATE TRIGGER guard_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_products()', part);
        EXECUTE format('CREATE TRIGGER guard_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_products()', part);
        EXECUTE format('CREATE TRIGGER guard_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_products()', part);
    END LOOP;
END
$$;
CREATE TRIGGER write_audit_insert AFTER INSERT ON delivery_options REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('delivery_option', 'id', 'store_id');
CREATE TRIGGER write_audit_update AFTER UPDATE ON delivery_options REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('delivery_option', 'id', 'store_id');

CREATE FUNCTION delivery_price(
    of_store bigint,
    of_option bigint,
    to_country text,
    to_area text,
    grams integer,
    items numeric
)
RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (
        SELECT
            CASE
                WHEN o.pricing = 'pickup' THEN 0
                -- Free from a price is free where it goes, and nowhere else.
                WHEN o.pricing = 'table' AND r.price IS NULL THEN NULL
                WHEN items >= o.free_from THEN 0
                WHEN o.pricing = 'flat' THEN o.price
                WHEN o.pricing = 'weight' THEN o.price + o.per_kg * ceil(greatest(grams, 1) / 1000.0)
                ELSE r.price
            END
        FROM delivery_options AS o
        LEFT JOIN LATERAL (
            SELECT t.price
            FROM delivery_rates AS t
            WHERE t.store_id = o.store_id AND t.option_id = o.id AND t.up_to_grams >= grams
                AND (t.area = to_country OR starts_with(coalesce(to_area, ''), t.area))
            ORDER BY char_length(t.area) * (t.area <> to_country)::integer DESC, t.up_to_grams
            LIMIT 1
        ) AS r ON o.pricing = 'table'
        WHERE o.store_id = of_store AND o.id = of_option AND o.active
            AND (o.max_grams IS NULL OR grams <= o.max_grams)
            AND (
                o.areas = '{}' OR to_country = ANY(o.areas)
                OR EXISTS (SELECT FROM unnest(o.areas) AS a (code) WHERE starts_with(coalesce(to_area, ''), a.code))
            )
    );
END
$$;
COMMENT ON FUNCTION delivery_price IS
'What one option costs for one parcel of so many grams, with things of that price in it; NULL: it does not go there.';
GRANT EXECUTE ON FUNCTION delivery_price TO marketplace_app;
