"""What a small input may cost: every limit has its sentence, and the rest is not read for hours."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.errors import ConfigurationError
from loader.sources import paths
from loader.sources.files import FileSource
from loader.sources.mapping import parse_all
from loader.sources.paths import expand

if TYPE_CHECKING:
    from pathlib import Path

    from loader.sources import SourceRow
    from loader.sources.mapping import Mapping

SECONDS = 30
"""Of work: what is not stopped at its limit takes minutes, and gigabytes; no measure of speed."""
HEADER = "experiment_id,task_id,experiment_group,extension_version"
ROW = "e,t,baseline,1"
REST = parse_all([("", "metadata.*", "*")])
NONE = parse_all([])
RECORD = {
    "experiment_id": "e", "task_id": "t", "experiment_group": "baseline", "extension_version": "1",
}  # fmt: skip


def columns(count: int) -> str:
    return ",".join(f"column_{number}" for number in range(count))


def members(count: int) -> str:
    return json.dumps({f"key_{number}": number for number in range(count)})


MAPPED = parse_all([("", f"scores.s{number}", f"colunm_{number}") for number in range(30)])
INPUTS: dict[str, tuple[str, bytes, Mapping, str, str]] = {
    "columns": (
        "a.csv", f"{HEADER},{columns(60_000)}\n{ROW}".encode(), NONE,
        "invalid_header", "there are 60,004 columns; at most 10,000 are read",
    ),
    "columns that are kept": (
        "a.csv", f"{HEADER},{columns(60_000)}\n{ROW}".encode(), REST,
        "invalid_header", "there are 60,004 columns; at most 10,000 are read",
    ),
    "columns that nobody has": (
        "a.csv", f"{HEADER},{columns(9000)}\n{ROW}".encode(), MAPPED,
        "invalid_header", 'there is no column "colunm_0"',
    ),
    "names of an object": (
        "a.jsonl", members(100_000).encode(), NONE,
        "too_many_fields", "there are 100,000 columns; at most 10,000 are read",
    ),
    "names of an object that are kept": (
        "a.jsonl", members(100_000).encode(), REST,
        "too_many_fields", "there are 100,000 columns; at most 10,000 are read",
    ),
    "open brackets": (
        "a.json", b"[" * 2_000_000, NONE, "too_deep", "nested more than 100,000 levels deep",
    ),
    "open objects": (
        "a.json", b'{"a":' * 500_000, NONE, "too_deep", "nested more than 100,000 levels deep",
    ),
    "faults": (
        "a.json", b"[" + b"," * 2_000_000, NONE, "too_many_faults", "in more than 1,000 places",
    ),
    "packed blank lines": (
        "a.jsonl", gzip.compress(b"\n" * 20_000_000), NONE,
        "expansion_too_large", "unpacks to more than 200 times its size",
    ),
    "packed in many parts": (
        "a.jsonl", gzip.compress(b"\n" * 100_000) * 20, NONE,
        "expansion_too_large", "unpacks to more than 200 times its size",
    ),
    "a cell": (
        "a.csv", f"{HEADER}\n{ROW}{'x' * 5_000_000}".encode(), NONE,
        "record_too_large", "past the limit of 4,194,304 bytes",
    ),
}  # fmt: skip


def read(path: Path, mapping: Mapping) -> list[SourceRow]:
    return list(FileSource([str(path)], mapping=mapping).rows())


@pytest.mark.parametrize("name", INPUTS)
def test_a_small_input_is_refused_at_its_limit_and_at_once(tmp_path: Path, name: str) -> None:
    file_name, content, mapping, code, said = INPUTS[name]
    path = tmp_path / file_name
    path.write_bytes(content)
    started = time.process_time()
    rows = read(path, mapping)
    assert time.process_time() - started < SECONDS
    rejections = {row.rejection for row in rows if row.rejection}
    assert code in {rejection.reason_code for rejection in rejections}
    assert any(said in rejection.reason for rejection in rejections)
    assert len(rows) <= 1001


def test_what_stands_before_a_limit_is_read(tmp_path: Path) -> None:
    line = json.dumps(RECORD).encode() + b"\n"
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(line * 500 + b"\n" * 20_000_000))
    rows = read(path, NONE)
    assert len(rows) == 501
    assert rows[-1].rejection is not None
    path = tmp_path / "a.json"
    path.write_bytes(b"[" + b",".join([line] * 3) + b"," * 2000)
    assert [row.rejection for row in read(path, NONE)][:3] == [None] * 3


def test_repetitive_files_as_people_have_them_are_read_whole(tmp_path: Path) -> None:
    records = [
        json.dumps(RECORD | {"metadata": {"note": "x" * 300, "n": n}}) for n in range(20_000)
    ]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(records).encode()))
    rows = read(path, NONE)
    assert len(rows) == 20_000
    assert not any(row.rejection for row in rows)


def test_guessing_stops_at_the_same_number_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEADER},{columns(60_000)}\n{ROW}{',1' * 60_000}\n")
    started = time.process_time()
    result = CliRunner().invoke(cli, ["ingest", str(path), "--guess"])
    assert time.process_time() - started < SECONDS
    assert result.exit_code == 2
    assert "there are 60,004 columns; at most 10,000 are read" in result.stderr


def test_a_pattern_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.jsonl").touch()
    assert len(expand([str(tmp_path / "[0-2].jsonl")])) == 3
    with pytest.raises(ConfigurationError, match="more than 3 files match"):
        expand([str(tmp_path / "*.jsonl")])


def test_a_few_bytes_of_parquet_hold_no_millions_of_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"task_id": pa.repeat("t", 8_000_000)}), path)
    assert path.stat().st_size < 30_000
    started = time.process_time()
    [row] = read(path, NONE)
    assert time.process_time() - started < SECONDS
    assert row.rejection is not None
    assert row.rejection.reason_code == "expansion_too_large"
    assert "8,000,000 rows" in row.rejection.reason
