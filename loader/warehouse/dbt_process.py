"""The process in which dbt runs, holding the build lock for as long as it lives.

Started by `loader.warehouse.dbt`. The lock belongs to this process and not to its
parent, so that a parent that is killed does not let a second build in.
"""

from __future__ import annotations

import gc
import sys

# Most of what dbt makes lives as long as the process: to look through it again and again
# for what does not is a tenth of a build.
gc.set_threshold(200_000, 50, 1000)

from dbt.cli.main import dbtRunner  # noqa: E402  importing it makes most of that

from loader.warehouse import dbt_faults, locks, parsed, temporary  # noqa: E402
from loader.warehouse.connection import connect  # noqa: E402
from loader.warehouse.dbt_connections import keep_connections  # noqa: E402

_DONE, _FAILED, _UNUSABLE, _UNAVAILABLE = 0, 1, 2, 4


def main() -> int:
    """Run dbt with the process's own arguments; return dbt's exit code."""
    temporary.end_with_parent()
    with connect(autocommit=True) as connection:
        taken = connection.execute("select pg_try_advisory_lock(%s)", [locks.BUILD]).fetchone()
        if taken is not None and not taken[0]:
            sys.stderr.write("waiting for another build of this database\n")
            connection.execute("select pg_advisory_lock(%s)", [locks.BUILD])
        arguments = sys.argv[1:]
        keep_connections()
        result = dbtRunner(manifest=parsed.manifest(arguments)).invoke(arguments)
    if result.success:
        return _DONE
    if (fault := dbt_faults.of_server(result)) is not None:
        sys.stderr.write(f"Error: the server could not go on: {fault}; build again when it can\n")
        return _UNAVAILABLE
    return _FAILED if result.exception is None else _UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
