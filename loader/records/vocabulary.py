"""What people decided in the seeds: groups, metrics, and the scales of evaluators."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .bounds import LARGEST_NUMBER, is_measured, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

BUILT_IN_METRICS = ("accuracy", "completeness", "efficiency", "integration_quality")


@dataclass(frozen=True, slots=True)
class Scale:
    """How an evaluator's scores become a metric: `low` is 0 and `high` is 1."""

    metric: str
    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse ends that no score of a record can have."""
        for end in (self.low, self.high):
            if not is_measured(end):
                raise ConfigurationError(
                    f"the scale of {self.metric} ends at {end:g}; "
                    f"scores go to {shown(LARGEST_NUMBER)} either side of 0, correct it"
                )


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names and scales a record may use.

    Attributes:
        groups: values of `experiment_group`.
        scales: evaluator key → metric and scale; any other key is its own metric on 0…1.
        reserved: names no measurement may have, because a metric of another kind has them.
        measures: evaluator keys that are measurements, on no scale.
        groups_file: where the groups were read, for messages.
        is_acknowledged: whether the records were checked by the vocabulary of their time, so
            that none is refused for a name that means something else by now.

    """

    groups: frozenset[str]
    scales: Mapping[str, Scale] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset(BUILT_IN_METRICS)
    measures: frozenset[str] = frozenset()
    groups_file: str = "seeds/experiment_groups.csv"
    is_acknowledged: bool = False

    def acknowledged(self) -> Vocabulary:
        """Return the vocabulary for records that were acknowledged, wherever that was."""
        return replace(self, reserved=frozenset(), is_acknowledged=True)

    def with_options(
        self, scales: Mapping[str, tuple[float, float]], measures: Collection[str]
    ) -> Vocabulary:
        """Return the vocabulary of one load, whose options state scales and measurements.

        Args:
            scales: evaluator key → the ends of its scale.
            measures: evaluator keys whose values are counts, seconds or the like.

        """
        stated = {
            key: Scale(self.scales[key].metric if key in self.scales else key, low, high)
            for key, (low, high) in scales.items()
        }
        return replace(
            self, scales={**self.scales, **stated}, measures=self.measures | set(measures)
        )
