"""Anyone's file to records: `--guess` proposes, `--mapping` loads, no file is edited."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from foreign_files import SHAPES, Shape, ordinary, table
from ingest_support import select
from loader.cli import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def told_command(result: Result) -> list[str]:
    """Return the arguments of the command that a guess says to run next."""
    return shlex.split(result.stdout.rpartition("then: ")[2])[1:]


def in_order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_guess_finds_the_whole_mapping(
    here: Path, database_url: str, shape: Callable[[], Shape]
) -> None:
    wanted = shape()
    files = wanted.write(here)
    guessed = run("ingest", "--guess", *files)
    assert guessed.exit_code == 0, guessed.output
    assert "check:" not in guessed.stderr
    loaded = run(*told_command(guessed), "--database-url", database_url)
    assert loaded.exit_code == 0, loaded.output
    count = len(wanted.truth)
    assert f"read {count} · loaded {count} · unchanged 0 · rejected 0" in loaded.stdout
    names = sorted(wanted.truth[0])
    stored = select(database_url, f"select {', '.join(names)} from raw_evals.evaluation_runs")
    assert in_order(stored) == in_order(tuple(row[name] for name in names) for row in wanted.truth)
    scales = select(
        database_url,
        "select distinct key, value from raw_evals.evaluation_runs, jsonb_each(score_scales)",
    )
    assert dict(scales) == wanted.scales
    assert select(
        database_url,
        "select count(*) from raw_evals.evaluation_runs where set_aside is not null",
    ) == [(0,)]


def test_the_same_file_by_the_same_mapping_changes_nothing(here: Path, database_url: str) -> None:
    files = ordinary().write(here)
    command = told_command(run("ingest", "--guess", *files))
    run(*command, "--database-url", database_url)
    again = run(*command, "--database-url", database_url)
    assert "loaded 0 · unchanged 24 · rejected 0" in again.stdout


def test_an_ordinary_file_becomes_a_verdict_with_no_file_edited(
    here: Path, database_url: str, dbt: Dbt
) -> None:
    [file] = ordinary(tasks=60).write(here)
    run("ingest", "--guess", "--yes", file, "--database-url", database_url)
    dbt.build(database_url)
    told = run("summary", "--experiment", "results", "--database-url", database_url)
    assert "Better in correct" in told.stdout
    assert "Recommendation: deploy" in told.stdout
    assert "judge_score" in told.stdout
    means = (
        "select metric, round(avg(value)::numeric, 6) from evals.evaluation_scores "
        "where metric in ('judge_score', 'correct') group by metric order by metric"
    )
    scores = [row["scores"] for row in ordinary(tasks=60).truth]
    judged = sum((score["judge_score"] - 1) / 4 for score in scores) / len(scores)
    correct = sum(score["correct"] for score in scores) / len(scores)
    assert [(metric, float(mean)) for metric, mean in select(database_url, means)] == [
        ("correct", pytest.approx(correct, abs=1e-6)),
        ("judge_score", pytest.approx(judged, abs=1e-6)),
    ]


def test_a_guess_says_why_and_shows_the_first_records(here: Path) -> None:
    result = run("ingest", "--guess", *ordinary().write(here), "--experiment-id", "mine")
    assert "latency_ms = latency_s:s" in result.stdout
    assert "its name says s" in result.stdout
    assert "scale of judge_score: 1 to 5" in result.stdout
    assert "baseline is the control by its name" in result.stdout
    assert result.stdout.count('"experiment_id": "mine"') == 3
    assert "--experiment-id mine" in result.stdout
    written = (here / "evalmart-mapping.yml").read_text()
    assert "latency_ms: latency_s:s  # its name says s" in written


def test_what_is_said_is_not_guessed(here: Path) -> None:
    said = "experiment_group=variant{baseline:baseline,candidate:code-chef}"
    result = run("ingest", "--guess", *ordinary().write(here), "--map", said)
    assert "experiment_group = variant{baseline:baseline,candidate:code-chef}" in result.stdout
    assert "control:" not in result.stdout
    assert '"experiment_group": "code-chef"' in result.stdout


def test_roles_that_are_said_are_written_down(here: Path) -> None:
    files = ordinary().write(here)
    said = ("--control", "candidate", "--treatment", "baseline")
    result = run("ingest", "--guess", *files, *said)
    assert "control: candidate" in result.stdout
    written = (here / "evalmart-mapping.yml").read_text()
    assert "control: [candidate]" in written
    assert "treatment: [baseline]" in written


def test_scales_that_are_said_go_before_the_guess_and_are_written_down(
    here: Path, database_url: str
) -> None:
    rows = [
        {"id": "t", "variant": "baseline", "quality": "83 %", "grade": 4, "recall_pct": 0.5},
        {"id": "t", "variant": "candidate", "quality": "90 %", "grade": 5, "recall_pct": 0.25},
    ]
    (here / "some.csv").write_text(table(rows))
    guessed = run(
        "ingest", "--guess", "some.csv", "--scale", "grade=0:10", "--measure", "recall_pct"
    )
    assert "scale of grade: 0 to 10" in guessed.stdout
    loaded = run(*told_command(guessed), "--database-url", database_url)
    assert "loaded 2 · unchanged 0 · rejected 0" in loaded.stdout
    names = "scores, score_scales, measurements"
    stored = select(
        database_url, f"select {names} from raw_evals.evaluation_runs order by run_version"
    )
    assert (
        {"quality": 83.0, "grade": 4.0},
        {"quality": [0, 100], "grade": [0, 10]},
        {"recall_pct": 0.5},
    ) in stored


@pytest.mark.parametrize(
    ("scale", "counts"),
    [
        ("0:100", "loaded 1 · unchanged 0 · rejected 0"),
        ("0:1", "loaded 0 · unchanged 0 · rejected 1"),
    ],
)
def test_per_cent_signs_are_read_where_the_scale_is_said(
    here: Path, database_url: str, scale: str, counts: str
) -> None:
    (here / "some.csv").write_text("task_id,scores.quality\nt,83 %\n")
    options = ("--scale", f"quality={scale}", "--experiment-group", "baseline")
    labels = ("--experiment-id", "e", "--extension-version", "1")
    done = run("ingest", "some.csv", *options, *labels, "--database-url", database_url)
    assert counts in done.stdout


def test_a_mapping_of_another_file_is_not_overwritten(here: Path) -> None:
    (here / "evalmart-mapping.yml").write_text("task_id: other\n")
    result = run("ingest", "--guess", *ordinary().write(here))
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert (here / "evalmart-mapping.yml").read_text() == "task_id: other\n"


def test_the_mapping_is_kept_in_the_teams_folder(here: Path) -> None:
    (here / "evalmart").mkdir()
    (here / "evalmart" / "mapping.example.yml").touch()
    result = run("ingest", "--guess", *ordinary().write(here))
    assert "--mapping evalmart/evalmart-mapping.yml" in result.stdout
    assert (here / "evalmart" / "evalmart-mapping.yml").is_file()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": 1, "variant": "a", "when": "03/04/2026"}], "may be day or month first"),
        ([{"id": 1, "score": 0.5}], "give --experiment-group NAME"),
        ([{"variant": "a", "score": 0.5}], "no column says the task"),
        ([{"id": 1, "variant": "x"}, {"id": 1, "variant": "y"}], "x is taken as the control"),
        ([{"id": 1, "variant": "a"}, {"id": 2, "variant": "b"}], "no task in common"),
        ([{"id": 1, "variant": "a", "latency": 2.5}], "says no unit"),
        ([{"id": 1, "variant": "a", "cost": "1,234"}], "can be read in two ways"),
        ([{"id": 1, "variant": "a", "cost": "9,5", "score": 0.5}], "9,5 can be read in two ways"),
        ([{"id": 1, "variant": "a", "when": "31/01/25"}], "years of two digits"),
        (
            [{"id": 1, "variant": "none", "cost": 1}, {"id": 1, "variant": "b", "cost": "none"}],
            "none is a gap among numbers, and so is absent in variant too",
        ),
    ],
)
def test_what_cannot_be_told_is_said(here: Path, rows: list[dict[str, object]], said: str) -> None:
    (here / "some.csv").write_text(table(rows))
    result = run("ingest", "--guess", "some.csv")
    assert result.exit_code == 0, result.output
    assert said in result.stderr
    assert said in (here / "evalmart-mapping.yml").read_text()


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        (["1,234.50", "999.00"], [1234.5, 999]),
        (["1.234,50", "999,00"], [1234.5, 999]),
        (["1 234,50", "9,5"], [1234.5, 9.5]),
        (["1,234,567", "12"], [1234567, 12]),
    ],
)
def test_numbers_with_grouped_thousands_are_numbers(
    here: Path, costs: list[str], found: list[float]
) -> None:
    rows = [{"id": 1, "variant": arm, "cost": cost} for arm, cost in zip("ab", costs, strict=True)]
    (here / "some.csv").write_text(table(rows))
    result = run("ingest", "--guess", "some.csv")
    assert "check:" not in result.stderr
    stored = [json.loads(line) for line in result.stdout.splitlines() if "{" in line]
    assert [record["cost_usd"] for record in stored] == found


def test_milliseconds_are_no_days_of_a_spreadsheet(here: Path) -> None:
    rows = [{"id": 1, "variant": arm, "time": time} for arm, time in (("a", 32000), ("b", 45000))]
    (here / "some.csv").write_text(table(rows))
    assert "recorded_at" not in run("ingest", "--guess", "some.csv").stdout


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks_before_it_loads(here: Path, database_url: str, answer: str) -> None:
    files = ordinary().write(here)
    terminal, own = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "loader", "ingest", "--guess", *files, "--database-url",
         database_url],
        stdin=own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(own)
    os.close(terminal)
    assert done.returncode == 0, done.stderr
    assert "Load it so?" in done.stderr
    assert ("loaded 24" in done.stdout) == (answer == "y")
    assert (here / "evalmart-mapping.yml").is_file()


def test_a_guess_may_be_taken_at_once(here: Path, database_url: str) -> None:
    files = ordinary().write(here)
    done = run("ingest", "--guess", "--yes", *files, "--database-url", database_url)
    assert "read 24 · loaded 24 · unchanged 0 · rejected 0" in done.stdout
    assert (here / "evalmart-mapping.yml").is_file()


def test_a_scale_that_is_declared_is_not_proposed_again(here: Path) -> None:
    rows = [
        {"id": 1, "variant": arm, "accuracy": score, "efficiency": 100 * score}
        for arm, score in (("a", 0.5), ("b", 0.75))
    ]
    (here / "some.csv").write_text(table(rows))
    result = run("ingest", "--guess", "some.csv")
    assert "scale of accuracy" not in result.stdout
    assert "scale of efficiency: 0 to 100" in result.stdout


def test_columns_left_out_and_of_any_spelling_survive_the_file(
    here: Path, database_url: str
) -> None:
    rows = [
        {"": n, "id": "a", "variant": arm, "input tokens:": 3, "output tokens:": 4, "tmp": "x",
         "exact*match": 1, "#note": "n"}
        for n, arm in enumerate(("baseline", "candidate"))
    ]  # fmt: skip
    (here / "some.csv").write_text(table(rows))
    guessed = run("ingest", "--guess", "some.csv", "--map", "-=tmp", "--map", "-=#1")
    loaded = run(*told_command(guessed), "--database-url", database_url)
    assert "loaded 2 · unchanged 0 · rejected 0" in loaded.stdout
    names = "tokens_used, scores, metadata"
    assert select(database_url, f"select distinct {names} from raw_evals.evaluation_runs") == [
        (7, {"exact*match": 1.0}, {"#note": "n"})
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--project", "p", "--map", "task_id=id"], "are for files"),
        (["--file", "a.csv", "--format", "baseline", "--map", "task_id=id"], "leave --map out"),
        (["--file", "a.csv", "--format", "legacy", "--guess"], "leave --guess out"),
        (["--file", "a.csv", "--guess", "--mapping", "m.yml"], "leave --mapping out"),
        (["--guess"], "give --file PATH"),
        (["--file", "empty.csv", "--guess"], "no record to guess from"),
    ],
)
def test_what_does_not_go_together_is_refused(here: Path, options: list[str], said: str) -> None:
    (here / "a.csv").write_text("id\n1\n")
    (here / "empty.csv").write_text("id\n")
    result = run("ingest", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_standard_input_is_guessed_at_but_not_loaded(here: Path) -> None:
    result = CliRunner().invoke(
        cli, ["ingest", "--guess", "--yes", "-"], input=",id,variant,score\n0,a,x,1\n"
    )
    assert result.exit_code == 0, result.output
    assert "--file - --mapping evalmart-mapping.yml" in result.stdout
    assert "scores.score: score" in (here / "evalmart-mapping.yml").read_text()


def test_what_is_a_record_already_is_guessed_at_for_its_scales(
    here: Path, database_url: str
) -> None:
    lines = [
        {"task_id": "a", "experiment_group": "code-chef", "scores": {"judge": grade}, " odd": 1}
        for grade in (2, 4)
    ]
    (here / "some.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{broken")
    guessed = run("ingest", "--guess", "some.jsonl")
    assert guessed.exit_code == 0, guessed.output
    assert "scale of judge: 1 to 5" in guessed.stdout
    assert "rejected: the JSON breaks off" in guessed.stdout or "rejected: not JSON" in (
        guessed.stdout
    )
    loaded = run(*told_command(guessed), "--database-url", database_url)
    assert "read 3 · loaded 2 · unchanged 0 · rejected 1" in loaded.stdout


def test_records_that_need_nothing_are_proposed_as_they_are(here: Path) -> None:
    record = {"task_id": "a", "experiment_group": "baseline", "extension_version": "1",
              "experiment_id": "e", "accuracy": 0.5}  # fmt: skip
    (here / "some.jsonl").write_text(json.dumps(record))
    result = run("ingest", "--guess", "some.jsonl")
    assert result.exit_code == 0, result.output
    assert json.dumps(record) in result.stdout


def test_money_and_time_below_one_are_no_scores(here: Path) -> None:
    rows = [
        {"task_id": f"t{n}", "arm": arm, "acc": n % 2, "user_cost": n / 1000, "elapsed": n / 50}
        for arm in ("base", "new")
        for n in range(12)
    ]
    path = here / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = run("ingest", "--guess", str(path)).stdout
    assert "scores.acc = acc" in told
    assert "measurements.user_cost = user_cost" in told
    assert "scores.elapsed" not in told
