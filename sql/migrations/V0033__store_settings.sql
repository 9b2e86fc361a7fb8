-- What only a store and admins may know. Nothing of it is in the audit trail: an address in it could never be
-- forgotten.

CREATE TABLE store_settings (
    store_id bigint NOT NULL,
    origin jsonb,
    taxable boolean NOT NULL DEFAULT false,
    accept_after_minutes integer DEFAULT 30,
    cod_collector text NOT NULL DEFAULT 'store',
    version bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT store_settings_pkey PRIMARY KEY (store_id),
    CONSTRAINT store_settings_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id) ON DELETE CASCADE,
    CONSTRAINT store_settings_origin_check CHECK (octet_length(origin::text) <= 8000),
    CONSTRAINT store_settings_accept_check CHECK (accept_after_minutes BETWEEN 0 AND 10080),
    CONSTRAINT store_settings_collector_check CHECK (cod_collector IN ('store', 'platform'))
);
COMMENT ON TABLE store_settings IS
'How a store sends and is paid. Private to the store and admins; a store without a row has the defaults.';
COMMENT ON COLUMN store_settings.store_id IS 'The store.';
COMMENT ON COLUMN store_settings.origin IS 'Where parcels leave and come back to: the fields of an address.';
COMMENT ON COLUMN store_settings.taxable IS 'Whether its goods bear tax.';
COMMENT ON COLUMN store_settings.accept_after_minutes IS
'When a new order is accepted by itself; 0: at once, NULL: by hand alone.';
COMMENT ON COLUMN store_settings.cod_collector IS
'Who has the cash of a parcel that is paid on delivery: store or platform. For admins to say.';
COMMENT ON COLUMN store_settings.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN store_settings.updated_at IS 'When the row was last changed.';

ALTER TABLE store_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY store_settings_own ON store_settings TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY store_settings_worker ON store_settings FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT, INSERT, UPDATE (origin, taxable, accept_after_minutes, cod_collector, version, updated_at)
ON store_settings TO marketplace_app;
GRANT SELECT ON store_settings TO marketplace_worker;
