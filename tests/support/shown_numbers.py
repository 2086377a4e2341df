"""What a page or a terminal shows, as tables of text; and whether a text shows a number."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from math import isclose
from typing import Final

Rows = list[dict[str, str]]
_DASH: Final = "–"  # noqa: RUF001  as printed tables have it
DECIMALS: Final = {
    "score": 3, "success": 3, "reliability": 3, "latency": 1, "tokens": 0, "cost": 5,
    "measurement": 4,
}  # fmt: skip
"""Of a value, for people; an improvement is told in points or per cent, with one decimal."""
_NUMBER: Final = re.compile(r"[-+]?[\d,]+(?:\.\d+)?")


class Page(HTMLParser):
    """The tables of a report by caption, and its list of facts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, Rows] = {}
        self.facts: dict[str, str] = {}
        self.text = text
        self._parts: list[str] = []
        self._caption = self._term = ""
        self._headings: list[str] = []
        self._cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in {"caption", "th", "td", "dt", "dd"}:
            self._parts = []
        elif tag == "table":
            self._headings = []
        elif tag == "tr":
            self._cells = []

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._parts).split())
        if tag == "caption":
            self._caption = text
            self.tables[text] = []
        elif tag in {"th", "td"}:
            self._cells.append(text)
        elif tag == "tr":
            if self._headings:
                row = dict(zip(self._headings, self._cells, strict=True))
                self.tables[self._caption].append(row)
            else:
                self._headings = self._cells
        elif tag == "dt":
            self._term = text
        elif tag == "dd":
            self.facts[self._term] = text

    def table(self, beginning: str) -> Rows:
        """Return the one table whose caption begins so."""
        (caption,) = (name for name in self.tables if name.startswith(beginning))
        return self.tables[caption]


def plain_table(lines: list[str]) -> Rows:
    """Return an aligned table of a terminal, by the rules under its headings."""
    rule = next(place for place, line in enumerate(lines) if line and not line.strip("─ "))
    spans = [match.span() for match in re.finditer(r"─+", lines[rule])]
    edges = [*(begin for begin, _ in spans[1:]), None]

    def cells(line: str) -> list[str]:
        return [line[begin:end].strip() for (begin, _), end in zip(spans, edges, strict=True)]

    headings = cells(lines[rule - 1])
    rows: Rows = []
    for line in lines[rule + 1 :]:
        if not line.strip():
            break
        rows.append(dict(zip(headings, cells(line), strict=True)))
    return rows


def shows(text: str, value: float | None, decimals: int) -> bool:
    """Tell whether a text shows a number to so many decimals, or a dash where there is none."""
    if value is None:
        return text == _DASH
    found = _NUMBER.search(text.replace("$", ""))
    expected = f"{value:.{decimals}f}"
    return found is not None and (
        float(found[0].replace(",", "")) == float(expected)
        and len(found[0].partition(".")[2]) == decimals
    )


def shows_interval(text: str, ends: tuple[float | None, float | None], decimals: int) -> bool:
    """Tell the same of an interval's two ends."""
    if None in ends:
        return text == _DASH
    shown = text.split(" … ")
    return len(shown) == len(ends) and all(
        shows(one, end, decimals) for one, end in zip(shown, ends, strict=True)
    )


def shows_probability(text: str, value: float | None) -> bool:
    """Tell whether a text shows a p-value to four decimals, a tiny one as smaller than that."""
    if value is not None and value < 0.0001:
        return text == "< 0.0001"
    return shows(text, value, 4)


def markdown_table(text: str) -> Rows:
    """Return the first table of a text in markdown, without its quoting."""
    lines = text.splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith(("|---", "| ---")))

    def cells(line: str) -> list[str]:
        return [
            part.replace("\\", "").strip(" `")
            for part in re.split(r"(?<!\\)\|", line.strip().strip("|"))
        ]

    headings = cells(lines[rule - 1])
    rows: Rows = []
    for line in lines[rule + 1 :]:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(headings, cells(line), strict=True)))
    return rows


def keyed(rows: Rows, name: str) -> dict[str, dict[str, str]]:
    """Return rows by what they are called."""
    found = {row[name]: row for row in rows}
    assert len(found) == len(rows)
    return found


def change(ratio: float | None) -> float | None:
    """Return a ratio of arms as per cent more or less."""
    return None if ratio is None else 100 * (ratio - 1)


def same(shown: float | None, value: float | None) -> bool:
    """Tell whether a place that rounds nothing has the mart's number."""
    if shown is None or value is None:
        return shown is value
    return isclose(shown, value, rel_tol=1e-12, abs_tol=1e-15)
