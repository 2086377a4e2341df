"""Whether results that the marts lack are loaded, for who may see that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.warehouse.grants import may_read

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection


def is_loaded(connection: Connection, experiment_id: str) -> bool:
    """Tell whether raw has runs of an experiment that count; False where this role may not look."""
    if not all(may_read(connection, name) for name in ("evaluation_runs", "withdrawn_versions")):
        return False
    found = connection.execute(
        """
        select from raw_evals.evaluation_runs as runs
        where
            runs.experiment_id = %s
            and not exists (
                select from raw_evals.withdrawn_versions as withdrawn
                where
                    withdrawn.experiment_id = runs.experiment_id
                    and withdrawn.source = runs.source
                    and withdrawn.source_run_id = runs.source_run_id
                    and withdrawn.run_version = runs.run_version
            )
        limit 1
        """,
        (experiment_id,),
    ).fetchone()
    return found is not None
