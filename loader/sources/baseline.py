"""The result files of a baseline runner.

Such a file says how long a task took and what it cost, and seldom a score. Experiment
and version come from options; so does the group, unless the mode names it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRecord
from ..records.checks import FIELDS
from ..records.json_text import decode_object, shown
from . import Rejection, SourceRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# A baseline runner's name → the record's.
_RENAMED = {"model": "model_version", "timestamp": "recorded_at", "error": "error_message"}


def adapt(rows: Iterator[SourceRow], groups: Collection[str]) -> Iterator[SourceRow]:
    """Turn rows of a baseline runner's JSON into rows of records.

    Args:
        rows: as read from JSON or JSON Lines.
        groups: the known experiment groups.

    """
    for row in rows:
        if row.rejection is not None:
            yield row
            continue
        try:
            fields = decode_object(row.original) if row.fields is None else row.fields
            yield row._replace(fields=_record(fields, groups))
        except InvalidRecord as error:
            yield row._replace(fields=None, rejection=Rejection(error.code, error.reason))


def _record(result: dict[str, Any], groups: Collection[str]) -> dict[str, object]:
    record: dict[str, object] = {}
    metadata = result.get("metadata")
    extra: dict[str, object] = dict(metadata) if isinstance(metadata, dict) else {}
    for name, value in result.items():
        target = _RENAMED.get(name, name)
        if name == "mode":
            group = _group(value, groups)
            if group:
                record.setdefault("experiment_group", group)
            _keep(extra, name, value)
        elif name == "metadata":
            if value is not None and not isinstance(value, dict):
                record[name] = value  # the check will say what is wrong with it
        elif target in FIELDS:
            if target in record and value is not None:
                raise InvalidRecord(
                    name,
                    "duplicate_key",
                    f"{name} and {target} are the same field; keep one of them",
                )
            record[target] = _time(value) if name == "timestamp" else value
        else:
            _keep(extra, name, value)
    if extra:
        record.setdefault("metadata", extra)
    return record


def _group(mode: object, groups: Collection[str]) -> str | None:
    """Return the group a mode names, whatever its spelling of case and hyphens."""
    plain = {_plain(group): group for group in groups}
    return plain.get(_plain(mode)) if isinstance(mode, str) else None


def _plain(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _keep(extra: dict[str, object], name: str, value: object) -> None:
    """Keep what is no field of a record under metadata."""
    if name in extra and extra[name] != value:
        raise InvalidRecord(
            name,
            "duplicate_key",
            f"{shown(name)} stands in the result and in its metadata with another value; "
            "keep one of them",
        )
    extra[name] = value


def _time(value: object) -> object:
    """Turn seconds since 1970 into ISO 8601; leave anything else to the check."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            return value
    return value
