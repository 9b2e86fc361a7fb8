-- Words that mean the same: who types one finds the others too, behind what is as typed.
--
-- A row is a word; the words of a group mean the same. A DBA may fill the table by hand (INSERT, DELETE); an admin
-- replaces the whole list by PUT /api/search-synonyms. Every word stands in one group: HP is not both a phone and a maker
-- of printers.

CREATE TABLE search_synonyms (
    id bigint GENERATED ALWAYS AS IDENTITY,
    word text COLLATE "C" NOT NULL,
    group_id integer NOT NULL,
    position integer NOT NULL DEFAULT 1,
    CONSTRAINT search_synonyms_pkey PRIMARY KEY (id),
    CONSTRAINT search_synonyms_word_key UNIQUE (word),
    CONSTRAINT search_synonyms_word_check CHECK (char_length(word) <= 50 AND word ~ '^\S+$'),
    CONSTRAINT search_synonyms_group_id_check CHECK (group_id BETWEEN 1 AND 100000),
    CONSTRAINT search_synonyms_position_check CHECK (position BETWEEN 1 AND 10)
);
CREATE INDEX search_synonyms_group_id_idx ON search_synonyms (group_id);
COMMENT ON TABLE search_synonyms IS 'Words that mean the same, a row each; those of a group find each other.';
COMMENT ON COLUMN search_synonyms.id IS 'Identity, int64: what the audit trail calls the word by.';
COMMENT ON COLUMN search_synonyms.word IS 'As search_spaced(search_fold(word)) has it: one word of small letters and digits.';
COMMENT ON COLUMN search_synonyms.group_id IS 'Words with the same number mean the same; groups are listed by it.';
COMMENT ON COLUMN search_synonyms.position IS 'The place of the word in its group.';

-- The version of the whole list is what If-Match names.
CREATE TABLE search_lists (
    name text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT search_lists_pkey PRIMARY KEY (name),
    CONSTRAINT search_lists_name_check CHECK (name IN ('synonyms'))
);
COMMENT ON TABLE search_lists IS 'How often each list that search reads was changed: one row, synonyms.';
COMMENT ON COLUMN search_lists.name IS 'The list: synonyms.';
COMMENT ON COLUMN search_lists.version IS 'Rises with every change, by hand too.';

-- The first list, for Indonesian shops: words that are used for each other in shops, in Indonesian and English.
INSERT INTO search_synonyms (word, group_id, position)
SELECT w.word, g.number, w.place
FROM unnest(ARRAY[
    'hp handphone ponsel hape smartphone',
    'laptop notebook',
    'komputer computer pc',
    'layar monitor screen',
    'televisi tv tivi',
    'kulkas refrigerator',
    'kamera camera',
    'charger casan pengisi',
    'headset earphone headphone',
    'pengeras speaker',
    'nirkabel wireless',
    'printer pencetak',
    'senter flashlight',
    'baterai batere battery',
    'kabel cable',
    'lampu bohlam lamp',
    'baju pakaian',
    'kaos kaus tshirt',
    'kemeja shirt',
    'celana pants',
    'jaket jacket',
    'rok skirt',
    'jilbab hijab kerudung',
    'mukena mukenah',
    'sepatu shoes',
    'sandal sendal',
    'topi hat',
    'tas bag',
    'ransel backpack',
    'dompet wallet',
    'kacamata glasses',
    'arloji watch',
    'kalung necklace',
    'gelang bracelet',
    'anting earring',
    'parfum perfume',
    'lipstik lipstick gincu',
    'sampo shampo shampoo',
    'sabun soap',
    'odol pastagigi',
    'bayi baby',
    'popok pampers diaper',
    'mainan toys',
    'boneka doll',
    'sepeda bike bicycle',
    'mobil car',
    'motor motorcycle',
    'helm helmet',
    'oli pelumas',
    'kopi coffee',
    'teh tea',
    'susu milk',
    'gula sugar',
    'beras rice',
    'mie noodle',
    'coklat cokelat chocolate',
    'keripik kripik chips',
    'kue cake',
    'madu honey',
    'wajan penggorengan',
    'pisau knife',
    'sendok spoon',
    'piring plate',
    'gelas glass',
    'botol bottle',
    'tumbler termos',
    'ember bucket',
    'kasur matras mattress',
    'bantal pillow',
    'selimut blanket',
    'sprei seprai seprei bedsheet',
    'handuk anduk towel',
    'gorden hordeng tirai curtain',
    'karpet permadani carpet',
    'meja table',
    'kursi bangku chair',
    'lemari almari wardrobe',
    'rak shelf',
    'cermin mirror',
    'buku book',
    'pulpen bolpoin bolpen ballpoint',
    'pensil pencil',
    'kertas paper',
    'gunting scissors',
    'obeng screwdriver',
    'palu martil hammer',
    'gergaji saw',
    'bor drill',
    'obat medicine',
    'vitamin suplemen',
    'masker mask'
]) WITH ORDINALITY AS g (words, number)
CROSS JOIN LATERAL regexp_split_to_table(g.words, ' ') WITH ORDINALITY AS w (word, place);
INSERT INTO search_lists (name) VALUES ('synonyms');

-- Folded as what is typed is, however it was written.
CREATE FUNCTION fold_synonym() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    new.word := search_spaced(search_fold(new.word));
    RETURN new;
END
$$;
COMMENT ON FUNCTION fold_synonym IS 'Writes a synonym as a typed word is read: without accents and capitals.';
CREATE TRIGGER fold_synonym BEFORE INSERT OR UPDATE ON search_synonyms
FOR EACH ROW EXECUTE FUNCTION fold_synonym();

CREATE FUNCTION guard_synonyms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF coalesce(my_role(), '') <> 'admin' AND NOT auth.is_by_hand() THEN
        RAISE EXCEPTION 'synonyms are written by admins' USING ERRCODE = '42501';
    END IF;
    UPDATE search_lists AS l SET version = l.version + 1 WHERE l.name = 'synonyms';
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION guard_synonyms IS 'Synonyms are written by admins and the owner alone (42501 otherwise); the version of the list rises.';
CREATE TRIGGER guard_write AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON search_synonyms
FOR EACH STATEMENT EXECUTE FUNCTION guard_synonyms();

CREATE TRIGGER write_audit_insert AFTER INSERT ON search_synonyms REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('synonym', 'id', 'none');
CREATE TRIGGER write_audit_update AFTER UPDATE ON search_synonyms
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('synonym', 'id', 'none');
CREATE TRIGGER write_audit_delete AFTER DELETE ON search_synonyms REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION write_audit('synonym', 'id', 'none');
CREATE TRIGGER write_audit_truncate BEFORE TRUNCATE ON search_synonyms
FOR EACH STATEMENT EXECUTE FUNCTION write_audit_truncate('synonym');

REVOKE ALL ON FUNCTION fold_synonym, guard_synonyms FROM PUBLIC;
GRANT SELECT ON search_synonyms, search_lists TO marketplace_app, marketplace_worker, marketplace_readonly;
GRANT INSERT, DELETE ON search_synonyms TO marketplace_app;
