"""Evaluators: loading and applying them, the examples shipped, and scoring at ingest."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from loader import evaluators as shipped
from loader.errors import ConfigurationError
from loader.evaluators.evaluation import Evaluator, load_evaluators
from loader.evaluators.source_text import source_hash
from loader.sources.langsmith import LangSmithSource, Selection, Wishes, select_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langsmith_server import KEY, LangSmithServer
    from loader.sources.langsmith import LangSmith
else:
    from langsmith_server import KEY

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def run(outputs: object = None, seconds: float | None = 2, tokens: int | None = 100) -> Any:  # noqa: ANN401
    end = None if seconds is None else NOW + timedelta(seconds=seconds)
    return SimpleNamespace(outputs=outputs, start_time=NOW, end_time=end, total_tokens=tokens)


def example(outputs: object = None, **metadata: object) -> Any:  # noqa: ANN401
    return SimpleNamespace(outputs=outputs, metadata=metadata)


@pytest.mark.parametrize(
    ("function", "given", "score"),
    [
        (shipped.exact_match, (run({"a": " x "}), example({"a": "x"})), 1),
        (shipped.exact_match, (run({"a": "x", "b": 1}), example({"a": "x"})), 1),
        (shipped.exact_match, (run({"a": 0}), example({"a": "x"})), 0),
        (shipped.exact_match, (run(None), example({"a": "x"})), 0),
        (shipped.exact_match, (run({"a": "x"}), None), None),
        (shipped.latency_threshold, (run(), example(max_latency_ms=2000)), 1),
        (shipped.latency_threshold, (run(), example(max_latency_ms=1999)), 0),
        (shipped.latency_threshold, (run(seconds=None), example(max_latency_ms=1)), None),
        (shipped.latency_threshold, (run(), None), None),
        (shipped.token_efficiency, (run(), example(token_budget=100)), 1.0),
        (shipped.token_efficiency, (run(tokens=400), example(token_budget=100)), 0.25),
        (shipped.token_efficiency, (run(tokens=0), example(token_budget=100)), 1.0),
        (shipped.token_efficiency, (run(tokens=None), example(token_budget=100)), None),
        (shipped.completeness, (run({"a": 0, "b": ""}), example(required_keys=["a", "b"])), 0.5),
        (shipped.completeness, (run({"a": 1}), example({"a": 1, "b": 2})), 0.5),
        (shipped.completeness, (run(None), example({"a": 1})), 0),
        (shipped.completeness, (run({"a": 1}), None), None),
    ],
)
def test_the_shipped_evaluators_score_what_they_say(
    function: Callable[..., dict[str, object]], given: tuple[object, object], score: object
) -> None:
    result = function(*given)
    assert (result["key"], result["score"]) == (function.__name__, score)


def made(answer: object) -> Evaluator:
    return Evaluator("m:f", "m:f@0", lambda _run, _example: answer)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (0.5, [("f", 0.5, None)]),
        (True, [("f", True, None)]),
        (None, [("f", None, None)]),
        ("good", [("f", None, "good")]),
        ({"score": 1}, [("f", 1, None)]),
        ({"key": "k", "score": 1, "value": "v"}, [("k", 1, "v")]),
        ([{"key": "a", "score": 1}, {"key": "b", "score": 0}], [("a", 1, None), ("b", 0, None)]),
        ({"results": [{"key": "a", "score": 1}]}, [("a", 1, None)]),
    ],
)
def test_every_form_of_result_is_understood(
    answer: object, expected: list[tuple[str, object, object]]
) -> None:
    assert [(e.key, e.score, e.value) for e in made(answer).apply(None, None)] == expected


def test_the_sdks_own_results_are_understood() -> None:
    from langsmith.evaluation import EvaluationResult  # slow to import

    (found,) = made(EvaluationResult(key="k", score=0.5, comment="c")).apply(None, None)
    assert (found.key, found.score, found.comment) == ("k", 0.5, "c")


@pytest.mark.parametrize(
    "answer",
    [
        object(), {"score": "high"}, b"x", "", [], {}, {"tone": 0.5}, {"key": "k"},
        {"score": 1, "reason": "why"}, {"key": None, "score": 1}, {"score": 1, "comment": 2},
        [0.5], [{"score": 1}], {"results": [{"score": 1}]}, {"results": 1}, {"value": [1]},
    ],
)  # fmt: skip
def test_what_is_no_result_is_a_crash_not_a_zero(answer: object) -> None:
    (found,) = made(answer).apply(None, None)
    assert found.score is None
    assert found.error is not None
    assert found.error.startswith("TypeError")


def test_the_version_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, body in [("one_a", "1"), ("one_b", "1"), ("other", "2")]:
        (tmp_path / f"ev_{name}.py").write_text(f"def score(run, example):\n    return {body}\n")
    first, same, other = load_evaluators(f"ev_{n}:score" for n in ("one_a", "one_b", "other"))
    assert first.version == f"ev_one_a:score@{source_hash(first.function)}"
    assert source_hash(first.function) == source_hash(same.function) != source_hash(other.function)
    assert len(source_hash(len)) == 16


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loader.evaluators", "write module:function"),
        ("no.such:thing", "cannot be imported: ModuleNotFoundError"),
        ("loader.evaluators:nothing", "AttributeError"),
        ("loader.evaluators:__doc__", "can neither be called nor has it a method evaluate_run"),
    ],
)
def test_an_evaluator_that_is_not_there_is_told(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_evaluators([name])


def flaky(scored: Any, _example: object) -> dict[str, object]:  # noqa: ANN401
    if scored.outputs["answer"] == "crash":
        raise ValueError(f"no {KEY}")
    return {"key": "anew", "score": scored.outputs["answer"] == "yes"}


def test_old_experiments_are_scored_anew_at_ingest(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    dataset = stand_in.add_dataset("scenarios")
    session = stand_in.add_session("exp", reference_dataset_id=dataset["id"])
    for number, answer in enumerate(["crash", "yes", "no"]):
        reference = stand_in.add_example(dataset, {}, {"answer": "yes"}, {"token_budget": 50})
        begun = stand_in.add_run(
            session,
            NOW.replace(minute=number),
            outputs={"answer": answer},
            reference_example_id=reference["id"],
        )
        stand_in.add_feedback(begun, "exact_match", 0.5)
    flaky_name = f"{__name__}:flaky"
    (source,) = select_sources(
        Selection(
            ["exp"],
            "scenarios",
            evaluators=[flaky_name, *(f"loader.evaluators:{n}" for n in SHIPPED)],
        ),
        connect_langsmith(),
    )
    rows = [row.fields for row in source.rows() if row.fields]
    assert [row["scores"] for row in rows] == [
        {"anew": anew, "exact_match": exact, "token_efficiency": 0.5, "completeness": 1,
         "latency_threshold": None}
        for anew, exact in [(None, 0), (True, 1), (False, 0)]
    ]  # fmt: skip
    version = f"{flaky_name}@{source_hash(flaky)}"
    assert {row["evaluator_versions"]["anew"] for row in rows} == {version}  # type: ignore[index]
    crash = next(item for item in rows[0]["feedback"] if item["key"] == "anew")  # type: ignore[attr-defined]
    assert (crash["error"], crash["comment"]) == (True, "ValueError: no ***")
    old = [item for item in rows[0]["feedback"] if item["outcome"] == "superseded"]  # type: ignore[attr-defined]
    assert [item["score"] for item in old] == [0.5]
    # read for the evaluators, but not kept
    assert b'"yes"' not in next(iter(source.rows())).original
    assert source.reference()["evaluators"][flaky_name] == version  # type: ignore[index]
    assert source.reference()["evaluator_crashes"] == {"anew": 1}


SHIPPED = ("exact_match", "latency_threshold", "token_efficiency", "completeness")


def test_without_a_dataset_an_evaluator_gets_no_example(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("exp")
    stand_in.add_run(session, reference_example_id=str(uuid.uuid4()))
    wishes = Wishes(evaluators=tuple(load_evaluators(["loader.evaluators:exact_match"])))
    (row,) = LangSmithSource(connect_langsmith(), "exp", wishes).rows()
    assert row.fields is not None
    assert row.fields["scores"] == {"exact_match": None}
    assert stand_in.counts()["/examples"] == 0


def test_every_experiment_of_a_dataset_is_its_own_source(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    dataset = stand_in.add_dataset("scenarios")
    for day in (1, 2, 3):
        begin = datetime.now(UTC) - timedelta(days=4 - day)
        session = stand_in.add_session(
            f"exp-{day}", reference_dataset_id=dataset["id"], start_time=begin.isoformat()
        )
        stand_in.add_run(session, begin, extra={"metadata": {"task_id": "t"}})
    stand_in.add_session("of another dataset")
    everything = Selection(dataset="scenarios", all_experiments=True)
    sources = select_sources(everything, connect_langsmith())
    rows = [row.fields for source in sources for row in source.rows() if row.fields]
    assert [row["experiment_id"] for row in rows] == ["exp-1", "exp-2", "exp-3"]
    since = Selection(
        dataset="scenarios", all_experiments=True, since=datetime.now(UTC) - timedelta(days=2.5)
    )
    assert len(select_sources(since, connect_langsmith())) == 2
    never = Selection(
        dataset="scenarios", all_experiments=True, since=datetime.now(UTC) + timedelta(days=1)
    )
    with pytest.raises(ConfigurationError, match="has no experiments since"):
        select_sources(never, connect_langsmith())


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(all_experiments=True),
        Selection(["p"], "d", all_experiments=True),
        Selection(["p"], since=NOW, is_full=True),
        Selection(["p"], since=NOW, until=NOW),
        Selection(dataset="d", all_experiments=True, until=NOW),
    ],
)
def test_options_that_do_not_go_together_are_refused(selection: Selection) -> None:
    with pytest.raises(ConfigurationError):
        select_sources(selection)
