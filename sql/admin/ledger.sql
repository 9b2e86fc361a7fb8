-- Which files of sql/migrations are in this database. `migrate` sends this file first, each time.

CREATE TABLE IF NOT EXISTS public.schema_migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    milliseconds integer NOT NULL,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (version)
);

COMMENT ON TABLE public.schema_migrations IS 'Which files of sql/migrations are in this database; written by migrate.';
COMMENT ON COLUMN public.schema_migrations.version IS 'Number of the file; 0 is the job queue.';
COMMENT ON COLUMN public.schema_migrations.name IS
'Name of the file; for the job queue the newest of procrastinate''s own files.';
COMMENT ON COLUMN public.schema_migrations.checksum IS 'SHA-256 of the file, to notice edits.';
COMMENT ON COLUMN public.schema_migrations.applied_at IS 'When it was applied.';
COMMENT ON COLUMN public.schema_migrations.milliseconds IS 'How long that took.';
