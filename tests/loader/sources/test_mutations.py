"""Foreign files with something broken in them: nothing crashes, and every row is counted."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreign_files import SHAPES, Shape
from ingest_support import VOCABULARY, run_load
from loader.errors import ConfigurationError
from loader.records.checker import Defaults
from loader.sources.files import FileSource
from loader.sources.guess import guess
from loader.sources.mapping_file import parse_mapping
from loader.sources.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.sources.mapping import Mapping

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

SETTINGS = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
DEFAULTS = Defaults(experiment_id="e", experiment_group="baseline", extension_version="1")
# what breaks numbers, times, quotes, nesting and encodings
PIECES = st.sampled_from(
    [b"", b"\x00", b"\xff", b'"', b"'", b",", b";", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b"-",
     b"1e999", b"nan", b"1,234", b"83 %", b"NA", b"\xff\xfe", b"PAR1", b"\x1f\x8b", b"\\u0000",
     b"99999999999999999999", b"03/04/2025", b"1738331100"]
)  # fmt: skip
CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "NA", "nan", "1e999", "-1", "7", "1,234", "83 %", "yes", "\0", "\ud800", "{", "[1]",
         "99999999999999999999999", "03/04/2025", "1738331100", "x" * 600, "1_000", "true"]
    ),
)  # fmt: skip


@cache
def guessed(make: Callable[[], Shape], folder: str) -> tuple[list[tuple[str, bytes]], Mapping]:
    """Return the files of a shape, and the mapping that a guess finds for them."""
    shape = make()
    names = shape.write(Path(folder))
    paths = [str(Path(folder) / name) for name in names]
    text = guess(probe(paths, None)).text("")
    return [(name, shape.files[name]) for name in names], parse_mapping(text, "m.yml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("shapes"))


def load(url: str, path: Path, mapping: Mapping) -> int:
    """Load a file; `run_load` holds read = loaded + unchanged + rejected. Return what was read."""
    supplied = DEFAULTS.given().keys()
    source = FileSource([str(path)], groups=VOCABULARY.groups, supplied=supplied, mapping=mapping)
    return run_load(url, source, defaults=DEFAULTS).read


@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
@SETTINGS
@given(data=st.data())
def test_broken_bytes_are_counted_to_the_last_row(
    shared_url: str, folder: str, tmp_path: Path, make: Callable[[], Shape], data: st.DataObject
) -> None:
    files, mapping = guessed(make, folder)
    name, content = data.draw(st.sampled_from(files))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 60, len(content))))
        content = content[:start] + data.draw(PIECES) + content[end:]
    path = tmp_path / name
    path.write_bytes(content)
    assert load(shared_url, path, mapping) >= 1
    try:
        sample = probe([str(path)], None)
    except ConfigurationError:
        return  # there is nothing to guess from
    parse_mapping(guess(sample).text(""), "m.yml")


@pytest.mark.parametrize("make", SHAPES[:1] + SHAPES[4:7], ids=lambda make: make.__name__)
@SETTINGS
@given(data=st.data())
def test_broken_cells_cost_no_row_but_their_own(
    shared_url: str, folder: str, tmp_path: Path, make: Callable[[], Shape], data: st.DataObject
) -> None:
    [(name, content)], mapping = guessed(make, folder)
    header, *rows = csv.reader(io.StringIO(content.decode()))
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(header) - 1))] = data.draw(CELLS)
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    path = tmp_path / name
    path.write_bytes(text.getvalue().encode(errors="surrogatepass"))
    assert load(shared_url, path, mapping) == len(rows)


@SETTINGS
@given(data=st.data())
def test_broken_objects_cost_no_row_but_their_own(
    shared_url: str, folder: str, tmp_path: Path, data: st.DataObject
) -> None:
    [(name, content)], mapping = guessed(SHAPES[2], folder)
    document = json.loads(content)
    values = CELLS | st.none() | st.booleans() | st.floats() | st.lists(CELLS, max_size=2)
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.sampled_from(document["runs"]))
        while True:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or data.draw(st.booleans()):
                place[key] = data.draw(values)
                break
            place = place[key]
    path = tmp_path / name
    path.write_text(json.dumps(document))
    assert load(shared_url, path, mapping) == len(document["runs"])


def test_files_of_every_format_keep_their_promises_through_every_way() -> None:
    """The program that breaks a million files, small: library, command and process."""
    repository = Path(__file__).resolve().parents[3]
    result = subprocess.run(
        [sys.executable, "benchmarks/mutations.py", "--count", "2000", "--seed", "3"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "by library" in result.stdout
    assert "inputs that broke a promise" in result.stdout
