"""lm-evaluation-harness: what of a sample's metrics is a score of its doc, and what is not.

Most metrics are one number a doc, of which the task's is the mean. Some are made of all docs
together: a sample then has what goes into them, a log-likelihood with its number of words, or a
pair of answer and reference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_FILTER: Final = "none"
NOT_METRICS: Final = frozenset(
    {
        "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
        "doc_hash", "prompt_hash", "target_hash", "input",
    }
)  # fmt: skip
"""What a sample has beside its metrics."""
UNSCORED: Final = frozenset({"bypass"})
"""999 wherever nothing was scored (--predict_only)."""
_PERPLEXITIES: Final = frozenset(
    {"perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte"}
)
_OF_LIKELIHOODS: Final = frozenset({"perplexity", "weighted_perplexity", "bits_per_byte"})
"""Aggregations whose values of single docs are log-likelihoods."""


class Metrics:
    """Reads the metrics of one task's samples.

    Attributes:
        scored: keys that were a score of some doc.
        unscored: keys that some doc had, but not as a score.

    """

    def __init__(self, aggregations: Mapping[str, str]) -> None:
        """Take how each metric becomes one number of the task, as far as it is known."""
        self._likelihoods = {
            *(name for name, how in aggregations.items() if how in _OF_LIKELIHOODS),
            *(_PERPLEXITIES - aggregations.keys()),
        }
        self.scored: set[str] = set()
        self.unscored: set[str] = set()

    def read(
        self,
        said: Mapping[str, Any],
        named: Iterable[str],
        filtered: str | None,
        scores: dict[str, float | None],
        measurements: dict[str, float],
    ) -> None:
        """Add what a sample says.

        Args:
            said: the sample.
            named: its metrics; names of others are passed over.
            filtered: the filter of its response.
            scores: gets the scores.
            measurements: gets what scores of the task are made of.

        """
        for metric in named:
            if metric not in said or metric in NOT_METRICS or metric in UNSCORED:
                continue
            key, value = score_key(metric, filtered), _plain(said[metric])
            if metric in self._likelihoods:
                measurements.update(_likelihood(key, value))
                self.unscored.add(key)
            elif value is None or isinstance(value, float):
                scores[key] = value
                self.scored.add(key)
            else:
                measurements.update(_trues(key, value))
                self.unscored.add(key)


def score_key(metric: str, filtered: str | None) -> str:
    """Name a metric as the results file does, without the filter where there is none."""
    return f"{metric},{filtered}" if filtered and filtered != NO_FILTER else metric


def _plain(value: object) -> object:
    """Return a number as float; also one that was written as text, as NumPy's are."""
    if isinstance(value, str):
        value = {"True": 1.0, "False": 0.0}.get(value, value)
    if isinstance(value, bool | int | float | str):
        try:
            number = float(value)
        except ValueError:
            return value
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    return value


def _likelihood(key: str, value: object) -> dict[str, float]:
    """Return the log-likelihood that a perplexity is made of, and what it is divided by."""
    if isinstance(value, float):
        return {f"{key}_loglikelihood": value}
    if not isinstance(value, list):
        return {}
    numbers = [_plain(part) for part in value]
    names = (f"{key}_loglikelihood", f"{key}_weight")
    return {
        name: number
        for name, number in zip(names, numbers, strict=False)
        if isinstance(number, float)
    }


def _trues(key: str, value: object) -> dict[str, float]:
    """Return how many of a list of yes and no are yes."""
    if not isinstance(value, list) or not value or any(type(part) is not bool for part in value):
        return {}
    return {f"{key}_true": float(sum(value)), f"{key}_count": float(len(value))}
