-- One service's role and database. Run by the superuser at each start; again it changes nothing.
-- psql variables: role (also the name of the database), password.
--
-- The role owns the one schema of its own database and nothing else: it makes no roles and no
-- databases, and no other database lets it in.

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

ALTER ROLE :"role" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT
    CONNECTION LIMIT 50 PASSWORD :'password';

SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8''', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'role') \gexec

REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"role" TO :"role";

\connect :"role"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO :"role";
