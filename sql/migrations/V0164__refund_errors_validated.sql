-- A restored dump refuses a row that a constraint refuses: no constraint stays NOT VALID.
ALTER TABLE refunds VALIDATE CONSTRAINT refunds_error_check;
