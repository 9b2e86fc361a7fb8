-- The catalogue: categories, brands, products with their pictures and stock, and what is kept ready for reading.
--
-- Why it is shaped so:
-- * A product has one ready JSON text (product_documents), written in the transaction that changes the product, so
--   that a listing joins texts and serialises nothing. Stock is not in it: an order rewrites stock all the time.
-- * product_categories has a row for the category of a product and for each category above it, with the columns a
--   listing sorts by: "this category and all below it, newest first" is one index scan.
-- * inventory is narrow, since it is written most; products.in_stock flips only when the stock crosses zero.
-- * No row-level security here: everybody reads it, and a policy, even a true one, spoils the plans. Hidden
--   products are left out by the WHERE clause, and guards refuse a write by anyone but the store's owner or an admin.

-- Folds accents and case, stems nothing: for names, brands and model numbers.
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE TEXT SEARCH CONFIGURATION names (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION names
ALTER MAPPING FOR hword, hword_part, word WITH unaccent, simple;
COMMENT ON TEXT SEARCH CONFIGURATION names IS 'Words as they are, without accents and case.';

CREATE FUNCTION slugify(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
RETURN left(btrim(regexp_replace(lower(words), '[^[:alnum:]]+', '-', 'g'), '-'), 80);
COMMENT ON FUNCTION slugify IS 'A name for a URL: letters and digits of any script, hyphens between.';

CREATE TABLE categories (
    id bigint GENERATED ALWAYS AS IDENTITY,
    parent_id bigint,
    path bigint[] NOT NULL,
    name text NOT NULL,
    slug text NOT NULL GENERATED ALWAYS AS (slugify(name)) STORED,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT categories_pkey PRIMARY KEY (id),
    CONSTRAINT categories_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES categories (id),
    CONSTRAINT categories_parent_check CHECK (parent_id <> id),
    CONSTRAINT categories_path_check CHECK (cardinality(path) BETWEEN 1 AND 8 AND path[cardinality(path)] = id),
    CONSTRAINT categories_name_check CHECK (char_length(name) BETWEEN 1 AND 200)
);
CREATE UNIQUE INDEX categories_name_key ON categories (parent_id, lower(name)) NULLS NOT DISTINCT;
COMMENT ON TABLE categories IS 'The tree of categories, at most 8 deep. Written by admins; imports may add.';
COMMENT ON COLUMN categories.id IS 'Identity, int64.';
COMMENT ON COLUMN categories.parent_id IS 'The category it is in; NULL at the top.';
COMMENT ON COLUMN categories.path IS 'Ids from the top down to this category itself.';
COMMENT ON COLUMN categories.name IS 'Unique within its parent without regard to case.';
COMMENT ON COLUMN categories.slug IS 'The name for URLs.';
COMMENT ON COLUMN categories.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN categories.created_at IS 'When the row was made.';
COMMENT ON COLUMN categories.updated_at IS 'When the row was last changed.';

CREATE TABLE category_counts (
    category_id bigint NOT NULL,
    products bigint NOT NULL,
    CONSTRAINT category_counts_pkey PRIMARY KEY (category_id),
    CONSTRAINT category_counts_category_id_fkey
    FOREIGN KEY (category_id) REFERENCES categories (id) ON DELETE CASCADE
);
COMMENT ON TABLE category_counts IS 'How many products a category shows with its subtree; refreshed by the worker.';
COMMENT ON COLUMN category_counts.category_id IS 'The category.';
COMMENT ON COLUMN category_counts.products IS 'Products on sale in it and below it.';

CREATE TABLE brands (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    slug text NOT NULL GENERATED ALWAYS AS (slugify(name)) STORED,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT brands_pkey PRIMARY KEY (id),
    CONSTRAINT brands_name_check CHECK (char_length(name) BETWEEN 1 AND 200)
);
CREATE UNIQUE INDEX brands_name_key ON brands (lower(name));
-- The order of the list, bytewise on every server, so that a cursor means the same everywhere.
CREATE INDEX brands_name_idx ON brands (lower(name) COLLATE "C", id);
COMMENT ON TABLE brands IS 'Makers of products. Sellers add by naming one; admins change.';
COMMENT ON COLUMN brands.id IS 'Identity, int64.';
COMMENT ON COLUMN brands.name IS 'Unique without regard to case.';
COMMENT ON COLUMN brands.slug IS 'The name for URLs.';
COMMENT ON COLUMN brands.version IS 'Rises with every change of the row.';
COMMENT ON COLUMN brands.created_at IS 'When the row was made.';
COMMENT ON COLUMN brands.updated_at IS 'When the row was last changed.';

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    category_id bigint,
    brand_id bigint,
    name text NOT NULL,
    name_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(left(name, 100))) STORED,
    slug text NOT NULL GENERATED ALWAYS AS (slugify(name)) STORED,
    description text,
    price numeric(15, 2) NOT NULL,
    sku text,
    source_url text,
    hidden boolean NOT NULL DEFAULT false,
    in_stock boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT products_pkey PRIMARY KEY (id),
    CONSTRAINT products_store_id_fkey FOREIGN KEY (store_id) REFERENCES stores (id),
    CONSTRAINT products_category_id_fkey FOREIGN KEY (category_id) REFERENCES categories (id),
    CONSTRAINT products_brand_id_fkey FOREIGN KEY (brand_id) REFERENCES brands (id),
    CONSTRAINT products_name_check CHECK (char_length(name) BETWEEN 1 AND 500),
    CONSTRAINT products_description_check CHECK (char_length(description) <= 20000),
    CONSTRAINT products_price_check CHECK (price >= 0),
    CONSTRAINT products_sku_check CHECK (char_length(sku) BETWEEN 1 AND 100),
    CONSTRAINT products_source_url_check CHECK (char_length(source_url) BETWEEN 1 AND 2048)
);
-- The keys an import matches by. Links are hashed: a B-tree row ends at 2,704 bytes.
CREATE UNIQUE INDEX products_sku_key ON products (store_id, sku) WHERE sku IS NOT NULL;
CREATE UNIQUE INDEX products_source_url_key ON products (store_id, md5(source_url)) WHERE source_url IS NOT NULL;
-- One index for each order a listing offers, id last so that the order is total. What is hidden is in none.
CREATE INDEX products_newest_idx ON products (created_at, id) WHERE NOT hidden;
CREATE INDEX products_price_idx ON products (price, id) WHERE NOT hidden;
CREATE INDEX products_name_idx ON products (name_key, id) WHERE NOT hidden;
CREATE INDEX products_in_stock_newest_idx ON products (created_at, id) WHERE NOT hidden AND in_stock;
CREATE INDEX products_in_stock_price_idx ON products (price, id) WHERE NOT hidden AND in_stock;
CREATE INDEX products_brand_newest_idx ON products (brand_id, created_at, id) WHERE NOT hidden;
CREATE INDEX products_brand_price_idx ON products (brand_id, price, id) WHERE NOT hidden;
CREATE INDEX products_brand_name_idx ON products (brand_id, name_key, id) WHERE NOT hidden;
CREATE INDEX products_store_newest_idx ON products (store_id, created_at, id);
CREATE INDEX products_store_price_idx ON products (store_id, price, id);
CREATE INDEX products_store_name_idx ON products (store_id, name_key, id);
-- Behind the foreign keys: is a category or brand still used, and which documents does a rename touch.
CREATE INDEX products_category_id_idx ON products (category_id, id);
CREATE INDEX products_brand_id_idx ON products (brand_id, id);
COMMENT ON TABLE products IS 'What stores sell. Never deleted: orders refer to it; removed means hidden.';
COMMENT ON COLUMN products.id IS 'Identity, int64.';
COMMENT ON COLUMN products.store_id IS 'Who sells it.';
COMMENT ON COLUMN products.category_id IS 'Where it stands in the tree.';
COMMENT ON COLUMN products.brand_id IS 'Who makes it.';
COMMENT ON COLUMN products.name IS '1 to 500 characters.';
COMMENT ON COLUMN products.name_key IS 'Folded prefix that listings sort names by, bytewise on every server.';
COMMENT ON COLUMN products.slug IS 'The name for URLs; not unique, the id is.';
COMMENT ON COLUMN products.description IS 'Plain text, up to 20,000 characters.';
COMMENT ON COLUMN products.price IS 'In the installation''s currency.';
COMMENT ON COLUMN products.sku IS 'The seller''s own number; unique within the store.';
COMMENT ON COLUMN products.source_url IS 'Where the product was first listed; unique within the store.';
COMMENT ON COLUMN products.hidden IS 'Not on sale; only its store and admins see it.';
COMMENT ON COLUMN products.in_stock IS 'inventory.quantity > 0, kept by a trigger that fires when it crosses zero.';
COMMENT ON COLUMN products.version IS 'Rises with every change but those of stock.';
COMMENT ON COLUMN products.created_at IS 'When the row was made.';
COMMENT ON COLUMN products.updated_at IS 'When the row was last changed.';

CREATE TABLE product_categories (
    product_id bigint NOT NULL,
    category_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    price numeric(15, 2) NOT NULL,
    name_key text COLLATE "C" NOT NULL,
    in_stock boolean NOT NULL,
    CONSTRAINT product_categories_pkey PRIMARY KEY (product_id, category_id),
    CONSTRAINT product_categories_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);
CREATE INDEX product_categories_newest_idx ON product_categories (category_id, created_at, product_id);
CREATE INDEX product_categories_price_idx ON product_categories (category_id, price, product_id);
CREATE INDEX product_categories_name_idx ON product_categories (category_id, name_key, product_id);
CREATE INDEX product_categories_in_stock_newest_idx
ON product_categories (category_id, created_at, product_id) WHERE in_stock;
CREATE INDEX product_categories_in_stock_price_idx
ON product_categories (category_id, price, product_id) WHERE in_stock;
COMMENT ON TABLE product_categories IS 'A visible product''s category and all above it, with what listings sort by.';
COMMENT ON COLUMN product_categories.product_id IS 'The product; hidden ones have no rows.';
COMMENT ON COLUMN product_categories.category_id IS 'Its category, or one above.';
COMMENT ON COLUMN product_categories.created_at IS 'As in products.';
COMMENT ON COLUMN product_categories.price IS 'As in products.';
COMMENT ON COLUMN product_categories.name_key IS 'As in products.';
COMMENT ON COLUMN product_categories.in_stock IS 'As in products.';

CREATE TABLE inventory (
    product_id bigint NOT NULL,
    quantity integer NOT NULL,
    CONSTRAINT inventory_pkey PRIMARY KEY (product_id),
    CONSTRAINT inventory_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT inventory_quantity_check CHECK (quantity >= 0)
) WITH (fillfactor = 80);
CREATE INDEX inventory_quantity_idx ON inventory (quantity, product_id);
COMMENT ON TABLE inventory IS 'How many of each product there are.';
COMMENT ON COLUMN inventory.product_id IS 'The product.';
COMMENT ON COLUMN inventory.quantity IS 'Pieces that can be sold.';

CREATE TABLE product_images (
    product_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    position integer NOT NULL,
    is_main boolean NOT NULL DEFAULT false,
    url text NOT NULL,
    alt text,
    digest text,
    width integer,
    height integer,
    placeholder text,
    variants json NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT product_images_pkey PRIMARY KEY (product_id, id),
    CONSTRAINT product_images_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE,
    CONSTRAINT product_images_url_check CHECK (char_length(url) BETWEEN 1 AND 2048),
    CONSTRAINT product_images_alt_check CHECK (char_length(alt) <= 500)
);
CREATE UNIQUE INDEX product_images_main_key ON product_images (product_id) WHERE is_main;
CREATE INDEX product_images_digest_idx ON product_images (digest) WHERE digest IS NOT NULL;
COMMENT ON TABLE product_images IS 'Pictures of a product: uploaded ones, and links that an import brought.';
COMMENT ON COLUMN product_images.product_id IS 'The product.';
COMMENT ON COLUMN product_images.id IS 'Identity, int64.';
COMMENT ON COLUMN product_images.position IS 'Order in which they are shown.';
COMMENT ON COLUMN product_images.is_main IS 'The one that lists show; at most one a product.';
COMMENT ON COLUMN product_images.url IS 'A link, or chr(127) and a file key: chr(127) becomes PUBLIC_URL/uploads/ on the way out.';
COMMENT ON COLUMN product_images.alt IS 'What the picture shows, for those who cannot see it.';
COMMENT ON COLUMN product_images.digest IS 'Content hash of an uploaded picture: which files it uses. NULL for links.';
COMMENT ON COLUMN product_images.width IS 'Pixels, upright. NULL for links.';
COMMENT ON COLUMN product_images.height IS 'Pixels, upright. NULL for links.';
COMMENT ON COLUMN product_images.placeholder IS 'thumbhash, base64: what to paint before it loads.';
COMMENT ON COLUMN product_images.variants IS '[{name, url, width, height}], as the API answers them.';
COMMENT ON COLUMN product_images.created_at IS 'When it was added.';

CREATE TABLE product_documents (
    product_id bigint NOT NULL,
    document text NOT NULL,
    search tsvector NOT NULL,
    CONSTRAINT product_documents_pkey PRIMARY KEY (product_id),
    CONSTRAINT product_documents_product_id_fkey
    FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE CASCADE
);
CREATE INDEX product_documents_search_idx ON product_documents USING gin (search) WITH (fastupdate = off);
COMMENT ON TABLE product_documents IS 'Each product as the API answers it, ready to send, and the words it is found by.';
COMMENT ON COLUMN product_documents.product_id IS 'The product.';
COMMENT ON COLUMN product_documents.document IS 'A JSON object but for its last brace; stock, in_stock and description follow live.';
COMMENT ON COLUMN product_documents.search IS 'Words of name (A), brand (B), category (C) and description (D).';

-- in_stock follows the stock across zero, and only then: a sale of one of many touches inventory alone.
CREATE FUNCTION flip_in_stock() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE products SET in_stock = new.quantity > 0 WHERE id = new.product_id;
    UPDATE product_categories SET in_stock = new.quantity > 0 WHERE product_id = new.product_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION flip_in_stock IS 'Keeps products.in_stock and product_categories.in_stock.';
CREATE TRIGGER flip_in_stock AFTER UPDATE OF quantity ON inventory
FOR EACH ROW WHEN ((old.quantity > 0) <> (new.quantity > 0)) EXECUTE FUNCTION flip_in_stock();

-- The guards: statement by statement, over all rows it touched. ---------------------------------------------------

CREATE FUNCTION guard_products() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    who record;
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF who.role IS DISTINCT FROM 'admin'
        AND EXISTS (SELECT FROM touched AS t WHERE t.store_id IS DISTINCT FROM who.store_id) THEN
        RAISE EXCEPTION 'products are written by their store or an admin' USING ERRCODE = '42501';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION guard_products IS 'Refuses a write to another store''s products (42501).';
CREATE TRIGGER guard_insert AFTER INSERT ON products
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_products();
CREATE TRIGGER guard_update AFTER UPDATE ON products
REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION guard_products();

-- For what hangs on a product. The worker is let through: it rebuilds documents for everybody.
CREATE FUNCTION guard_product_parts() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    who record;
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    SELECT c.role, c.store_id INTO who FROM auth.caller() AS c;
    IF who.role = 'admin' OR (who.role IS NULL AND pg_has_role(current_user, 'marketplace_worker', 'USAGE')) THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT
        FROM touched AS t
        JOIN products AS p ON p.id = t.product_id
        WHERE p.store_id IS DISTINCT FROM who.store_id
    ) THEN
        RAISE EXCEPTION 'what belongs to a product is written by its store or an admin' USING ERRCODE = '42501';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION guard_product_parts IS 'Refuses a write to stock, pictures or documents of another store (42501).';
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['inventory', 'product_images', 'product_documents', 'product_categories'] LOOP
        EXECUTE format('CREATE TRIGGER guard_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts()', part);
        EXECUTE format('CREATE TRIGGER guard_update AFTER UPDATE ON %I REFERENCING NEW TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts()', part);
        EXECUTE format('CREATE TRIGGER guard_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS touched '
            'FOR EACH STATEMENT EXECUTE FUNCTION guard_product_parts()', part);
    END LOOP;
END
$$;

-- Categories and brands belong to nobody: sellers may add (an import, a new brand), admins change.
CREATE FUNCTION guard_shared() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    acting text;
BEGIN
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = tg_relid), 'USAGE') THEN
        RETURN NULL;
    END IF;
    acting := my_role();
    IF acting IS DISTINCT FROM 'admin' AND NOT (tg_op = 'INSERT' AND acting IS NOT DISTINCT FROM 'seller') THEN
        RAISE EXCEPTION 'categories and brands are changed by admins' USING ERRCODE = '42501';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION guard_shared IS 'Sellers add categories and brands, admins change them (42501 otherwise).';
CREATE TRIGGER guard_write AFTER INSERT OR UPDATE OR DELETE ON categories
FOR EACH STATEMENT EXECUTE FUNCTION guard_shared();
CREATE TRIGGER guard_write AFTER INSERT OR UPDATE OR DELETE ON brands
FOR EACH STATEMENT EXECUTE FUNCTION guard_shared();

-- Counted by the worker, for all categories at once: 500 of them over a million products take a second or so.
CREATE FUNCTION refresh_category_counts() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO category_counts AS kept (category_id, products)
    SELECT c.id, count(pc.product_id)
    FROM categories AS c
    LEFT JOIN product_categories AS pc ON pc.category_id = c.id
    GROUP BY c.id
    ON CONFLICT (category_id) DO UPDATE SET products = excluded.products
    WHERE kept.products <> excluded.products
$$;
COMMENT ON FUNCTION refresh_category_counts IS 'Counts the products of every category with its subtree.';
REVOKE ALL ON FUNCTION refresh_category_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_category_counts TO marketplace_worker;

GRANT SELECT ON categories, category_counts, brands, products, product_categories, inventory, product_images,
product_documents TO marketplace_app, marketplace_readonly;
GRANT INSERT (id, parent_id, path, name), UPDATE (parent_id, path, name, version, updated_at), DELETE
ON categories TO marketplace_app;
GRANT USAGE ON SEQUENCE categories_id_seq TO marketplace_app;
GRANT INSERT (name), UPDATE (name, version, updated_at), DELETE ON brands TO marketplace_app;
GRANT INSERT, UPDATE ON products TO marketplace_app;
GRANT INSERT, UPDATE, DELETE ON product_categories, product_images, product_documents TO marketplace_app;
GRANT INSERT, UPDATE ON inventory TO marketplace_app;
