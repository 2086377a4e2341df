"""On which scale a score is, and what becomes of a value that is off it.

A record's own `score_scales` come first, then what options and seeds declare; a key that
nobody declared is taken to be on 0 to 1. Off a declared scale, the value is set aside and the
rest of the run stays. Off 0 to 1 where nobody declared a scale, the value is kept and marked:
it says that 0 to 1 was the wrong guess, for every run of its experiment.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InvalidRecord
from . import checks
from .form import ABSENT, Aside
from .json_text import shown
from .vocabulary import Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .form import Asides, RunRecord
    from .vocabulary import Vocabulary

OFF_SCALE: Final = "off_scale"
UNDECLARED: Final = "undeclared_scale"
NEGATIVE: Final = "negative"
OUT_OF_RANGE: Final = "out_of_range"

_MOST_PLANS: Final = 1000


class _Plan(NamedTuple):
    """How to check the scores of records with the same keys."""

    scales: tuple[Scale | None, ...]
    """None where nobody declared one."""
    has_shared_metric: bool
    """Whether two of the keys are the same metric."""
    measures: frozenset[str]
    """Keys that are no scores at all."""
    is_plain: bool
    """Whether every score is simply a number from 0 to 1."""


class ScaleChecker:
    """Puts the scores of records on their scales. Not for use by two threads at once."""

    __slots__ = ("_plans", "_vocabulary", "asides")

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Prepare to check by the scales that are declared."""
        self._vocabulary = vocabulary
        # By the keys of a record's scores, in order. The runs of one evaluation share
        # theirs, so a handful of plans serves a million records.
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self.asides: Asides = {}
        """What did not count since somebody emptied it."""

    def are_plain(self, records: Sequence[RunRecord]) -> bool:
        """Tell whether `check` would leave many records, which state no scale, as they are."""
        scores = [scores for record in records if (scores := record.scores)]
        plans = [self._plans.get(keys) or self._plan(keys) for keys in set(map(tuple, scores))]
        values = list(chain.from_iterable(map(dict.values, scores)))
        return (
            all(plan.is_plain for plan in plans)
            and set(map(type, values)) <= {float}
            and (not values or (min(values) >= 0.0 and max(values) <= 1.0))  # type: ignore[type-var,operator]
        )

    def check_all(self, records: Sequence[RunRecord]) -> None:
        """Check many records as `check` does one."""
        for record in records:
            if record.scores or record.score_scales:
                self.check(record)

    def check(self, record: RunRecord, *, strict: bool = False) -> None:
        """Make the scores numbers on their scales, and keep the scales that are not 0 to 1.

        Args:
            record: its scores, scales and measurements are put in order in place.
            strict: refuse what is off a declared scale, and mark nothing.

        Raises:
            InvalidRecord: a key or a scale makes no sense, or two keys of one metric differ.

        """
        scores = record.scores or {}
        given = _checked(record.score_scales or {})
        keys = tuple(scores)
        plan = self._plans.get(keys) or self._plan(keys)
        kept: dict[str, list[float] | None] = {}
        units: dict[str, tuple[str, float]] = {}
        for key, declared in zip(keys, plan.scales, strict=True):
            value = scores[key]
            if key in plan.measures:
                _measure(record, key)
                continue
            scale = _stated(key, given[key], declared) if key in given else declared
            low, high = (scale.low, scale.high) if scale else (0.0, 1.0)
            if value is None:
                continue
            number = scores[key] = as_number(value, low, high)
            if low <= number <= high:
                if (low, high) != (0.0, 1.0):
                    kept[key] = [low, high]
                units[key] = (scale.metric if scale else key, (number - low) / (high - low))
            elif scale is None:
                self._mark(key, number, None if strict else kept)
            elif strict:
                _refuse(key, value, low, high)
            else:
                put_aside(record, f"scores.{key}", scores.pop(key))
                self.note(f"scores.{key}", OFF_SCALE, number)
        record.score_scales = {**kept, **_of_none(scores, given)} or ABSENT
        if plan.has_shared_metric:
            _refuse_conflict(units)

    def _mark(self, key: str, number: float, kept: dict[str, list[float] | None] | None) -> None:
        """Mark a value off 0 to 1 whose scale nobody declared, unless nothing is marked."""
        if kept is not None:
            kept[key] = None
            self.note(f"scores.{key}", UNDECLARED, number)

    def note_out_of_bounds(self, field: str, value: float) -> None:
        """Count a value that `checks.repair` took out; the mart set_aside_scores says the same."""
        can_be_negative = field.startswith(("scores.", "measurements."))
        self.note(field, OUT_OF_RANGE if can_be_negative or value > 0 else NEGATIVE, value)

    def note(self, field: str, reason: str, value: float) -> None:
        """Count a value that was not taken, or does not count."""
        merge_asides(self.asides, {(field, reason): Aside(1, value, value)})

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        """Work out, once for a set of keys, the scale of each."""
        for key in keys:
            checks.refuse_name("scores", key)
        scales = tuple(map(self._vocabulary.scales.get, keys))
        metrics = {scale.metric if scale else key for key, scale in zip(keys, scales, strict=True)}
        measures = self._vocabulary.measures & set(keys)
        has_shared_metric = len(metrics) < len(keys) and not self._vocabulary.is_acknowledged
        bounds = {(scale.low, scale.high) for scale in scales if scale}
        is_plain = not has_shared_metric and not measures and bounds <= {(0.0, 1.0)}
        plan = _Plan(scales, has_shared_metric, measures, is_plain)
        if len(self._plans) < _MOST_PLANS:
            self._plans[keys] = plan
        return plan


def put_aside(record: RunRecord, field: str, value: object) -> None:
    """Keep a value with the record, but not as what it was meant for."""
    record.set_aside = {**(record.set_aside or {}), field: value}


def merge_asides(into: Asides, others: Asides) -> None:
    """Add the counts of others."""
    for key, (runs, low, high) in others.items():
        known = into.get(key, Aside(0, low, high))
        into[key] = Aside(known.runs + runs, min(known.low, low), max(known.high, high))


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the scales that a record states, if each is one."""
    for key, ends in given.items():
        checks.refuse_name("score_scales", key)
        checks.scale(f"score_scales.{key}", ends)
    return given


def _stated(key: str, ends: Sequence[float], declared: Scale | None) -> Scale:
    return Scale(declared.metric if declared else key, *map(float, ends))


def _of_none(scores: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the scales stated of scores that were not given: people may give them."""
    return {
        key: list(map(float, ends))
        for key, ends in given.items()
        if scores.get(key, 0) is None and tuple(ends) != (0, 1)
    }


def as_number(value: float | bool, low: float, high: float) -> float:
    """Return a score as a number; true is the top of any scale."""
    if isinstance(value, bool):
        return high if value else low
    return float(value)


def _measure(record: RunRecord, key: str) -> None:
    """Move what is declared a measurement from the scores."""
    value = record.scores.pop(key)
    if value is None:
        return
    if record.measurements and key in record.measurements:
        raise InvalidRecord(
            f"measurements.{key}",
            "name_taken",
            f"measurements.{key} and scores.{key} are one measurement; keep one of them",
        )
    record.measurements = {**(record.measurements or {}), key: float(value)}


def _refuse(key: str, value: float, low: float, high: float) -> None:
    raise InvalidRecord(
        f"scores.{key}",
        "score_out_of_range",
        f"scores.{key} is {shown(value)}, off its scale of {low:g} to {high:g}; "
        "correct it, or state its scale in score_scales",
    )


def _refuse_conflict(units: dict[str, tuple[str, float]]) -> None:
    """Raise InvalidRecord if two keys give one metric two values."""
    seen: dict[str, tuple[str, float]] = {}
    for key, (metric, unit) in units.items():
        other, known = seen.setdefault(metric, (key, unit))
        if not math.isclose(known, unit, abs_tol=1e-12):
            raise InvalidRecord(
                f"scores.{key}",
                "conflicting_scores",
                f"scores.{key} and scores.{other} are both {metric} "
                f"but say {unit:g} and {known:g}; keep one of them",
            )
