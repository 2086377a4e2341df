"""What became of a load's rows: counted while they pass, summed up at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from ..records.json_text import shown
from ..records.scales import merge_asides

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..records.form import Asides
    from ..sources import Rejection, Standing

_MOST_GROUPS: Final = 1000
"""Unknown groups that are counted each: more are a wrong column, not groups."""


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often a load met one kind of fault."""

    reason_code: str
    count: int
    example: str
    """The reason of the first such row, in words, behind its place."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Values of one field that were not taken, or do not count."""

    field: str
    """`scores.helpfulness`, `cost_usd`."""
    reason_code: str
    """`off_scale`, `undeclared_scale`, `negative`, `out_of_range`."""
    runs: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LoadSummary:
    """What became of every row of a load: read = loaded + unchanged + rejected."""

    load_id: int | None
    """The load's id in the ledger; None if nothing was written."""
    source: str
    read: int
    loaded: int
    unchanged: int
    rejected: int
    seconds: float
    reasons: tuple[ReasonCount, ...]
    """Every kind of fault met, the commonest first."""
    is_refused: bool
    """Whether the load was strict and refused because of its rejected rows."""
    set_aside: tuple[SetAside, ...] = ()
    """Values that were not taken or do not count; their runs are loaded without them."""
    records_aside: int = 0
    """Records with such a value."""
    replaced: int = 0
    """Of the loaded: runs that were loaded before, with other content."""
    notes: tuple[str, ...] = ()
    """What else was assumed or noticed, a sentence each."""
    unknown_groups: tuple[tuple[str, int], ...] = ()
    """Groups that nobody declared, each with the rows rejected for it; the commonest first."""
    standing: int = 0
    """Runs that were loaded before and were not read again."""
    since_load: int | None = None
    """The load up to which those are known."""
    rejects_left_out: int = 0
    """Of the rejected: rows that are counted and not kept in `raw_evals.rejected_rows`."""
    arm_scores: int = 0
    """Scores of whole arms that are kept, whether or not runs of the arm are."""

    @property
    def has_nothing(self) -> bool:
        """Whether there was nothing that could be loaded."""
        return not (self.loaded or self.unchanged or self.standing or self.arm_scores)

    @property
    def troubled_share(self) -> float:
        """Share of the records that were rejected or have a value set aside, 0 to 1."""
        troubled = self.rejected + (0 if self.is_refused else self.records_aside)
        return troubled / self.read if self.read else 0.0


class Counts(NamedTuple):
    """What the check of a load's rows found."""

    read: int
    """Rows met at the source."""
    rejected: int
    """Rows that cannot be loaded, without those withheld."""
    asides: Asides
    """Values that were not taken, or do not count."""
    records_aside: int
    """Rows with such a value."""
    reasons: Mapping[str, int] = MappingProxyType({})
    """Those rejected, by reason code."""


class Outcome(NamedTuple):
    """What became of a load's rows."""

    load_id: int | None
    """None if nothing was written."""
    loaded: int
    unchanged: int
    replaced: int
    """Of the loaded: runs that were loaded before, with other content."""
    counts: Counts
    doubled: tuple[str, ...] = ()
    """Some of the tasks that were asked more than one thing under one id."""
    doubled_count: int = 0
    rejects_left_out: int = 0
    """Rejected rows that are counted and not kept."""


class Tally:
    """Counts of one load."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.read = 0
        self.rejected = 0
        self.asides: Asides = {}
        self.records_aside = 0
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._groups: Counter[str] = Counter()

    def set_aside(self, asides: Asides, records: int) -> None:
        """Count values that were not taken, and the records that had them."""
        merge_asides(self.asides, asides)
        self.records_aside += records

    def note(self, rejection: Rejection, place: str, count: int = 1) -> None:
        """Count rows that cannot be loaded, and keep the first of a kind as its example."""
        if count:
            self._counts[rejection.reason_code] += count
            self._examples.setdefault(
                rejection.reason_code, f"{place}: {rejection.reason}" if place else rejection.reason
            )

    def note_group(self, group: str) -> None:
        """Count a row that names a group that nobody declared; the empty text is none."""
        if group and (group in self._groups or len(self._groups) < _MOST_GROUPS):
            self._groups[group] += 1

    def unknown_groups(self) -> tuple[tuple[str, int], ...]:
        """Return every such group and its rows, the commonest first."""
        return tuple(self._groups.most_common())

    def counts(self) -> Counts:
        """Return what was counted."""
        return Counts(self.read, self.rejected, self.asides, self.records_aside, dict(self._counts))

    def reasons(self) -> tuple[ReasonCount, ...]:
        """Return every kind of fault, the commonest first."""
        return tuple(
            ReasonCount(code, count, self._examples[code])
            for code, count in self._counts.most_common()
        )


def summed_up(
    source: str,
    tally: Tally,
    outcome: Outcome,
    standing: Standing | None = None,
    *,
    is_refused: bool,
) -> LoadSummary:
    """Return the summary of a load that took no time."""
    asides = outcome.counts.asides.items()
    return LoadSummary(
        load_id=outcome.load_id,
        source=source,
        read=tally.read,
        loaded=outcome.loaded,
        unchanged=outcome.unchanged,
        rejected=tally.read if is_refused else tally.rejected,
        seconds=0.0,
        reasons=tally.reasons(),
        is_refused=is_refused,
        set_aside=tuple(SetAside(field, reason, *aside) for (field, reason), aside in asides),
        records_aside=outcome.counts.records_aside,
        replaced=outcome.replaced,
        notes=tuple(_notes(outcome)),
        unknown_groups=tally.unknown_groups(),
        standing=standing.runs if standing else 0,
        since_load=standing.load_id if standing else None,
        rejects_left_out=outcome.rejects_left_out,
    )


def _notes(outcome: Outcome) -> Iterator[str]:
    if outcome.doubled_count:
        rest = outcome.doubled_count - len(outcome.doubled)
        named = ", ".join(map(shown, outcome.doubled)) + (f" and {rest} more" if rest else "")
        yield (
            f"one task_id stands for different inputs: {named}; their runs count as repetitions "
            "of one task, give each task an id of its own if they are not"
        )
