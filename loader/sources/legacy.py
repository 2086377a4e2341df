"""A dump of the old system's table `evaluation_results`, as CSV or JSON Lines.

Its columns are what a mapping says; whatever else a dump has is kept under metadata.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .mapping import Mapping, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENTRIES: Final[Sequence[tuple[str, str]]] = (
    ("source_run_id", "id"),
    ("recorded_at", "created_at"),
    ("latency_ms", "execution_time_seconds:s"),
)
_NULL: Final = r"\N"
"""How COPY writes null in its text format."""

MAPPING: Final = Mapping(
    entries=tuple(replace(parse(target, source), is_optional=True) for target, source in _ENTRIES),
    keeps_rest=True,
    missing=frozenset({_NULL}),
)
