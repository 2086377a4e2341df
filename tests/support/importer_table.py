"""The tables of docs/import.md that say what is read of other tools, made of the importers.

Run it to write them, or with `--check` to fail when they are out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from loader.sources.tools.registry import KINDS, importer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = "tests/support/importer_table.py"
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "import.md"
BEGIN = f"<!-- made by python {PROGRAM} -->\n"
END = "<!-- as far as here -->\n"


def render() -> str:
    """Return the tables as Markdown."""
    every = [importer_of(kind).about for kind in KINDS]
    files = _table(
        ("format", "tool", "files", "tried on"),
        ((f"`{each.kind}`", each.tool, each.files, each.versions) for each in every),
    )
    fields = _table(
        ("format", "kept", "left out", "names for `--map`"),
        (
            (f"`{each.kind}`", each.kept, each.left_out, ", ".join(f"`{n}`" for n in each.names))
            for each in every
        ),
    )
    return f"{files}\n{fields}"


def _table(heading: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    told = [
        [cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in (heading, *rows)
    ]
    heads, *lines = (f"| {' | '.join(line)} |\n" for line in told)
    return f"{heads}|{'---|' * len(heading)}\n{''.join(lines)}"


def written(text: str) -> str:
    """Return the guide with the tables as they are now."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{GUIDE} has no place for the tables: {BEGIN.strip()} … {END.strip()}")
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    found = GUIDE.read_text(encoding="utf-8")
    if sys.argv[1:] == ["--check"]:
        if found != written(found):
            sys.exit(f"{GUIDE} is out of date: run python {PROGRAM}")
    else:
        GUIDE.write_text(written(found), encoding="utf-8")
