"""Variables that fill options: what they fill, what they never overrule, what is said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from langsmith_server import LangSmithServer, fill
from loader.cli import cli
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

pytestmark = [pytest.mark.newest_server, pytest.mark.backends("dual")]

ARM = {"EXPERIMENT_GROUP": "code-chef", "EXTENSION_VERSION": "1.0.0"}
EVERYTHING = {**ARM, "EXPERIMENT_ID": "exp-env", "AGENT_NAME": "undo", "MODEL_VERSION": "qwen"}
STORED = (
    "select experiment_id, experiment_group, extension_version, agent_name, model_version"
    " from raw_evals.evaluation_runs order by task_id"
)


def run(url: str, *arguments: str, exit_code: int = 0, **variables: str) -> Result:
    done = CliRunner().invoke(cli, [*arguments, "--database-url", url], env=variables)
    assert done.exit_code == exit_code, done.output
    return done


def stored(url: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(STORED.encode()).fetchall()


def results(folder: Path, *records: dict[str, object]) -> str:
    path = folder / "results.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    return str(path)


def test_the_environment_fills_what_neither_options_nor_records_say(
    database_url: str, tmp_path: Path
) -> None:
    own = {"experiment_id": "exp-own", "experiment_group": "baseline", "model_version": "own"}
    path = results(tmp_path, {"task_id": "a"}, {"task_id": "b", **own})
    done = run(database_url, "ingest", "--file", path, "--agent", "said", **EVERYTHING)
    assert stored(database_url) == [
        ("exp-env", "code-chef", "1.0.0", "said", "qwen"),
        ("exp-own", "baseline", "1.0.0", "said", "own"),
    ]
    told = [line for line in done.stderr.splitlines() if "from the environment" in line]
    expected = "EXPERIMENT_ID=exp-env EXPERIMENT_GROUP=code-chef EXTENSION_VERSION=1.0.0"
    assert told == [f"from the environment: {expected} MODEL_VERSION=qwen"]


def test_an_option_contradicts_where_a_variable_does_not_and_an_empty_variable_is_none(
    database_url: str, tmp_path: Path
) -> None:
    path = results(tmp_path, {"task_id": "a", "experiment_id": "exp-own"})
    said = ("--experiment-id", "exp-env")
    done = run(database_url, "ingest", "--file", path, *said, exit_code=3, **ARM)
    assert "contradicts_option" in done.output
    nothing = {**ARM, "AGENT_NAME": "", "EXPERIMENT_ID": "", "EXTENSION_VERSION": ""}
    done = run(database_url, "ingest", "--file", path, exit_code=3, **nothing)
    assert "extension_version is missing" in done.output
    assert "AGENT_NAME" not in done.stderr


def test_a_traced_shell_changes_no_load_of_a_file(
    stand_in: LangSmithServer, database_url: str, tmp_path: Path
) -> None:
    path = results(tmp_path, {"task_id": "a", "experiment_id": "e"})
    traced = {**ARM, "LANGCHAIN_PROJECT": "large", "LANGSMITH_PROJECT": "large"}
    assert "PROJECT" not in run(database_url, "ingest", path, **traced).stderr
    mapped = ("ingest", "--map", "task_id=id")
    assert "nothing to ingest" in run(database_url, *mapped, exit_code=2, **traced).output
    assert stand_in.log == []


def test_the_project_of_the_environment_is_read_where_nothing_else_is_named(
    stand_in: LangSmithServer, database_url: str
) -> None:
    session = fill(stand_in, 1, 1, "of the newer name")
    session["extra"] = {"metadata": {"model": "stated"}}
    both = {"LANGSMITH_PROJECT": "of the newer name", "LANGCHAIN_PROJECT": "of the older"}
    done = run(database_url, "ingest", **both, **EVERYTHING)
    assert done.stderr.startswith(
        "from the environment: LANGSMITH_PROJECT=of the newer name EXPERIMENT_ID=exp-env "
    )
    assert stored(database_url) == [("exp-env", "code-chef", "1.0.0", "undo", "stated")]
    older = run(database_url, "ingest", exit_code=2, LANGCHAIN_PROJECT="of the older")
    assert "no project 'of the older'" in older.output
    named = run(database_url, "ingest", "--project", "of the newer name", **both, **ARM)
    assert "PROJECT=" not in named.stderr
    assert "set LANGSMITH_PROJECT" in run(database_url, "ingest", exit_code=2).output


def test_the_model_that_was_traced_counts_before_the_environment(
    stand_in: LangSmithServer, database_url: str
) -> None:
    session = stand_in.add_session("one")
    metadata = {"task_id": "t", "ls_model_name": "traced"}
    stand_in.add_run(session, extra={"metadata": metadata})
    run(database_url, "ingest", "--project", "one", **EVERYTHING)
    assert stored(database_url) == [("exp-env", "code-chef", "1.0.0", "undo", "traced")]


def test_several_experiments_do_not_become_one(
    stand_in: LangSmithServer, database_url: str
) -> None:
    for name in ("one", "two"):
        fill(stand_in, 1, 0, name)
    done = run(database_url, "ingest", "--project", "one", "--project", "two", **EVERYTHING)
    assert {row[0] for row in stored(database_url)} == {"one", "two"}
    assert "EXPERIMENT_ID is of one experiment and not used for several" in done.stderr
    assert "EXPERIMENT_ID=" not in done.stderr


def test_run_takes_its_experiment_from_the_environment(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"task_id": "t", "prompt": "?"}\n', encoding="utf-8")
    arguments = ("run", "--tasks", str(tasks), "--agent", "said",
                 "--command", "echo '{}'")  # fmt: skip
    done = run(database_url, *arguments, **EVERYTHING)
    assert stored(database_url) == [("exp-env", "code-chef", "1.0.0", "said", "qwen")]
    assert "AGENT_NAME" not in done.stderr
    assert "EXPERIMENT_ID=exp-env" in done.stderr
    assert "Missing option '--experiment-id'" in run(database_url, *arguments, exit_code=2).output
