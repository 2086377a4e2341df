"""Records that `run --output` wrote: told from others, so that they stay the runs they are."""

from __future__ import annotations

from typing import Final

from ..errors import InvalidRecord
from ..records.json_text import decode_object

SOURCE: Final = "run"
"""The `source` of the runs that `run` makes."""


def is_made_by_run(text: bytes) -> bool:
    """Whether a record's JSON names its run, and in its metadata what `run` put through it."""
    try:
        found = decode_object(text)
    except InvalidRecord:
        return False
    metadata = found.get("metadata")
    made = metadata.get("run") if isinstance(metadata, dict) else None
    target = made.get("target") if isinstance(made, dict) else None
    return isinstance(target, str) and isinstance(found.get("source_run_id"), str)
