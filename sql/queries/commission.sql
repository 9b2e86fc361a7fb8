-- What the platform takes of a sale. Rules are closed and added, never edited.

-- name: now
SELECT r.id, r.rate, r.tax_rate, r.active_from
FROM commission_rules AS r
WHERE r.active_to IS NULL;

-- name: close
UPDATE commission_rules
SET active_to = now()
WHERE active_to IS NULL;

-- name: add
INSERT INTO commission_rules (rate, tax_rate, note)
VALUES (%(rate)s, %(tax_rate)s, %(note)s)
RETURNING id;
