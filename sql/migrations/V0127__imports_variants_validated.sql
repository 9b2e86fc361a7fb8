-- What V0125 holds new imports to, said of all of them: nobody waits for it.

ALTER TABLE imports VALIDATE CONSTRAINT imports_variants_check;
