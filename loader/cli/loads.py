"""The loads of one `ingest`: one after the other, those that fail, and what is gone."""

from __future__ import annotations

import getpass
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ..errors import InputRejected, LoaderError, SourceUnavailable, WarehouseUnavailable
from ..show.escape import terminal
from ..sources import Failing, Losing, Noting, Quoting
from ..tools.counts import counted
from .group_options import say_unknown_groups
from .ingest_summary import print_summary, refuse
from .say import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..ingest.summary import LoadSummary
    from ..records.vocabulary import Vocabulary
    from ..sources import Source

_PATIENCE: Final = 3
"""Experiments in a row for which the service did not answer: then the rest is not tried."""
_MOST_FAULTS: Final = 10


class Load(Protocol):
    """Loads one source."""

    def __call__(self, source: Source, *, is_trial: bool) -> LoadSummary:
        """Load it, or say what would become of it."""


class Manner(NamedTuple):
    """How the loads of a command are made and told."""

    summary_format: str
    max_rejected: float
    database_url: str | None
    dry_run: bool
    goes_on: bool
    """Whether one that fails keeps none of the others back."""
    is_sync: bool
    """Whether what is gone at the source is withdrawn."""
    again: bool
    """Whether what files said before is said again."""
    vocabulary: Vocabulary
    strict: bool = False
    """Whether trouble with one source keeps all of them back."""


def load_all(sources: Sequence[Source], load: Load, manner: Manner) -> None:
    """Load sources one after the other, and say what became of each.

    Args:
        sources: each a load of its own.
        load: loads one, or tries it only.
        manner: how.

    Raises:
        LoaderError: what one met, where the others do not go on, or all met it.
        InputRejected: as `refuse`, or one of several failed.

    """
    summaries = []
    missing: list[str] = []
    failures = Failures(len(sources) if manner.goes_on else 0)
    troubled = _troubled(sources, load) if manner.strict and not manner.dry_run else None
    for source in troubled or sources:
        with failures.told(source):
            summary = load(source, is_trial=manner.dry_run)
            name = _name(source) if len(sources) > 1 else ""
            notes = list(source.notes()) if isinstance(source, Noting) else []
            print_summary(
                summary,
                manner.summary_format,
                dry_run=manner.dry_run,
                notes=notes,
                name=name if manner.summary_format == "text" or not name else _project(source),
            )
            say_unknown_groups(summary)
            for note in notes:
                say(f"note: {terminal(note)}", err=True)
            if manner.is_sync and not manner.dry_run and not summary.is_refused:
                withdraw_gone(source, manner.database_url)
            absent = list(source.failures()) if isinstance(source, Failing) else []
            if not manner.dry_run and not summary.is_refused and (refused := quote(source, manner)):
                absent.append(f"{counted(refused, 'score')} that people gave could not be stored")
            missing += [f"{name}: {text}" if name else text for text in absent]
            summaries.append(summary)
    refuse(summaries, manner.max_rejected, missing)
    failures.refuse()


def _troubled(sources: Sequence[Source], load: Load) -> Sequence[Source]:
    """Return those of several sources that a strict load refuses; the others are not loaded."""
    if len(sources) == 1:
        return sources
    found = [source for source in sources if load(source, is_trial=True).is_refused]
    if found:
        others = ", ".join(_name(source) for source in sources if source not in found)
        say(f"not loaded, since others have faults (--strict): {others}", err=True)
    return found


def _name(source: Source) -> str:
    """Return the project of a source, or what kind of files it reads."""
    return _project(source) or source.name


def _project(source: Source) -> str:
    return str(source.reference().get("project") or "")


class Failures:
    """The experiments of a command that could not be loaded; the others go on."""

    def __init__(self, most: int) -> None:
        """Begin with none.

        Args:
            most: how many experiments there are; 0 lets the first failure end the command.

        """
        self._most = most
        self._failed: list[tuple[str, LoaderError]] = []
        self._in_a_row = 0
        self._has_loaded = False

    @contextmanager
    def told(self, source: Source) -> Iterator[None]:
        """Tell a failure of a source and go on, unless there is no sense in it.

        Raises:
            LoaderError: the only experiment failed, the warehouse did, or the service answers
                none of several.

        """
        try:
            yield
        except WarehouseUnavailable:
            raise
        except LoaderError as error:
            if not self._most:
                raise
            name = _name(source)
            say(f"{name}: not loaded: {error}", err=True)
            self._failed.append((name, error))
            is_away = isinstance(error, SourceUnavailable)
            self._in_a_row = self._in_a_row + 1 if is_away else 0
            if self._in_a_row >= _PATIENCE:
                say("the service does not answer; the rest is not tried", err=True)
                self.refuse()
        else:
            self._in_a_row = 0
            self._has_loaded = True

    def refuse(self) -> None:
        """Raise if one failed.

        Raises:
            LoaderError: the first failure, where nothing but failures of its kind were met.
            InputRejected: some failed, and others did not or failed otherwise.

        """
        if not self._failed:
            return
        first = self._failed[0][1]
        if not self._has_loaded and len({type(each) for _, each in self._failed}) == 1:
            raise first
        names = ", ".join(name for name, _ in self._failed)
        raise InputRejected(
            f"{len(self._failed)} of {counted(self._most, 'experiment')} could not be loaded: "
            f"{names}; why is told above, and the same command again loads what is missing"
        )


def withdraw_gone(source: Source, database_url: str | None) -> None:
    """Withdraw the runs that a source no longer has, and say so."""
    from ..ingest import withdrawals
    from ..warehouse.connection import connect  # keep --help quick

    gone = source.gone() if isinstance(source, Losing) else {}
    if not gone:
        return
    reference = source.reference()
    with connect(database_url) as connection:
        written = withdrawals.withdraw_runs(
            connection,
            gone,
            str(reference["project_id"]),
            f"deleted in LangSmith, project {reference['project']}",
            own_name(),
        )
    for entry in written:
        runs = counted(len(gone[entry.experiment]), "run")
        say(f"{entry.experiment}: entry {entry.load_id} takes back {runs}", err=True)
    numbers = " ".join(f"--undo {entry.load_id}" for entry in written)
    say(f"to lift it: evalmart withdraw {numbers} --reason TEXT", err=True)


def quote(source: Source, manner: Manner) -> int:
    """Store what people said of the runs that a source holds; return how much was rejected."""
    statements = source.said() if isinstance(source, Quoting) else ()
    if not statements:
        return 0
    rejected = 0
    from ..ingest import quotes
    from ..warehouse.connection import connect  # keep --help quick

    with connect(manner.database_url) as connection:
        for outcome in quotes.store(connection, statements, manner.vocabulary, again=manner.again):
            counts = outcome.counts
            rejected += counts.rejected
            entry = "" if outcome.load_id is None else f" (entry {outcome.load_id})"
            say(
                f"scores that people gave: read {counts.read} · loaded {counts.loaded} · "
                f"unchanged {counts.unchanged} · rejected {counts.rejected}{entry}",
                err=True,
            )
            for fault in outcome.faults[:_MOST_FAULTS]:
                say(f"  {fault.origin}, score {fault.row}: {fault.reason}", err=True)
            if len(outcome.faults) > _MOST_FAULTS:
                say(f"  and {len(outcome.faults) - _MOST_FAULTS:,} more", err=True)
    return rejected


def own_name() -> str | None:
    """Return the name that one is logged in by; None in a container without users."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
