"""A file that was loaded before takes nothing back, and an older record supersedes nothing."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ingest_support import line, load_file, run_load, select
from loader.ingest import withdrawals
from loader.ingest.withdrawals import Slice
from loader.records.checker import Defaults
from loader.sources.files import FileSource
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

_MORNING, _NOON = "2025-03-01T08:00:00Z", "2025-03-01T12:00:00Z"


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def versions(url: str, run: str = "mine") -> list[float]:
    rows = select(
        url,
        "select (scores ->> 'accuracy')::float8 from raw_evals.evaluation_runs "
        "where source_run_id = %s order by run_version",
        run,
    )
    return [float(str(value)) for (value,) in rows]


def files(url: str) -> list[tuple[object, ...]]:
    return select(url, "select load_id, byte_count, origin from raw_evals.loaded_files order by 1")


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Give a file of three runs."""
    others = [line(source_run_id=f"run-{n}", accuracy=0.5) for n in range(2)]
    return write(tmp_path / "first.jsonl", line(source_run_id="mine", accuracy=0.1), *others)


@pytest.fixture
def correction(tmp_path: Path) -> Path:
    """Give a file that corrects one of them."""
    return write(tmp_path / "correction.jsonl", line(source_run_id="mine", accuracy=0.2))


def test_a_file_and_its_correction_every_night_change_nothing(
    database_url: str, first: Path, correction: Path
) -> None:
    load_file(database_url, first)
    load_file(database_url, correction)
    for _ in range(3):
        again = load_file(database_url, first)
        assert (again.read, again.loaded, again.unchanged) == (3, 0, 3)
        assert again.notes == (
            f"{first} was loaded before, as load 1: it changes nothing (--again loads it anyway)",
        )
        assert versions(database_url) == [0.1, 0.2]  # also between the two
        assert load_file(database_url, correction).unchanged == 1
        assert versions(database_url) == [0.1, 0.2]
    assert files(database_url) == [
        (1, first.stat().st_size, str(first)),
        (2, correction.stat().st_size, str(correction)),
    ]


def test_its_name_does_not_matter_and_neither_does_how_it_comes(
    database_url: str, first: Path, correction: Path, tmp_path: Path
) -> None:
    load_file(database_url, first)
    load_file(database_url, correction)
    copied = tmp_path / "copied.jsonl"
    copied.write_bytes(first.read_bytes())
    assert load_file(database_url, copied).loaded == 0
    piped = subprocess.run(
        [sys.executable, "-m", "loader", "ingest", "--database-url", database_url, "--file", "-"],
        input=first.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert b"standard input was loaded before, as load 1" in piped.stdout
    assert versions(database_url) == [0.1, 0.2]


def test_of_several_files_each_is_known_by_itself(
    database_url: str, first: Path, correction: Path, tmp_path: Path
) -> None:
    load_file(database_url, first)
    load_file(database_url, correction)
    new = write(tmp_path / "new.jsonl", line(source_run_id="run-0", accuracy=0.9))
    last = write(tmp_path / "last.jsonl", line(source_run_id="run-1", accuracy=0.8))
    summary = run_load(database_url, FileSource([str(new), str(first), str(last)]))
    assert (summary.read, summary.loaded, summary.unchanged) == (5, 2, 3)
    assert "what was stored then changes nothing" in summary.notes[0]
    assert versions(database_url) == [0.1, 0.2]
    assert versions(database_url, "run-0") == [0.5, 0.9]
    assert versions(database_url, "run-1") == [0.5, 0.8]


def test_with_again_it_is_loaded_as_if_it_were_new(
    database_url: str, first: Path, correction: Path
) -> None:
    load_file(database_url, first)
    load_file(database_url, correction)
    summary = load_file(database_url, first, again=True)
    assert (summary.loaded, summary.replaced, summary.notes) == (1, 1, ())
    assert versions(database_url) == [0.1, 0.2, 0.1]


def test_a_load_that_was_withdrawn_is_made_again(
    database_url: str, first: Path, correction: Path
) -> None:
    load_file(database_url, first)
    load_file(database_url, correction)
    with connect(database_url) as connection:
        [entry] = withdrawals.withdraw(connection, Slice(load=1), "a mistake", None)
    summary = load_file(database_url, first)
    assert (summary.loaded, summary.notes) == (3, ())
    assert versions(database_url) == [0.1, 0.2, 0.1]
    with connect(database_url) as connection:
        withdrawals.undo(connection, [entry.load_id], "no mistake", None)
    assert load_file(database_url, first).loaded == 0


def test_other_options_make_other_records_of_it(database_url: str, tmp_path: Path) -> None:
    fields = {"experiment_id": "e", "task_id": "t", "extension_version": "1", "accuracy": 0.1}
    path = write(tmp_path / "a.jsonl", json.dumps(fields).encode())
    for group in ("baseline", "code-chef"):
        assert load_file(database_url, path, None, Defaults(experiment_group=group)).loaded == 1
    summary = load_file(database_url, path, None, Defaults(experiment_group="baseline"))
    assert summary.loaded == 0


def test_rows_that_were_rejected_are_loaded_once_they_are_sound(
    database_url: str, tmp_path: Path
) -> None:
    sound = line(source_run_id="mine", accuracy=0.1)
    other = line(source_run_id="other", experiment_group="code-chef", accuracy=0.3)
    path = write(tmp_path / "a.jsonl", sound, other.replace(b"code-chef", b"stranger"))
    assert load_file(database_url, path).rejected == 1
    write(tmp_path / "b.jsonl", line(source_run_id="mine", accuracy=0.2))
    load_file(database_url, tmp_path / "b.jsonl")
    summary = load_file(database_url, path)
    assert (summary.unchanged, summary.rejected) == (1, 1)
    assert versions(database_url) == [0.1, 0.2]


def test_a_refused_load_and_a_dry_run_leave_the_file_unknown(
    database_url: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", line(source_run_id="mine", accuracy=0.1), b"{")
    load_file(database_url, path, strict=True)
    load_file(database_url, path, dry_run=True)
    assert files(database_url) == []
    assert load_file(database_url, path).loaded == 1
    assert load_file(database_url, path, dry_run=True).unchanged == 1


def test_an_older_record_never_supersedes_a_newer_one(database_url: str, tmp_path: Path) -> None:
    newer = write(
        tmp_path / "newer.jsonl", line(source_run_id="mine", accuracy=0.2, recorded_at=_NOON)
    )
    older = write(
        tmp_path / "older.jsonl",
        line(source_run_id="mine", accuracy=0.1, recorded_at=_MORNING),
        line(source_run_id="other", accuracy=0.1, recorded_at=_MORNING),
    )
    load_file(database_url, newer)
    summary = load_file(database_url, older)
    assert (summary.loaded, summary.unchanged) == (1, 1)
    [note] = summary.notes
    assert note == (
        "1 record is older, by recorded_at, than what is loaded of its run, and changes nothing "
        "(--again loads it anyway)"
    )
    assert versions(database_url) == [0.2]
    assert load_file(database_url, older, again=True).loaded == 1
    assert versions(database_url) == [0.2, 0.1]


def test_neither_does_it_within_one_file_nor_where_no_time_is_said(
    database_url: str, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "a.jsonl",
        line(source_run_id="mine", accuracy=0.2, recorded_at=_NOON),
        line(source_run_id="mine", accuracy=0.1, recorded_at=_MORNING),
        line(source_run_id="equal", accuracy=0.1, recorded_at=_NOON),
        line(source_run_id="equal", accuracy=0.2, recorded_at=_NOON),
        line(source_run_id="untold", accuracy=0.1),
        line(source_run_id="untold", accuracy=0.2, recorded_at=_NOON),
        line(source_run_id="untold", accuracy=0.3),
    )
    load_file(database_url, path)
    assert versions(database_url) == [0.2]
    assert versions(database_url, "equal") == [0.1, 0.2]
    assert versions(database_url, "untold") == [0.1, 0.2, 0.3]


def test_a_large_file_of_which_much_is_known_is_told_row_by_row(
    database_url: str, tmp_path: Path
) -> None:
    """Rows that went straight into raw do not shift which of the staged ones are known."""
    chance = random.Random(17)  # noqa: S311  the same each time
    known = [line(source_run_id=f"run-{n}", accuracy=0.1) for n in range(6000)]
    changed = sorted(chance.sample(range(6000), 50))
    new = [line(source_run_id=f"new-{n}", accuracy=0.1) for n in range(21000)]
    packed = tmp_path / "known.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\n".join(known)))
    load_file(database_url, packed)
    corrections = [line(source_run_id=f"run-{n}", accuracy=0.2) for n in changed]
    load_file(database_url, write(tmp_path / "corrections.jsonl", *corrections))
    paths = [write(tmp_path / "new.jsonl", *new), packed]
    late = write(tmp_path / "late.jsonl", line(source_run_id=f"run-{changed[0]}", accuracy=0.3))
    summary = run_load(database_url, FileSource([*map(str, paths), str(late)]))
    assert (summary.loaded, summary.unchanged) == (21001, 6000)
    [(twice,)] = select(
        database_url,
        "select count(*) from raw_evals.evaluation_runs where run_version > 1",
    )
    assert twice == 51
