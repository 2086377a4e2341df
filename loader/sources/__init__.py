"""What a source of evaluation runs is: one outside format, read lazily.

A source knows neither SQL nor the command line. It turns what it reads into
`SourceRow`s, one for every record met, readable or not, so that read = loaded +
unchanged + rejected can hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .digests import FileRead


class Rejection(NamedTuple):
    """Why a row cannot become a record."""

    reason_code: str
    """Stable, snake_case: `invalid_json`, `invalid_utf8`, …"""
    reason: str
    """A sentence that names what is wrong and the remedy."""


class SourceRow(NamedTuple):
    """One row as met at the source: its fields, or its JSON text, or why it has neither."""

    row_number: int
    """Line of a text file, ordinal elsewhere; from 1, per origin."""
    origin: str
    """Path or address the row came from; empty for standard input."""
    original: bytes
    """The row as it stood there, kept when it is rejected; without fields and rejection,
    the JSON text of the record, which whoever checks it decodes."""
    fields: dict[str, object] | None
    """The record's fields, not yet checked."""
    rejection: Rejection | None
    """Set when the row could not even be read."""


class JsonBatch(NamedTuple):
    """Records met together, each as JSON text that nobody has decoded yet."""

    origin: str
    """As of every `SourceRow`."""
    numbers: Sequence[int]
    texts: Sequence[bytes]


class ArmPlan(NamedTuple):
    """How much an arm was to run: what left no record is missed only against this."""

    experiment_id: str
    experiment_group: str
    extension_version: str
    planned_repetitions: int | None
    """Runs of each task; None if not known."""
    planned_tasks: int | None
    """Likewise."""


class ScoreConfig(NamedTuple):
    """What a service says of an evaluator key, for one experiment."""

    experiment_id: str
    evaluator_key: str
    kind: str
    """`continuous`, `categorical` or `freeform`."""
    scale_min: float | None
    """None where the service names no end."""
    scale_max: float | None
    direction: str | None
    """`higher` or `lower`; None where it does not say."""
    categories: Sequence[tuple[float, str | None]] = ()
    """Value and label of each category, in the service's order."""


class SummaryScore(NamedTuple):
    """A score of an arm as a whole, which no single run has."""

    experiment_id: str
    experiment_group: str
    extension_version: str
    feedback_id: str
    """Of the service: a later score of one id takes the place of the earlier."""
    evaluator_key: str
    score: float | None
    label: str | None
    comment: str | None
    author_kind: str
    """`evaluator`, or `person` for what was said on the service's page."""
    scored_at: str | None
    """ISO 8601, UTC."""
    is_kept_alone: bool = False
    """Whether it is kept of an arm without runs: it was asked for by itself."""


class Statement(NamedTuple):
    """A score that a person gave a run, beside what the evaluator gave it."""

    file: FileRead
    """Where it stands."""
    record: Mapping[str, object]
    """Of the run, as it is loaded; names it by its source_run_id."""
    key: str
    score: float
    author: str
    reason: str


class Source(Protocol):
    """An outside format: `name` is the `source` of every run read from it."""

    @property
    def name(self) -> str:
        """`file`, `baseline`, `langsmith`, …: part of a run's identity."""

    def reference(self) -> Mapping[str, object]:
        """Say where rows come from, for the load's ledger entry; no secrets."""

    def rows(self) -> Iterator[SourceRow]:
        """Yield every row, lazily and in bounded memory."""


@runtime_checkable
class BatchedSource(Source, Protocol):
    """A source that may also be read in batches, which is faster."""

    def batches(self) -> Iterator[JsonBatch | SourceRow]:
        """Yield what `rows` yields, JSON text in batches of a few hundred kilobytes."""


@runtime_checkable
class Planning(Protocol):
    """A source that knows, once read, how much its arms were to run."""

    def plans(self) -> Sequence[ArmPlan]:
        """Return a plan for each arm of which something is known."""


@runtime_checkable
class Configuring(Protocol):
    """A source that knows, once read, what its keys mean."""

    def score_configs(self) -> Sequence[ScoreConfig]:
        """Return what is said of each key and experiment."""


@runtime_checkable
class Summarising(Protocol):
    """A source that holds, once read, scores of whole arms."""

    def summary_scores(self) -> Sequence[SummaryScore]:
        """Return each of them."""


class Standing(NamedTuple):
    """What a source was known to hold, and did not read again."""

    load_id: int
    """The load up to which that was known."""
    runs: int


@runtime_checkable
class Resuming(Protocol):
    """A source that reads only what changed since it was loaded last."""

    def standing(self) -> Standing | None:
        """Say, once read, what was not read again; None if everything was."""

    def has_news(self) -> bool:
        """Whether it is otherwise than it was, so that the ledger should know without a row."""


@runtime_checkable
class Losing(Protocol):
    """A source that knows, once read, which runs it held before and no longer holds."""

    def gone(self) -> Mapping[str, Sequence[str]]:
        """Return the ids of those that were deleted, by experiment."""


@runtime_checkable
class Noting(Protocol):
    """A source that has something to say, once read, of what it left out."""

    def notes(self) -> Iterable[str]:
        """Say it, a sentence each: pending runs, evaluators that crashed."""


@runtime_checkable
class Failing(Protocol):
    """A source that may be read whole, and still not give what was asked of it."""

    def failures(self) -> Sequence[str]:
        """Say, once read, what was asked for and is not there, a sentence without end each."""


@runtime_checkable
class Quoting(Protocol):
    """A source that knows, once read, what people said of its runs."""

    def said(self) -> Sequence[Statement]:
        """Return each statement, in the order in which they were made."""
