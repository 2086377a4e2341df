-- The login that Grafana reads with: it can read the marts and do nothing else.
-- Run by psql, after `evalmart init`, as an administrator:
--   psql --set=password=… --file grafana/create_reader.sql
-- Running it again sets the password anew.

select 'create role evals_grafana login'
where not exists (
    select from pg_catalog.pg_roles where rolname = 'evals_grafana'
) \gexec

alter role evals_grafana password :'password';
alter role evals_grafana connection limit 20;
alter role evals_grafana set default_transaction_read_only = on;
alter role evals_grafana set statement_timeout = '30s';
-- the panels' queries are short: compiling them takes longer than running them
alter role evals_grafana set jit = off;
grant evals_analyst to evals_grafana;
