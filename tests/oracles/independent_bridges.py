"""What bridged_comparisons holds: the estimate, and really leaving clusters out of both parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pair(NamedTuple):
    """A task of both arms."""

    cluster: str
    gain: float
    is_bridged: bool


Answer = tuple[str, float]
"""Cluster, and the candidate's version less the baseline's."""


def bridged(pairs: Sequence[Pair], answers: Sequence[Answer], margin: float) -> dict[str, Any]:
    """Return the numbers of a comparison, higher being better."""
    estimate = _estimate(pairs, answers)
    parts: dict[str, float] = {}
    of_pairs, of_answers = {pair.cluster for pair in pairs}, {name for name, _ in answers}
    for name in of_pairs:
        moved = estimate - _estimate([pair for pair in pairs if pair.cluster != name], answers)
        parts[name] = moved * np.sqrt((len(of_pairs) - 1) / len(of_pairs))
    for name in of_answers:
        moved = estimate - _estimate(pairs, [one for one in answers if one[0] != name])
        scaled = moved * np.sqrt((len(of_answers) - 1) / len(of_answers))
        parts[name] = parts.get(name, 0.0) + scaled
    error = float(np.sqrt(sum(part**2 for part in parts.values())))
    groups = min(
        _effective([one.cluster for one in pairs]), _effective([one[0] for one in answers])
    )
    df = groups - 1
    width = float(stats.t.ppf(0.975, df)) * error
    return {
        "n_pairs": len(pairs),
        "n_bridged_pairs": sum(pair.is_bridged for pair in pairs),
        "n_bridge_answers": len(answers),
        "judge_difference": float(np.mean([gap for _, gap in answers])),
        "unbridged_improvement": float(np.mean([pair.gain for pair in pairs])),
        "improvement": estimate,
        "improvement_error": error,
        "degrees_of_freedom": df,
        "improvement_low": estimate - width,
        "improvement_high": estimate + width,
        "p_better": float(stats.t.sf(estimate / error, df)),
        "p_worse": float(stats.t.cdf(estimate / error, df)),
        "p_lost": float(stats.t.sf((estimate + margin) / error, df)),
        "p_value": 2 * float(stats.t.sf(abs(estimate / error), df)),
    }


def _estimate(pairs: Sequence[Pair], answers: Sequence[Answer]) -> float:
    share = float(np.mean([pair.is_bridged for pair in pairs]))
    gain = float(np.mean([pair.gain for pair in pairs]))
    return gain - share * float(np.mean([gap for _, gap in answers]))


def _effective(clusters: Sequence[str]) -> float:
    sizes = np.asarray([clusters.count(name) for name in set(clusters)], float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())
