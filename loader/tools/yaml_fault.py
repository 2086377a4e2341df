"""What is wrong with a text that is no YAML, for a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml import YAMLError


def told(error: YAMLError) -> tuple[str, str]:
    """Return the place, `, line 3` or nothing where none is known, and the problem."""
    mark = getattr(error, "problem_mark", None)
    place = f", line {mark.line + 1}" if mark else ""
    return place, getattr(error, "problem", None) or str(error).partition("\n")[0]
