"""Whether a file of JSON is one document, or a document a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import InvalidRecord
from ..blocks import Blocks, InputBroken
from ..json_document import Scanner
from .document import LARGEST_ELEMENT
from .json_values import decode

if TYPE_CHECKING:
    from .opened import ToolFile


def has_lines(file: ToolFile) -> bool:
    """Whether an object ends with its line, and something stands behind it.

    Where the first line is longer than the beginning that is looked at, all of it is read.
    """
    first, line_end, rest = file.head.lstrip().partition(b"\n")
    if line_end:
        try:
            decode(first, object)
        except InvalidRecord:
            return False
        return bool(rest.strip()) or _goes_on(file)
    return _goes_on(file)


def _goes_on(file: ToolFile) -> bool:
    """Whether something stands behind the first value of a file."""
    with file.opened() as stream:
        scanner = Scanner(iter(Blocks(stream)), LARGEST_ELEMENT)
        try:
            if scanner.next_char() != b"{":
                return False
            scanner.value()
            return scanner.next_char() is not None
        except InputBroken:
            return False
