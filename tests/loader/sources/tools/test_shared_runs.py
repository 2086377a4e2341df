"""Runs of two arms never take each other's place, whatever their files call them."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ingest_support import select
from loader.cli import cli
from plain_tool import run, source_of, write_lines
from tool_files import deepeval, helm, lm_eval, promptfoo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loader.sources.tools.source import ToolSource

pytestmark = pytest.mark.newest_server
RUNS = 24
_COUNTS = """
select experiment_group, count(distinct source_run_id)::integer
from raw_evals.evaluation_runs group by experiment_group order by experiment_group
"""


def ingest(url: str, *arguments: object) -> tuple[dict[str, Any], str]:
    """Load files by the command; return what its summary says, and what it said beside."""
    done = CliRunner().invoke(
        cli,
        ["ingest", *map(str, arguments), "--summary-format", "json", "--database-url", url],
    )
    assert done.exit_code == 0, done.output
    [told] = [json.loads(text) for text in done.stdout.splitlines()]
    return told, done.stderr


def dump_of_deepeval(folder: Path) -> Path:
    """Write what `evaluate()` returned, by whoever called it."""
    path = folder / f"{folder.name}.json"
    path.write_text(json.dumps(deepeval.returned(deepeval.document(RUNS))), encoding="utf-8")
    return path


def lines_of_promptfoo(folder: Path) -> Path:
    """Write lines that do not name their evaluation."""
    return promptfoo.write_lines(folder, RUNS).rename(folder / f"{folder.name}.jsonl")


def stats_of_helm(folder: Path) -> Path:
    """Write statistics without how long the model took."""
    [path] = helm.write(folder, RUNS)
    entries = json.loads(path.read_text(encoding="utf-8"))
    for entry in entries:
        entry["stats"] = [
            stat for stat in entry["stats"] if stat["name"]["name"] != "inference_runtime"
        ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def samples_of_lm_eval(folder: Path) -> Path:
    """Write samples without a time in their name, and without results beside them."""
    [path] = lm_eval.write(folder, RUNS)
    lm_eval.results_beside(path).unlink()
    return path.rename(folder / f"{folder.name}.jsonl")


@pytest.mark.parametrize(
    ("write", "arms"),
    [
        (dump_of_deepeval, "@file"),
        (lines_of_promptfoo, "@file"),
        (stats_of_helm, "folder"),
        (samples_of_lm_eval, "@file"),
    ],
)
def test_arms_that_answer_alike_keep_all_of_their_runs(
    tmp_path: Path, database_url: str, write: Callable[[Path], Path], arms: str
) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(write(tmp_path / name))
    named = ("--map", f"experiment_group={arms}", "--control", "a", "--treatment", "b")
    told, said = ingest(database_url, *paths, *named)
    assert (told["read"], told["loaded"]) == (2 * RUNS, 2 * RUNS)
    assert [count for _, count in select(database_url, _COUNTS)] == [RUNS, RUNS]
    assert "the first, second … of their task, group and version" in said
    (tmp_path / "moved").mkdir()
    (tmp_path / "a").rename(tmp_path / "moved" / "a")
    told, _ = ingest(database_url, tmp_path / "moved" / "a" / paths[0].name, paths[1], *named)
    assert (told["loaded"], told["unchanged"]) == (0, 2 * RUNS)


@pytest.mark.parametrize("write", [dump_of_deepeval, lines_of_promptfoo, samples_of_lm_eval])
def test_files_of_one_arm_in_one_load_keep_all_of_their_runs(
    tmp_path: Path, database_url: str, write: Callable[[Path], Path]
) -> None:
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(write(tmp_path / name))
    ingest(database_url, *paths, "--experiment-group", "baseline")
    assert select(database_url, _COUNTS) == [("baseline", 2 * RUNS)]


def test_what_a_file_without_names_says_is_scored_again_in_place(
    tmp_path: Path, database_url: str
) -> None:
    path = dump_of_deepeval(tmp_path)
    arm = ("--experiment-group", "baseline")
    ingest(database_url, path, *arm)
    found = json.loads(path.read_text(encoding="utf-8"))
    for result in found["test_results"]:
        result["metrics_data"][0]["score"] = 0.125
    path.write_text(json.dumps(found), encoding="utf-8")
    told, _ = ingest(database_url, path, *arm)
    assert told["loaded"] > 0
    assert select(database_url, _COUNTS) == [("baseline", RUNS)]


def codes(source: ToolSource) -> list[str | None]:
    """Return the reason code of each row."""
    return [row.rejection and row.rejection.reason_code for row in source.rows()]


def test_a_run_of_two_arms_is_rejected_under_the_second(tmp_path: Path) -> None:
    said = {"said": ["accuracy", 0, "Ann", "wrong"]}
    file = write_lines(
        tmp_path / "a",
        run(),
        run(experiment_group="code-chef", **said),
        run(extension_version="2"),
        run(scores={"accuracy": 0}, **said),
        run(experiment_id="f", experiment_group="code-chef"),
        run(experiment_group="code-chef", source_run_id="r2"),
    )
    source = source_of([file])
    for _ in range(2):
        rows = list(source.rows())
        assert [row.rejection and row.rejection.reason_code for row in rows] == [
            None, "shared_run_id", "shared_run_id", None, None, None,
        ]  # fmt: skip
        # what was said of the run that is rejected is not said of the one that is there
        assert [each.record["experiment_group"] for each in source.said()] == ["baseline"]
    assert rows[1].rejection is not None
    assert 'source_run_id "r" is a run of baseline 1 already' in rows[1].rejection.reason
    assert "--experiment-id" in rows[1].rejection.reason


def test_arms_told_by_options_are_told_apart_across_files(tmp_path: Path) -> None:
    lines = [run(task_id=f"t{n}", source_run_id=f"r{n}") for n in range(3)]
    for each in lines:
        del each["experiment_group"]
    files = [write_lines(tmp_path / name, *lines) for name in ("a", "b")]
    told = codes(source_of(files, "experiment_group=file"))
    assert told == [None] * 3 + ["shared_run_id"] * 3
    assert codes(source_of(files, supplied={"experiment_group": "baseline"})) == [None] * 6


def test_runs_without_a_name_are_never_shared(tmp_path: Path) -> None:
    lines = [
        run(experiment_group=group, source_run_id=name)
        for group in ("baseline", "code-chef")
        for name in ("", None, 7)
    ]
    assert codes(source_of([write_lines(tmp_path / "a", *lines)])) == [None] * 6


def test_rows_may_be_taken_by_another_thread_than_began(tmp_path: Path) -> None:
    rows = source_of([write_lines(tmp_path / "a", run(), run(experiment_group="b"))]).rows()
    next(rows)
    rest: list[str | None] = []
    thread = threading.Thread(
        target=lambda: rest.extend(row.rejection and row.rejection.reason_code for row in rows)
    )
    thread.start()
    thread.join()
    assert rest == ["shared_run_id"]
