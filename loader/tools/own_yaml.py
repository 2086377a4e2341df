"""YAML files of the project itself, read by the parser in C where PyYAML brings it.

Every command reads some: in Python that is a tenth of what a short command takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_own_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that a file of the project holds; an empty one of an empty file.

    Raises:
        OSError: the file cannot be read.
        yaml.YAMLError: it is no YAML.

    """
    text = path.read_text(encoding="utf-8")
    return yaml.load(text, Loader=_LOADER) or {}  # noqa: S506  a safe one, as its name says
