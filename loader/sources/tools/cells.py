"""Rows of a table as the objects that they were before they were written as cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ...errors import InvalidRecord
from .. import Rejection
from . import Rejected
from .json_values import decode
from .opened import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .opened import ToolFile

T = TypeVar("T")

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_ABSENT = frozenset({"", "nan", "none", "null", "n/a", "<na>"})


def body(cell: str) -> Any:  # noqa: ANN401  any JSON value
    """Return what a cell holds: JSON if it is some, else its text; None if it is empty."""
    text = cell.strip()
    if text[:1] in ("{", "[", '"'):
        try:
            return decode(text.encode(), object)
        except InvalidRecord:
            return cell
    return cell or None


def number(cell: str) -> float | None:
    """Return the number in a cell; None where it is none.

    `is_absent` tells a cell that holds nothing from one that holds something else.
    """
    text = cell.strip()
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    return float(text) if _NUMBER.fullmatch(text) else None


def is_absent(cell: str) -> bool:
    """Whether a cell says that there is no value: it is empty, or NaN as data frames write it."""
    return cell.strip().lower() in _ABSENT


def rows_as(
    file: ToolFile, kind: type[T], objects: Callable[[dict[str, str]], dict[str, Any]]
) -> Iterator[Part[T] | Rejected]:
    """Yield each row of a table, decoded as if it had been an object.

    Args:
        file: the table.
        kind: what an object is decoded into.
        objects: makes an object of the cells of a row, by the names of their columns.

    """
    for part in file.rows():
        if isinstance(part, Rejected):
            yield part
            continue
        try:
            found = msgspec.convert(objects(part.value), kind, strict=False)
        except (msgspec.ValidationError, InvalidRecord) as error:
            reason = f"not as this tool writes it: {error}"
            yield Rejected(part.number, part.text, Rejection("unexpected_form", reason))
        else:
            yield Part(part.number, found, part.text)
