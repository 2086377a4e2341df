"""What a person says of runs: from options, or from the lines of a CSV file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError, nearest
from ..records import checks
from ..records.bounds import LONGEST_NAME, are_short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PARTS: Final = ("experiment", "task", "group", "version", "run", "key", "score", "author", "reason")
"""Columns of a file, and options of the command."""
_REQUIRED: Final = ("experiment", "task", "key", "score", "author", "reason")
_ALIASES: Final = {
    "experiment_id": "experiment",
    "task_id": "task",
    "experiment_group": "group",
    "extension_version": "version",
    "source_run_id": "run",
    "evaluator_key": "key",
}
_SHOWN: Final = ("inputs", "outputs", "reference_outputs")
"""Columns that `label` writes for the person who reads them; they say nothing."""
_WORDS: Final = {"true": True, "yes": True, "false": False, "no": False}


class Fault(NamedTuple):
    """A statement that is not taken, and why."""

    origin: str
    row: int
    reason_code: str
    reason: str
    payload: str


class Said(NamedTuple):
    """One statement: a score of every run that has the names; None is any."""

    row: int
    """Its line in the file, from 1; 0 for what options say."""
    experiment: str
    task: str
    group: str | None
    version: str | None
    run: str | None
    key: str
    score: float | bool
    author: str
    reason: str
    origin: str = ""
    payload: str = ""

    def fault(self, code: str, reason: str) -> Fault:
        """Return why it is not taken."""
        return Fault(self.origin, self.row, code, reason, self.payload)


class Lines(NamedTuple):
    """What a file holds."""

    said: list[Said]
    faults: list[Fault]


def from_options(values: Mapping[str, str | None]) -> Said:
    """Return what options say.

    Args:
        values: by part, as in `PARTS`.

    Raises:
        ConfigurationError: names everything that is missing or makes no sense.

    """
    problems = list(_problems(values))
    if problems:
        raise ConfigurationError("; ".join(f"--{problem}" for problem in problems))
    return _said(0, values, "", "")


def quoted(row: int, values: Mapping[str, str | None], origin: str) -> Said | Fault:
    """Return what a file of results says that somebody said, or what is wrong with it.

    Args:
        row: its number among those of the file, from 1.
        values: by part, as in `PARTS`.
        origin: the file.

    """
    problems = list(_problems(values))
    if problems:
        payload = ", ".join(f"{part}={values.get(part)}" for part in PARTS if values.get(part))
        return Fault(origin, row, "invalid_line", "; ".join(problems), payload)
    return _said(row, values, origin, "")


def read_file(path: str, filled: Mapping[str, str | None]) -> Lines:
    """Read a CSV file (comma, semicolon or tab), line by line.

    Args:
        path: of the file.
        filled: parts that options say for every line.

    Raises:
        ConfigurationError: the file cannot be read, or its header makes no sense; names
            everything that is wrong with it.

    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    found = Lines([], [])
    try:
        parts = _header(next(reader, []), path, filled)
        end = reader.line_num
        for cells in reader:
            begin, end = end, reader.line_num
            payload = "".join(lines[begin:end]).rstrip("\r\n")
            if not any(cell.strip() for cell in cells):
                continue
            values = {**filled, **dict(zip(parts, map(str.strip, cells), strict=False))}
            problems = list(_problems(values))
            if len(cells) != len(parts):
                problems = [f"it has {len(cells)} cells, and the header {len(parts)}"]
            if problems:
                reason = "; ".join(problems)
                found.faults.append(Fault(path, begin + 1, "invalid_line", reason, payload))
            else:
                found.said.append(_said(begin + 1, values, path, payload))
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    return found


def _header(cells: Sequence[str], path: str, filled: Mapping[str, str | None]) -> list[str]:
    names = [cell.strip().casefold() for cell in cells]
    parts = [_ALIASES.get(name, name) for name in names]
    problems = [
        f"no column {name!r} is known{nearest(name, (*PARTS, *_ALIASES))}"
        for name, part in zip(names, parts, strict=True)
        if part not in PARTS and part not in _SHOWN
    ]
    problems += [f"column {part} stands there twice" for part in PARTS if parts.count(part) > 1]
    given = {part for part, value in filled.items() if value is not None}
    problems += [
        f"--{part} and a column {part} are there; give one of them"
        for part in PARTS
        if part in given and part in parts
    ]
    problems += [
        f"column {part} is missing, and --{part} is not given"
        for part in _REQUIRED
        if part not in parts and part not in given
    ]
    if problems:
        raise ConfigurationError(f"{path}: {'; '.join(problems)}")
    return parts


def _problems(values: Mapping[str, str | None]) -> Iterator[str]:
    """Say everything that is wrong with a statement."""
    for part in PARTS:
        value = values.get(part) or ""
        if not value.strip():
            if part in _REQUIRED:
                yield f"{part} is missing"
            continue
        for error in checks.unstorable(value, part):
            yield error.reason
        if part == "key" and not are_short((value.strip(), LONGEST_NAME)):
            yield f"key is too long; at most {LONGEST_NAME} bytes are kept, shorten it"
        if part == "score" and _score(value) is None:
            yield f"score {value!r} is neither a number nor true or false"


def _score(text: str) -> float | bool | None:
    word = _WORDS.get(text.strip().casefold())
    if word is not None:
        return word
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _said(row: int, values: Mapping[str, str | None], origin: str, payload: str) -> Said:
    texts = {part: (values.get(part) or "").strip() for part in PARTS}
    score = _score(texts["score"])
    return Said(
        row=row,
        experiment=texts["experiment"],
        task=texts["task"],
        group=texts["group"] or None,
        version=texts["version"] or None,
        run=texts["run"] or None,
        key=texts["key"],
        score=score if score is not None else math.nan,
        author=texts["author"],
        reason=texts["reason"],
        origin=origin,
        payload=payload,
    )
