"""The process in which dbt runs; that of a build holds its lease for as long as it lives.

Started by `loader.warehouse.dbt`. The lease belongs to this process and not to its
parent, so that a parent that is killed does not let a second build in.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TextIO, cast

from ..show.guarded import Guarded
from . import dbt_imports

# dbt quotes rows that break a constraint
sys.stdout = cast("TextIO", Guarded(sys.stdout))
sys.stderr = cast("TextIO", Guarded(sys.stderr))

# Most of what dbt makes lives as long as the process: to look through it again and again
# for what does not is a tenth of a build.
gc.set_threshold(200_000, 50, 1000)
dbt_imports.put_off()

from dbt.cli.main import dbtRunner  # noqa: E402  importing it makes most of that

from ..errors import ConfigurationError, LoaderError  # noqa: E402
from . import dbt_faults, dbt_once, lease, parsed, temporary, unchanged_views  # noqa: E402
from .dbt_connections import keep_connections  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

_DONE, _FAILED, _UNUSABLE, _UNAVAILABLE = 0, 1, 2, 4
_BEFORE_A_COMMAND: Final = 2  # --quiet, where it is given


def main() -> int:
    """Run dbt with the process's own arguments; return dbt's exit code, or the contract's 4."""
    temporary.end_with_parent()
    arguments = sys.argv[1:]
    dbt_once.avoid(parsed.folder() / "own")
    try:
        with _held(arguments) as held:
            keep_connections(held)
            project = parsed.manifest(arguments)
            if held:
                unchanged_views.leave_alone(unchanged_views.find(project, held.token))
            result = dbtRunner(manifest=project).invoke(arguments)
        dbt_once.keep()
    except LoaderError as error:
        sys.stderr.write(f"Error: {error}\n")
        return _UNUSABLE if isinstance(error, ConfigurationError) else _UNAVAILABLE
    if result.success:
        return _DONE
    if (fault := dbt_faults.of_server(result)) is not None:
        sys.stderr.write(f"Error: the server could not go on: {fault}; build again when it can\n")
        return _UNAVAILABLE
    return _FAILED if result.exception is None else _UNUSABLE


def _held(arguments: Sequence[str]) -> AbstractContextManager[lease.Lease | None]:
    """Hold the lease for a build; documentation writes nothing there."""
    if "docs" in arguments[:_BEFORE_A_COMMAND]:
        return nullcontext()
    return lease.held(os.environ.get("EVALMART_SCHEMA") or "evals")


if __name__ == "__main__":
    sys.exit(main())
