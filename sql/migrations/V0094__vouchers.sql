-- Vouchers: a store's, which it bears itself, and the platform's. What a voucher gives never changes: another one is made.
-- A use of it is no change of the voucher, and not in the audit trail.

CREATE TABLE vouchers (
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint,
    code text NOT NULL,
    name text NOT NULL,
    gives text NOT NULL,
    value numeric(15, 2) NOT NULL,
    max_discount numeric(15, 2),
    min_total numeric(15, 2) NOT NULL DEFAULT 0,
    product_ids bigint[],
    category_ids bigint[],
    listed boolean NOT NULL DEFAULT true,
    starts_at timestamptz NOT NULL DEFAULT now(),
    ends_at timestamptz,
    quota integer,
    used integer NOT NULL DEFAULT 0,
    per_buyer integer NOT NULL DEFAULT 1,
    active boolean NOT NULL DEFAULT true,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT vouchers_pkey PRIMARY KEY (id),
    CONSTRAINT vouchers_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id),
    CONSTRAINT vouchers_name_check CHECK (char_length(name) BETWEEN 1 AND 100),
    CONSTRAINT vouchers_gives_check CHECK (gives IN ('percent', 'amount', 'free_delivery')),
    CONSTRAINT vouchers_code_check CHECK (code ~ '^[A-Z0-9]{3,20}$'),
    CONSTRAINT vouchers_value_check CHECK (
        value >= 0 AND value < 'NaN' AND (gives <> 'percent' OR value <= 100)
        AND max_discount > 0 AND max_discount < 'NaN' AND min_total >= 0 AND min_total < 'NaN'
    ),
    CONSTRAINT vouchers_things_check CHECK (
        cardinality(product_ids) BETWEEN 1 AND 1000 AND cardinality(category_ids) BETWEEN 1 AND 100
    ),
    CONSTRAINT vouchers_ends_at_check CHECK (ends_at > starts_at),
    CONSTRAINT vouchers_used_check CHECK (used >= 0 AND per_buyer > 0 AND (quota IS NULL OR used <= quota))
);
-- Across the installation: a code means one thing.
CREATE UNIQUE INDEX vouchers_code_key ON vouchers (code);
CREATE INDEX vouchers_listed_idx ON vouchers (store_id, id) WHERE listed AND active;
CREATE INDEX vouchers_store_id_idx ON vouchers (store_id, id);
COMMENT ON TABLE vouchers IS 'What a buyer can take off a checkout by a code, at most 1,000 of a store that are active.';
COMMENT ON COLUMN vouchers.id IS 'Identity, int64.';
COMMENT ON COLUMN vouchers.store_id IS 'The store, which bears it; NULL: the platform''s.';
COMMENT ON COLUMN vouchers.code IS 'What a buyer types: 3 to 20 capitals and digits.';
COMMENT ON COLUMN vouchers.name IS 'As buyers read it.';
COMMENT ON COLUMN vouchers.gives IS 'percent or amount, of things; free_delivery.';
COMMENT ON COLUMN vouchers.value IS 'Per cent, or an amount; of free delivery nothing.';
COMMENT ON COLUMN vouchers.max_discount IS 'The most that it gives; NULL: all of it.';
COMMENT ON COLUMN vouchers.min_total IS 'Price of the things it fits, before any discount, from which it is good.';
COMMENT ON COLUMN vouchers.product_ids IS 'Products that it fits; NULL: all.';
COMMENT ON COLUMN vouchers.category_ids IS 'Categories that it fits, with those below; NULL: all.';
COMMENT ON COLUMN vouchers.listed IS 'Offered to everybody; false: only to who knows the code.';
COMMENT ON COLUMN vouchers.starts_at IS 'Since when it is good.';
COMMENT ON COLUMN vouchers.ends_at IS 'Until when it is good; NULL: without end.';
COMMENT ON COLUMN vouchers.quota IS 'How often it can be used by all; NULL: without end.';
COMMENT ON COLUMN vouchers.used IS 'How often it is used and not given back.';
COMMENT ON COLUMN vouchers.per_buyer IS 'How often one buyer can use it.';
COMMENT ON COLUMN vouchers.active IS 'False: closed by its store or an admin.';
COMMENT ON COLUMN vouchers.version IS 'Rises with every change of the row, uses aside.';
COMMENT ON COLUMN vouchers.created_at IS 'When the row was made.';
COMMENT ON COLUMN vouchers.updated_at IS 'When the row was last changed, uses aside.';

ALTER TABLE vouchers ENABLE ROW LEVEL SECURITY;
CREATE POLICY vouchers_own ON vouchers TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
CREATE POLICY vouchers_worker ON vouchers FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT, INSERT (
    store_id, code, name, gives, value, max_discount, min_total, product_ids, category_ids, listed, starts_at, ends_at,
    quota, per_buyer, active
), UPDATE (
    name, max_discount, min_total, product_ids, category_ids, listed, starts_at, ends_at, quota, per_buyer, active,
    version, updated_at
) ON vouchers TO marketplace_app;
GRANT SELECT ON vouchers TO marketplace_worker;
CREATE TRIGGER write_audit_insert AFTER INSERT ON vouchers REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('voucher', 'id', 'store_id');
CREATE TRIGGER write_audit_update AFTER UPDATE ON vouchers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT WHEN (NOT coalesce(stock_verb(), false)) EXECUTE FUNCTION write_audit('voucher', 'id', 'store_id');
