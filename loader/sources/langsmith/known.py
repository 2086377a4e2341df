"""What a warehouse knows of a project when it is read again; a source knows no SQL of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class KnownFeedback(NamedTuple):
    """What is known of one feedback row on a run, enough to see that it is as it was."""

    id: str
    modified_at: str | None
    key: str
    score: float | bool | None


def known_feedback(row: Mapping[str, Any]) -> KnownFeedback:
    """Take of a row what is needed, as `feedback.compact` gives it."""
    return KnownFeedback(
        str(row.get("id")), row.get("modified_at"), str(row.get("key")), row.get("score")
    )


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
        self, project_id: str, experiments: Sequence[str] | None, run_ids: Sequence[str]
    ) -> Iterator[tuple[str, list[dict[str, object]]]]:
        """Yield the ids of runs that count, each with its feedback as it was kept."""
