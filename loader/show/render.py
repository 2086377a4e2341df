"""Print a table for a person (table, markdown) or for a program (json, csv).

People get units, separators and rounding; programs get every digit the database has.
Text from records is printed as text: `loader.show.escape` takes its effects from it, of CSV
those on a spreadsheet, and JSON has every character of it, as an escape where need be.
"""

from __future__ import annotations

import io
import json
import math
import textwrap
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.text import Text

from ..tools.tables import NUMERIC, SIGNED, Column, Format, Kind, Table
from . import escape
from .fitting import INDENT, fit, least_width
from .layout import Heading, Piece, blocks, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

TINY: Final = 0.0001
"""Below this a p-value is told as smaller, not as a number."""
NULL: Final = "–"  # noqa: RUF001  an en dash, as printed tables have it
printable: Final = escape.terminal
"""Text for people, on one line; `loader.show.escape` has a function for each medium."""
markdown_text: Final = escape.markdown
"""Text for people in markdown, likewise."""
_WHOLE: Final = NUMERIC | {Kind.TIMESTAMP, Kind.OUTCOME, Kind.BOOLEAN}
_DECIMALS: Final = {
    Kind.NUMBER: 4,
    Kind.SCORE: 3,
    Kind.MILLISECONDS: 1,
    Kind.TOKENS: 0,
    Kind.USD: 5,
    Kind.PROBABILITY: 4,
}
_UNITS: Final = {Kind.MILLISECONDS: "ms", Kind.USD: "$", Kind.PERCENT: "%", Kind.POINTS: "points"}
_STYLES: Final = {
    "candidate": "green",
    "deploy": "green",
    "baseline": "red",
    "reject": "red",
    "tie": "dim",
    "needs_review": "yellow",
}


def render(
    table: Table,
    output: Format,
    stream: TextIO,
    *,
    empty: str = "Nothing yet.",
    wide: bool | None = None,
) -> None:
    """Print a table in one of the formats.

    Args:
        table: what to print.
        output: the format.
        stream: where to; colours only when it is a terminal.
        empty: what a person reads when there is no row; programs get no rows.
        wide: as `draw` has it.
    """
    if output is Format.JSON:
        _write_utf8(stream, [to_json(table)])
    elif output is Format.CSV:
        _write_utf8(stream, csv_lines(table))
    elif not table.rows:
        for_people(stream).write(escape.lines(empty) + "\n")
    elif output is Format.MARKDOWN:
        for_people(stream).writelines(markdown_lines(table))
    else:
        draw(table, for_people(stream), wide=wide)


def draw(table: Table, stream: TextIO, *, wide: bool | None = None) -> None:
    """Print aligned text; on a terminal with colours and, where it can, within its width.

    Args:
        table: what to print.
        stream: where to.
        wide: on a terminal, whether to print every column in full; if not, those that it has
            room for without breaking a word, and which are left out. None for every column,
            folded.
    """
    if not stream.isatty():
        stream.writelines(f"{line}\n" for line in plain_lines(table))
        return
    console = Console(file=stream, highlight=False)
    lines = (
        _chosen(table, console.width)
        if wide is False
        else lay_out(*_texts(table), room=None if wide else console.width)
    )
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)


def _chosen(table: Table, room: int) -> Iterable[list[Piece]]:
    """Yield the lines of the columns that there is room for, and what is left out."""
    headings, rows = _texts(table)
    above, beside, left_out = fit(headings, rows, room)
    indent = INDENT if above else 0
    opening, *lines = blocks(
        [headings[place] for place in beside],
        [[row[place] for place in beside] for row in rows],
        room - indent,
        [least_width(headings, rows, place) for place in beside],
    )
    yield from ([(headings[place].text, "bold")] for place in above)
    yield from ([(" " * indent, ""), *line] for line in opening)
    for row, block in zip(rows, lines, strict=True):
        yield from ([row[place]] for place in above)
        yield from ([(" " * indent, ""), *line] for line in block)
    if left_out:
        names = ", ".join(headings[place].text for place in left_out)
        for part in textwrap.wrap(f"Left out: {names}; --wide shows all.", room):
            yield [(part, "dim")]


def sentences(lines: Iterable[str], stream: TextIO) -> None:
    """Print sentences, each on a line of its own; on a terminal broken at words."""
    if not stream.isatty():
        stream.writelines(f"{line}\n" for line in lines)
        return
    console = Console(file=stream, highlight=False)
    for line in lines:
        console.print(Text(line))


def for_people(stream: TextIO) -> TextIO:
    """Return the stream, willing to print any character as well as its encoding allows."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _write_utf8(stream: TextIO, lines: Iterable[str]) -> None:
    """Write UTF-8, whatever the terminal's encoding: programs expect it; a terminal is none."""
    if stream.isatty():
        stream.writelines(f"{escape.lines(line.rstrip())}\n" for line in lines)
        return
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.writelines(lines)
        return
    stream.flush()
    buffer.writelines(line.encode() for line in lines)
    buffer.flush()


def plain_lines(table: Table) -> Iterable[str]:
    """Yield the table as aligned lines, nothing folded, cut or coloured."""
    for line in lay_out(*_texts(table)):
        yield "".join(text for text, _ in line).rstrip()


def _texts(table: Table) -> tuple[list[Heading], list[list[Piece]]]:
    """Return headings and cells as text and style."""
    headings = [
        Heading(heading(column), column.kind in NUMERIC, column.kind in _WHOLE, column.rank)
        for column in table.columns
    ]
    kinds = [column.kind for column in table.columns]
    rows = [
        [styled(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in table.rows
    ]
    return headings, rows


def styled(value: object, kind: Kind) -> Piece:
    """Return one cell as text and the style a terminal gives it."""
    text = cell(value, kind)
    if value is None:
        return text, "dim"
    if kind in SIGNED:
        return text, {"-": "red", "+": "green"}.get(text[0], "")
    return text, _STYLES.get(text, "") if kind is Kind.OUTCOME else ""


def heading(column: Column) -> str:
    """Return a column's heading with its unit."""
    title = printable(column.heading or column.name.replace("_", " "))
    unit = _UNITS.get(column.kind)
    return f"{title} ({unit})" if unit else title


def cell(value: object, kind: Kind) -> str:  # noqa: PLR0911  one return per type reads best
    """Return one value as a person reads it."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return number(value, kind)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if value.tzinfo else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(cell(item, Kind.TEXT) for item in value)
    if isinstance(value, dict):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))


def number(value: float | Decimal, kind: Kind) -> str:
    """Return a number as a person reads it: thousands separated, rounded by its kind."""
    if not math.isfinite(value):
        return NULL
    if kind in SIGNED:
        text = f"{value:+,.{3 if kind is Kind.CHANGE else 1}f}"
        return text if text.strip("+-0.") else text[1:]
    if kind is Kind.PROBABILITY and 0 <= value < TINY:
        return f"< {TINY}"
    if isinstance(value, int) and kind not in {Kind.SCORE, Kind.PROBABILITY}:
        return f"{value:,}"
    text = f"{value:,.{_DECIMALS.get(kind, 0)}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def named_p(p_value: float) -> str:
    """Return a p-value with its name."""
    return f"p < {TINY}" if p_value < TINY else f"p = {p_value:.2g}"


def with_unit(value: object, kind: Kind) -> str:
    """Return a value with its unit, for a sentence or a cell of mixed units."""
    text = cell(value, kind)
    if value is None:
        return text
    if kind is Kind.USD:
        return f"-${text[1:]}" if text.startswith("-") else f"${text}"
    unit = {Kind.MILLISECONDS: " ms", Kind.PERCENT: " %", Kind.POINTS: " points"}.get(kind, "")
    return text + unit


def markdown_lines(table: Table) -> Iterable[str]:
    """Yield the table as GitHub-flavoured markdown, pipes escaped."""
    yield _markdown_row([heading(column) for column in table.columns])
    yield _markdown_row(
        ["---:" if column.kind in NUMERIC else "---" for column in table.columns], escape=False
    )
    for row in table.rows:
        yield _markdown_row(
            [cell(value, column.kind) for value, column in zip(row, table.columns, strict=True)]
        )


def _markdown_row(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(markdown_text(text) if escape else text for text in cells) + " |\n"


def csv_lines(table: Table) -> Iterable[str]:
    """Yield the table as RFC 4180: CRLF, quotes doubled, null an empty unquoted field."""
    yield _csv_row([column.name for column in table.columns])
    for row in table.rows:
        yield _csv_row(row)


def _csv_row(values: Iterable[object]) -> str:
    return ",".join(map(_csv_field, values)) + "\r\n"


def _csv_field(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, dict | list):
        text = escape.json_text(json.dumps(plain, ensure_ascii=False))
    elif isinstance(plain, str):
        text = escape.spreadsheet(plain)
    else:
        text = repr(plain) if isinstance(plain, float) else str(plain)
    # an empty text is quoted, so that it differs from null
    if not text or any(char in text for char in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def to_json(table: Table) -> str:
    """Return the rows as a JSON array of objects: full precision, null for null, no NaN."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    rows = [{name: _plain(value) for name, value in record.items()} for record in table.records()]
    return escape.json_text(msgspec.json.format(encoder.encode(rows), indent=2).decode()) + "\n"


def _plain(value: object) -> object:  # noqa: PLR0911  likewise
    """Return a value that JSON and CSV can hold without loss."""
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | Decimal | str):
        return value
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return str(value)
