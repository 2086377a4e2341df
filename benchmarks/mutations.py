"""Broken files: whatever is wrong with an input, every row of it is counted.

    python benchmarks/mutations.py [INPUTS]

Breaks files of twelve kinds (`tests/support/foreign_files.py`) at random, by their bytes or by
their cells, and loads them by the mapping that a guess finds for the whole ones, many in one
load, into a database of the embedded server. Exits with 1 if read is not loaded + unchanged +
rejected, if an input is not counted at all, or if one whose rows are known has another count.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from private_warehouse import REPOSITORY, report, warehouse

from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.sources.files import FileSource
from loader.sources.guess import guess
from loader.sources.mapping_file import parse_mapping
from loader.sources.probe import probe
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from loader.sources.mapping import Mapping

FILES_A_LOAD: Final = 500
DEFAULTS = Defaults(experiment_id="e", experiment_group="baseline", extension_version="1")
PIECES = (
    b"", b"\x00", b"\xff", b'"', b",", b";", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b"-", b"1e999",
    b"nan", b"1,234", b"83 %", b"\xff\xfe", b"PAR1", b"\x1f\x8b", b"\\u0000", b"9" * 20,
    b"03/04/2025", b"1738331100",
)  # fmt: skip
CELLS = (
    "", "NA", "nan", "1e999", "-1", "7", "1,234", "83 %", "yes", "\0", "{", "[1]", "9" * 23,
    "03/04/2025", "1738331100", "x" * 600, "1_000", "true", 'a"b', "a\nb",
)  # fmt: skip


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=100_000)
    inputs: int = parser.parse_args().inputs
    chance = random.Random(1)  # noqa: S311  the same files every time
    made, read, wrong, started = 0, 0, 0, time.monotonic()
    sys.path.append(str(REPOSITORY / "tests" / "support"))
    shapes = import_module("foreign_files").SHAPES
    with warehouse() as private:
        while made < inputs:
            shape = shapes[made // FILES_A_LOAD % len(shapes)]()
            count = min(FILES_A_LOAD, inputs - made)
            rows, faults = load_broken(private.url, shape, count, chance)
            made, read, wrong = made + count, read + rows, wrong + faults
    print(f"{made:,} inputs, {read:,} rows, {time.monotonic() - started:.0f} s")
    return 0 if report("loads whose rows are counted wrong", wrong, 0) else 1


def load_broken(
    url: str,
    shape: Any,  # noqa: ANN401  a class of the tests
    count: int,
    chance: random.Random,
) -> tuple[int, int]:
    """Load so many broken files of a shape; return the rows read, and how many counts are wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mapping = guessed(folder, shape)
        known: int | None = 0
        paths = []
        for number in range(count):
            file, content = chance.choice(sorted(shape.files.items()))
            is_table = file.endswith(".csv") and content.isascii() and b";" not in content[:50]
            if is_table and known is not None:
                content, rows = broken_cells(content, chance)
                known += rows
            else:
                content, known = broken_bytes(content, chance), None
            paths.append(folder / f"{number}-{file}")
            paths[-1].write_bytes(content)
        supplied = DEFAULTS.given().keys()
        source = FileSource(list(map(str, paths)), supplied=supplied, mapping=mapping)
        with connect(url) as connection:
            summary = load(connection, source, read_vocabulary(), DEFAULTS)
    is_sum = summary.read == summary.loaded + summary.unchanged + summary.rejected
    is_known = summary.read >= count if known is None else summary.read == known
    return summary.read, (not is_sum) + (not is_known)


def guessed(folder: Path, shape: Any) -> Mapping:  # noqa: ANN401  a class of the tests
    """Return the mapping that a guess finds for the whole files."""
    paths = [str(folder / name) for name in shape.write(folder)]
    return parse_mapping(guess(probe(paths, None)).text(""), "mapping")


def broken_bytes(content: bytes, chance: random.Random) -> bytes:
    """Replace some bytes by others."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(content))
        end = min(start + chance.randint(0, 60), len(content))
        content = content[:start] + chance.choice(PIECES) + content[end:]
    return content


def broken_cells(content: bytes, chance: random.Random) -> tuple[bytes, int]:
    """Replace some cells by others; return how many rows there are, too."""
    header, *rows = csv.reader(io.StringIO(content.decode()))
    for _ in range(chance.randint(1, 6)):
        chance.choice(rows)[chance.randrange(len(header))] = chance.choice(CELLS)
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode(), len(rows)


if __name__ == "__main__":
    sys.exit(main())
