"""Scores that people edited at a tool: loaded with its file, and said once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from ingest_support import select
from loader.cli import cli
from tool_files import inspect_log as files

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

STORED = (
    "select source_run_id, evaluator_key, author, score from raw_evals.annotations"
    " order by annotation_id"
)
ENTRIES = "select source, rows_loaded, rows_unchanged from raw_evals.loads order by load_id"
GROUP = ("--experiment-group", "baseline")


def edited_log(folder: Path, *edits: tuple[str, object], name: str = "a.eval") -> Path:
    """Write a log of four samples, of which each had its score of the key `match` edited so."""

    def change(sample: dict[str, Any]) -> None:
        given = sample["scores"]["match"]
        given["history"] = [{"value": given["value"]}] + [
            {"value": value, "provenance": {"author": author, "reason": "read it again"}}
            for author, value in edits
        ]
        given["value"] = edits[-1][1]

    return files.write_archive(folder / name, 4, changes=change)


def run(url: str, command: str, *arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [command, *map(str, arguments), "--database-url", url])
    assert result.exit_code == code, result.output
    return result


def test_an_edit_is_stored_beside_the_scorers_value_and_said_once(
    tmp_path: Path, database_url: str
) -> None:
    path = edited_log(tmp_path, ("ana", "C"), ("ben", "I"))
    first = run(database_url, "ingest", path, *GROUP)
    assert "scores that people gave: read 8 · loaded 8 · unchanged 0 · rejected 0" in first.output
    stored = select(database_url, STORED)
    assert len(stored) == 8
    assert {(key, author, score) for _, key, author, score in stored} == {
        ("match", "ana", 1), ("match", "ben", 0),
    }  # fmt: skip
    judged = select(
        database_url,
        "select source_run_id, (scores ->> 'match')::float from raw_evals.evaluation_runs",
    )
    letters = {"C": 1, "P": 0.5, "I": 0}
    assert dict(judged) == {
        each["uuid"]: letters[each["scores"]["match"]["value"]] for each in files.samples(4)
    }
    entries = select(database_url, ENTRIES)
    again = run(database_url, "ingest", path.rename(tmp_path / "moved.eval"), *GROUP)
    assert "scores that people gave: read 8 · loaded 0 · unchanged 8" in again.output
    assert select(database_url, STORED) == stored
    assert [source for source, loaded, _ in select(database_url, ENTRIES) if loaded] == [
        source for source, loaded, _ in entries if loaded
    ]


def test_a_file_does_not_say_again_what_its_author_took_back_since(
    tmp_path: Path, database_url: str
) -> None:
    path = edited_log(tmp_path, ("ana", "C"))
    run(database_url, "ingest", path, *GROUP)
    said = ("--experiment", "likes", "--task", "1", "--key", "match", "--author", "ana")
    run(database_url, "annotate", *said, "--run", "u1x1x1", "--score", "0", "--reason", "no")
    stored = select(database_url, STORED)
    run(database_url, "ingest", path, *GROUP)
    assert select(database_url, STORED) == stored
    run(database_url, "ingest", path, *GROUP, "--again")
    assert select(database_url, STORED)[len(stored) :] == [("u1x1x1", "match", "ana", 1)]


def test_a_later_edit_of_the_log_is_one_more_word_of_its_author(
    tmp_path: Path, database_url: str
) -> None:
    run(database_url, "ingest", edited_log(tmp_path, ("ana", "C")), *GROUP)
    later = edited_log(tmp_path, ("ana", "C"), ("ana", "P"), name="b.eval")
    run(database_url, "ingest", later, *GROUP)
    scores = [score for *_, score in select(database_url, STORED)]
    assert scores == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]


def test_a_dry_run_and_a_refused_load_say_nothing(tmp_path: Path, database_url: str) -> None:
    path = edited_log(tmp_path, ("ana", "C"))
    run(database_url, "ingest", path, *GROUP, "--dry-run")
    assert select(database_url, STORED) == []
    broken = files.write_json(tmp_path / "broken.json", 1)
    broken.write_text(broken.read_text().replace('"value": 0.', '"value": [[1]], "x": 0.'))
    command = ["ingest", str(path), str(broken), *GROUP, "--strict"]
    refused = CliRunner().invoke(cli, [*command, "--database-url", database_url])
    assert refused.exit_code == 3, refused.output
    assert select(database_url, STORED) == []


def test_a_score_that_cannot_be_taken_is_told_with_its_place(
    tmp_path: Path, database_url: str
) -> None:
    result = run(database_url, "ingest", edited_log(tmp_path, ("ana", 7)), *GROUP, code=3)
    assert "4 scores that people gave could not be stored; the rest is loaded" in result.output
    assert "read 4 · loaded 0 · unchanged 0 · rejected 4" in result.output
    assert "a.eval, score 1: match 7 is off its scale of 0 to 1" in result.output
    rejected = "select count(*) from raw_evals.rejected_rows where reason_code = 'off_scale'"
    assert select(database_url, rejected) == [(4,)]


@pytest.mark.slow
def test_the_marts_count_the_edit_and_history_tells_who_made_it(
    tmp_path: Path, database_url: str, dbt: Dbt
) -> None:
    path = edited_log(tmp_path, ("ana", "P"))
    run(database_url, "ingest", path, *GROUP)
    dbt.build(database_url)
    with psycopg.connect(database_url) as connection:
        counted = connection.execute(
            "select source_run_id, value, human_value, annotators from evals.run_scores"
            " where metric = 'match' order by 1"
        ).fetchall()
        told = connection.execute(
            "select source_run_id, author, reason, value from evals.score_history"
            " where metric = 'match' and author is not null order by 1"
        ).fetchall()
    runs = sorted(each["uuid"] for each in files.samples(4))
    assert counted == [(name, 0.5, 0.5, 1) for name in runs]
    assert told == [(name, "ana", "read it again (edited in Inspect)", 0.5) for name in runs]
