"""Change one row of a CSV file and leave every other byte as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..tools import csv_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Change(NamedTuple):
    """A cell that is not as it was."""

    column: str
    old: str | None
    """None where the row is new."""
    new: str


def put_row(text: str, keys: Sequence[str], cells: Mapping[str, str]) -> tuple[str, list[Change]]:
    """Set cells of the row with a key, or add such a row at the end.

    Args:
        text: of a sound file, without a byte order mark.
        keys: the columns that name a row.
        cells: by column, the keys' among them; of a row that is there, others stay.

    Returns:
        The text, comments, order and ends of lines kept, and what changed in it.

    """
    parts = list(csv_text.records(text))
    places = [place for place, part in enumerate(parts) if part.is_data]
    header = csv_text.values(parts[places[0]].text)
    for place in places[1:]:
        row = dict(zip(header, csv_text.values(parts[place].text), strict=True))
        if any(row[key] != cells[key] for key in keys):
            continue
        changes = [
            Change(column, row[column], value)
            for column, value in cells.items()
            if not _is_same(row[column], value)
        ]
        new = {change.column: change.new for change in changes}
        raw = zip(header, csv_text.raw_fields(parts[place].text), strict=True)
        fields = [
            csv_text.written(new[column]) if column in new else as_it_was
            for column, as_it_was in raw
        ]
        parts[place] = parts[place]._replace(text=",".join(fields) + parts[place].ending)
        return "".join(part.text for part in parts), changes
    ending = parts[places[0]].ending or "\n"
    line = ",".join(csv_text.written(cells.get(column, "")) for column in header) + ending
    before = "".join(part.text for part in parts)
    if not parts[-1].ending:
        before += ending
    return before + line, [Change(column, None, value) for column, value in cells.items() if value]


def _is_same(old: str, new: str) -> bool:
    try:
        return float(old) == float(new)
    except ValueError:
        return old == new
