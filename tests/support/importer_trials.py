"""What the tests of every importer share: files of each tool, read as a command reads them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ingest_support import VOCABULARY
from loader.errors import InvalidRecord, LoaderError
from loader.records.checker import Checker, Defaults
from loader.records.json_text import decode_object
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import KINDS, importer_of
from loader.sources.tools.source import ToolSource
from servers import run_folder

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence

SUPPLIED: Final = {"experiment_group": "baseline"}
DOCUMENTS: Final = (".json", ".eval", ".zip")
"""Endings of files that are whole or nothing."""
PIECES: Final = (
    b"", b"\x00", b"\xff", b'"', b",", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b":", b"-", b"\\",
    b"1e999", b"NaN", b"-Infinity", b"null", b"true", b'"x"', b"7", b"[]", b"{}", b"\xff\xfe",
    b"\xef\xbb\xbf", b"PK\x03\x04", b"\x1f\x8b", b"\\ud800", b"9" * 30, b"[" * 1200, b"x" * 3000,
)  # fmt: skip
VALUES: Final[Sequence[object]] = (
    None, True, -1, 0, 1, 1e308, 10**30, "", "x", "x" * 3000, [], [1], {}, {"a": None}, [{}],
    float("nan"), float("inf"), "\0", "2025-13-01", "999999-01-01", [[[[1]]]], {"": 1}, "1e999",
)  # fmt: skip


class Found(NamedTuple):
    """What came of files."""

    records: dict[str, dict[str, Any]]
    """By their source_run_id."""
    reasons: list[str]
    """Of rows that are rejected, by the source or by the check."""
    doubled: list[str]
    """Ids of several runs."""
    rows: int
    notes: list[str]


def written(kind: str, folder: Path, runs: int = 20, seed: int = 1) -> list[Path]:
    """Write files of a tool as its generator does."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = import_module(f"tool_files.{KINDS[kind]}").write(folder, runs, seed=seed)
    return paths


@cache
def sound(kind: str, runs: int = 6) -> Path:
    """Return a folder of sound files of a tool, which nobody changes."""
    folder = Path(mkdtemp(prefix="sound-", dir=run_folder()))
    written(kind, folder, runs)
    return folder


def copied(kind: str, folder: Path, runs: int = 6) -> Path:
    """Copy such a folder, to be broken."""
    shutil.copytree(sound(kind, runs), folder, dirs_exist_ok=True)
    return folder


def files_of(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def recognised_by(path: Path) -> list[str]:
    """Return every kind whose importer takes a file for its own."""
    return [kind for kind in KINDS if importer_of(kind).recognises(ToolFile(str(path)))]


def main_files(kind: str, folder: Path) -> list[Path]:
    """Return the files of a folder that are recognised."""
    importer = importer_of(kind)
    return [path for path in files_of(folder) if importer.recognises(ToolFile(str(path)))]


def read(kind: str, paths: Iterable[Path]) -> Found:
    """Read files as of a kind, and check every row."""
    source = ToolSource(
        [ToolFile(str(path)) for path in paths], importer_of(kind), supplied=SUPPLIED
    )
    checker = Checker(VOCABULARY, Defaults(experiment_group="baseline"))
    found = Found({}, [], [], 0, [])
    tasks: Counter[str] = Counter()
    rows = 0
    for row in source.rows():
        rows += 1
        assert row.row_number >= 1
        if row.rejection is not None:
            assert row.rejection.reason.strip()
            found.reasons.append(row.rejection.reason)
            continue
        try:
            record = decode_object(row.original)
            checker.admit(record)
        except InvalidRecord as error:
            found.reasons.append(error.reason)
            continue
        name = record.get("source_run_id")
        if not name:  # the runs of a task are told by their order
            tasks[record["task_id"]] += 1
            name = f"{record['task_id']} #{tasks[record['task_id']]}"
        if name in found.records:
            found.doubled.append(name)
            name = f"{name} #{rows}"
        found.records[name] = record
    list(source.plans()), list(source.summary_scores()), list(source.said())
    return found._replace(rows=rows, notes=list(source.notes()))


def try_read(kind: str, paths: Iterable[Path]) -> Found:
    """Read files that may be broken: an error that the loader has words for is an answer."""
    try:
        found = read(kind, paths)
    except LoaderError as error:
        return Found({}, [str(error)], [], 0, [])
    assert found.rows == len(found.records) + len(found.reasons)
    return found


def with_broken_bytes(content: bytes, chance: random.Random) -> bytes:
    """Replace, repeat, leave out or cut off some bytes."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, len(content))
        end = min(start + chance.randint(0, 30), len(content))
        how = chance.random()
        if how < 0.75:
            content = content[:start] + chance.choice(PIECES) + content[end:]
        elif how < 0.9:
            other = bytes(chance.randrange(256) for _ in range(2))
            content = content[:start] + other + content[end:]
        else:
            content = content[:end] + content[start:end] * chance.randint(1, 9) + content[end:]
    return content


def with_odd_values(path: Path, chance: random.Random) -> bytes | None:
    """Return a document, or lines, with some values replaced by others; None for other files."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        documents = [json.loads(line) for line in text.splitlines() if line.strip()]
        is_lines = True
    except ValueError:
        try:
            documents, is_lines = [json.loads(text)], False
        except ValueError:
            return None
    for _ in range(chance.randint(1, 3)):
        _replace_inside(documents, chance)
    separator = "\n" if is_lines else ""
    return separator.join(map(json.dumps, documents)).encode()


def with_one_odd_value(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a document, or lines, with one value replaced, for each place and each odd value.

    Elements of a list are one place, and so are the lines.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        documents, separator = [json.loads(line) for line in text.splitlines() if line], "\n"
    except ValueError:
        try:
            documents, separator = [json.loads(text)], ""
        except ValueError:
            return
    places = {name: (inside, key) for name, inside, key in _places(documents, "")}
    for name, (inside, key) in places.items():
        usual = inside[key]
        for odd in (10**400, "9" * 400, [1], {"a": 1}, "text", True, None):
            inside[key] = odd
            yield f"{name} = {str(odd)[:9]}", separator.join(map(json.dumps, documents)).encode()
        inside[key] = usual


def _places(inside: Any, path: str) -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401  any JSON value
    keys: Iterable[Any] = inside if isinstance(inside, dict) else range(len(inside))
    for key in keys:
        name = f"{path}.{key}" if isinstance(inside, dict) else f"{path}[]"
        yield name, inside, key
        if isinstance(inside[key], dict | list):
            yield from _places(inside[key], name)


def _replace_inside(place: Any, chance: random.Random) -> None:  # noqa: ANN401  any JSON value
    while True:
        keys: Sequence[Any] = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.25:
            place[key] = json.loads(json.dumps(chance.choice(VALUES)))
            return
        place = place[key]


def versions_in(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield where a document says a version of its form: near its top."""
    if isinstance(document, dict) and len(path) < 2:
        for name, value in document.items():
            if "version" in name.lower() and isinstance(value, int | float | str):
                yield (*path, name)
            yield from versions_in(value, (*path, name))
