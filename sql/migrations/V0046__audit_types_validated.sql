-- What V0042 holds new entries of the trail to, said of all of them: nobody waits for it.

ALTER TABLE audit VALIDATE CONSTRAINT audit_type_check;
