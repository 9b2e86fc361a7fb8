-- A store cannot take a name that looks like another one's: with a Cyrillic o, full-width letters, 0 for o.

-- After Unicode TR 39: what is shown alike has one skeleton. The table holds the letters of Cyrillic, Greek and
-- Armenian that look like Latin ones in common typefaces, in small or capital form.
CREATE FUNCTION name_skeleton(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN regexp_replace(
    regexp_replace(
        translate(
            fold_name(normalize(name, NFKC)),
            'аәвеєкмнорстухѕіїјһԁԛԝӏαβεζηικμνορτυχωօոհսıɑɡȷ',
            'aabeekmhopctyxsiijhdqwlabezhikmnoptyxwonhuiagj'
        ),
        '(?<=[[:alpha:]])0|0(?=[[:alpha:]])', 'o', 'g'
    ),
    '(?<=[[:alpha:]])1|1(?=[[:alpha:]])', 'l', 'g'
);
GRANT EXECUTE ON FUNCTION name_skeleton TO marketplace_app, marketplace_worker, marketplace_readonly;
COMMENT ON FUNCTION name_skeleton IS 'What a name looks like: names of one skeleton are told apart by nobody.';

ALTER TABLE stores ADD COLUMN name_key text;
COMMENT ON COLUMN stores.name_key IS 'The skeleton of the name, kept by a trigger; NULL for an older store that looks like another.';

CREATE FUNCTION set_store_name_key() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    new.name_key := name_skeleton(new.name);
    RETURN new;
END
$$;
COMMENT ON FUNCTION set_store_name_key IS 'Keeps stores.name_key.';

ALTER TABLE stores DISABLE TRIGGER USER;
UPDATE stores AS s SET name_key = name_skeleton(s.name)
WHERE s.id IN (SELECT min(o.id) FROM stores AS o GROUP BY name_skeleton(o.name));
ALTER TABLE stores ENABLE TRIGGER USER;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX stores_name_skeleton_key ON stores (name_key);
CREATE TRIGGER set_name_key_insert BEFORE INSERT ON stores
FOR EACH ROW EXECUTE FUNCTION set_store_name_key();
CREATE TRIGGER set_name_key_update BEFORE UPDATE OF name ON stores
FOR EACH ROW WHEN (old.name IS DISTINCT FROM new.name) EXECUTE FUNCTION set_store_name_key();
