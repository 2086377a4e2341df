"""The SDK itself drives the stand-in: what evaluate() returned is what is ingested."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from loader.sources.langsmith import LangSmithSource, find_dataset, list_projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith

QUESTIONS = (0, 1, 2)
REPETITIONS = 3


def target(inputs: dict[str, Any]) -> dict[str, Any]:
    if inputs["q"] == QUESTIONS[-1]:
        raise RuntimeError("the target failed")
    return {"a": inputs["q"] * 2}


def third(run: Any, example: Any) -> dict[str, object]:  # noqa: ANN401
    right = (run.outputs or {}).get("a") == example.outputs["a"]
    return {"key": "third", "score": right / 3, "comment": "a third"}


def label(run: Any, _example: Any) -> dict[str, object]:  # noqa: ANN401
    return {"key": "label", "value": "done" if run.outputs else "failed"}


def broken(run: Any, _example: Any) -> dict[str, object]:  # noqa: ANN401
    raise ValueError(f"cannot judge {run.id}")


def overall(runs: list[Any], _examples: list[Any]) -> dict[str, object]:
    return {"key": "overall", "score": len(runs)}


@pytest.fixture
def results(stand_in: LangSmithServer) -> Iterator[Any]:
    """Run evaluate() with repetitions, and give what it returned."""
    import langsmith  # slow to import

    dataset = stand_in.add_dataset("scenarios")
    for number in QUESTIONS:
        stand_in.add_example(dataset, {"q": number}, {"a": number * 2}, {})
    client = langsmith.Client()
    found = langsmith.evaluate(
        target,
        data="scenarios",
        evaluators=[third, label, broken],
        summary_evaluators=[overall],
        num_repetitions=REPETITIONS,
        experiment_prefix="sdk",
        metadata={"experiment_group": "code-chef", "extension_version": "1.2.3"},
        client=client,
    )
    client.flush()
    yield found
    client.close()


# the SDK passes itself an argument that it has deprecated, for summary feedback
@pytest.mark.filterwarnings("ignore:The following arguments are no longer used")
@pytest.mark.parametrize("query", ["v1", "v2"])
def test_what_evaluate_returned_is_what_is_ingested(
    stand_in: LangSmithServer,
    results: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
    query: str,
) -> None:
    stand_in.flags = {"sdb_query_enabled": query == "v2"}
    source = LangSmithSource(connect_langsmith(), results.experiment_name)
    rows = {str(row.fields["source_run_id"]): row.fields for row in source.rows() if row.fields}
    returned = list(results)
    assert len(rows) == len(returned) == len(QUESTIONS) * REPETITIONS
    for item in returned:
        row: Any = rows[str(item["run"].id)]
        assert row["task_id"] == str(item["example"].id)
        assert (row["experiment_group"], row["extension_version"]) == ("code-chef", "1.2.3")
        results = {result.key: result for result in item["evaluation_results"]["results"]}
        assert row["labels"] == {"label": results.pop("label").value}
        scores = {key: result.score for key, result in results.items()}
        # the service keeps four decimals
        rounded = {key: None if s is None else round(s, 4) for key, s in scores.items()}
        assert row["scores"] == rounded
        assert row["success"] is (item["run"].error is None)
        # to the millisecond, as far as both routes give times
        assert row["recorded_at"][:23] == item["run"].start_time.isoformat("T", "milliseconds")[:23]
        took = (item["run"].end_time - item["run"].start_time).total_seconds() * 1000
        assert row["latency_ms"] == pytest.approx(took, abs=1)
        kept = {entry["key"]: entry for entry in row["feedback"]}
        assert kept["third"]["comment"] == "a third"
        assert kept["label"]["value"] in {"done", "failed"}
        assert kept["broken"]["error"] is True
        assert kept["third"]["judge_run_id"]
    by_task: dict[object, list[object]] = {}
    for fields in rows.values():
        by_task.setdefault(fields["task_id"], []).append(fields["repetition"])
    assert [sorted(numbers) for numbers in by_task.values()] == [[1, 2, 3]] * len(QUESTIONS)  # type: ignore[type-var]
    said: Any = source.reference()
    assert said["query"] == query
    assert (said["num_repetitions"], said["evaluator_crashes"]) == (REPETITIONS, {"broken": 9})
    assert [(row["key"], row["score"]) for row in said["summary_feedback"]] == [("overall", 9)]


@pytest.mark.filterwarnings("ignore:The following arguments are no longer used")
def test_what_is_there_can_be_listed(
    results: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
) -> None:
    client = connect_langsmith()
    (project,) = list_projects(client, find_dataset(client, "scenarios").id)
    assert project.name == results.experiment_name
    assert project.run_count == len(QUESTIONS) * REPETITIONS
    assert sorted(project.feedback_counts) == ["broken", "label", "third"]


def test_starting_up_does_not_import_the_sdk() -> None:
    code = (
        "import sys, loader, loader.cli, loader.cli.ingest, loader.sources.langsmith,"
        " loader.evaluators.evaluation, loader.evaluators; sys.exit('langsmith' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
