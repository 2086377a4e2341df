"""What people said of runs inside the files that the runs were loaded from: edited scores."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from .annotations import annotate
from .said import Fault, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..records.vocabulary import Vocabulary
    from ..sources import Statement
    from ..warehouse.connection import Connection
    from .annotations import Outcome


def store(
    connection: Connection,
    statements: Sequence[Statement],
    vocabulary: Vocabulary,
    *,
    again: bool = False,
) -> Iterator[Outcome]:
    """Store what the files of a load say that people said, once its runs are loaded.

    What a file said before is not said again over what was said since.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        statements: those of one file one after the other.
        vocabulary: as of the load.
        again: whether what files said before is said again.

    Yields:
        What became of the statements of each file, each written in a transaction of its own.

    """
    for file, of_file in groupby(statements, key=lambda each: each.file):
        read = [quoted(number, _parts(each), file.origin) for number, each in enumerate(of_file, 1)]
        yield annotate(
            connection,
            [each for each in read if not isinstance(each, Fault)],
            vocabulary,
            faults=[each for each in read if isinstance(each, Fault)],
            origin=file.origin,
            file=None if again else file,
        )


def _parts(statement: Statement) -> dict[str, str | None]:
    names = {
        "experiment": "experiment_id",
        "task": "task_id",
        "group": "experiment_group",
        "version": "extension_version",
        "run": "source_run_id",
    }
    parts = {part: statement.record.get(name) for part, name in names.items()}
    return {
        **{part: None if value is None else str(value) for part, value in parts.items()},
        "key": statement.key,
        "score": repr(float(statement.score)),
        "author": statement.author,
        "reason": statement.reason,
    }
