-- The books: what happened to money, once each, by double entry.
--
-- Why it is shaped so:
-- * post_entry is the only writer and granted to nobody: verbs call it. An entry has a kind and a source, once: whoever
--   tries again posts nothing and gets the entry that is there.
-- * A trigger by statement refuses postings whose entries do not sum to 0, and moves the balances of stores by the same
--   postings, in the order of stores. By statement and not deferred: an entry comes whole, and a wrong one is refused at
--   once.
-- * Debit is above 0. Assets and costs: provider (one each), bank, cod_receivable, expense_voucher, expense_fee,
--   expense_dispute. Debts and income: escrow, payable (one a store), refund_due, unallocated, commission,
--   commission_tax, other_income.
-- * Nothing in them changes, by nobody's hand: what was wrong is set right by another entry.
-- * Nobody reads them but the worker. A store reads its balance, which may be below 0: of cash on delivery the store has
--   the money already, and its next sales net it.

-- To the smallest coin that is used, half up.
CREATE FUNCTION round_money(amount numeric, of_currency text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(amount, CASE WHEN of_currency IN ('IDR', 'JPY', 'KRW', 'VND') THEN 0 ELSE 2 END)
$$;
COMMENT ON FUNCTION round_money IS 'An amount in the smallest coin that is used of its currency, half up.';
GRANT EXECUTE ON FUNCTION round_money TO marketplace_app, marketplace_worker, marketplace_readonly;

CREATE TABLE ledger_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    store_id bigint,
    provider text,
    CONSTRAINT ledger_accounts_pkey PRIMARY KEY (id),
    CONSTRAINT ledger_accounts_key UNIQUE NULLS NOT DISTINCT (kind, store_id, provider),
    CONSTRAINT ledger_accounts_kind_check CHECK (
        kind IN (
            'provider', 'bank', 'cod_receivable', 'expense_voucher', 'expense_fee', 'expense_dispute', 'escrow',
            'payable', 'refund_due', 'unallocated', 'commission', 'commission_tax', 'other_income'
        )
    ),
    CONSTRAINT ledger_accounts_owner_check CHECK (
        (kind = 'payable') = (store_id IS NOT NULL) AND (kind = 'provider') = (provider IS NOT NULL)
    )
);
COMMENT ON TABLE ledger_accounts IS 'Accounts: one of a kind; a payable for each store, one for each provider.';
COMMENT ON COLUMN ledger_accounts.id IS 'Identity, int64.';
COMMENT ON COLUMN ledger_accounts.kind IS 'What is kept there.';
COMMENT ON COLUMN ledger_accounts.store_id IS 'Of a payable: the store.';
COMMENT ON COLUMN ledger_accounts.provider IS 'Of a provider: which.';

CREATE TABLE ledger_entries (
    id bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    source text NOT NULL,
    order_id bigint,
    store_id bigint,
    user_id bigint,
    note text,
    CONSTRAINT ledger_entries_pkey PRIMARY KEY (id),
    CONSTRAINT ledger_entries_source_key UNIQUE (kind, source),
    CONSTRAINT ledger_entries_source_check CHECK (greatest(char_length(kind), char_length(source)) <= 200),
    CONSTRAINT ledger_entries_note_check CHECK (char_length(note) <= 500)
);
COMMENT ON TABLE ledger_entries IS 'What happened to money, once each. Written by post_entry() alone, never changed.';
COMMENT ON COLUMN ledger_entries.id IS 'Identity, int64.';
COMMENT ON COLUMN ledger_entries.created_at IS 'When it was posted.';
COMMENT ON COLUMN ledger_entries.kind IS 'payment, sale, refund and so on.';
COMMENT ON COLUMN ledger_entries.source IS 'What of: payment 77, order 901. Once for each kind, whoever tries again.';
COMMENT ON COLUMN ledger_entries.order_id IS 'The order; NULL: none, or several, which their postings name.';
COMMENT ON COLUMN ledger_entries.store_id IS 'The store of the order.';
COMMENT ON COLUMN ledger_entries.user_id IS 'Who acted; NULL: nobody was signed in.';
COMMENT ON COLUMN ledger_entries.note IS 'Of an entry by hand: why.';

CREATE TABLE ledger_postings (
    entry_id bigint NOT NULL,
    -- squawk-ignore prefer-bigint-over-smallint
    line smallint NOT NULL,
    account_id bigint NOT NULL,
    amount numeric(15, 2) NOT NULL,
    order_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_postings_pkey PRIMARY KEY (entry_id, line),
    CONSTRAINT ledger_postings_entry_id_fkey FOREIGN KEY (entry_id) REFERENCES ledger_entries (id),
    CONSTRAINT ledger_postings_account_id_fkey FOREIGN KEY (account_id) REFERENCES ledger_accounts (id),
    CONSTRAINT ledger_postings_amount_check CHECK (amount <> 0 AND amount < 'NaN')
);
CREATE INDEX ledger_postings_account_idx ON ledger_postings (account_id, entry_id) INCLUDE (amount);
CREATE INDEX ledger_postings_order_idx ON ledger_postings (order_id) WHERE order_id IS NOT NULL;
COMMENT ON TABLE ledger_postings IS 'Which accounts an entry moves; each entry sums to 0. Never changed.';
COMMENT ON COLUMN ledger_postings.entry_id IS 'The entry.';
COMMENT ON COLUMN ledger_postings.line IS 'Which of its lines.';
COMMENT ON COLUMN ledger_postings.account_id IS 'The account.';
COMMENT ON COLUMN ledger_postings.amount IS 'Debit above 0, credit below.';
COMMENT ON COLUMN ledger_postings.order_id IS 'The order that it is for.';
COMMENT ON COLUMN ledger_postings.created_at IS 'When it was posted.';

CREATE TABLE store_balances (
    store_id bigint NOT NULL,
    balance numeric(15, 2) NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT store_balances_pkey PRIMARY KEY (store_id),
    CONSTRAINT store_balances_balance_check CHECK (balance < 'NaN')
) WITH (fillfactor = 70);
COMMENT ON TABLE store_balances IS
'What the platform owes a store; below 0, the store owes. Moved by the postings alone (settle_postings).';
COMMENT ON COLUMN store_balances.store_id IS 'The store.';
COMMENT ON COLUMN store_balances.balance IS 'What it is owed, in the currency of the shop.';
COMMENT ON COLUMN store_balances.updated_at IS 'When it last moved.';

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger_postings FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON ledger_postings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE ledger_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE store_balances ENABLE ROW LEVEL SECURITY;
CREATE POLICY ledger_accounts_worker ON ledger_accounts FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY ledger_entries_worker ON ledger_entries FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY ledger_postings_worker ON ledger_postings FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY store_balances_worker ON store_balances FOR SELECT TO marketplace_worker USING (true);
CREATE POLICY store_balances_read ON store_balances FOR SELECT TO marketplace_app
USING (store_id = (SELECT my_store_id()) OR (SELECT my_role()) = 'admin');
GRANT SELECT ON ledger_accounts, ledger_entries, ledger_postings, store_balances TO marketplace_worker;
GRANT SELECT ON store_balances TO marketplace_app;

CREATE FUNCTION settle_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wrong bigint;
BEGIN
    SELECT t.entry_id
    INTO wrong
    FROM touched AS t
    GROUP BY t.entry_id
    HAVING sum(t.amount) <> 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % does not balance', wrong
        USING ERRCODE = '23514', CONSTRAINT = 'ledger_postings_balance', TABLE = 'ledger_postings';
    END IF;
    INSERT INTO store_balances AS b (store_id, balance)
    SELECT a.store_id, -sum(t.amount)
    FROM touched AS t
    JOIN ledger_accounts AS a ON a.id = t.account_id AND a.kind = 'payable'
    GROUP BY a.store_id
    ORDER BY a.store_id
    ON CONFLICT (store_id) DO UPDATE
    SET balance = b.balance + excluded.balance, updated_at = now();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION settle_postings IS
'Refuses entries that do not sum to 0 (ledger_postings_balance); moves the balances of stores.';
REVOKE ALL ON FUNCTION settle_postings FROM PUBLIC;
CREATE TRIGGER settle_postings AFTER INSERT ON ledger_postings
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION settle_postings();

-- Lines are arrays that go together: kind of account, its store, amount (debit above 0), its provider, and an order where
-- it is another than the entry's. What is 0 is left out.
CREATE FUNCTION post_entry(
    what text,
    from_source text,
    of_order bigint,
    kinds text[],
    stores bigint[],
    amounts numeric[],
    providers text[] DEFAULT NULL,
    orders bigint[] DEFAULT NULL,
    why text DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO ledger_entries (kind, source, order_id, store_id, user_id, note)
    VALUES (what, from_source, of_order, (SELECT o.store_id FROM orders AS o WHERE o.id = of_order), me(), why)
    ON CONFLICT (kind, source) DO NOTHING
    RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        RETURN (SELECT e.id FROM ledger_entries AS e WHERE e.kind = what AND e.source = from_source);
    END IF;
    INSERT INTO ledger_accounts (kind, store_id, provider)
    SELECT DISTINCT l.kind, l.store_id, l.provider
    FROM unnest(kinds, stores, providers, amounts) AS l (kind, store_id, provider, amount)
    WHERE l.amount <> 0
        AND NOT EXISTS (
            SELECT
            FROM ledger_accounts AS a
            WHERE a.kind = l.kind
                AND a.store_id IS NOT DISTINCT FROM l.store_id
                AND a.provider IS NOT DISTINCT FROM l.provider
        )
    ORDER BY l.kind, l.store_id, l.provider
    ON CONFLICT DO NOTHING;
    INSERT INTO ledger_postings (entry_id, line, account_id, amount, order_id)
    SELECT new_id, l.line, a.id, l.amount, coalesce(l.order_id, of_order)
    FROM unnest(kinds, stores, providers, amounts, orders)
    WITH ORDINALITY AS l (kind, store_id, provider, amount, order_id, line)
    JOIN ledger_accounts AS a
        ON a.kind = l.kind
        AND a.store_id IS NOT DISTINCT FROM l.store_id
        AND a.provider IS NOT DISTINCT FROM l.provider
    WHERE l.amount <> 0;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION post_entry IS
'Posts an entry once, and answers its id: the only writer of the books. Called by verbs, granted to nobody.';
REVOKE ALL ON FUNCTION post_entry FROM PUBLIC;

CREATE FUNCTION store_balance(of_store bigint, OUT balance numeric, OUT updated_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT coalesce(of_store = my_store_id() OR my_role() = 'admin', false) THEN
        RETURN;
    END IF;
    SELECT coalesce(b.balance, 0), b.updated_at
    INTO store_balance.balance, store_balance.updated_at
    FROM stores AS s
    LEFT JOIN store_balances AS b ON b.store_id = s.id
    WHERE s.id = of_store;
END
$$;
COMMENT ON FUNCTION store_balance IS
'What the platform owes a store, for the store and admins: 0 where nothing moved yet. NULL for everybody else.';
REVOKE ALL ON FUNCTION store_balance FROM PUBLIC;
GRANT EXECUTE ON FUNCTION store_balance TO marketplace_app;
