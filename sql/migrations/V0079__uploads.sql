-- Private images that a later call names: the proof of a transfer, what is wrong with a parcel, a store's QR code. Whoever
-- uploaded one names it; what nobody has named goes after a day, by the worker.

CREATE TABLE uploads (
    user_id bigint NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    purpose text NOT NULL,
    key text NOT NULL,
    bytes integer NOT NULL,
    used boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uploads_pkey PRIMARY KEY (id),
    CONSTRAINT uploads_key_key UNIQUE (key),
    CONSTRAINT uploads_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT uploads_purpose_check CHECK (purpose IN ('proof', 'request', 'qris')),
    CONSTRAINT uploads_key_check CHECK (char_length(key) <= 200),
    CONSTRAINT uploads_bytes_check CHECK (bytes > 0)
);
CREATE INDEX uploads_user_idx ON uploads (user_id, created_at);
CREATE INDEX uploads_unused_idx ON uploads (created_at) WHERE NOT used;
COMMENT ON TABLE uploads IS 'Private images that a later call names; unused ones go after a day.';
COMMENT ON COLUMN uploads.user_id IS 'Who uploaded it.';
COMMENT ON COLUMN uploads.id IS 'What a call names it by; cannot be guessed.';
COMMENT ON COLUMN uploads.purpose IS 'proof (of a transfer), request (a return) or qris (a store''s own code).';
COMMENT ON COLUMN uploads.key IS 'Where its file is.';
COMMENT ON COLUMN uploads.bytes IS 'How large its file is.';
COMMENT ON COLUMN uploads.used IS 'Whether something names it; set by verbs.';
COMMENT ON COLUMN uploads.created_at IS 'When it was uploaded.';
ALTER TABLE uploads ENABLE ROW LEVEL SECURITY;
CREATE POLICY uploads_own ON uploads TO marketplace_app
USING (user_id = (SELECT me()))
WITH CHECK (user_id = (SELECT me()));
CREATE POLICY uploads_worker ON uploads TO marketplace_worker USING (true);
GRANT SELECT, INSERT (user_id, id, purpose, key, bytes) ON uploads TO marketplace_app;
GRANT SELECT, DELETE ON uploads TO marketplace_worker;
