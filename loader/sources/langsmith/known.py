"""What a warehouse knows of a project when it is read again; a source knows no SQL of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec


class KnownFeedback(NamedTuple):
    """What is known of one feedback row on a run, enough to see that it is as it was."""

    id: str
    modified_at: str | None
    key: str
    score: float | bool | None


class KnownRun(NamedTuple):
    """The version of a run that counts, as far as reading its project again needs it."""

    experiment_id: str
    id: str
    task_id: str
    experiment_group: str
    extension_version: str
    started_at: str | None
    """ISO 8601, UTC."""
    repetition: int | None
    """Counted from 1."""
    example_id: str | None
    feedback: Sequence[KnownFeedback]


class KnownLook(NamedTuple):
    """The last load of a project."""

    load_id: int
    reference: Mapping[str, object]
    """What its source said of it: `LangSmithSource.reference`."""
    is_disturbed: bool
    """Whether something of the project's experiments was withdrawn or removed since."""


class Known(Protocol):
    """What a warehouse knows of projects."""

    @property
    def rules(self) -> str:
        """Name everything outside the source that decides what becomes of a record."""

    def look(self, project_id: str) -> KnownLook | None:
        """Return the last load of a project that was not refused; None if there is none."""

    def runs(self, project_id: str, experiments: Sequence[str] | None) -> Iterator[KnownRun]:
        """Yield its runs that count; of some experiments only, or of all."""

    def rejected(self, project_id: str) -> Iterator[bytes]:
        """Yield the records that could not be loaded, the latest first, as JSON."""

    def feedback(
        self, experiments: Sequence[str], run_ids: Sequence[str]
    ) -> Iterator[tuple[str, list[dict[str, object]]]]:
        """Yield the ids of runs that count, each with its feedback as it was kept."""


class Tally(msgspec.Struct, array_like=True):
    """What the feedback rows of one key come to."""

    rows: int = 0
    scored: int = 0
    total: float = 0.0

    def add(self, score: object, sign: int = 1) -> None:
        """Count a row's score; take it off again with the sign -1."""
        self.rows += sign
        if isinstance(score, bool | int | float):
            self.scored += sign
            self.total += sign * score


class Look(msgspec.Struct, kw_only=True):
    """What a whole reading found, for the next one to go on from; kept in the ledger."""

    at: str
    """When it began, ISO 8601, UTC."""
    shape: str
    """Fingerprint of all that decides what becomes of a run, but the run itself."""
    experiments: list[str]
    pending: dict[str, int]
    """Runs that were not finished, each with its tokens so far."""
    runs: int
    run_count: int | None
    """As the service counted; where that was not `runs`, only its changes are believed."""
    tokens: int | None
    """Of all runs; None where the service counted otherwise."""
    feedback: dict[str, Tally]
    feedback_stats: dict[str, object]
    """As the service said."""

    def differs(self, other: Look) -> bool:
        """Whether the project is otherwise than another reading found it."""
        mine, others = (msgspec.structs.replace(each, at="") for each in (self, other))
        return mine != others


def tallied(rows: Iterable[tuple[str, object]]) -> dict[str, Tally]:
    """Tally scores by key."""
    found: dict[str, Tally] = {}
    for key, score in rows:
        found.setdefault(key, Tally()).add(score)
    return found
