-- A restored dump refuses a row that a constraint refuses: no constraint stays NOT VALID.
ALTER TABLE store_settings VALIDATE CONSTRAINT store_settings_pay_account_check;
