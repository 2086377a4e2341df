"""A seed in the team's folder: read with comments, checked with lines, given on without them."""

from __future__ import annotations

import io
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import nearest
from ..tools import csv_text
from .folder import shown
from .seed_rules import seed_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .seed_rules import SeedRules


_ADVICE: Final = "put a text with a comma in quotes"


class SeedFile(NamedTuple):
    """What a file holds, and what is wrong with it."""

    header: list[str]
    rows: list[dict[str, str]]
    """By the columns of the project's own seed; what an older file lacks is empty."""
    text: str
    """As dbt can read it: without comments and blank lines, with every column."""
    faults: list[str]
    """Each with file, line and column."""


def read_seed_file(name: str, path: Path) -> SeedFile:
    """Read and check a file of the team's folder.

    Args:
        name: of the seed, without `.csv`.
        path: of the file.

    Raises:
        ConfigurationError: the project's own seed is missing.

    """
    try:
        stamp = path.stat()
    except OSError as error:
        return SeedFile([], [], "", [f"{shown(path)}: cannot be read: {error.strerror}"])
    return _read(name, path, shown(path), (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino))


@lru_cache(maxsize=32)
def _read(name: str, path: Path, place: str, stamp: tuple[int, ...]) -> SeedFile:
    """Read a file once for as long as it is as it is."""
    del stamp
    rules = seed_rules(name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return SeedFile([], [], "", [f"{place}: cannot be read: {error.strerror}"])
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        fault = f"{place}, line {line}: is not UTF-8 text; save it as CSV UTF-8"
        return SeedFile([], [], "", [fault])
    found = [record for record in csv_text.records(text) if record.is_data]
    if not found:
        fault = f"{place}, line 1: has no header; begin with {','.join(rules.header)}"
        return SeedFile([], [], "", [fault])
    head, *body = found
    said = list(_header_faults(head, rules))
    header = [] if said else csv_text.values(head.text)
    lines, rows = [], []
    for record in body if header else ():
        try:
            cells = csv_text.values(record.text)
        except ValueError as error:
            said.append((record.line, f": {error}"))
            continue
        if len(cells) != len(header):
            said.append(
                (record.line, f": has {len(cells)} fields, the header {len(header)}; {_ADVICE}")
            )
            continue
        lines.append(record.line)
        rows.append(dict.fromkeys(rules.header, "") | dict(zip(header, cells, strict=True)))
    said += _row_faults(rules, header, lines, rows)
    faults = [f"{place}, line {line}{fault}" for line, fault in sorted(said, key=_line)]
    is_whole = set(header) == set(rules.header)
    plain = "".join(record.text for record in found) if is_whole else _written(rules.header, rows)
    return SeedFile(header, rows, plain, faults)


def _line(said: tuple[int, str]) -> int:
    return said[0]


def _header_faults(head: csv_text.Record, rules: SeedRules) -> Iterator[tuple[int, str]]:
    try:
        header = csv_text.values(head.text)
    except ValueError as error:
        yield head.line, f": {error}"
        return
    known = rules.header
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        yield head.line, ": separate the columns by commas"
        return
    for column, count in Counter(header).items():
        if column not in known:
            hint = nearest(column, known) or f"; there are {', '.join(known)}"
            yield head.line, f", {column or 'a column'}: is no column of this file{hint}"
        elif count > 1:
            yield head.line, f", {column}: is there {count} times; keep one"
    for rule in rules.columns:
        if rule.is_required and rule.column not in header:
            yield head.line, f", {rule.column}: is missing from the header; add the column"


def _row_faults(
    rules: SeedRules, header: Sequence[str], lines: Sequence[int], rows: Sequence[dict[str, str]]
) -> Iterator[tuple[int, str]]:
    for line, row in zip(lines, rows, strict=True):
        for rule in rules.columns:
            fault = rule.fault(row[rule.column]) if rule.column in header else None
            if fault:
                yield line, f", {rule.column}: {fault}"
    for key in rules.keys:
        seen: dict[tuple[str, ...], int] = {}
        for line, row in zip(lines, rows, strict=True):
            value = tuple(row[column] for column in key)
            first = seen.setdefault(value, line)
            if any(part != part.strip() for part in value):
                yield line, f", {' and '.join(key)}: has spaces around it; remove them"
            elif first != line and all(value):
                yield line, f", {' and '.join(key)}: {', '.join(value)} is on line {first} too"


def _written(header: Sequence[str], rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO()
    for cells in (header, *(row.values() for row in rows)):
        text.write(",".join(map(csv_text.written, cells)) + "\n")
    return text.getvalue()
