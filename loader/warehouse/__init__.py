"""Where results live: the dbt project, its seeds, the server, the raw schema, and dbt itself."""
