"""What the stand-in for LangSmith says of a dataset's examples, splits and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

Row = dict[str, Any]


def splits_of(example: Row) -> list[str]:
    """Name the splits of an example; the service calls the one of all others base."""
    said = (example["metadata"] or {}).get("dataset_split") or "base"
    return said if isinstance(said, list) else [said]


def selected(
    examples: list[Row], query: dict[str, list[str]], instant: Callable[[str], datetime]
) -> list[Row]:
    """Return the examples that a query asks for: a dataset or ids, splits, as of a time."""
    dataset, ids = query.get("dataset", [None])[0], query.get("id", [])
    splits, as_of = query.get("splits", []), query.get("as_of", ["latest"])[0]
    return [
        row for row in examples
        if (row["dataset_id"] == dataset or row["id"] in ids)
        and (not splits or set(splits) & set(splits_of(row)))
        and (as_of == "latest" or instant(row["created_at"]) <= instant(as_of))
    ]  # fmt: skip
