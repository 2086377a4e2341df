"""Tasks from a dataset of LangSmith: which they are, and that their runs pair with its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.errors import ConfigurationError
from loader.sources.langsmith import LangSmith, read_tasks
from runner_calls import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langsmith_server import LangSmithServer

pytestmark = [pytest.mark.newest_server, pytest.mark.backends("dual")]
Row = dict[str, Any]
CHANGED = "2026-11-05T10:00:00.500000+00:00"


def doubled(inputs: Mapping[str, Any]) -> dict[str, object]:
    return {"a": inputs["q"] * 2}


def right(outputs: Row, reference_outputs: Row) -> bool:
    return bool(outputs["a"] == reference_outputs["a"])


@pytest.fixture
def dataset(stand_in: LangSmithServer) -> Row:
    """Fill a dataset: four examples, one later than the others, one in two splits."""
    made = stand_in.add_dataset("scenarios")
    said: list[Row] = [{}, {"task_id": "named", "level": 2}, {"dataset_split": ["test", "hard"]},
                       {"dataset_split": "test", "task_id": 7}]  # fmt: skip
    for number, metadata in enumerate(said):
        row = stand_in.add_example(made, {"q": number}, {"a": number * 2}, metadata)
        row["created_at"] = row["modified_at"] = f"2026-11-0{1 + number}T00:00:00+00:00"
    row["modified_at"] = CHANGED
    made["versions"] = [{"tags": ["gold", "latest"], "as_of": "2026-11-03T00:00:00+00:00"},
                        {"tags": None, "as_of": "2026-11-01T00:00:00+00:00"}]  # fmt: skip
    return made


def test_examples_become_tasks(
    stand_in: LangSmithServer, dataset: Row, connect_langsmith: Callable[[], LangSmith]
) -> None:
    found = read_tasks(connect_langsmith(), "scenarios")
    ids = list(stand_in.examples)
    assert [task["task_id"] for task in found.tasks] == [ids[0], "named", ids[2], "7"]
    assert found.version == CHANGED
    assert found.tasks[1] == {
        "task_id": "named", "inputs": {"q": 1}, "expected_output": {"a": 2},
        "metadata": {
            "task_id": "named", "level": 2,
            "langsmith": {"dataset": "scenarios", "dataset_id": dataset["id"],
                          "dataset_version": found.version, "example_id": ids[1]},
        },
    }  # fmt: skip
    assert [task["metadata"].get("split") for task in found.tasks] == [  # type: ignore[attr-defined]
        None, None, ["test", "hard"], "test",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("splits", "version", "numbers"),
    [
        (["test"], None, [2, 3]), (["hard", "base"], None, [0, 1, 2]),
        ([], "2026-11-02T12:00:00Z", [0, 1]), ([], "gold", [0, 1, 2]), (["test"], "gold", [2]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("dataset")
def test_a_split_and_a_version_can_be_asked_for(
    connect_langsmith: Callable[[], LangSmith],
    splits: list[str],
    version: str | None,
    numbers: list[int],
) -> None:
    found = read_tasks(connect_langsmith(), "scenarios", splits, version)
    assert [task["inputs"] for task in found.tasks] == [{"q": number} for number in numbers]


@pytest.mark.parametrize(
    ("name", "splits", "version", "said"),
    [
        ("scenario", [], None, r"no dataset 'scenario'; the nearest are 'scenarios'"),
        ("scenarios", ["tests"], None, r"no split 'tests' \(did you mean test\?\); there are"),
        ("scenarios", [], "golden", r"no version 'golden' \(did you mean gold\?\): write a time"),
        ("scenarios", [], "2020-01-01", "holds no examples as of 2020-01-01"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("dataset")
def test_what_there_is_not_is_told_with_what_is_near(
    connect_langsmith: Callable[[], LangSmith],
    name: str,
    splits: list[str],
    version: str | None,
    said: str,
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_tasks(connect_langsmith(), name, splits, version)


def test_two_examples_of_one_task_are_told(
    stand_in: LangSmithServer, dataset: Row, connect_langsmith: Callable[[], LangSmith]
) -> None:
    second = stand_in.add_example(dataset, {"q": 9}, {}, {"task_id": "named"})
    with pytest.raises(ConfigurationError, match=f"two examples with the task_id 'named'.*"
                       f"{second['id']} is the second"):  # fmt: skip
        read_tasks(connect_langsmith(), "scenarios")


def invoked(url: str, *more: str) -> Any:  # noqa: ANN401
    options = ["run", "--database-url", url, "--experiment-id", "exp", "--experiment-group",
               "code-chef", "--extension-version", "1.0.0", "--target", f"{__name__}:doubled",
               "--evaluator", f"{__name__}:right", "--with-io"]  # fmt: skip
    return CliRunner().invoke(cli, [*options, *more])


@pytest.mark.usefixtures("dataset")
def test_a_dataset_is_run_and_recorded(database_url: str, stand_in: LangSmithServer) -> None:
    outcome = invoked(database_url, "--langsmith-dataset", "scenarios", "--split", "test")
    assert outcome.exit_code == 0, outcome.output
    assert f"2 tasks of the dataset scenarios as of {CHANGED}" in outcome.output
    ids = list(stand_in.examples)
    found = rows(
        database_url, "task_id, scores, dataset_version, metadata #>> '{langsmith,example_id}'"
    )
    assert sorted(found) == sorted([
        ("7", {"right": True}, CHANGED, ids[3]), (ids[2], {"right": True}, CHANGED, ids[2]),
    ])  # fmt: skip
    again = invoked(database_url, "--langsmith-dataset", "scenarios", "--split", "test")
    assert "2 were there already" in again.output


def test_one_place_for_tasks_is_named(database_url: str) -> None:
    for options, said in (
        ([], "either --tasks FILE or --langsmith-dataset NAME"),
        (["--tasks", "t.jsonl", "--langsmith-dataset", "d"], "either --tasks FILE or"),
        (["--tasks", "t.jsonl", "--split", "test"], "go with --langsmith-dataset"),
    ):
        outcome = invoked(database_url, *options)
        assert outcome.exit_code == 2
        assert said in outcome.output
