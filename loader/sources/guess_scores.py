"""Which columns are scores, on which scale, and which are measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .advice import is_count_name, is_score_name, is_setting_name, key_of, scale_in
from .units import unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .probe import Column
    from .proposal import Proposal

_LEAST_VALUES: Final = 2
_TOPS: Final = (1.0, 5.0, 10.0, 100.0)
"""Of scales that people and judges grade on."""


class _Scale(NamedTuple):
    low: float
    high: float
    reason: str

    @property
    def is_plain(self) -> bool:
        return (self.low, self.high) == (0.0, 1.0)


def guess_scores(
    proposal: Proposal, columns: Mapping[str, Column], *, is_own: bool = False
) -> None:
    """Propose scores and measurements among columns that are nothing else.

    Args:
        proposal: gets them.
        columns: by name.
        is_own: whether they are scores by the record's own names.

    """
    scored = any(is_score_name(name) for name in columns)
    for name, column in columns.items():
        if not column.filled or not (column.is_numeric or column.is_truth):
            continue
        if not is_own and _is_setting(column, is_only=not scored):
            continue
        key = name.partition(".")[2] or name if is_own else key_of(name)
        scale = _scale(column, is_score=is_own or is_score_name(name))
        if scale is None:
            if not is_own:
                reason = "a number that is no score by its name and range"
                proposal.add(f"measurements.{key}", name, reason)
            continue
        if not is_own and f"scores.{key}" in proposal.targets:
            key = name.replace(".", "_")
        if not is_own:
            proposal.add(f"scores.{key}", name, scale.reason)
        if not scale.is_plain or column.has_percent:
            proposal.scales[key] = scale


def _is_setting(column: Column, *, is_only: bool) -> bool:
    """Return whether a column says how a run was made rather than what came of it.

    Args:
        column: of numbers or truths.
        is_only: whether no column has the name of a score, so that truths may be one.

    """
    if is_score_name(column.name) or scale_in(column.name)[1] is not None:
        return False
    if column.name.startswith("#") or len(column.distinct) < _LEAST_VALUES:
        return True
    return is_setting_name(column.name) or (column.is_truth and not is_only)


def _scale(column: Column, *, is_score: bool) -> _Scale | None:
    """Return the scale of a column, None if it is no score."""
    if not column.is_numeric:
        return _Scale(0, 1, "yes or no")
    low, high = column.low, column.high
    _, named = scale_in(column.name)
    if named is not None and named[0] <= low and high <= named[1]:
        return _Scale(*named, f"its name says {named[0]:g} to {named[1]:g}")
    unit = unit_of(column.name)
    quantity = "share" if column.has_percent else unit.quantity if unit is not None else None
    is_score = is_score or quantity == "share"
    if low < 0 or quantity in ("time", "money"):
        return None
    if is_score or (high <= 1 and not is_count_name(column.name)):
        return _by_range(column, is_share=quantity == "share")
    return None


def _by_range(column: Column, *, is_share: bool) -> _Scale | None:
    low, high = column.low, column.high
    if high <= 1 and not column.has_percent:
        reason = "0 or 1" if column.is_truth else f"{low:g} to {high:g}: a score from 0 to 1"
        return _Scale(0, 1, reason)
    if is_share:
        return _Scale(0, 100, "per cent") if high <= _TOPS[-1] else None
    top = next((top for top in _TOPS if high <= top), None)
    if top is None:
        return None
    bottom = 1.0 if low >= 1 and top < _TOPS[-1] else 0.0
    reason = f"{low:g} to {high:g}: taken as a score from {bottom:g} to {top:g}"
    return _Scale(bottom, top, reason)
