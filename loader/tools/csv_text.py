"""The text of a CSV file record by record, so that one can be changed and the rest kept."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Record(NamedTuple):
    """A record, a comment or a blank line, with its end of line."""

    line: int
    """Its first line, from 1."""
    text: str

    @property
    def is_data(self) -> bool:
        """Whether it is neither a comment nor blank."""
        return bool(self.text.strip()) and not self.text.startswith("#")

    @property
    def ending(self) -> str:
        """Return its end of line; empty on a last line without one."""
        return self.text[len(self.text.rstrip("\r\n")) :]


def records(text: str) -> Iterator[Record]:
    """Yield what a file consists of; a field in quotes may span lines."""
    waiting, first = "", 1
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        first = first if waiting else number
        waiting += line
        is_comment = waiting.startswith("#")
        if is_comment or waiting.count('"') % 2 == 0:
            yield Record(first, waiting)
            waiting = ""
    if waiting:
        yield Record(first, waiting)


def raw_fields(text: str) -> list[str]:
    """Return the fields of a record as they are written, quotes included."""
    fields = [""]
    is_quoted = False
    for character in text.rstrip("\r\n"):
        if character == '"' and (is_quoted or not fields[-1] or fields[-1].startswith('"')):
            is_quoted = not is_quoted
        if character == "," and not is_quoted:
            fields.append("")
        else:
            fields[-1] += character
    return fields


def values(text: str) -> list[str]:
    """Return the fields of a record as they are meant.

    Raises:
        ValueError: the quotes of one make no sense.

    """
    found = []
    for raw in raw_fields(text):
        if not raw.startswith('"'):
            if '"' in raw:
                raise ValueError(f"a quote inside {raw[:40]}: put the whole field in quotes")
            found.append(raw)
            continue
        inner = raw[1:-1]
        if len(raw) == 1 or not raw.endswith('"') or '"' in inner.replace('""', ""):
            raise ValueError(f"the quotes of {raw[:40]} do not match")
        found.append(inner.replace('""', '"'))
    return found


def written(value: str) -> str:
    """Return a field as a file has it: in quotes where it needs them."""
    if value.startswith("#") or any(character in value for character in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
