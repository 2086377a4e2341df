"""What a person says of columns: the grammar, units, and every fault at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ingest_support import RECORD, VOCABULARY
from loader.errors import ConfigurationError, InvalidRecord
from loader.records.checker import Checker
from loader.sources.files import FileSource
from loader.sources.mapping import Mapping, refuse_percent
from loader.sources.mapping_file import parse_mapping
from said_mapping import mapping

if TYPE_CHECKING:
    from pathlib import Path

    from loader.sources import SourceRow

GIVEN = ("experiment_id", "experiment_group", "extension_version")
"""What options say in these tests."""


def rows(path: Path, said: Mapping | None = None) -> list[SourceRow]:
    return list(FileSource([str(path)], supplied=GIVEN, mapping=said or Mapping()).rows())


def fields(path: Path, said: Mapping) -> list[dict[str, object] | None]:
    found = rows(path, said)
    assert [row.rejection for row in found] == [None] * len(found)
    return [row.fields for row in found]


def header_fault(folder: Path, text: str, said: Mapping | None = None) -> str:
    path = folder / "some.csv"
    path.write_text(text)
    [row] = rows(path, said)
    assert row.rejection is not None
    assert row.rejection.reason_code == "invalid_header"
    return row.rejection.reason


@pytest.mark.parametrize(
    ("entry", "cell", "found"),
    [
        ("scores.correct=x", "1", {"scores": {"correct": 1}}),
        ("scores.correct=x", "Yes", {"scores": {"correct": True}}),
        ("scores.correct=x:percent", "83 %", {"scores": {"correct": 0.83}}),
        ("scores.correct=x/100", "83", {"scores": {"correct": 0.83}}),
        ("latency_ms=x*1000", "4.35", {"latency_ms": 4350}),
        ("latency_ms=x:s", "4.35", {"latency_ms": 4350}),
        ("latency_ms = x : us", "1500", {"latency_ms": 1.5}),
        ("latency_ms=x:min", "2", {"latency_ms": 120_000}),
        ("measurements.wait_s=x:ms", "1500", {"measurements": {"wait_s": 1.5}}),
        ("cost_usd=x:cents", "0.1", {"cost_usd": 0.001}),
        ("cost_usd=x*1.08", "10", {"cost_usd": 10.8}),
        ("cost_usd=x", "1,234,567.5", {"cost_usd": 1234567.5}),
        ("tokens_used=x/2*4", "3", {"tokens_used": 6}),
        ("success=x{pass:true,'timed out':false}", "timed out", {"success": False}),
        ("success=x", "t", {"success": True}),
        ("experiment_group=x{A:baseline,B:code-chef}", "B", {"experiment_group": "code-chef"}),
        (
            "experiment_group=x{'openai:gpt-5':baseline, \"o:4\": code-chef}",
            "o:4",
            {"experiment_group": "code-chef"},
        ),
        ("metadata.at=x{A:12:30}", "A", {"metadata": {"at": "12:30"}}),
        ("task_id=x", "007", {"task_id": "007"}),
        ("recorded_at=x:epoch", "1738331100", {"recorded_at": "2025-01-31T13:45:00+00:00"}),
        (
            "recorded_at=x:epoch_ms",
            "1738331100500",
            {"recorded_at": "2025-01-31T13:45:00.500000+00:00"},
        ),
        ("recorded_at=x:excel", "45688.572916667", {"recorded_at": "2025-01-31T13:45:00+00:00"}),
        ("recorded_at=x:dmy", "03/04/2025 1:05 PM", {"recorded_at": "2025-04-03T13:05:00+00:00"}),
        ("recorded_at=x:mdy", "03/04/2025", {"recorded_at": "2025-03-04T00:00:00+00:00"}),
        ("recorded_at=x", "2025/01/31 13:45", {"recorded_at": "2025-01-31T13:45:00+00:00"}),
        ("recorded_at=x", "2025-01-31T13:45:00Z", {"recorded_at": "2025-01-31T13:45:00Z"}),
        ("metadata.a.b=x", "[1]", {"metadata": {"a": {"b": [1]}}}),
        ("inputs.question=x", "17", {"inputs": {"question": "17"}}),
        ("comments.judge=x", "fine", {"comments": {"judge": "fine"}}),
        ("labels.tone=x", "1", {"labels": {"tone": "1"}}),
        ("model_version='gpt-4o'", "?", {"model_version": "gpt-4o"}),
        ("repetition='2'", "?", {"repetition": 2}),
        ("metadata.file=@file", "?", {"metadata": {"file": "some"}}),
    ],
)
def test_an_entry_says_what_becomes_of_a_cell(
    tmp_path: Path, entry: str, cell: str, found: dict[str, object]
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f'task_id,x\nt-1,"{cell}"\n')
    said = mapping(entry, *([] if "=x" in entry else ["-=x"]))
    task = {} if entry.startswith("task_id") else {"task_id": "t-1"}
    if entry.startswith("task_id"):
        path.write_text(f'x\n"{cell}"\n')
    assert fields(path, said) == [task | found]


@pytest.mark.parametrize(
    ("entry", "cell", "said"),
    [
        ("latency_ms=x:s", "fast", "number is wanted"),
        ("cost_usd=x", "1,234", "--decimal comma"),
        ("cost_usd=x", "0,5", "--decimal comma"),
        ("scores.correct=x", "83 %", "--scale correct=0:100"),
        ("success=x", "maybe", "map its words"),
        ("experiment_group=x{A:baseline}", "a", "did you mean A"),
        ("recorded_at=x", "03/04/2025", ":dmy or :mdy"),
        ("recorded_at=x", "1738331100", ":epoch"),
        ("recorded_at=x", "yesterday", "ISO 8601"),
        ("recorded_at=x:dmy", "01/31/2025", "not a date of day, month"),
        ("recorded_at=x:dmy", "31/01/25", "four digits"),
        ("recorded_at=x:mdy", "01/31/2025 13:00 PM", "not a date"),
        ("recorded_at=x:epoch", "1e30", "no time that counts as epoch"),
    ],
)
def test_what_can_be_read_in_two_ways_rejects_its_row_alone(
    tmp_path: Path, entry: str, cell: str, said: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f'task_id,x\nt-1,"{cell}"\nt-2,\n')
    first, second = rows(path, mapping(entry))
    assert first.rejection is not None
    assert said in first.rejection.reason
    assert second.fields == {"task_id": "t-2"}


@pytest.mark.parametrize(
    ("cell", "number"),
    [("0,83", 0.83), ("1.234,5", 1234.5), ("1.234", 1234), ("12", 12), ("1 234,5", 1234.5)],
)
def test_a_decimal_comma_that_is_stated_is_read(tmp_path: Path, cell: str, number: float) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"task_id;latency_ms\nt-1;{cell}\n")
    said = parse_mapping("decimal: comma\nmissing: [NA]", "m.yml")
    assert fields(path, said) == [{"task_id": "t-1", "latency_ms": number}]


def test_columns_of_any_spelling_are_summed_up() -> None:
    [entry] = mapping("tokens_used=[in+side:] + [out*]*2").entries
    assert entry.columns == ("in+side:", "out*")


def test_columns_are_summed_up_where_both_are_there(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("task_id,a,b\nt-1,1,2\nt-2,1,\n")
    said = mapping("tokens_used=a+b")
    assert fields(path, said) == [{"task_id": "t-1", "tokens_used": 3}, {"task_id": "t-2"}]


@pytest.mark.parametrize("cell", ["1e999", "nan", "-inf", "9" * 400, "9" * 5000, "1e308"])
def test_numbers_past_every_limit_reject_their_row_alone(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "some.csv"
    path.write_text(f"task_id,a,b,t\nt-1,{cell},1,{cell}\n")
    said = mapping("tokens_used=a+b", "latency_ms=a*1000", "recorded_at=t:epoch")
    [row] = rows(path, said)
    assert row.rejection is not None
    said = mapping("tokens_used=a+b", "latency_ms=a*1000", "-=t")
    [row] = rows(path, said)
    if row.rejection is None:
        with pytest.raises(InvalidRecord):
            Checker(VOCABULARY).check({**RECORD, **(row.fields or {})})


def test_names_of_any_spelling_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text('task_id,Judge (1-5),a*2,"x,y:s",\nt-1,4,5,6,7\n')
    said = mapping(
        "scores.judge=Judge (1-5)", "scores.a=[a*2]", "scores.b=[x,y:s]", "measurements.c=#5"
    )
    assert fields(path, said) == [
        {"task_id": "t-1", "scores": {"judge": 4, "a": 5, "b": 6}, "measurements": {"c": 7}}
    ]


def test_a_column_of_its_own_name_stays_unless_it_goes_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    path.write_text("task_id,latency_ms\nt-1,2.5\n")
    said = mapping("latency_ms=latency_ms*1000", "metadata.id=task_id", "task_id=task_id")
    assert fields(path, said) == [{"task_id": "t-1", "latency_ms": 2500, "metadata": {"id": "t-1"}}]


def test_objects_are_looked_into_and_what_is_left_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    record = {
        "id": 17, "result": {"score": "0.5", "why": {"a": 1}}, "a.b": 2, "scores": {"own": 1},
        "note": None, "usage": {"in": 1},
    }  # fmt: skip
    path.write_text(json.dumps(record))
    said = mapping(
        "task_id=id", "scores.judge=result.score", "measurements.ab=a.b", "-=usage",
        "metadata.*=*",
    )  # fmt: skip
    assert fields(path, said) == [
        {
            "task_id": "17",
            "scores": {"judge": 0.5, "own": 1},
            "measurements": {"ab": 2},
            "metadata": {"result": {"why": {"a": 1}}},
        }
    ]


def test_every_fault_of_a_header_comes_at_once(tmp_path: Path) -> None:
    text = "id,latency_s,judge_1_to_5,accuracy,accuracy,metadata,metadata.a,zzz,\n"
    said = header_fault(tmp_path, text, mapping("scores.x=accurcy"))
    for part in (
        '"accuracy" stands twice', 'no column "accurcy"; did you mean accuracy?', "overlap",
        "--map task_id=id", "--map latency_ms=latency_s:s", "--map scores.judge=judge_1_to_5",
        "--scale judge=1:5", "metadata.zzz=zzz", "#9: ",
    ):  # fmt: skip
        assert part in said


def test_advice_is_a_command_that_works(tmp_path: Path) -> None:
    told = header_fault(tmp_path, "id,duration_sec,Total cost (cents),model name\n")
    entries = ["task_id=id", "latency_ms=duration_sec:s", "model_version=model name"]
    entries.append("cost_usd=Total cost (cents):cents")
    for entry in entries:
        assert entry in told
    path = tmp_path / "some.csv"
    path.write_text("id,duration_sec,Total cost (cents),model name\n1,2,3,m\n")
    assert fields(path, mapping(*entries)) == [
        {"task_id": "1", "latency_ms": 2000, "cost_usd": 0.03, "model_version": "m"}
    ]


def test_the_names_of_a_first_object_come_at_once_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"id": 1, "latency": 2}\n{"task_id": "t"}\n')
    first, second = rows(path)
    assert first.rejection is not None
    assert "--map task_id=id" in first.rejection.reason
    assert "--map latency_ms=latency:s" in first.rejection.reason
    assert (second.rejection, second.original) == (None, b'{"task_id": "t"}')


def test_a_list_inside_a_document_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_text('{"suite": "x", "data": {"runs": [{"task_id": "a"}]}}')
    [row] = rows(path)
    assert row.rejection is not None
    assert "data: --records data.runs if those are the records" in row.rejection.reason


def test_unknown_names_are_explained_once_and_named_in_every_object(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"id": "a", "variant": 1}\n' * 3)
    first, *others = [row.rejection for row in rows(path, mapping("task_id=id"))]
    assert first is not None
    assert "--map experiment_group=variant" in first.reason
    for other in others:
        assert other is not None
        assert other.reason.startswith('"variant": no field')


def test_a_name_that_no_record_has_is_said(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"task_id": "t", "score": 1}\n')
    source = FileSource([str(path)], mapping=mapping("scores.a=score", "scores.b=scor"))
    assert len(list(source.rows())) == 1
    assert list(source.notes()) == ["scores.b=scor: no record has scor; check its name"]


def test_a_required_field_from_a_name_that_is_not_there_says_which(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"id": "t"}\n')
    [row] = rows(path, mapping("task_id=idd"))
    assert row.rejection is not None
    assert 'is to come from "idd"' in row.rejection.reason
    assert "did you mean id?" in row.rejection.reason


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("foo=x", "scores.foo"),
        ("acuracy=x", "did you mean accuracy"),
        ("task_id.a=x", "has no parts"),
        ("task_id=", "names no column"),
        ("task_id=''", "says nothing"),
        ("metadata.x=*", "metadata.*=*"),
        ("latency_ms=latency_s", "write latency_ms=latency_s:s"),
        ("latency_ms=durationSec", "write latency_ms=durationSec:s"),
        ("latency_ms=Latency (us)", "write latency_ms=Latency (us):us"),
        ("cost_usd=cost_cents", "write cost_usd=cost_cents:cents"),
        ("cost_usd=cost_eur", "write cost_usd=cost_eur*FACTOR"),
        ("latency_ms=latency_ms:s", "says ms, not s"),
        ("latency_ms=cost_usd", "is in usd and latency_ms in ms"),
        ("measurements.wait_s=wait_ms", "write measurements.wait_s=wait_ms:ms"),
        ("measurements.wait=x:s", "put it into its name"),
        ("latency_ms=x:cents", "cents does not become ms"),
        ("latency_ms='fast'", "number is wanted"),
        ("latency_ms=x*0", "makes everything 0"),
        ("task_id=x:dmy", "is no time"),
        ("success=x{yes}", "write {word:meaning"),
        ("success=x{}", "write {word:meaning"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_with_its_remedy(entry: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        mapping(entry)
    assert said in str(refused.value)


def test_every_entry_that_makes_no_sense_is_named() -> None:
    with pytest.raises(ConfigurationError) as refused:
        mapping("foo=x", "latency_ms=latency_s", "task_id=a", "task_id=b")
    assert str(refused.value).count("--map: ") == 3


def test_per_cent_needs_a_conversion_or_a_scale() -> None:
    with pytest.raises(ConfigurationError, match=r"scores\.a=correct_pct:percent, or --scale a="):
        refuse_percent(mapping("scores.a=correct_pct"))
    refuse_percent(mapping("scores.a=correct_pct:percent", "scores.b=share"))
    refuse_percent(parse_mapping("scores.a: correct_pct\nscales: {a: [0, 100]}", "m.yml"))


def test_a_header_may_be_of_ten_thousand_columns_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    count = 10_000
    path.write_text("task_id," + ",".join(f"metadata.c{n}" for n in range(count - 1)) + "\nt\n")
    [row] = rows(path)
    assert row.rejection is not None
    assert row.rejection.reason_code == "wrong_cell_count"
    said = header_fault(tmp_path, ",".join(f"c{n}" for n in range(count + 1)))
    assert said.startswith("there are 10,001 columns; at most 10,000 are read: ")
    said = header_fault(tmp_path, ",".join(f"c{n}" for n in range(count)))
    assert "and 9,960 more" in said
    assert len(said) < 5000
