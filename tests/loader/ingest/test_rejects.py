"""Rejected rows: all are counted, the first of each reason are kept, and they have a retention."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from ingest_support import VOCABULARY, line, select
from loader.cli import cli
from loader.ingest import old_rejects, side_rows
from loader.ingest.load import load
from loader.sources.files import FileSource
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

    from loader.ingest.summary import LoadSummary

pytestmark = pytest.mark.newest_server

LEDGER = (
    "select rows_read, rows_rejected, rejects_left_out, reject_counts from raw_evals.loads "
    "order by load_id desc limit 1"
)
KEPT = "select reason_code, count(*), max(row_number) from raw_evals.rejected_rows group by 1"


def load_lines(
    url: str, path: Path, lines: list[bytes], *, keep: int, strict: bool = False
) -> LoadSummary:
    path.write_bytes(b"\n".join(lines))
    with connect(url) as connection:
        source = FileSource([str(path)])
        return load(connection, source, VOCABULARY, keep_rejects=keep, strict=strict)


def test_all_rejected_rows_are_counted_and_the_first_of_each_reason_are_kept(
    database_url: str, tmp_path: Path
) -> None:
    lines = [b'{"task_id": "t"}', b"{", line(task_id="sound")] * 50
    summary = load_lines(database_url, tmp_path / "a.jsonl", lines, keep=7)
    assert (summary.read, summary.rejected, summary.rejects_left_out) == (150, 100, 86)
    counts = {"missing_field": 50, "invalid_json": 50}
    assert {each.reason_code: each.count for each in summary.reasons} == counts
    assert select(database_url, LEDGER) == [(150, 100, 86, counts)]
    kept = [("invalid_json", 7, 20), ("missing_field", 7, 19)]
    assert sorted(select(database_url, KEPT)) == kept


def test_a_refused_load_keeps_the_first_rows_that_it_withholds(
    database_url: str, tmp_path: Path
) -> None:
    lines = [*(line(task_id=f"t{number}") for number in range(40)), b"{"]
    summary = load_lines(database_url, tmp_path / "a.jsonl", lines, keep=5, strict=True)
    assert (summary.rejected, summary.rejects_left_out) == (41, 35)
    counts = {"withheld": 40, "invalid_json": 1}
    assert select(database_url, LEDGER) == [(41, 41, 35, counts)]
    assert sorted(select(database_url, KEPT)) == [("invalid_json", 1, 41), ("withheld", 5, 5)]


def test_rows_that_a_strict_load_did_not_have_to_withhold_are_no_rejects(
    database_url: str, tmp_path: Path
) -> None:
    lines = [line(task_id=f"t{number}") for number in range(40)]
    summary = load_lines(database_url, tmp_path / "a.jsonl", lines, keep=5, strict=True)
    assert (summary.loaded, summary.rejected, summary.rejects_left_out) == (40, 0, 0)
    assert select(database_url, LEDGER) == [(40, 0, 0, {})]


def test_texts_are_kept_while_there_is_room_for_them(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_rows, "KEPT_TEXT_BYTES", 10_000)
    lines = [*(letter * 3000 for letter in (b"x", b"y", b"z", b"u")), b"{"]
    summary = load_lines(database_url, tmp_path / "a.jsonl", lines, keep=1000)
    assert (summary.rejected, summary.rejects_left_out) == (5, 1)
    numbers = select(database_url, "select row_number from raw_evals.rejected_rows order by 1")
    assert numbers == [(1,), (2,), (3,), (5,)]


def test_a_few_bytes_of_gzip_become_no_millions_of_rows(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"0\n" * 200_000))
    assert path.stat().st_size < 1000
    with connect(database_url) as connection:
        summary = load(connection, FileSource([str(path)]), VOCABULARY)
    assert summary.read == summary.rejected == 200_000
    [(count, size)] = select(
        database_url,
        "select count(*), pg_total_relation_size('raw_evals.rejected_rows') "
        "from raw_evals.rejected_rows",
    )
    assert count == side_rows.KEEP_REJECTS
    assert size < 1_000_000


def test_the_command_says_how_many_are_kept(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{\n" * 9 + line())
    arguments = ["ingest", str(path), "--keep-rejects", "2", "--database-url", database_url]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 3
    assert "the first 2 are in raw_evals.rejected_rows, load_id 1" in result.output
    told = CliRunner().invoke(cli, [*arguments, "--summary-format", "json"])
    assert json.loads(told.output.splitlines()[0])["rejects_left_out"] == 7


def test_the_ledger_refuses_counts_of_rejects_that_do_not_add_up(database_url: str) -> None:
    statement = (
        "insert into raw_evals.loads (load_id, source, loader_version, started_at, finished_at, "
        "rows_read, rows_loaded, rows_unchanged, rows_rejected, reject_counts) "
        "values (1, 'file', '0', now(), now(), 3, 0, 0, 3, %s)"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        for counts in ("{}", '{"a": 2}', '{"a": 4, "b": -1}', '{"a": "3x"}', '{"a": 3.0}'):
            with pytest.raises(psycopg.errors.CheckViolation, match="loads_count_rejects"):
                connection.execute(statement, [counts])
        connection.execute(statement, ['{"a": 1, "b": 2}'])


def test_rejects_go_with_age_and_stay_counted(database_url: str, tmp_path: Path) -> None:
    load_lines(database_url, tmp_path / "old.jsonl", [b"{"] * 5, keep=100)
    with connect(database_url) as connection:
        connection.execute("update raw_evals.loads set finished_at = now() - interval '40 days'")
    load_lines(database_url, tmp_path / "young.jsonl", [b"["] * 3, keep=100)
    arguments = ["purge", "--rejects-older-than", "30", "--database-url", database_url]
    would = CliRunner().invoke(cli, arguments)
    assert would.exit_code == 0
    assert "would remove 5 rejects (0.0 MB) of 1 load before" in would.stderr
    assert select(database_url, "select count(*) from raw_evals.rejected_rows") == [(8,)]
    done = CliRunner().invoke(cli, [*arguments, "--yes"])
    assert (done.exit_code, done.stderr) == (0, "removed 5 rejects\n")
    assert select(database_url, "select distinct load_id from raw_evals.rejected_rows") == [(2,)]
    ledger = "select source, rows_rejected, source_ref -> 'rejects' from raw_evals.loads order by 1"
    assert select(database_url, ledger) == [("file", 5, None), ("file", 3, None), ("purge", 0, 5)]


def test_rejects_go_in_batches(database_url: str, tmp_path: Path) -> None:
    load_lines(database_url, tmp_path / "a.jsonl", [b"{"] * 5, keep=100)
    with connect(database_url) as connection:
        connection.execute("update raw_evals.loads set finished_at = now() - interval '9 days'")
    with connect(database_url, autocommit=True) as connection:
        old = old_rejects.find(connection, 5)
        assert (old.rows, old.loads) == (5, 1)
        assert list(old_rejects.remove(connection, old.cutoff, batch_rows=2)) == [2, 2, 1]
        assert old_rejects.find(connection, 5).rows == 0
