"""Formats: what each reads, how it is told from the others, and that memory is bounded."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest

import servers
from ingest_support import VOCABULARY, line, record
from loader.errors import ConfigurationError, InvalidRecord
from loader.records.checker import Checker, Defaults
from loader.records.json_text import decode_object
from loader.sources import SourceRow, json_document
from loader.sources.blocks import Blocks
from loader.sources.files import FileSource, Format, guess_format
from loader.sources.paths import STANDARD_INPUT, expand

SHARED = servers.SHARED_DATA


def read(path: Path, format: Format | None = None) -> list[SourceRow]:  # noqa: A002
    return list(FileSource([str(path)], format, groups=VOCABULARY.groups).rows())


def check(row: SourceRow, defaults: Defaults | None = None) -> dict[str, object]:
    checker = Checker(VOCABULARY, defaults)
    assert row.rejection is None, row.rejection
    checked = checker.check(decode_object(row.original) if row.fields is None else row.fields)
    return {name: getattr(checked, name) for name in checked.__struct_fields__}


def check_all(path: Path, defaults: Defaults | None = None) -> list[dict[str, object]]:
    return [check(row, defaults) for row in read(path)]


RICH = record(
    source_run_id="run-1",
    repetition=2,
    recorded_at="2025-01-31T13:45:00Z",
    agent_name="feature_dev",
    scores={"accuracy": 0.5, "own": 0.25},
    measurements={"turns": 3},
    latency_ms=1850.5,
    tokens_used=2450,
    cost_usd=0.001,
    success=False,
    error_message='it, said "no"\nand stopped',
    evaluator_versions={"own": "7"},
    labels={"tone": "1"},
    metadata={"a": {"b": 1}, "c": "text"},
)
CSV = (
    "experiment_id,task_id,experiment_group,extension_version,source_run_id,repetition,"
    "recorded_at,agent_name,scores.accuracy,scores.own,measurements.turns,latency_ms,"
    "tokens_used,cost_usd,success,error_message,evaluator_versions.own,labels.tone,"
    "metadata.a.b,metadata.c\n"
    "exp-1,t-1,baseline,1.0.0,run-1,2,2025-01-31T13:45:00Z,feature_dev,0.5,0.25,3,1850.5,"
    '2450,0.001,false,"it, said ""no""\nand stopped",7,1,1,text\n'
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", json.dumps(RICH)),
        ("a.ndjson", json.dumps(RICH) + "\n\n"),
        ("a.json", json.dumps(RICH, indent=2)),
        ("a.json", json.dumps([RICH])),
        ("a.json", json.dumps({"run": {"results": []}, "results": [RICH], "n": [1]})),
        ("a.json", json.dumps(RICH) + "\n"),
        ("a.csv", CSV),
        ("a.tsv", CSV.replace("it, said", "it; said").replace(",", "\t").replace(";", ",")),
        ("a.csv", CSV.replace("it, said", "it| said").replace(",", ";").replace("|", ",")),
        ("a", json.dumps(RICH)),
        ("a.txt", json.dumps(RICH, indent=1)),
        ("a.out", json.dumps([RICH])),
        ("a.log", CSV),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_same_record_comes_out_of_every_format(
    tmp_path: Path, name: str, content: str, *, packed: bool
) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    assert check_all(path) == [check(SourceRow(1, "", json.dumps(RICH).encode(), None, None))]


def test_a_csv_cell_of_metadata_is_json_where_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "experiment_id,task_id,experiment_group,extension_version,metadata.n,metadata.id,"
        "metadata.flag,metadata.list,accuracy,scores.own\n"
        'e,t,baseline,1,7,007,true,"[1, 2]",true,\n'
    )
    [fields] = check_all(path)
    assert fields["metadata"] == {"n": 7, "id": "007", "flag": True, "list": [1, 2]}
    assert fields["scores"] == {"accuracy": 1.0}


def test_objects_can_stand_whole_in_a_csv_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "experiment_id,task_id,experiment_group,extension_version,scores,metadata\n"
        'e,t,baseline,1,"{""own"": 1}","{""a"": null}"\n'
    )
    [fields] = check_all(path)
    assert (fields["scores"], fields["metadata"]) == ({"own": 1.0}, {"a": None})


def test_row_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    jsonl = tmp_path / "a.jsonl"
    jsonl.write_bytes(b"\n" + line() + b"\n\n\n" + line())
    assert [row.row_number for row in read(jsonl)] == [2, 5]
    csv = tmp_path / "a.csv"
    csv.write_text(CSV + "\n" + CSV.partition("\n")[2])
    assert [row.row_number for row in read(csv)] == [2, 5]
    assert read(csv)[1].original.decode() + "\n" == CSV.partition("\n")[2]


def test_results_of_a_baseline_runner(tmp_path: Path) -> None:
    results = [
        {
            "task_id": "t-1",
            "mode": "Baseline",
            "latency_ms": 900.0,
            "tokens_used": 120,
            "cost_usd": 0.01,
            "model": "qwen",
            "metadata": {"a": 1},
            "timestamp": "2025-01-31T13:45:00",
            "success": False,
            "error": "timed out",
            "prompt_version": 3,
        },
        {"task_id": "t-2", "mode": "code_chef", "timestamp": 1738331100.0, "metadata": None},
    ]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"results": results}))
    defaults = Defaults(experiment_id="e", extension_version="1")
    source = FileSource([str(path)], "baseline", groups=VOCABULARY.groups)
    first, second = [check(row, defaults) for row in source.rows()]
    assert source.name == "baseline"
    assert first["experiment_group"] == "baseline"
    assert first["model_version"] == "qwen"
    assert first["error_message"] == "timed out"
    assert first["success"] is False
    assert str(first["recorded_at"]) == str(second["recorded_at"]) == "2025-01-31 13:45:00+00:00"
    assert first["metadata"] == {"a": 1, "mode": "Baseline", "prompt_version": 3}
    assert second["experiment_group"] == "code-chef"
    assert first["source_run_id"] == '["t-1","baseline","1",1]'


def test_a_mode_that_is_no_group_leaves_the_group_to_the_options(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"task_id": "t", "mode": "fast"}')
    defaults = Defaults(experiment_id="e", extension_version="1")
    [row] = read(path, "baseline")
    with pytest.raises(InvalidRecord, match="--experiment-group"):
        check(row, defaults)
    given = Defaults(experiment_id="e", extension_version="1", experiment_group="code-chef")
    assert check(row, given)["experiment_group"] == "code-chef"


def test_one_field_under_two_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"task_id": "t", "model": "a", "model_version": "b"}')
    [row] = read(path, "baseline")
    assert row.rejection is not None
    assert row.rejection.reason_code == "duplicate_key"


def test_the_loader_expands_patterns_itself(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).touch()
    pattern = str(tmp_path / "*.jsonl")
    assert [Path(path).name for path in expand([pattern, pattern])] == ["a.jsonl", "b.jsonl"]
    odd = tmp_path / "[x].jsonl"
    odd.touch()
    assert expand([str(odd)]) == [str(odd)]


@pytest.mark.parametrize(
    ("path", "word"),
    [("", "folder"), ("none.jsonl", "no file"), ("*.x", "matches"), (None, "--file")],
)
def test_a_path_that_names_no_file_is_an_error(tmp_path: Path, path: str | None, word: str) -> None:
    named = [] if path is None else [str(tmp_path / path)]
    with pytest.raises(ConfigurationError, match=word):
        expand(named)


def test_standard_input_is_read_and_sniffed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(gzip.compress(json.dumps([RICH]).encode())))
    monkeypatch.setattr("sys.stdin", stream)
    source = FileSource([STANDARD_INPUT])
    [row] = source.rows()
    assert check(row)["task_id"] == "t-1"
    assert row.origin == ""
    assert not source.never_waits


def test_formats_are_guessed_from_content_where_the_name_says_nothing() -> None:
    assert guess_format("", b' {"results": [{}]}') == "json"
    assert guess_format("", b'{"a": 1}\n{"a": 2}') == "jsonl"
    assert guess_format("x.JSON.GZ", b"") == "json"
    assert guess_format("", b"{\n") == "json"
    assert guess_format("", b"\x00") == "jsonl"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_document_is_cut_alike_however_its_blocks_fall(size: int) -> None:
    text = (
        rb' {"a\\\"}": [1, "]", {"b": "}"}], "n": 1, "results": [{"x": "\\"}, 5 , "q\"",'
        rb' [[]], {"y": {"z": [{}]}}]}'
        rb'[{"k":1}] {"last": "x"}'
    )

    class Slow(Blocks):
        def peek(self) -> bytes:
            return text[:size]

        def __iter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            return (text[start : start + size] for start in range(0, len(text), size))

    rows = list(json_document.read(Slow(io.BytesIO()), "x"))
    assert [row.original for row in rows] == [
        rb'{"x": "\\"}',
        b"5",
        rb'"q\""',
        b"[[]]",
        b'{"y": {"z": [{}]}}',
        b'{"k":1}',
        b'{"last": "x"}',
    ]
    assert [row.row_number for row in rows] == list(range(1, 8))


@pytest.mark.parametrize("path", sorted(SHARED.glob("*.jsonl")), ids=lambda path: path.name)
def test_real_results_are_read_alike_as_lines_and_as_a_document(tmp_path: Path, path: Path) -> None:
    lines = path.read_bytes().splitlines()[:500]
    document = tmp_path / "a.json"
    document.write_bytes(b'{"results": [' + b",\n".join(lines) + b"]}")
    assert [row.original for row in read(document)] == lines
