"""`run --output`: every run in a file, failures too, which `ingest` takes back unchanged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from loader.cli import cli
from loader.warehouse.connection import connect
from servers import migrated

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server

TASKS = [{"task_id": f"t{place}", "prompt": f"{place}"} for place in range(4)]
# a Zürich of a task fails; what it was asked and the number stay as they are
COMMAND = """python3 -c 'import json,sys
asked = sys.stdin.read()
sys.exit("no answer to Zürich") if "2" in asked else print(json.dumps({"output": asked}))'"""


def answered(outputs: dict[str, Any]) -> bool:
    return bool(outputs["output"])


def call(url: str, *arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    assert result.exit_code == exit_code, result.output
    return result


def run(url: str, folder: Path, output: Path, *more: str, exit_code: int = 0) -> Result:
    (folder / "tasks.jsonl").write_text("".join(f"{json.dumps(task)}\n" for task in TASKS))
    return call(
        url, "run", "--tasks", str(folder / "tasks.jsonl"), "--experiment-id", "exp-1",
        "--experiment-group", "code-chef", "--extension-version", "1.0.0", "--agent", "dev",
        "--command", COMMAND, "--repetitions", "2", "--evaluator",
        f"{__name__}:answered", "--output", str(output), *more,
        exit_code=exit_code,
    )  # fmt: skip


def stored(url: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(
            "select source, source_run_id, run_version, content_hash from"
            " raw_evals.evaluation_runs order by source_run_id, run_version"
        ).fetchall()


@pytest.mark.parametrize("name", ["results.json", "results.jsonl"])
def test_every_run_is_in_the_file_and_loading_it_changes_nothing(
    database_url: str, postgres_server: str, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    run(database_url, tmp_path, path)
    text = path.read_text(encoding="utf-8")
    records = (
        json.loads(text) if name == "results.json" else list(map(json.loads, text.split("\n")[:-1]))
    )
    assert sorted((one["task_id"], one["repetition"]) for one in records) == [
        (task["task_id"], repetition) for task in TASKS for repetition in (1, 2)
    ]
    failed = [one for one in records if one["success"] is False]
    assert [one["task_id"] for one in failed] == ["t2", "t2"]
    for one in failed:
        assert "no answer to Zürich" in one["error_message"]
        assert one["scores"] == {"answered": None}
    for one in records:
        assert one["experiment_group"] == "code-chef"
        assert one["inputs"] == {"prompt": one["task_id"][1:]}
        assert (one.get("latency_ms") is None) == (one["success"] is False)
    before = stored(database_url)
    assert len(before) == 8
    told = call(database_url, "ingest", "--file", str(path)).stdout
    assert "read 8 · loaded 0 · unchanged 8 · rejected 0" in told
    assert stored(database_url) == before
    # and in another warehouse they are the same runs
    with migrated(postgres_server) as other:
        call(other, "ingest", str(path))
        assert stored(other) == before
        told = run(other, tmp_path, tmp_path / "again.jsonl").output
        assert (tmp_path / "again.jsonl").read_text() == "", "nothing was missing"
        assert stored(other) == before


def test_a_file_that_cannot_be_written_ends_before_the_first_run(
    database_url: str, tmp_path: Path
) -> None:
    for output, told in (
        (tmp_path / "results.csv", "name a file that ends in .json or .jsonl"),
        (tmp_path / "nowhere" / "results.json", "results.json: No such file"),
    ):
        assert told in run(database_url, tmp_path, output, exit_code=2).stderr
    assert stored(database_url) == []


def test_files_of_run_and_others_are_not_mixed(database_url: str, tmp_path: Path) -> None:
    made, other = tmp_path / "made.jsonl", tmp_path / "other.jsonl"
    run(database_url, tmp_path, made)
    other.write_text(
        '{"experiment_id": "e", "task_id": "t", "experiment_group": "baseline",'
        ' "extension_version": "1", "metadata": {"run": "x"}}\n'
    )
    before = stored(database_url)
    for paths in ((made, other), (other, made)):
        result = call(database_url, "ingest", *map(str, paths), exit_code=2)
        assert f"{made} was written by run --output, and {other} was not" in result.stderr
    assert stored(database_url) == before
