"""Files of every format that `ingest` takes, and the same files broken at random."""

from __future__ import annotations

import copy
import csv
import gzip
import io
import json
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from private_warehouse import REPOSITORY

from loader.sources.guess import guess
from loader.sources.mapping import Mapping
from loader.sources.mapping_file import parse_mapping
from loader.sources.probe import probe
from loader.sources.tools.registry import KINDS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from loader.sources.files import Format

PIECES: Final = (
    b"", b"\x00", b"\xff", b'"', b"'", b",", b";", b"\t", b"\n", b"\r\n", b"\r", b"{", b"}", b"[",
    b"]", b":", b"-", b"\\", b"1e999", b"nan", b"NaN", b"-Infinity", b"null", b"true", b"1,234",
    b"83 %", b"\xff\xfe", b"\xef\xbb\xbf", b"PAR1", b"PK\x03\x04", b"\x1f\x8b", b"\x1f\x8b\x08",
    b"\\u0000", b"\\ud800", b"\\u003a", b"9" * 20, b"9" * 400, b"1e-400", b"-0", b"03/04/2025",
    b"1738331100", b"[" * 1200, b'{"a":' * 1200, b"\xe2\x80\xae", b"\x1b[2J", b"sep=;", b"sep=,",
    b'"results": [', b'"repetition": 0,', b'"accuracy": null,', b'"metadata": {"archive": true},',
    b'"cost_usd": 1e308,', b'"latency_ms": -1,', b"x" * 3000,
)  # fmt: skip
CELLS: Final = (
    "", "NA", "nan", "1e999", "-1", "7", "1,234", "83 %", "yes", "\0", "{", "[1]", "9" * 23,
    "03/04/2025", "1738331100", "x" * 600, "1_000", "true", 'a"b', "a\nb", "=1+1", "\u202e",
    "1e308", "9" * 400, "[" * 1200, "\x1b[2J",
)  # fmt: skip
VALUES: Final[Sequence[object]] = (
    None, True, -1, 0, 1, 1e308, -1e308, 10**30, "", "x", "x" * 3000, [], [1], {}, {"a": None},
    float("nan"), float("inf"), "\0", "\ud800", "2025-13-01", [[[[1]]]], {"": 1}, {"a.b": 1},
)  # fmt: skip


class Seed(NamedTuple):
    """Sound files of one kind, and how they are read."""

    name: str
    files: list[tuple[str, bytes]]
    format: Format | None
    mapping: Mapping
    options: Sequence[str]
    """Of `ingest`, that say the same."""
    is_folder: bool = False
    """Whether the files are one input together, as those that a tool writes."""


class Broken(NamedTuple):
    """A broken file, or a folder with one in it."""

    name: str
    content: bytes
    rows: int | None
    """How many it has; None if breaking it may have changed that."""
    beside: Sequence[tuple[str, bytes]] | None = None
    """The sound files of its folder; None for a file that stands alone."""

    @property
    def least(self) -> int:
        """The rows that it has at least; of a folder, what nothing recognises is left out."""
        return self.rows if self.rows is not None else int(self.beside is None)

    def write(self, folder: Path, number: int) -> Path:
        """Write it below a folder; return what is to be given to `ingest`."""
        if self.beside is None:
            path = folder / f"{number}-{self.name}"
            path.write_bytes(self.content)
            return path
        root = folder / f"folder-{number}"
        shutil.rmtree(root, ignore_errors=True)
        for name, content in ((self.name, self.content), *self.beside):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return root


def seeds(folder: Path) -> list[Seed]:
    """Return every kind of file: the project's own formats, other people's, and other tools'.

    Args:
        folder: gets the mappings of the latter, for the command.

    """
    own = [
        Seed(name, [(name, content)], told, Mapping(), ["--format", told] if told else [])
        for name, content, told in _own_formats()
    ]
    sys.path.append(str(REPOSITORY / "tests" / "support"))
    return (
        own
        + [_foreign(make(), make.__name__, folder) for make in _shapes()]
        + [_of_tool(kind, module) for kind, module in KINDS.items()]
    )


def _shapes() -> Sequence[Callable[[], Any]]:
    shapes: Sequence[Callable[[], Any]] = import_module("foreign_files").SHAPES
    return shapes


def _of_tool(kind: str, module: str) -> Seed:
    """Return a folder of files as a tool writes them."""
    with tempfile.TemporaryDirectory() as given:
        root = Path(given)
        import_module(f"tool_files.{module}").write(root, 6)
        files = [
            (str(path.relative_to(root)), path.read_bytes())
            for path in sorted(root.rglob("*"))
            if path.is_file()
        ]
    return Seed(kind, files, None, Mapping(), [], is_folder=True)


def _foreign(shape: Any, name: str, folder: Path) -> Seed:  # noqa: ANN401  a class of the tests
    with tempfile.TemporaryDirectory() as given:
        paths = [str(Path(given) / file) for file in shape.write(Path(given))]
        text = guess(probe(paths, None)).text("")
    path = folder / f"{name}.yml"
    path.write_text(text)
    files = sorted(shape.files.items())
    return Seed(name, files, None, parse_mapping(text, "mapping"), ["--mapping", str(path)])


def _records() -> list[dict[str, object]]:
    return [
        {
            "task_id": f"t{number}", "source_run_id": f"r{number}", "repetition": 1 + number % 2,
            "recorded_at": "2026-11-01T10:00:00Z", "accuracy": 0.5, "scores": {"judge": 0.25},
            "measurements": {"turns": 3}, "latency_ms": 1850.5, "tokens_used": 2450,
            "cost_usd": 0.0017, "success": True, "metadata": {"category": "a"},
            "labels": {"k": "v"}, "comments": {"judge": "ok"}, "inputs": {"q": "?"},
            "evaluator_versions": {"judge": "1"},
        }
        for number in range(6)
    ]  # fmt: skip


def _own_formats() -> list[tuple[str, bytes, Format | None]]:
    """Return name, content and format to be told of the formats that need no mapping."""
    records = _records()
    lines = "\n".join(map(json.dumps, records)).encode()
    flat = [
        {
            "task_id": one["task_id"], "accuracy": 0.5, "scores.judge": 0.25, "latency_ms": 12.5,
            "success": "true", "metadata.category": "a", "recorded_at": "2026-11-01",
        }
        for one in records
    ]  # fmt: skip
    made = [one | {"metadata": {"run": {"target": "m:f"}}} for one in records]
    baseline = [
        {
            "task_id": one["task_id"], "mode": "baseline", "latency_ms": 5, "tokens_used": 7,
            "cost_usd": 0.1, "model": "m", "timestamp": 1738331100, "success": True,
            "metadata": {"a": 1},
        }
        for one in records
    ]  # fmt: skip
    legacy = [
        {
            "id": number, "task_id": one["task_id"], "created_at": "2026-11-01 10:00:00",
            "execution_time_seconds": 1.5, "accuracy": 0.5, "note": r"\N",
        }
        for number, one in enumerate(records)
    ]  # fmt: skip
    found: list[tuple[str, bytes, Format | None]] = [
        ("lines.jsonl", lines, None),
        ("packed.jsonl.gz", gzip.compress(lines, mtime=0), None),
        ("twice.jsonl.gz", gzip.compress(lines + b"\n", mtime=0) * 2, None),
        ("array.json", json.dumps(records).encode(), None),
        ("results.json", json.dumps({"a": {"b": []}, "results": records}, indent=1).encode(), None),
        ("object.json", json.dumps(records[0]).encode(), None),
        ("wide.jsonl", lines.decode().encode("utf-16"), None),
        ("unnamed", lines, None),
        ("cells.csv", _table(flat, ","), None),
        ("cells.tsv", _table(flat, "\t"), None),
        ("cells.csv.gz", gzip.compress(_table(flat, ";"), mtime=0), None),
        ("made.jsonl", "\n".join(map(json.dumps, made)).encode(), None),
        ("baseline.json", json.dumps({"results": baseline}).encode(), "baseline"),
        ("legacy.csv", _table(legacy, ","), "legacy"),
        ("legacy.jsonl", "\n".join(map(json.dumps, legacy)).encode(), "legacy"),
    ]
    return [*found, ("cells.parquet", _columnar(flat), None)]


def _table(rows: Sequence[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(
        {
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in row.items()
        }
        for row in rows
    )
    return text.getvalue().encode()


def _columnar(rows: Sequence[dict[str, object]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415  an extra
    from pyarrow import parquet  # noqa: PLC0415

    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


def broken(seed: Seed, chance: random.Random) -> Broken:
    """Break a file of a kind at random."""
    name, content = chosen = chance.choice(seed.files)
    file = _broken_file(name, content, chance)
    if not seed.is_folder:
        return file
    return file._replace(rows=None, beside=[other for other in seed.files if other is not chosen])


def _broken_file(name: str, content: bytes, chance: random.Random) -> Broken:
    is_table = name.endswith(".csv") and content.isascii() and b";" not in content[:50]
    if is_table and chance.random() < 0.5:
        return Broken(name, *_broken_cells(content, chance))
    if name.endswith((".json", ".jsonl")) and content.isascii() and chance.random() < 0.5:
        return Broken(name, _broken_values(content, chance), None)
    if name.endswith(".gz") and chance.random() < 0.5:
        plain = _broken_bytes(gzip.decompress(content), chance)
        return Broken(name, gzip.compress(plain, 1, mtime=0), None)
    return Broken(name, _broken_bytes(content, chance), None)


def _broken_bytes(content: bytes, chance: random.Random) -> bytes:
    """Replace, repeat, leave out and cut off some bytes."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(content))
        end = min(start + chance.randint(0, 60), len(content))
        how = chance.random()
        if how < 0.7:
            content = content[:start] + chance.choice(PIECES) + content[end:]
        elif how < 0.8:
            content = content[:end] + content[start:end] * chance.randint(1, 30) + content[end:]
        elif how < 0.9:
            content = (
                content[:start] + bytes(chance.randrange(256) for _ in range(3)) + content[end:]
            )
        elif how < 0.95:
            content = content[:start]
        else:
            other = chance.randint(0, len(content))
            content = content[:start] + content[other : other + 200] + content[end:]
    return content


def _broken_cells(content: bytes, chance: random.Random) -> tuple[bytes, int]:
    """Replace some cells by others; return how many rows there are, too."""
    header, *rows = csv.reader(io.StringIO(content.decode()))
    for _ in range(chance.randint(1, 6)):
        chance.choice(rows)[chance.randrange(len(header))] = chance.choice(CELLS)
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode(), len(rows)


def _broken_values(content: bytes, chance: random.Random) -> bytes:
    """Replace some values inside JSON by others."""
    lines = content.splitlines()
    try:
        documents = [json.loads(line) for line in lines]
    except ValueError:
        documents, lines = [json.loads(content)], [content]
    for _ in range(chance.randint(1, 4)):
        _break_inside(documents, chance)
    return b"\n".join(json.dumps(one).encode() for one in documents)


def _break_inside(place: Any, chance: random.Random) -> None:  # noqa: ANN401  any JSON value
    while True:
        keys: Sequence[Any] = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.2:
            place[key] = copy.deepcopy(chance.choice(VALUES))
            return
        place = place[key]
