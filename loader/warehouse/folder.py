"""The team's own folder `evalmart/`: where it is, and which of its files are there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

NAME: Final = "evalmart"
VARIABLE: Final = "EVALMART_CONFIG"
SEEDS: Final = (
    "experiment_groups", "metrics", "evaluator_metrics", "model_prices", "accepted_changes",
    "quarantine",
)  # fmt: skip
POLICY: Final = "policy.yml"
VARS: Final = "vars.yml"
MAPPING: Final = "mapping.example.yml"
FILES: Final = (*(f"{name}.csv" for name in SEEDS), POLICY, VARS, MAPPING)


def team_folder() -> Path | None:
    """Return the team's folder: `EVALMART_CONFIG`, else the nearest `evalmart/` upwards.

    From the working directory to the home directory or the root of the file system. A folder
    of that name that holds none of `FILES` is something else.

    Raises:
        ConfigurationError: `EVALMART_CONFIG` names no folder.

    """
    named = os.environ.get(VARIABLE)
    if named:
        folder = Path(named).expanduser().resolve()
        if not folder.is_dir():
            raise ConfigurationError(
                f"{VARIABLE} is {named}, which is no folder; correct it, or make the folder with "
                "evalmart init --here"
            )
        return folder
    here = Path.cwd()
    for directory in (here, *here.parents):
        folder = directory / NAME
        if any((folder / name).is_file() for name in FILES):
            return folder
        if directory == _home():
            return None
    return None


def team_file(name: str) -> Path | None:
    """Return where a file of the team's folder is; None where it is not there."""
    folder = team_folder()
    if folder is None or not (folder / name).is_file():
        return None
    return folder / name


def shown(path: Path) -> str:
    """Return a path as a person in the working directory would write it."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _home() -> Path | None:
    with suppress(RuntimeError):
        return Path.home()
    return None
