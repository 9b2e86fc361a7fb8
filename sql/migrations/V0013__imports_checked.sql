-- What V0012 has new rows of imports held to, said of all of them: in a transaction of its own, so that nobody waits.

ALTER TABLE imports VALIDATE CONSTRAINT imports_state_check;
ALTER TABLE imports VALIDATE CONSTRAINT imports_mode_check;
ALTER TABLE imports VALIDATE CONSTRAINT imports_on_match_check;
ALTER TABLE imports VALIDATE CONSTRAINT imports_decimal_sign_check;
