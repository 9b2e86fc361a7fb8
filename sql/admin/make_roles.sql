-- How `migrate` makes the roles of roles.sql, where it may.

-- name: present
SELECT r.rolname
FROM pg_roles AS r
WHERE r.rolname = ANY(%(roles)s);

-- name: make
CREATE ROLE {role} NOLOGIN;

-- name: grant
GRANT {role} TO {member};

-- name: may_act_as
-- `kind` is SET; before PostgreSQL 16, where who makes a role does not only administer it, MEMBER.
SELECT pg_has_role(%(member)s::name, %(role)s::name, %(kind)s);

-- name: whoami
SELECT current_user;
