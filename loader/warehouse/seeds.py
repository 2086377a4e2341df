"""What people decided in the seeds of the dbt project; one place that reads the files."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from loader.errors import ConfigurationError
from loader.records.vocabulary import BUILT_IN_METRICS, Scale, Vocabulary
from loader.warehouse.project import project_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def seed_path(name: str) -> Path:
    """Return where a seed is: `metrics` → `seeds/metrics.csv` of the project."""
    return project_directory() / "seeds" / f"{name}.csv"


def read_seed(name: str, path: Path | None = None) -> list[dict[str, str]]:
    """Return the rows of a seed, each by the names of its columns.

    Args:
        name: of the seed, without `.csv`.
        path: another file of the same form.

    Raises:
        ConfigurationError: it is missing.

    """
    path = path or seed_path(name)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None


def seed_columns(name: str) -> Sequence[str]:
    """Return the columns of a seed, in their order; raises as `read_seed` does."""
    path = seed_path(name)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])
    except OSError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None


def read_vocabulary(seeds: Path | None = None) -> Vocabulary:
    """Read groups, scales and reserved names.

    Args:
        seeds: the folder of the seeds; the project's own if not given.

    Raises:
        ConfigurationError: a seed is missing, or a cell of one makes no sense.

    """

    def rows(name: str) -> tuple[Path, list[dict[str, str]]]:
        path = seeds / f"{name}.csv" if seeds else seed_path(name)
        return path, read_seed(name, path)

    path, found = rows("experiment_groups")
    groups = frozenset(_cell(row, "experiment_group", path) for row in found)
    if not groups:
        raise ConfigurationError(f"{path} names no group; add one")
    path, found = rows("evaluator_metrics")
    scales = {_cell(row, "evaluator_key", path): _scale(row, path) for row in found}
    path, found = rows("metrics")
    kinds = {_cell(row, "metric", path): _cell(row, "kind", path).strip() for row in found}
    measures = frozenset(name for name, kind in kinds.items() if kind == "measurement")
    reserved = (kinds.keys() - measures) | set(BUILT_IN_METRICS) | scales.keys()
    return Vocabulary(groups, scales, frozenset(reserved), measures - scales.keys())


def default_groups() -> tuple[str, str]:
    """Return the first control and the first treatment group of the seed.

    Raises:
        ConfigurationError: the seed is missing or lacks one.

    """
    path = seed_path("experiment_groups")
    first: dict[str, str] = {}
    for row in read_seed("experiment_groups"):
        first.setdefault(_cell(row, "role", path), _cell(row, "experiment_group", path))
    try:
        return first["control"], first["treatment"]
    except KeyError as error:
        raise ConfigurationError(f"{path} lacks {error}") from None


def _scale(row: dict[str, str], path: Path) -> Scale:
    low, high = _cell(row, "scale_min", path) or 0, _cell(row, "scale_max", path) or 1
    try:
        scale = Scale(_cell(row, "metric", path), float(low), float(high))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {row['evaluator_key']}: {error}") from None
    if not scale.low < scale.high:
        raise ConfigurationError(
            f"{path}: {row['evaluator_key']}: scale_min must be below scale_max"
        )
    return scale


def _cell(row: dict[str, str], column: str, path: Path) -> str:
    try:
        return row[column]
    except KeyError:
        raise ConfigurationError(f"{path} lacks the column {column!r}") from None
