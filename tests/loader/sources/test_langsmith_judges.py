"""Evaluators give at ingest what they give in langsmith's own `evaluate()`."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import judges
from langsmith_server import Fault
from loader.errors import ConfigurationError, SourceUnavailable
from loader.evaluators.evaluation import Evaluator, load_evaluators
from loader.evaluators.source_text import literal_keys, source_hash
from loader.sources.langsmith import LangSmithSource, Wishes, read_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langsmith_server import LangSmithServer
    from loader.sources.langsmith import LangSmith

REFERENCES = ((0, 0), (1, 5), (2, 2))


def target(inputs: dict[str, Any]) -> dict[str, Any]:
    from langsmith import traceable  # slow to import

    @traceable(run_type="tool")
    def inner(number: int) -> dict[str, int]:
        return {"n": number}

    @traceable
    def outer(number: int) -> int:
        return int(inner(number)["n"]) + int(inner(1)["n"])

    outer(inputs["q"])
    inner(0)
    return {"a": inputs["q"]}


@pytest.fixture
def evaluated(stand_in: LangSmithServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run evaluate() with every evaluator, and give what it returned."""
    import langsmith  # slow to import

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    langsmith.utils.get_env_var.cache_clear()
    dataset = stand_in.add_dataset("scenarios")
    for question, answer in REFERENCES:
        stand_in.add_example(dataset, {"q": question}, {"a": answer}, {})
    client = langsmith.Client()
    found = langsmith.evaluate(
        target,
        data="scenarios",
        evaluators=[getattr(judges, name) for name in judges.NAMES],
        experiment_prefix="judges",
        metadata={"experiment_group": "code-chef", "extension_version": "1.2.3"},
        client=client,
        max_concurrency=0,
    )
    client.flush()
    yield found
    client.close()


def said(rows: list[dict[str, Any]]) -> dict[str, tuple[object, ...]]:
    """Key → what was said under it; an error's own words differ."""
    return {
        row["key"]: ("raised",)
        if row.get("error")
        else (
            row["score"] if row["score"] is None else round(row["score"], 4),
            row.get("value"),
            row.get("comment"),
            row.get("correction"),
        )
        for row in rows
    }


@pytest.mark.parametrize("query", ["v1", "v2"])
def test_every_evaluator_says_the_same_at_ingest_as_in_evaluate(
    stand_in: LangSmithServer,
    evaluated: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
    query: str,
) -> None:
    stand_in.flags = {"sdb_query_enabled": query == "v2"}
    assert len(judges.NAMES) >= 25
    evaluators = tuple(load_evaluators(f"judges:{name}" for name in judges.NAMES))
    wishes = Wishes(dataset="scenarios", evaluators=evaluators)
    source = LangSmithSource(connect_langsmith(), evaluated.experiment_name, wishes)
    rows = {str(row.fields["source_run_id"]): row.fields for row in source.rows() if row.fields}
    returned = list(evaluated)
    assert len(rows) == len(returned) == len(REFERENCES)
    for item in returned:
        kept: Any = rows[str(item["run"].id)]["feedback"]
        theirs = said([row for row in kept if row["source"] == "model"])
        ours = said([row for row in kept if row["source"] == "ingest"])
        # the SDK has an error where an evaluator returned None, and so no key but its name
        assert (theirs.pop("nothing"), ours.pop("nothing")[0]) == (("raised",), None)
        assert ours == theirs
        assert {result.key for result in item["evaluation_results"]["results"]} == (
            theirs.keys() | {"nothing"}
        )
        assert ours["steps"] == (3 + item["example"].inputs["q"], None, "outer, inner", None)
    # what is run here on the dataset pairs with it
    tasks = read_tasks(connect_langsmith(), "scenarios")
    assert {row["task_id"] for row in rows.values()} == {task["task_id"] for task in tasks.tasks}
    assert {row["dataset_version"] for row in rows.values()} == {tasks.version}
    fruitless = {"remark", "raising", "nothing", "empty", "shorthand", "too_much"}
    assert {text.split()[1] for text in source.failures()} == {f"judges:{n}" for n in fruitless}
    assert source.reference()["failures"] == source.failures()


def queries(stand_in: LangSmithServer) -> int:
    return sum(path.endswith("/runs/query") for _, path in stand_in.log)


@pytest.mark.parametrize("query", ["v1", "v2"])
def test_child_runs_are_asked_for_once_and_only_when_somebody_looks(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], query: str
) -> None:
    stand_in.flags = {"sdb_query_enabled": query == "v2"}
    session = stand_in.add_session("exp")
    begin = datetime.now(UTC) - timedelta(hours=1)
    for number in range(5):
        root = stand_in.add_run(session, begin + timedelta(seconds=number), outputs={"a": 1},
                                extra={"metadata": {"task_id": f"t{number}"}})  # fmt: skip
        kept = root["id"]
        for place in (2, 1):  # written in another order than begun
            child = stand_in.add_run(
                session, begin + timedelta(seconds=number + place / 4), parent_run_id=kept,
                trace_id=root["id"], name=f"step {place}", outputs={"n": number},
            )  # fmt: skip
        stand_in.add_run(session, begin + timedelta(seconds=number + 0.9), trace_id=root["id"],
                         parent_run_id=child["id"], name="deep", outputs={"n": number})  # fmt: skip

    def scores(name: str) -> list[Any]:
        wishes = Wishes(evaluators=tuple(load_evaluators([name])))
        source = LangSmithSource(connect_langsmith(), "exp", wishes)
        rows = [row.fields for row in source.rows() if row.fields]
        assert source.failures() == []
        return [(row["scores"], row["feedback"][0].get("comment")) for row in rows]  # type: ignore[index]

    scores("judges:only_outputs")
    plain = queries(stand_in)
    assert scores("judges:steps") == [({"steps": 2 + n}, "step 1, step 2") for n in range(5)]
    assert queries(stand_in) - plain == plain + 1
    # equal times: the service's own order tells
    for place, kept in enumerate(run for run in stand_in.runs.values() if run["parent_run_id"]):
        kept["start_time"] = begin.isoformat()
        kept["dotted_order"] = f"{9 - place % 3}"
    assert {comment for _, comment in scores("judges:steps")} == {"step 1, step 2"}
    # what cannot be had is a failure of the reading, not of the evaluator
    stand_in.faults = [Fault("/runs/query", after=plain, times=20, status=503)]
    with pytest.raises(SourceUnavailable):
        scores("judges:steps")
    rows = "items" if query == "v2" else "runs"
    broken = b'{"%s": [{"id": "a", "error": "\\ud800"}]}' % rows.encode()
    stand_in.faults = [Fault("/runs/query", after=plain, status=200, body=broken)]
    with pytest.raises(SourceUnavailable, match="a child run in project 'exp' is no sound JSON"):
        scores("judges:steps")


REFUSED: dict[str, Callable[..., object]] = {
    "no parameter": lambda: 1,
    "only others": lambda **more: len(more),
    "an unknown name": lambda output: output,
    "three": lambda run, example, config: (run, example, config),
    "by any name": lambda *arguments: len(arguments),
    "known and unknown": lambda outputs, reference_outputs, config: (
        outputs, reference_outputs, config
    ),
}  # fmt: skip
TAKEN_FOR_ANOTHER: dict[str, Callable[..., object]] = {
    "outputs would be the run": lambda outputs, expected: (outputs, expected),
    "the example would be the run": lambda example, other: (example, other),
    "the run would be the example": lambda other, run: (other, run),
    "by keyword only": lambda *, one, other: (one, other),
}


@pytest.mark.parametrize("function", REFUSED.values(), ids=REFUSED)
def test_what_evaluate_refuses_is_refused_before_the_first_run(
    function: Callable[..., object],
) -> None:
    from langsmith.evaluation import run_evaluator  # slow to import

    with pytest.raises(ValueError, match="Invalid evaluator function"):
        run_evaluator(function)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="any of run, example, inputs, outputs, refer"):
        Evaluator("m:f", "v", function)


@pytest.mark.parametrize("function", TAKEN_FOR_ANOTHER.values(), ids=TAKEN_FOR_ANOTHER)
def test_what_evaluate_would_give_under_a_false_name_is_refused_too(
    function: Callable[..., object],
) -> None:
    from langsmith.evaluation import run_evaluator  # slow to import

    run_evaluator(function)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="every other parameter needs a default"):
        Evaluator("m:f", "v", function)


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"requires output \(did you mean outputs"):
        Evaluator("m:f", "v", lambda output: output)
    with pytest.raises(ConfigurationError, match="cannot be made without arguments"):
        load_evaluators(["judges:Demanding"])
    with pytest.raises(ConfigurationError, match="does not say which parameters"):
        Evaluator("m:f", "v", max)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Whole", "whole"), ("Later", "whole_later"), ("Called", "called"),
        ("CalledLater", "called_later"),
    ],
)  # fmt: skip
def test_a_class_is_made_an_object(name: str, key: str) -> None:
    (evaluator,) = load_evaluators([f"judges:{name}"])
    run, example = (
        SimpleNamespace(outputs={"a": 1}, id="r"),
        SimpleNamespace(outputs={"a": 1}, inputs={}),
    )
    assert [(e.key, e.score) for e in evaluator.apply(run, example)] == [(key, True)]


def test_asynchronous_evaluators_share_an_event_loop() -> None:
    evaluator, wrapped = load_evaluators(["judges:with_a_client", "judges:decorated_later"])
    run = SimpleNamespace(outputs={"a": 1}, id="r", session_id=None)
    scores = [evaluator.apply(run, None)[0].score for _ in range(3)]
    assert scores == [1, 1, 1]
    assert wrapped.call.function.__name__ == "aevaluate_run"


def test_what_is_asked_for_is_known_by_name() -> None:
    needs = {e.name[7:]: e.needs for e in load_evaluators(f"judges:{n}" for n in judges.NAMES)}
    assert needs["only_outputs"] == {"outputs"}
    assert needs["with_default"] == {"outputs"}
    assert needs["keyword_only"] == {"outputs", "reference_outputs"}
    assert len(needs["every_name"]) == 6
    asking = {e.name[7:] for e in load_evaluators(f"judges:{n}" for n in judges.NAMES)
              if e.needs_example}  # fmt: skip
    assert asking >= {"other_names", "whole", "example_only", "word", "every_name"}
    assert not asking & {"only_outputs", "steps", "with_default"}
    assert needs["other_names"] == needs["whole"] == {"run", "example"}


def test_a_version_is_that_of_the_text_beneath_wrappers() -> None:
    versions = {
        name: source_hash(getattr(judges, name))
        for name in ("decorated", "decorated_other", "scaled", "scaled_more", "whole", "method")
    }
    assert len(set(versions.values())) == len(versions)
    assert versions["scaled"] == source_hash(functools.partial(judges.scaling, factor=0.5))
    assert versions["whole"] == source_hash(judges.Whole)


def test_an_evaluator_that_only_raises_has_the_keys_of_its_text() -> None:
    (raising,) = load_evaluators(["judges:raising"])
    assert raising.known_keys() == ["raised"]
    assert literal_keys(judges.results_mapping) == ["first", "second"]
    assert literal_keys(max) == []
