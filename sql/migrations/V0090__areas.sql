-- Administrative areas of a country, to pick an address from and to price delivery by. Loaded by `load-areas`; without
-- them addresses are typed, and prices by area go by country alone.

-- "Kota Serang" is looked for as "serang", as people do.
CREATE FUNCTION area_key(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT AS $$
    SELECT regexp_replace(lower(name), '^(kota administrasi|kabupaten administrasi|kota|kabupaten|kab[.]) +', '')
$$;
COMMENT ON FUNCTION area_key IS 'The name of an area as it is searched: small letters, without the word for a city or regency.';
GRANT EXECUTE ON FUNCTION area_key TO marketplace_app, marketplace_readonly;

CREATE TABLE areas (
    country text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    level integer NOT NULL,
    name text NOT NULL,
    name_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (area_key(name)) STORED,
    postcodes text[] NOT NULL DEFAULT '{}',
    CONSTRAINT areas_pkey PRIMARY KEY (country, code),
    CONSTRAINT areas_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT areas_code_check CHECK (code ~ '^[0-9A-Z]{1,10}([.][0-9A-Z]{1,10}){0,3}$'),
    CONSTRAINT areas_level_check CHECK (level BETWEEN 1 AND 4),
    CONSTRAINT areas_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT areas_postcodes_check CHECK (cardinality(postcodes) <= 100 AND octet_length(postcodes::text) <= 2000)
);
CREATE INDEX areas_name_idx ON areas (country, name_key, code);
CREATE INDEX areas_level_idx ON areas (country, level, code);
COMMENT ON TABLE areas IS 'Areas of countries, from provinces down to villages; a code begins with that of the area it is in.';
COMMENT ON COLUMN areas.country IS 'ISO 3166-1, two letters.';
COMMENT ON COLUMN areas.code IS 'The country''s own code. Of Indonesia: 36, 36.73, 36.73.06, 36.73.06.1003.';
COMMENT ON COLUMN areas.level IS '1 province, 2 city or regency, 3 district, 4 village.';
COMMENT ON COLUMN areas.name IS 'As it is written.';
COMMENT ON COLUMN areas.name_key IS 'The name as it is searched: area_key(name).';
COMMENT ON COLUMN areas.postcodes IS 'Its postcodes, as far as they are known.';
GRANT SELECT ON areas TO marketplace_app, marketplace_readonly;
