-- What the platform takes of a sale, and the days on which nobody has to send anything.
--
-- One open rule without conditions, of rate 0: an order asks resolve_commission() when it is placed and freezes what it
-- says in its lines. More rules come by taking the unique index away and adding conditions; no order changes.

CREATE TABLE commission_rules (
    id bigint GENERATED ALWAYS AS IDENTITY,
    rate numeric(7, 4) NOT NULL,
    tax_rate numeric(7, 4) NOT NULL DEFAULT 0,
    note text,
    created_by bigint,
    active_from timestamptz NOT NULL DEFAULT now(),
    active_to timestamptz,
    CONSTRAINT commission_rules_pkey PRIMARY KEY (id),
    CONSTRAINT commission_rules_rate_check CHECK (rate BETWEEN 0 AND 100 AND tax_rate BETWEEN 0 AND 100),
    CONSTRAINT commission_rules_note_check CHECK (char_length(note) <= 500)
);
CREATE UNIQUE INDEX commission_rules_open_key ON commission_rules ((true)) WHERE active_to IS NULL;
COMMENT ON TABLE commission_rules IS
'What the platform takes. Rows are closed and added, never edited: a line names the one it was placed under.';
COMMENT ON COLUMN commission_rules.id IS 'Identity, int64.';
COMMENT ON COLUMN commission_rules.rate IS 'Per cent of price times pieces, without the store''s discount.';
COMMENT ON COLUMN commission_rules.tax_rate IS 'Per cent of tax on that.';
COMMENT ON COLUMN commission_rules.note IS 'Why it is so.';
COMMENT ON COLUMN commission_rules.created_by IS 'Who made it; NULL: it is from the start, or a command''s.';
COMMENT ON COLUMN commission_rules.active_from IS 'Since when it holds.';
COMMENT ON COLUMN commission_rules.active_to IS 'Until when it held; NULL: it holds.';
INSERT INTO commission_rules (rate, note) VALUES (0, 'from the start');
ALTER TABLE commission_rules ENABLE ROW LEVEL SECURITY;
CREATE POLICY commission_rules_read ON commission_rules FOR SELECT TO marketplace_app
USING ((SELECT my_role()) = 'admin');
CREATE POLICY commission_rules_worker ON commission_rules FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT ON commission_rules TO marketplace_app, marketplace_worker;

CREATE FUNCTION resolve_commission(OUT rule_id bigint, OUT rate numeric, OUT tax_rate numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.id, r.rate, r.tax_rate
    FROM commission_rules AS r
    WHERE r.active_to IS NULL
$$;
COMMENT ON FUNCTION resolve_commission IS 'The rule that an order placed now falls under. Granted to nobody.';
REVOKE ALL ON FUNCTION resolve_commission FROM PUBLIC;

CREATE TABLE holidays (
    country text NOT NULL,
    day date NOT NULL,
    name text NOT NULL,
    CONSTRAINT holidays_pkey PRIMARY KEY (country, day),
    CONSTRAINT holidays_country_check CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT holidays_name_check CHECK (char_length(name) BETWEEN 1 AND 100)
);
COMMENT ON TABLE holidays IS 'Days on which no store has to send anything: ship_by counts working days. By admins.';
COMMENT ON COLUMN holidays.country IS 'ISO 3166, two letters.';
COMMENT ON COLUMN holidays.day IS 'The day.';
COMMENT ON COLUMN holidays.name IS 'What it is called.';
ALTER TABLE holidays ENABLE ROW LEVEL SECURITY;
CREATE POLICY holidays_read ON holidays FOR SELECT TO marketplace_app USING (true);
CREATE POLICY holidays_insert ON holidays FOR INSERT TO marketplace_app WITH CHECK ((SELECT my_role()) = 'admin');
CREATE POLICY holidays_delete ON holidays FOR DELETE TO marketplace_app USING ((SELECT my_role()) = 'admin');
CREATE POLICY holidays_worker ON holidays FOR SELECT TO marketplace_worker USING (true);
GRANT SELECT, INSERT, DELETE ON holidays TO marketplace_app;
GRANT SELECT ON holidays TO marketplace_worker;
