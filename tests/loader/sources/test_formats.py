"""Formats of other programs: encodings, Parquet, documents with a list inside, old tables."""

from __future__ import annotations

import gzip
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from ingest_support import RECORD, select
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.records.checks import REQUIRED
from loader.sources.files import FileSource, Format
from loader.sources.mapping import Mapping
from loader.sources.mapping_file import parse_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from loader.sources import SourceRow

TEXT = "experiment_id,task_id,experiment_group,extension_version,metadata.note\n" + "".join(
    f"exp-1,t-{n},baseline,1.0.0,Zoë 漢字 🙂 {n}\n" for n in range(20_000)
)


def read(
    path: Path,
    format: Format | None = None,  # noqa: A002  the option's name
    said: str = "",
) -> list[SourceRow]:
    supplied = [name for name in REQUIRED if name != "task_id"]
    mapping = parse_mapping(said, "m.yml")
    return list(FileSource([str(path)], format, supplied=supplied, mapping=mapping).rows())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def reasons(rows: list[SourceRow]) -> list[str | None]:
    return [row.rejection.reason_code if row.rejection else None for row in rows]


@pytest.mark.parametrize(
    "encoded",
    [
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode("utf-16")),
        TEXT.encode("utf-8-sig"),
    ],
    ids=["little", "big", "little, no mark", "big, no mark", "packed", "UTF-8 with a mark"],
)
def test_a_table_is_read_whatever_its_encoding(tmp_path: Path, encoded: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(encoded)
    rows = read(path)
    assert len(rows) == 20_000
    assert rows[-1].row_number == 20_001
    assert rows[-1].fields == RECORD | {
        "task_id": "t-19999", "metadata": {"note": "Zoë 漢字 🙂 19999"},
    }  # fmt: skip


def test_the_line_in_which_a_spreadsheet_names_its_delimiter_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for sign in ";|\t":
        path.write_text(f"sep={sign}\ntask_id{sign}metadata.a,b\nt-1{sign}1\n")
        [row] = read(path)
        assert row.fields == {"task_id": "t-1", "metadata": {"a,b": 1}}
        assert row.row_number == 3


def test_lines_of_json_are_read_from_utf_16_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"task_id": "é"}\n{"task_id": "b"}\n'.encode("utf-16"))
    assert [json.loads(row.original)["task_id"] for row in read(path)] == ["é", "b"]


def test_utf_16_that_breaks_off_is_one_rejection_behind_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("task_id\nt-1\nt-2".encode("utf-16")[:-1])
    rows = read(path)
    assert reasons(rows) == [None, "invalid_utf16"]
    path.write_bytes("task_id\nt-1\n".encode("utf-16") + b"\x00\xd8\x00\x00")
    assert "invalid_utf16" in reasons(read(path))


def parquet_bytes(rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), stream, row_group_size=2)
    return stream.getvalue()


ROWS: list[dict[str, Any]] = [
    {"task_id": f"t-{n}", "scores.accuracy": n / 10, "metadata": {"n": n}, "tokens_used": 7}
    for n in range(5)
]


@pytest.mark.parametrize("name", ["a.parquet", "a.bin"])
def test_parquet_is_told_by_its_name_or_its_first_bytes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(parquet_bytes(ROWS))
    rows = read(path)
    assert [row.row_number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.fields for row in rows] == [
        {"task_id": f"t-{n}", "scores": {"accuracy": n / 10}, "metadata": {"n": n},
         "tokens_used": 7}
        for n in range(5)
    ]  # fmt: skip


def test_parquet_may_be_packed_and_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO(gzip.compress(parquet_bytes(ROWS)))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stream))
    source = FileSource(["-"], supplied=[name for name in REQUIRED if name != "task_id"])
    assert [row.rejection for row in source.rows()] == [None] * 5


def test_the_columns_of_parquet_are_checked_before_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet_bytes([{"id": 1, "latency_s": 2.0}] * 3))
    [row] = read(path)
    assert row.rejection is not None
    assert "task_id=id" in row.rejection.reason
    assert "latency_ms=latency_s:s" in row.rejection.reason
    said = "task_id: id\nlatency_ms: latency_s:s"
    assert read(path, said=said)[0].fields == {"task_id": "1", "latency_ms": 2000}


def test_parquet_that_is_damaged_or_empty_is_one_rejection(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole = parquet_bytes(ROWS)
    path.write_bytes(whole[:-20])
    assert reasons(read(path)) == ["corrupt_parquet"]
    path.write_bytes(b"PAR1" + b"x" * 100)
    assert reasons(read(path)) == ["corrupt_parquet"]
    path.write_bytes(parquet_bytes([], pa.schema([("task_id", pa.string())])))
    assert reasons(read(path)) == ["empty_file"]


def test_times_of_a_data_frame_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    moments = pa.array([1_738_331_100_123_456_789], pa.timestamp("ns", tz="UTC"))
    table = pa.table({"task_id": ["t"], "recorded_at": moments})
    parquet.write_table(table, path)
    [row] = read(path)
    assert row.fields == {"task_id": "t", "recorded_at": "2025-01-31T13:45:00.123456+00:00"}


def test_parquet_without_its_extra_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet_bytes(ROWS))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"evalmart\[parquet\]"):
        read(path)


def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04" + b"\0" * 50)
    [row] = read(path)
    assert row.rejection is not None
    assert "save its sheet as CSV" in row.rejection.reason


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("runs", {"suite": "x", "runs": [{"task_id": "a"}, {"task_id": "b"}], "n": 2}),
        ("data.items", {"data": {"page": 1, "items": [{"task_id": "a"}, {"task_id": "b"}]}}),
        ("größe", {"größe": [{"task_id": "a"}, {"task_id": "b"}]}),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_list_of_records_of_a_document_can_be_named(
    tmp_path: Path, name: str, document: object, indent: int | None
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=False), encoding="utf-8")
    rows = read(path, said=f"records: {name}")
    assert [json.loads(row.original)["task_id"] for row in rows] == ["a", "b"]


LEGACY = {
    "id": 4711,
    "experiment_id": "exp-2024-01",
    "task_id": "t-1",
    "experiment_group": "baseline",
    "extension_version": "1.0.0",
    "model_version": "qwen-coder-32b",
    "agent_name": "feature_dev",
    "accuracy": 0.71,
    "completeness": None,
    "efficiency": 0.5,
    "integration_quality": 1,
    "latency_ms": 2100,
    "tokens_used": 2400,
    "cost_usd": 0.0021,
    "success": True,
    "error_message": None,
    "metadata": {"workflow": "nightly"},
    "created_at": "2024-01-15 10:00:00.123+00",
}
STORED = (
    "source", "source_run_id", "experiment_id", "task_id", "experiment_group",
    "extension_version", "model_version", "agent_name", "scores", "latency_ms", "tokens_used",
    "cost_usd", "success", "error_message", "metadata",
    "to_char(recorded_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.MS')",
)  # fmt: skip
FOUND = (
    "legacy", "4711", "exp-2024-01", "t-1", "baseline", "1.0.0", "qwen-coder-32b", "feature_dev",
    {"accuracy": 0.71, "efficiency": 0.5, "integration_quality": 1.0}, 2100.0, 2400, 0.0021, True,
    None, {"workflow": "nightly"}, "2024-01-15 10:00:00.123",
)  # fmt: skip


def legacy_csv(row: dict[str, object], null: str = "") -> str:
    """Write a row as `COPY … TO … CSV HEADER` does."""
    cells = [
        null if value is None
        else {True: "t", False: "f"}[value] if isinstance(value, bool)
        else '"' + json.dumps(value).replace('"', '""') + '"' if isinstance(value, dict)
        else str(value)
        for value in row.values()
    ]  # fmt: skip
    return ",".join(row) + "\n" + ",".join(cells) + "\n"


def in_seconds(row: dict[str, Any]) -> dict[str, Any]:
    """Write the latency as the oldest tables had it."""
    return {
        ("execution_time_seconds" if name == "latency_ms" else name): (
            value / 1000 if name == "latency_ms" else value
        )
        for name, value in row.items()
    }


@pytest.mark.newest_server
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("old.csv", legacy_csv(LEGACY)),
        ("old.csv", legacy_csv(LEGACY, r"\N")),
        ("old.csv", legacy_csv(in_seconds(LEGACY))),
        ("old.jsonl", json.dumps(LEGACY)),
        ("old.jsonl", json.dumps(in_seconds(LEGACY) | {"metadata": '{"workflow": "nightly"}'})),
        ("old.json", json.dumps([LEGACY])),
    ],
)
def test_a_dump_of_the_old_table_loads_as_it_is(
    tmp_path: Path, database_url: str, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    for loaded, unchanged in ((1, 0), (0, 1)):
        done = run("ingest", str(path), "--format", "legacy", "--database-url", database_url)
        assert f"loaded {loaded} · unchanged {unchanged} · rejected 0" in done.output
    statement = f"select {', '.join(STORED)} from raw_evals.evaluation_runs"
    assert select(database_url, statement) == [FOUND]


def test_what_else_an_old_table_has_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(legacy_csv(LEGACY | {"execution_time_seconds": 9.5, "notes": "slow"}))
    [row] = read(path, "legacy")
    assert row.fields is not None
    assert row.fields["latency_ms"] == 2100
    assert row.fields["metadata"] == {
        "workflow": "nightly", "execution_time_seconds": 9.5, "notes": "slow",
    }  # fmt: skip


def test_an_old_table_takes_a_mapping_too(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(legacy_csv(LEGACY | {"arm": "x"}))
    [row] = read(
        path, "legacy", "experiment_group: arm{x:code-chef}\nleave_out: [experiment_group]"
    )
    assert row.fields is not None
    assert row.fields["experiment_group"] == "code-chef"
    assert row.fields["recorded_at"] == LEGACY["created_at"]


@pytest.mark.newest_server
def test_a_mapping_applies_to_standard_input(tmp_path: Path, database_url: str) -> None:
    mapping = tmp_path / "m.yml"
    mapping.write_text("task_id: id\ndefaults: {experiment_id: e, extension_version: v}\n")
    done = CliRunner().invoke(
        cli,
        ["ingest", "--file", "-", "--mapping", str(mapping), "--map", "experiment_group=g",
         "--experiment-id", "over", "--database-url", database_url],
        input="id,g\na,baseline\nb,other\n",
    )  # fmt: skip
    assert "read 2 · loaded 1 · unchanged 0 · rejected 1" in done.output
    assert "unknown_group" in done.output
    ids = "select experiment_id, extension_version, task_id from raw_evals.evaluation_runs"
    assert select(database_url, ids) == [("over", "v", "a")]
    [(reference,)] = select(database_url, "select source_ref from raw_evals.loads")
    assert reference["mapping"] == ["task_id=id", "experiment_group=g"]


def test_a_mapping_that_makes_no_sense_is_told_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n")
    for option in (["--map", "latency_ms=latency_s"], ["--map", "x"], ["--mapping", "none.yml"]):
        done = run("ingest", str(path), *option)
        assert done.exit_code == 2
        assert "write" in done.stderr or "check" in done.stderr


def test_nothing_is_mapped_where_nothing_is_said() -> None:
    assert not Mapping().says_of_columns
