"""What people decided in the seeds: groups, metrics, and the scales of evaluators."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader.errors import ConfigurationError
from loader.project import project_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BUILT_IN_METRICS = ("accuracy", "completeness", "efficiency", "integration_quality")


@dataclass(frozen=True, slots=True)
class Scale:
    """How an evaluator's scores become a metric: `low` is 0 and `high` is 1."""

    metric: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names and scales a record may use.

    Attributes:
        groups: values of `experiment_group`.
        scales: evaluator key → metric and scale; any other key is its own metric on 0…1.
        reserved: names no measurement may have, because a metric of another kind has them.

    """

    groups: frozenset[str]
    scales: Mapping[str, Scale] = field(default_factory=dict)
    reserved: frozenset[str] = frozenset(BUILT_IN_METRICS)


def read_vocabulary(seeds: Path | None = None) -> Vocabulary:
    """Read the seeds of the dbt project.

    Args:
        seeds: the folder of the seeds; the project's own if not given.

    Raises:
        ConfigurationError: a seed is missing, or a cell of one makes no sense.

    """
    directory = seeds or project_directory() / "seeds"
    groups = frozenset(
        row["experiment_group"] for row in _rows(directory / "experiment_groups.csv")
    )
    path = directory / "evaluator_metrics.csv"
    scales = {row["evaluator_key"]: _scale(row, path) for row in _rows(path)}
    reserved = frozenset(
        row["metric"]
        for row in _rows(directory / "metrics.csv")
        if row["kind"].strip() != "measurement"
    )
    if not groups:
        raise ConfigurationError(f"{directory / 'experiment_groups.csv'} names no group; add one")
    return Vocabulary(groups, scales, reserved | set(BUILT_IN_METRICS) | scales.keys())


def _scale(row: dict[str, str], path: Path) -> Scale:
    try:
        scale = Scale(row["metric"], float(row["scale_min"] or 0), float(row["scale_max"] or 1))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {row['evaluator_key']}: {error}") from None
    if not scale.low < scale.high:
        raise ConfigurationError(
            f"{path}: {row['evaluator_key']}: scale_min must be below scale_max"
        )
    return scale


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None
    except KeyError as error:
        raise ConfigurationError(f"{path} lacks the column {error}") from None
