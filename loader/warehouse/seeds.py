"""What people decided in the seeds; one place that reads the files.

A seed is the team's own where its folder has one (`loader.warehouse.folder`), else the project's.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..records.vocabulary import BUILT_IN_METRICS, Scale, Vocabulary
from .folder import SEEDS, shown, team_file, team_folder
from .project import project_directory
from .seed_file import read_seed_file
from .vars_file import read_vars_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def seed_path(name: str) -> Path:
    """Return where a seed is: `metrics` → `evalmart/metrics.csv`, else the project's own."""
    return team_file(f"{name}.csv") or project_directory() / "seeds" / f"{name}.csv"


def seed_shown(name: str) -> str:
    """Return a seed's file as messages name it: the project's own by its place in the project."""
    path = team_file(f"{name}.csv")
    return shown(path) if path else f"seeds/{name}.csv"


def read_seed(name: str) -> list[dict[str, str]]:
    """Return the rows of a seed, each by the names of its columns.

    Raises:
        ConfigurationError: it is missing, or the team's folder has a fault; names them all.

    """
    own = team_file(f"{name}.csv")
    if own is None:
        return read_table(seed_path(name))[1]
    check_team_folder()
    return [dict(row) for row in read_seed_file(name, own).rows]


def read_table(path: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Return the columns of a seed in their order, and its rows by the names of the columns.

    Args:
        path: of the seed, or of another file of the same form.

    Raises:
        ConfigurationError: it is missing, or cannot be read.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            return reader.fieldnames or [], list(reader)
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from None


def seed_text(name: str) -> str:
    """Return the text of a seed as dbt reads it, comments and blank lines left out.

    Raises:
        ConfigurationError: as `read_seed`.

    """
    own = team_file(f"{name}.csv")
    if own is not None:
        check_team_folder()
        return read_seed_file(name, own).text
    try:
        return seed_path(name).read_text(encoding="utf-8-sig")
    except OSError:
        raise ConfigurationError(
            f"{seed_path(name)} is missing; restore it from the repository"
        ) from None


def seed_columns(name: str) -> Sequence[str]:
    """Return the columns of a seed, in their order; raises as `read_seed` does."""
    return next(csv.reader(seed_text(name).splitlines()), [])


def check_team_folder() -> None:
    """Check every seed and the vars of the team's folder.

    Raises:
        ConfigurationError: names every fault with file, line and field.

    """
    faults = [
        fault
        for name in SEEDS
        if (path := team_file(f"{name}.csv"))
        for fault in read_seed_file(name, path).faults
    ]
    faults += read_vars_file().faults
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "".join(f"\n  {fault}" for fault in faults)
        raise ConfigurationError(f"the team's folder {team_folder()} has {count}:{lines}")


def read_vocabulary(seeds: Path | None = None) -> Vocabulary:
    """Read groups, scales and reserved names.

    Args:
        seeds: the folder of the seeds; the project's own if not given.

    Raises:
        ConfigurationError: a seed cannot be read, or a cell of one makes no sense.

    """

    def rows(name: str) -> tuple[Path, list[dict[str, str]]]:
        path = seeds / f"{name}.csv" if seeds else seed_path(name)
        return path, read_table(path)[1] if seeds else read_seed(name)

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
    return Vocabulary(
        groups,
        scales,
        frozenset(reserved),
        measures - scales.keys(),
        groups_file=seed_shown("experiment_groups"),
    )


def control_groups() -> frozenset[str]:
    """Return the groups of the seed that are a control; raises as `read_seed` does."""
    path = seed_path("experiment_groups")
    return frozenset(
        _cell(row, "experiment_group", path)
        for row in read_seed("experiment_groups")
        if _cell(row, "role", path).strip() == "control"
    )


def default_groups() -> tuple[str, str]:
    """Return the first control and the first treatment group of the seed.

    Raises:
        ConfigurationError: the seed cannot be read, or lacks one.

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
