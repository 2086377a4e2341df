"""Runs that name neither id nor repetition: counted as they come, whatever way they take."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ingest_support import (
    VOCABULARY,
    load_file,
    load_records,
    record,
    run_load,
    select,
)
from loader.errors import ConfigurationError
from loader.ingest import load as loading
from loader.ingest import parallel, side_rows
from loader.ingest import writer as warehouse
from loader.sources.files import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loader.ingest.summary import LoadSummary

pytestmark = pytest.mark.newest_server

LONG = "t" * 512
RUNS = (
    "select task_id, source_run_id, run_version, scores ->> 'accuracy' "
    "from raw_evals.evaluation_runs order by 1, length(source_run_id), 2, 3"
)


@pytest.fixture(params=["straight", "mixed", "staged", "memory"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the way that the rows of a load take, by making few of them a large load."""
    if request.param in ("straight", "mixed"):
        monkeypatch.setattr(warehouse, "SMALL_LOAD_ROWS", 3)
        monkeypatch.setattr(warehouse, "CHUNK_ROWS", 4)
        monkeypatch.setattr(warehouse, "_BLOCK_BYTES", 1)
        monkeypatch.setattr(side_rows, "_MOST_BYTES", 200)
        for module in (parallel, loading):  # a part is far smaller than a chunk
            monkeypatch.setattr(module, "PART_ROWS", 4)
    return str(request.param)


def write(path: Path, records: Sequence[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(fields) + "\n" for fields in records))
    return path


def repeated(task: str, *scores: float) -> list[dict[str, object]]:
    return [record(task_id=task, accuracy=score) for score in scores]


def take(
    url: str,
    way: str,
    path: Path,
    records: Sequence[dict[str, object]],
    **options: Any,  # noqa: ANN401
) -> LoadSummary:
    if way == "memory":
        return load_records(url, records, **options)
    return load_file(url, write(path, records), **options)


def records_of(way: str) -> list[dict[str, object]]:
    """Make 40 tasks once, then four of them again, twice equal; `straight` has none again."""
    first = [record(task_id=f"t{number:02}", accuracy=0.1) for number in range(40)]
    again = [*repeated("t03", 0.2, 0.2), *repeated("t17", 0.3, 0.1), *repeated("t39", 0.1)]
    return first if way == "straight" else [*first, *again, record(task_id="last", accuracy=1)]


def test_the_kth_line_of_a_task_is_its_kth_run(database_url: str, tmp_path: Path, way: str) -> None:
    records = records_of(way)
    summary = take(database_url, way, tmp_path / "a.jsonl", records)
    assert (summary.loaded, summary.replaced, summary.notes) == (len(records), 0, ())
    runs = select(database_url, RUNS)
    assert {version for _, _, version, _ in runs} == {1}
    named = {(task, run): score for task, run, _, score in runs}
    assert named["t00", '["t00","baseline","1.0.0",1]'] == "0.1"
    if way != "straight":
        of_task = {
            task: [named[task, f'["{task}","baseline","1.0.0",{k}]'] for k in range(1, count + 1)]
            for task, count in (("t03", 3), ("t17", 3), ("t39", 2))
        }
        assert of_task == {
            "t03": ["0.1", "0.2", "0.2"],
            "t17": ["0.1", "0.3", "0.1"],
            "t39": ["0.1", "0.1"],
        }
    # the same again, in whatever way
    for other in (way, "memory"):
        summary = take(database_url, other, tmp_path / "a.jsonl", records)
        assert (summary.loaded, summary.unchanged) == (0, len(records))
    assert select(database_url, RUNS) == runs
    # one more run of each is one more run, and no other changes
    more = [*records, *repeated("t03", 0.9)]
    summary = take(database_url, way, tmp_path / "b.jsonl", more)
    assert (summary.loaded, summary.unchanged, summary.replaced) == (1, len(records), 0)


def test_a_run_that_changed_is_said_to_have_been_replaced(
    database_url: str, tmp_path: Path, way: str
) -> None:
    records = [*records_of("straight"), *repeated("t03", 0.4)]
    take(database_url, way, tmp_path / "a.jsonl", records)
    records[-1] = record(task_id="t03", accuracy=0.5)
    summary = take(database_url, way, tmp_path / "a.jsonl", records)
    assert (summary.loaded, summary.replaced, summary.unchanged) == (1, 1, 40)
    assert [row[1:] for row in select(database_url, RUNS) if row[0] == "t03"] == [
        ('["t03","baseline","1.0.0",1]', 1, "0.1"),
        ('["t03","baseline","1.0.0",2]', 1, "0.4"),
        ('["t03","baseline","1.0.0",2]', 2, "0.5"),
    ]


def test_a_task_with_a_long_name_is_counted_too(
    database_url: str, tmp_path: Path, way: str
) -> None:
    version = "v" * 256
    records = [
        record(task_id=LONG, extension_version=version, experiment_group=group, accuracy=score)
        for score in (0.1, 0.2, 0.2)
        for group in ("baseline", "code-chef")
    ]
    # a name of 1,024 bytes as JSON is kept; one more is hashed
    records += [record(task_id='"' * 490, accuracy=0.5)] * 12
    records += [record(task_id='"' * 512, extension_version='"' * 20, accuracy=0.5)] * 12
    summary = take(database_url, way, tmp_path / "a.jsonl", records)
    assert summary.loaded == len(records) == 30
    ids = [row[1] for row in select(database_url, RUNS)]
    assert len(set(ids)) == 30
    hashed = [name for name in ids if name.startswith("sha256:")]
    assert {name.partition("#")[2] for name in hashed} == {"", *map(str, range(2, 13))}
    again = take(database_url, way, tmp_path / "a.jsonl", records)
    assert (again.loaded, again.unchanged) == (0, 30)


def test_two_files_of_a_load_are_counted_through(database_url: str, tmp_path: Path) -> None:
    paths = [
        write(tmp_path / name, repeated("t", score)) for name, score in (("a", 0.1), ("b", 0.2))
    ]
    source = FileSource(list(map(str, paths)), "jsonl", groups=VOCABULARY.groups, supplied=())
    assert run_load(database_url, source).loaded == 2
    assert [row[1] for row in select(database_url, RUNS)] == [
        '["t","baseline","1.0.0",1]',
        '["t","baseline","1.0.0",2]',
    ]


def test_what_names_itself_is_not_counted(database_url: str) -> None:
    records = [
        record(task_id="t", repetition=2, accuracy=0.1),
        record(task_id="t", repetition=2, accuracy=0.2),
        record(task_id="t", source_run_id="mine", accuracy=0.3),
        record(task_id="t", source_run_id="mine", accuracy=0.4),
    ]
    assert load_records(database_url, records).loaded == 4
    found = select(
        database_url,
        "select source_run_id, run_version, is_id_derived from raw_evals.evaluation_runs "
        "order by 1, 2",
    )
    assert found == [
        ('["t","baseline","1.0.0",2]', 1, None),
        ('["t","baseline","1.0.0",2]', 2, None),
        ("mine", 1, None),
        ("mine", 2, None),
    ]


def test_a_line_without_a_number_is_the_first_beside_one_that_says_so(
    database_url: str, tmp_path: Path, way: str
) -> None:
    records = [
        record(task_id="t", repetition=1, accuracy=0.1),
        *(record(task_id=f"t{number:03}", accuracy=0.1) for number in range(200)),
        record(task_id="t", accuracy=0.2),
    ]
    for loaded in (202, 0):
        summary = take(database_url, way, tmp_path / "a.jsonl", records)
        assert (summary.loaded, summary.unchanged) == (loaded, 202 - loaded)
    assert [row[1:] for row in select(database_url, RUNS) if row[0] == "t"] == [
        ('["t","baseline","1.0.0",1]', 1, "0.1"),
        ('["t","baseline","1.0.0",1]', 2, "0.2"),
    ]


@pytest.mark.parametrize("options", [{"dry_run": True}, {"strict": True}, {}])
def test_a_strict_load_and_a_dry_run_count_as_a_load_does(
    database_url: str, tmp_path: Path, way: str, options: dict[str, bool]
) -> None:
    records = [*records_of("mixed"), record(task_id="t00", metadata={"question": "another"})]
    records[0] = record(task_id="t00", metadata={"question": "one"})
    summary = take(database_url, way, tmp_path / "a.jsonl", records, **options)
    assert (summary.loaded, summary.unchanged, summary.rejected) == (len(records), 0, 0)
    assert [note.partition(";")[0] for note in summary.notes] == [
        'one task_id stands for different inputs: "t00"'
    ]


def test_the_refused_rows_of_a_strict_load_take_no_number(database_url: str) -> None:
    records = [*repeated("t", 0.1, 0.2), record(task_id="t", accuracy="high")]
    assert load_records(database_url, records, strict=True).is_refused
    assert load_records(database_url, records).loaded == 2
    assert load_records(database_url, records[:2]).unchanged == 2


@pytest.mark.parametrize("form", ["jsonl", "gz", "csv"])
def test_a_file_with_a_repetition_0_is_counted_from_0(
    database_url: str, tmp_path: Path, form: str
) -> None:
    records = [
        record(task_id=f"t{task}", repetition=number, accuracy=number / 4)
        for task in range(4)
        for number in (2, 1, 0)
    ]
    path = tmp_path / f"zero.{form}"
    text = "".join(json.dumps(fields) + "\n" for fields in records)
    if form == "csv":
        rows = [",".join(records[0]), *(",".join(map(str, row.values())) for row in records)]
        text = "\n".join(rows)
    path.write_bytes(gzip.compress(text.encode()) if form == "gz" else text.encode())
    summary = load_file(database_url, path)
    assert (summary.read, summary.loaded) == (12, 12)
    assert [note for note in summary.notes if "counted from 0" in note] == list(summary.notes)
    assert len(summary.notes) == 1
    found = select(
        database_url,
        "select distinct repetition, source_run_id like '%%,' || repetition || ']', "
        "(scores ->> 'accuracy')::float from raw_evals.evaluation_runs order by 1",
    )
    assert found == [(1, True, 0.0), (2, True, 0.25), (3, True, 0.5)]
    assert load_file(database_url, path).unchanged == 12


def test_what_cannot_be_read_twice_says_which_option_to_give(database_url: str) -> None:
    records = [record(repetition=1), record(repetition=0)]
    with pytest.raises(ConfigurationError, match="--first-repetition 0"):
        load_records(database_url, records)
    assert select(database_url, "select * from raw_evals.loads") == []
    assert load_records(database_url, records, first_repetition=0).loaded == 2
    assert [row[0] for row in select(database_url, "select source_run_id from "
            "raw_evals.evaluation_runs order by 1")] == [
        '["t-1","baseline","1.0.0",1]', '["t-1","baseline","1.0.0",2]',
    ]  # fmt: skip


def test_the_largest_repetition_has_none_after_it(database_url: str) -> None:
    records = [record(repetition=2**31 - 1), record(repetition=0)]
    summary = load_records(database_url, records, first_repetition=0)
    assert (summary.loaded, summary.rejected) == (1, 1)


@pytest.mark.parametrize("arguments", [(), ("--first-repetition", "0")])
def test_standard_input_that_counts_from_0_needs_the_option(
    database_url: str, arguments: tuple[str, ...]
) -> None:
    data = b"\n".join(json.dumps(record(repetition=number)).encode() for number in range(3))
    done = subprocess.run(
        [sys.executable, "-m", "loader", "ingest", "--database-url", database_url, "--file", "-",
         *arguments],
        input=data, capture_output=True, check=False, env=dict(os.environ),
    )  # fmt: skip
    if arguments:
        assert done.returncode == 0, done.stderr
        assert b"note: repetitions are counted from 0" in done.stdout
    else:
        assert done.returncode == 2
        assert b"give --first-repetition 0" in done.stderr


def test_two_questions_with_one_id_are_two_runs_and_said(database_url: str, tmp_path: Path) -> None:
    records = [
        record(
            experiment_id="dup",
            experiment_group=group,
            task_id=task,
            accuracy=score,
            metadata={"question": question},
        )
        for group in ("baseline", "code-chef")
        for task, score, question in (
            ("dup", 0, "What is 2+2?"),
            ("dup", 1, "Who wrote Faust?"),
            *((f"ok{number}", 1, f"q{number}") for number in range(12)),
        )
    ]
    path = write(tmp_path / "dup.jsonl", records)
    for loaded in (28, 0):
        summary = load_file(database_url, path)
        assert (summary.read, summary.loaded) == (28, loaded)
        note = summary.notes[0]
        assert 'different inputs: "dup";' in note
    means = select(
        database_url,
        "select experiment_group, count(*), avg((scores ->> 'accuracy')::float)"
        " from raw_evals.evaluation_runs group by 1 order by 1",
    )
    assert means == [("baseline", 14, 13 / 14), ("code-chef", 14, 13 / 14)]
