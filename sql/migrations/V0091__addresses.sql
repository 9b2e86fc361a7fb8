-- Where a buyer has things sent to. An order takes a copy: nothing placed follows a change. Never in the audit trail.
-- users.address stays a text of the first app, and nothing is delivered to it.

CREATE TABLE addresses (
    user_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    label text,
    recipient text NOT NULL,
    phone text NOT NULL,
    country text NOT NULL DEFAULT 'ID',
    area_code text,
    province text,
    city text,
    district text,
    village text,
    postcode text,
    line1 text NOT NULL,
    line2 text,
    note text,
    latitude numeric(9, 6),
    longitude numeric(9, 6),
    is_default boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT addresses_pkey PRIMARY KEY (user_id, id),
    CONSTRAINT addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT addresses_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT addresses_pin_check CHECK (
        latitude BETWEEN -90 AND 90
        AND longitude BETWEEN -180 AND 180
        AND (latitude IS NULL) = (longitude IS NULL)
    ),
    CONSTRAINT addresses_indonesia_check CHECK (
        country <> 'ID'
        OR (
            province IS NOT NULL
            AND city IS NOT NULL
            AND district IS NOT NULL
            AND postcode IS NOT NULL
            AND postcode ~ '^[0-9]{5}$'
        )
    ),
    CONSTRAINT addresses_label_check CHECK (char_length(label) <= 100),
    CONSTRAINT addresses_recipient_check CHECK (char_length(recipient) BETWEEN 1 AND 200),
    CONSTRAINT addresses_phone_check CHECK (char_length(phone) BETWEEN 1 AND 50),
    CONSTRAINT addresses_area_code_check CHECK (char_length(area_code) <= 43),
    CONSTRAINT addresses_levels_check CHECK (
        char_length(province) <= 100
        AND char_length(city) <= 100
        AND char_length(district) <= 100
        AND char_length(village) <= 100
        AND char_length(postcode) <= 20
    ),
    CONSTRAINT addresses_lines_check CHECK (
        char_length(line1) BETWEEN 1 AND 200 AND char_length(line2) <= 200 AND char_length(note) <= 200
    )
);
CREATE UNIQUE INDEX addresses_default_key ON addresses (user_id) WHERE is_default;
COMMENT ON TABLE addresses IS 'Addresses of a user, at most 50; the first is the default.';
COMMENT ON COLUMN addresses.user_id IS 'Whose it is.';
COMMENT ON COLUMN addresses.id IS 'Identity, int64.';
COMMENT ON COLUMN addresses.label IS 'What its user calls it: home, office.';
COMMENT ON COLUMN addresses.recipient IS 'Who takes the parcel.';
COMMENT ON COLUMN addresses.phone IS 'Where the courier calls.';
COMMENT ON COLUMN addresses.country IS 'ISO 3166-1, two letters.';
COMMENT ON COLUMN addresses.area_code IS 'Code of the smallest area that is known (areas.code); delivery is priced by it.';
COMMENT ON COLUMN addresses.province IS 'Province; needed in Indonesia.';
COMMENT ON COLUMN addresses.city IS 'City or regency; needed in Indonesia.';
COMMENT ON COLUMN addresses.district IS 'District (kecamatan); needed in Indonesia.';
COMMENT ON COLUMN addresses.village IS 'Village (kelurahan, desa).';
COMMENT ON COLUMN addresses.postcode IS 'Postcode; in Indonesia five digits, and needed.';
COMMENT ON COLUMN addresses.line1 IS 'Street and number.';
COMMENT ON COLUMN addresses.line2 IS 'What the first line has no room for.';
COMMENT ON COLUMN addresses.note IS 'A word for the courier.';
COMMENT ON COLUMN addresses.latitude IS 'Of the pin, degrees.';
COMMENT ON COLUMN addresses.longitude IS 'Of the pin, degrees.';
COMMENT ON COLUMN addresses.is_default IS 'Taken where no other is named; one of a user at most.';
COMMENT ON COLUMN addresses.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN addresses.created_at IS 'When the row was made.';
COMMENT ON COLUMN addresses.updated_at IS 'When the row was last changed.';

ALTER TABLE addresses ENABLE ROW LEVEL SECURITY;
CREATE POLICY addresses_own ON addresses TO marketplace_app USING (user_id = (SELECT me()));
CREATE POLICY addresses_worker ON addresses FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT, INSERT, DELETE ON addresses TO marketplace_app;
GRANT UPDATE (
    label, recipient, phone, country, area_code, province, city, district, village, postcode, line1, line2, note, latitude,
    longitude, is_default, version, updated_at
) ON addresses TO marketplace_app;
GRANT SELECT ON addresses TO marketplace_worker;
