"""The version of this package; it stands beside every row that the package writes."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from .package import FOLDER

if TYPE_CHECKING:
    from pathlib import Path

_CLONE: Final = FOLDER.resolve().parent


def version_of(clone: Path) -> str:
    """Return the version of the clone in this folder; of what is installed, where it is none.

    A clone's own file goes first: what pip noted down of it is as old as its installation.
    """
    try:
        project = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if project["name"] == "evalmart":
            return str(project["version"])
    except (OSError, ValueError, KeyError):
        pass  # installed, and beside whatever else is
    try:
        return version("evalmart")
    except PackageNotFoundError:  # neither: copied from somewhere
        return "0+unknown"


__version__: Final = version_of(_CLONE)
