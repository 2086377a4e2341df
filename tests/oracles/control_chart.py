"""The control chart of a series, from raw values and the published recursion (Page 1954)."""

from __future__ import annotations

import math
from statistics import fmean, stdev, variance
from typing import TYPE_CHECKING, NamedTuple

from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REFERENCE_VERSIONS = 5
REFERENCE_WEIGHT = 0.6
RETURNED_SHARE = 0.5
ALLOWANCE, DRIFT_LIMIT, SHIFT_LIMIT, STEP_LIMIT = 1.5, 3.25, 3.6, 4.0


class Point(NamedTuple):
    """A version in a chart, as the mart has it."""

    reference_deviate: float | None
    step_deviate: float | None
    cusum: float
    cause: str | None
    is_open: bool
    is_found: bool


def reference_deviate(
    reference: Sequence[Mapping[str, float]], version: Mapping[str, float]
) -> float:
    """Return how far a version is below the mean of the reference's, in normal deviates.

    Args:
        reference: task → value of each version of the reference.
        version: task → value; higher is better.
    """
    known = _known(reference, version)
    differences = [version[task] - fmean(values) for task, values in known.items()]
    n = len(known)
    own = stdev(differences) ** 2 / n
    scatter = fmean(variance(values) for values in known.values() if len(values) > 1)
    theirs = scatter * (1 + 1 / len(reference)) / n
    error = math.sqrt(REFERENCE_WEIGHT * theirs + (1 - REFERENCE_WEIGHT) * own)
    change = fmean(differences)
    deviate = float(stats.norm.isf(stats.t.sf(abs(change) / error, n - 1)))
    return deviate if change < 0 else -deviate


def worsening(reference: Sequence[Mapping[str, float]], version: Mapping[str, float]) -> float:
    """Return how far a version is below the mean of the reference's, in points."""
    known = _known(reference, version)
    return fmean(fmean(values) - version[task] for task, values in known.items())


def _known(
    reference: Sequence[Mapping[str, float]], version: Mapping[str, float]
) -> dict[str, list[float]]:
    """Return what the reference says of each task of a version that it knows."""
    values = {task: [one[task] for one in reference if task in one] for task in version}
    return {task: found for task, found in values.items() if found}


def returned_at(worsenings: Sequence[float], found: int) -> int | None:
    """Return where the level that fell was back, for two versions in a row.

    Args:
        worsenings: of every version of the series, against the reference.
        found: place of the version at which the alert was found.
    """
    back = [value <= RETURNED_SHARE * worsenings[found] for value in worsenings]
    return next((at for at in range(found + 1, len(back) - 1) if back[at] and back[at + 1]), None)


def mistakes(chart: Sequence[Point]) -> Iterator[tuple[int, str]]:
    """Yield place and name of what does not follow from the point before it."""
    before = Point(None, None, 0.0, None, is_open=False, is_found=False)
    for place, point in enumerate(chart):
        raw = before.cusum
        if point.reference_deviate is not None:
            raw += point.reference_deviate - ALLOWANCE
        alarm = None if before.is_open else _alarm(point, raw)
        cusum = 0.0 if before.is_open else max(0.0, raw)
        if not math.isclose(point.cusum, cusum, rel_tol=1e-9, abs_tol=1e-12):
            yield place, "cusum"
        if point.is_found != (alarm is not None):
            yield place, "is_found"
        if alarm and (point.cause, point.is_open) != (alarm, True):
            yield place, "cause"
        if point.is_open and not (alarm or before.is_open):
            yield place, "is_open"
        before = point


def _alarm(point: Point, raw: float) -> str | None:
    if (point.reference_deviate or 0) >= SHIFT_LIMIT:
        return "shift"
    if point.reference_deviate is not None and raw > DRIFT_LIMIT:
        return "drift"
    return "step" if (point.step_deviate or 0) >= STEP_LIMIT else None
