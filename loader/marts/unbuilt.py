"""Whether results that the marts lack are loaded, for who may see that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection


def is_loaded(connection: Connection, experiment_id: str) -> bool:
    """Tell whether raw has runs of an experiment; False where this role may not look."""
    visible = connection.execute(
        """
        select
            has_schema_privilege(namespace.oid, 'usage')
            and has_table_privilege(class.oid, 'select')
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where namespace.nspname = 'raw_evals' and class.relname = 'evaluation_runs'
        """
    ).fetchone()
    if not visible or not visible[0]:
        return False
    found = connection.execute(
        "select from raw_evals.evaluation_runs where experiment_id = %s limit 1", (experiment_id,)
    ).fetchone()
    return found is not None
