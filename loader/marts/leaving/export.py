"""Write an experiment's runs, or what people said of them, as another tool reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ...errors import ConfigurationError
from ...show.escape import json_text
from ...tools.counts import counted
from ...tools.files import cannot_write, whole_file, whole_folder
from ..reading import reading
from . import every_eval_ever, inspect_edits, openai_evals
from .runs import arms, edits, runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ...warehouse.connection import Connection
    from .runs import Arm, Content

    Write = Callable[[Path, Arm, Iterable[Content]], int]

_OF_ARMS: Final[dict[str, Write]] = {
    "every-eval-ever": every_eval_ever.write,
    "openai-evals": openai_evals.write,
}
_EDITS: Final = "inspect-score-edits"
FORMATS: Final = (*_OF_ARMS, _EDITS)


class Left(NamedTuple):
    """What left."""

    number: int
    of: str
    """What was counted, for `loader.tools.counts.counted`."""
    notes: Sequence[str]


def leave(connection: Connection, path: str, experiment_id: str, form: str) -> Left:
    """Write an experiment in a form of another tool; a folder, or a file of edits.

    Args:
        connection: to the warehouse.
        path: a folder that is not there or empty; of edits a file, or `-`.
        experiment_id: the experiment.
        form: one of `FORMATS`.

    Raises:
        ConfigurationError: there is no such experiment; the path cannot be written.
    """
    with reading(connection, [experiment_id]):
        try:
            if form == _EDITS:
                return _edits(connection, path, experiment_id)
            return _arms(connection, path, experiment_id, _OF_ARMS[form])
        except OSError as error:
            raise cannot_write(path, error) from error


def _arms(connection: Connection, path: str, experiment_id: str, write: Write) -> Left:
    if path == "-":
        raise ConfigurationError("a file for each arm is written: name a folder, not -")
    found = arms(connection, experiment_id)
    seen = _Seen()
    written = 0
    with whole_folder(Path(path)) as folder:
        for arm in found:
            written += write(folder, arm, seen.each(runs(connection, arm)))
    return Left(written, f"run of {counted(len(found), 'arm')}", list(seen.notes()))


class _Seen:
    """Counts what the runs that leave do not have."""

    def __init__(self) -> None:
        self._without_inputs = self._unscored = 0

    def each(self, found: Iterable[Content]) -> Iterable[Content]:
        for run in found:
            self._without_inputs += run.inputs is None
            self._unscored += not run.counted_scores and run.error_message is None
            yield run

    def notes(self) -> Iterable[str]:
        if self._without_inputs:
            yield (
                f"{counted(self._without_inputs, 'run')} without inputs, which are kept by "
                "ingest --with-io"
            )
        if self._unscored:
            yield f"{counted(self._unscored, 'run')} without a score, said to be not scored"


def _edits(connection: Connection, path: str, experiment_id: str) -> Left:
    found = edits(connection, experiment_id)
    if path == "-":
        is_shown = sys.stdout.isatty()
        written, others = inspect_edits.write(_show if is_shown else sys.stdout.buffer.write, found)
        sys.stdout.flush()
    else:
        with whole_file(Path(path)) as file:
            written, others = inspect_edits.write(file.write, found)
    told = f"{counted(others, 'score')} of runs that did not come from Inspect, left out"
    return Left(written, "edit", [told] if others else [])


def _show(line: bytes) -> None:
    """Write to a terminal, what would move its cursor as an escape of JSON."""
    sys.stdout.buffer.write(json_text(line.decode()).encode())
