-- A restored dump refuses a row that a constraint refuses: no constraint stays NOT VALID.
ALTER TABLE audit VALIDATE CONSTRAINT audit_type_check;
