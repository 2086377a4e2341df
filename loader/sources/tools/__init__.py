"""The files that other evaluation tools write: one module a tool, the same for all of them.

An importer knows one tool. It says what it is (`About`), tells its files by their content
(`recognises`), and turns one file into `Run`s, lazily (`runs`). It knows nothing of options,
arms, SQL or the command line: `ToolSource` makes rows of what it yields. docs/add-an-importer.md
shows how one is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .. import Rejection
    from .opened import ToolFile


class About(NamedTuple):
    """What an importer is for; the table in docs/import.md is made of it."""

    kind: str
    """What `--format` calls it, and the `source` of its runs: `inspect`, `lm-eval`, …"""
    tool: str
    """As the tool is called: Inspect, lm-evaluation-harness."""
    files: str
    """Which files: `.eval` and JSON logs."""
    versions: str
    """Versions of the format or the tool that it was tried on."""
    kept: str
    """What becomes of what the file says, in a line."""
    left_out: str
    """What is not read, in a line."""
    names: Mapping[str, str]
    """What `--map` may refer to, each with its meaning: `model` → the model evaluated. A name
    that ends in `*` stands for all that begin so: `task_args.*` → the task's arguments."""


class Run(NamedTuple):
    """One run of one task, as a file of a tool has it."""

    number: int
    """Its place in the file, from 1: a line, a sample, a test."""
    record: dict[str, Any]
    """Fields of a record (`loader.records.form`), as far as the file says them. Options and
    `--map` go before experiment_id, experiment_group, extension_version, agent_name,
    model_version and dataset_version. A file that does not say which arm it is has no
    experiment_group."""
    names: Mapping[str, object]
    """Values of `About.names`. The same object for runs that have the same."""
    left_experiment: str | None = None
    """The experiment that it was exported from, which it is not loaded into again unless an
    option says so."""


class Rejected(NamedTuple):
    """One run that cannot be read."""

    number: int
    original: bytes
    """As it stands in the file, or its beginning."""
    rejection: Rejection


class Planned(NamedTuple):
    """How much an arm was to run: the file's, if it is of one arm only, or the one that is said."""

    tasks: int | None
    repetitions: int | None
    record: dict[str, Any] | None = None
    """The fields that say which arm it is, as of a run; of a file whose runs stand in others."""
    names: Mapping[str, object] | None = None


class Whole(NamedTuple):
    """A score of the file's arm as a whole, which no single run has; a file of one arm only."""

    key: str
    score: float | None
    record: dict[str, Any]
    """The fields that say which arm it is, as of a run."""
    names: Mapping[str, object]
    recorded_at: str | None = None
    """ISO 8601."""
    comment: str | None = None
    """What is said with it: its standard error, of how many it is."""


class Directed(NamedTuple):
    """Which way a score is better, as the tool says it of one experiment."""

    key: str
    higher_is_better: bool
    record: dict[str, Any]
    """The fields that say which experiment it is, as of a run."""
    names: Mapping[str, object]


class Said(NamedTuple):
    """A score that a person gave a run of this file, in place of what the evaluator gave it."""

    run: Run
    key: str
    score: float
    author: str
    reason: str


class Noted(NamedTuple):
    """What a reader of the load should know of the file: it breaks off, a judge failed."""

    text: str
    """A sentence without capital and stop; the file's name is put before it."""


class Companion(NamedTuple):
    """The file has no runs of its own, which is no error: it is read with others."""

    of: str
    """Which: `per_instance_stats.json`, the samples beside it."""


Item = Run | Rejected | Planned | Whole | Directed | Said | Noted | Companion


class FileBroken(Exception):  # noqa: N818  of the file, not of the program
    """Nothing of this file can be loaded; raised before its first run is yielded."""

    def __init__(self, rejection: Rejection) -> None:
        """Keep the reason."""
        super().__init__(rejection.reason)
        self.rejection = rejection


class Importer(NamedTuple):
    """One tool's files."""

    about: About
    recognises: Callable[[ToolFile], bool]
    """Whether a file is one of the tool's, by its beginning; quick, and true of no other's."""
    runs: Callable[[ToolFile], Iterator[Item]]
    """Yield what is in a file. Raises FileBroken where it cannot be read at all."""
