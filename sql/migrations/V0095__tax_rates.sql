-- Taxes of a country, by category. Closed and added by `tax-rates`, never edited; there is no call for them.

CREATE TABLE tax_rates (
    id bigint GENERATED ALWAYS AS IDENTITY,
    country text NOT NULL,
    name text NOT NULL,
    rate numeric(7, 4) NOT NULL,
    included boolean NOT NULL DEFAULT true,
    category_id bigint,
    active_from timestamptz NOT NULL DEFAULT now(),
    active_to timestamptz,
    CONSTRAINT tax_rates_pkey PRIMARY KEY (id),
    CONSTRAINT tax_rates_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT tax_rates_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT tax_rates_rate_check CHECK (rate BETWEEN 0 AND 100),
    CONSTRAINT tax_rates_category_id_fkey FOREIGN KEY (category_id) REFERENCES categories (id)
);
CREATE INDEX tax_rates_country_idx ON tax_rates (country, category_id);
CREATE INDEX tax_rates_category_id_idx ON tax_rates (category_id) WHERE category_id IS NOT NULL;
COMMENT ON TABLE tax_rates IS 'Rates of taxes; those of a country in force together are all in the prices, or all on top.';
COMMENT ON COLUMN tax_rates.id IS 'Identity, int64.';
COMMENT ON COLUMN tax_rates.country IS 'Where the parcel goes to: ISO 3166-1, two letters.';
COMMENT ON COLUMN tax_rates.name IS 'What it is called: PPN.';
COMMENT ON COLUMN tax_rates.rate IS 'Per cent of the whole price: Indonesia''s 12 % of 11/12 of the price is 11.';
COMMENT ON COLUMN tax_rates.included IS 'Whether prices have it in them; else it comes on top.';
COMMENT ON COLUMN tax_rates.category_id IS 'The category it is for, with those below; NULL: all that no other rate names.';
COMMENT ON COLUMN tax_rates.active_from IS 'Since when it is in force.';
COMMENT ON COLUMN tax_rates.active_to IS 'Until when it is in force; NULL: without end.';
GRANT SELECT ON tax_rates TO marketplace_app, marketplace_worker, marketplace_readonly;

CREATE FUNCTION tax_rate(of_category bigint, to_country text, OUT rate numeric, OUT included boolean)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    way CONSTANT bigint[] := (SELECT c.path FROM categories AS c WHERE c.id = of_category);
BEGIN
    SELECT t.rate, t.included
    INTO rate, included
    FROM tax_rates AS t
    WHERE t.country = to_country
        AND now() >= t.active_from
        AND (t.active_to IS NULL OR now() < t.active_to)
        AND (t.category_id IS NULL OR t.category_id = ANY(way))
    ORDER BY array_position(way, t.category_id) DESC NULLS LAST, t.id DESC
    LIMIT 1;
END
$$;
COMMENT ON FUNCTION tax_rate IS
'The rate of a thing that goes to a country: in force for its category, else for the nearest above, else for all.';
GRANT EXECUTE ON FUNCTION tax_rate TO marketplace_app;
