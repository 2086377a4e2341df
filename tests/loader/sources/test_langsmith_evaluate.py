"""evaluate() and aevaluate() write, ingest reads: every key of every run is equal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ingest_support import select
from langsmith_again import Project
from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmithSource, Wishes
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langsmith_server import LangSmithServer
    from loader.ingest.summary import LoadSummary
    from loader.sources.langsmith import LangSmith

pytestmark = [
    pytest.mark.newest_server,
    # the SDK passes itself an argument that it has deprecated, for summary feedback
    pytest.mark.filterwarnings("ignore:The following arguments are no longer used"),
]

Fields = dict[str, Any]
QUESTIONS = (0, 1, 2)
REPETITIONS = 3
STARS = {"type": "continuous", "min": 1, "max": 5}
PER_CENT = {"type": "continuous", "min": 0, "max": 100}
TONES = {
    "type": "categorical",
    "categories": [{"value": 1, "label": "polite"}, {"value": 0, "label": "rude"}],
}
ARM = Defaults(experiment_id="exp")
METADATA = {"experiment_group": "code-chef", "extension_version": "1.2.3"}
USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "total_cost": 0.00025}


def ask(number: int) -> Fields:
    from langsmith import traceable

    @traceable(run_type="llm")
    def model(_prompt: str) -> Fields:
        return {"usage_metadata": USAGE}

    model("once")
    model("again")
    return {"a": number * 2}


def target(inputs: Fields) -> Fields:
    return ask(inputs["q"])


async def atarget(inputs: Fields) -> Fields:
    return ask(inputs["q"])


def number_of(run: Any) -> int:  # noqa: ANN401
    return int(run.inputs["inputs"]["q"] if "inputs" in run.inputs else run.inputs["q"])


def flag(run: Any, example: Any) -> bool:  # noqa: ANN401
    return bool((run.outputs or {}).get("a") == example.outputs["a"] and number_of(run))


def whole(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {"key": "whole", "score": min(number_of(run), 1), "comment": f"q{number_of(run)}"}


def part(run: Any, _example: Any) -> float:  # noqa: ANN401
    return number_of(run) / 3


def stars(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {"key": "stars", "score": 1 + 2 * number_of(run), "feedback_config": STARS}


def percent(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {"key": "percent", "score": 33.33333 * number_of(run), "feedback_config": PER_CENT}


def tone(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    is_polite = number_of(run) > 0
    return {
        "key": "tone", "score": int(is_polite), "value": "polite" if is_polite else "rude",
        "feedback_config": TONES,
    }  # fmt: skip


def manner(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {"key": "manner", "score": number_of(run) % 2, "feedback_config": TONES}


def word(run: Any, _example: Any) -> str:  # noqa: ANN401
    return ("none", "one", "many")[number_of(run)]


def nothing(_run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {"key": "nothing", "score": None}


def broken(_run: Any, _example: Any) -> Fields:  # noqa: ANN401
    raise ValueError("cannot judge")


def several(run: Any, _example: Any) -> Fields:  # noqa: ANN401
    return {
        "results": [
            {"key": "first", "score": number_of(run) / 4, "comment": "because"},
            {"key": "second", "score": True},
            {"key": "third", "value": "b"},
        ]
    }


def pass_rate(runs: list[Any], _examples: list[Any]) -> Fields:
    return {"key": "pass_rate", "score": len(runs) / 16, "comment": "of sixteen"}


def grade(_runs: list[Any], _examples: list[Any]) -> Fields:
    return {"key": "grade", "value": "B"}


EVALUATORS = (
    *(flag, whole, part, stars, percent, tone, manner, word, nothing, broken, several),
)  # fmt: skip
NUMBERS = {
    *("flag", "whole", "part", "stars", "percent", "nothing", "broken", "first", "second"),
}  # fmt: skip


@pytest.fixture
def client(stand_in: LangSmithServer) -> Iterator[Any]:
    """Give the SDK's client, with a dataset of two splits in the stand-in."""
    import langsmith  # slow to import

    dataset = stand_in.add_dataset("scenarios")
    for number in QUESTIONS:
        split = {"dataset_split": ["test" if number else "train"]}
        stand_in.add_example(dataset, {"q": number}, {"a": number * 2}, split)
    found = langsmith.Client()
    yield found
    found.close()


def evaluated(client: Any, how: str, **given: Any) -> Any:  # noqa: ANN401
    """Run the experiment with `evaluate` or `aevaluate`, and return what it returned."""
    import langsmith

    options = {
        "data": "scenarios",
        "evaluators": list(EVALUATORS),
        "summary_evaluators": [pass_rate, grade],
        "num_repetitions": REPETITIONS,
        "experiment_prefix": how,
        "metadata": METADATA,
        "client": client,
        **given,
    }
    if how == "evaluate":
        found = langsmith.evaluate(target, **options)
    else:
        found = asyncio.run(langsmith.aevaluate(atarget, **options))
    client.flush()
    return found


def items_of(results: Any) -> list[Any]:  # noqa: ANN401
    """Return the rows that either of them gives."""

    async def collected() -> list[Any]:
        return [item async for item in results]

    return asyncio.run(collected()) if hasattr(results, "__aiter__") else list(results)


def read(source: LangSmithSource) -> dict[str, Fields]:
    return {str(row.fields["source_run_id"]): row.fields for row in source.rows() if row.fields}


def assert_equal(fields: Fields, item: Any) -> None:  # noqa: ANN401
    """Hold a run against what the SDK returned of it, key by key."""
    results = {result.key: result for result in item["evaluation_results"]["results"]}
    assert set(results) == NUMBERS | {"tone", "manner", "word", "third"}
    assert set(fields["scores"]) == NUMBERS
    for key in NUMBERS:
        returned = results[key].score
        # the service keeps four decimals
        expected = round(returned, 4) if isinstance(returned, float) else returned
        assert fields["scores"][key] == expected
        assert type(fields["scores"][key]) is type(expected)
    assert fields["labels"] == {
        "tone": results["tone"].value,
        "manner": "polite" if results["manner"].score else "rude",
        "word": results["word"].value,
        "third": "b",
    }
    assert fields["score_scales"] == {"stars": [1, 5], "percent": [0, 100]}
    kept = {entry["key"]: entry for entry in fields["feedback"]}
    assert set(kept) == set(results)
    for key, result in results.items():
        assert kept[key].get("value") == result.value
        if not kept[key].get("error"):
            assert kept[key].get("comment") == result.comment
    assert kept["broken"]["error"] is True
    # tokens and cost are those of the calls below
    assert (fields["tokens_used"], fields["cost_usd"]) == (20, 0.0005)


@pytest.mark.parametrize("how", ["evaluate", "aevaluate"])
def test_every_key_of_every_run_is_what_was_returned(
    stand_in: LangSmithServer,
    client: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
    how: str,
) -> None:
    results = evaluated(client, how)
    source = LangSmithSource(connect_langsmith(), results.experiment_name)
    rows = read(source)
    items = items_of(results)
    assert len(rows) == len(items) == len(QUESTIONS) * REPETITIONS
    for item in items:
        assert_equal(rows[str(item["run"].id)], item)
    assert source.reference()["query"] == ("v1" if stand_in.backend == "v1" else "v2")
    notes = " ".join(source.notes())
    assert "percent is on 0 to 100, stars is on 1 to 5, as LangSmith says." in notes
    assert "Counted by category, not averaged: manner, third, tone, word." in notes
    assert "2 scores of the experiment as a whole: " in notes
    assert "grade B" in notes
    assert "pass_rate 0.5625" in notes


def test_what_evaluate_wrote_reaches_raw_with_what_its_keys_mean(
    stand_in: LangSmithServer,
    client: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
    database_url: str,
) -> None:
    stand_in.add_config("whole", lower=True, type="continuous", min=0)
    results = evaluated(client, "evaluate", num_repetitions=1)

    def ingested() -> LoadSummary:
        source = LangSmithSource(connect_langsmith(), results.experiment_name, Wishes(ARM))
        with connect(database_url) as connection:
            return load(connection, source, read_vocabulary(), ARM, accept_feedback=True)

    first = ingested()
    assert (first.loaded, first.set_aside) == (3, ())
    rows = select(
        database_url, "select source_run_id, scores, labels, score_scales"
        " from raw_evals.evaluation_runs order by task_id"
    )  # fmt: skip
    kept = {run_id: (scores, labels, scales) for run_id, scores, labels, scales in rows}
    for item in items_of(results):
        scores, labels, scales = kept[str(item["run"].id)]
        returned = {each.key: each for each in item["evaluation_results"]["results"]}
        stars = returned["stars"].score
        assert (scores["stars"], scales) == (stars, {"stars": [1, 5], "percent": [0, 100]})
        assert scores["percent"] == round(returned["percent"].score, 4)
        assert labels["tone"] == returned["tone"].value
        assert set(scores) == NUMBERS
    assert select(
        database_url, "select evaluator_key, kind, scale_min, scale_max, direction, categories"
        " from raw_evals.score_configs where experiment_id = 'exp' order by 1"
    ) == [
        ("manner", "categorical", None, None, "higher", TONES["categories"]),
        ("percent", "continuous", 0, 100, "higher", None),
        ("stars", "continuous", 1, 5, "higher", None),
        ("tone", "categorical", None, None, "higher", TONES["categories"]),
        ("whole", "continuous", 0, None, "lower", None),
    ]  # fmt: skip
    assert select(
        database_url, "select experiment_group, extension_version, evaluator_key, score, label,"
        " comment, author_kind, scored_at is not null from raw_evals.summary_scores order by 3"
    ) == [
        ("code-chef", "1.2.3", "grade", None, "B", None, "evaluator", True),
        ("code-chef", "1.2.3", "pass_rate", 3 / 16, None, "of sixteen", "evaluator", True),
    ]  # fmt: skip
    again = ingested()
    assert (again.loaded, again.unchanged) == (0, 3)
    # nothing changed: nothing is written again, and no experiment is built anew
    assert select(database_url, "select count(*) from raw_evals.score_configs") == [(5,)]
    assert select(database_url, "select count(*) from raw_evals.load_experiments") == [(1,)]
    # the command, which reads only what changed, finds nothing either
    project = Project(database_url, results.experiment_name, ("--experiment-id", "exp"))
    assert project.counts("--full") == (3, 0, 3)
    before = len(stand_in.log)
    assert project.counts() == (0, 0, 0)
    assert project.reference()["reading"] == "full"
    assert len(stand_in.log) - before <= 6


def test_what_people_set_right_counts(
    stand_in: LangSmithServer,
    client: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
) -> None:
    results = evaluated(client, "evaluate", num_repetitions=1)
    by_question = {number_of(item["run"]): item["run"] for item in items_of(results)}

    def correct(number: int, key: str, **given: Any) -> None:  # noqa: ANN401
        run = stand_in.runs[str(by_question[number].id)]
        client.create_feedback(run["id"], key, session_id=run["session_id"], **given)

    correct(0, "part", score=0.0, correction={"score": 0.9})
    correct(0, "stars", score=1, correction={"score": 4})
    correct(0, "tone", value="rude", correction={"value": "polite"})
    correct(0, "manner", score=0, correction={"score": 1})
    # what should have been answered corrects no verdict
    correct(1, "tone", value="polite", correction={"value": "Good morning"})
    correct(1, "word", value="uno", correction={"value": "one"})
    run = stand_in.runs[str(by_question[2].id)]
    stand_in.add_feedback(run, "tone", 0, source="app", created_at="2020-01-01T00:00:00+00:00")
    stand_in.add_feedback(run, "word", value="plenty", source="app")
    stand_in.add_feedback(run, "part", None, source="app", comment="hm")
    rows = read(LangSmithSource(connect_langsmith(), results.experiment_name))
    first, second, third = (rows[str(by_question[number].id)] for number in QUESTIONS)
    assert (first["scores"]["part"], first["scores"]["stars"]) == (0.9, 4)
    assert (first["labels"]["tone"], first["labels"]["manner"]) == ("polite", "polite")
    assert (second["labels"]["tone"], second["labels"]["word"]) == ("polite", "uno")
    # a person's word, however old, outranks an evaluator's
    assert (third["labels"]["tone"], third["labels"]["word"]) == ("rude", "plenty")
    assert third["scores"]["part"] == round(2 / 3, 4)


def test_an_experiment_on_some_splits_says_so(
    client: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
) -> None:
    examples = client.list_examples(dataset_name="scenarios", splits=["test"])
    results = evaluated(client, "evaluate", data=examples, num_repetitions=2)
    source = LangSmithSource(connect_langsmith(), results.experiment_name, Wishes(ARM))
    assert len(read(source)) == 4
    assert source.reference()["dataset_splits"] == ["test"]
    (plan,) = source.plans()
    assert (plan.planned_repetitions, plan.planned_tasks) == (2, 2)


def test_pairwise_preferences_are_kept_whole(
    stand_in: LangSmithServer,
    client: Any,  # noqa: ANN401
    connect_langsmith: Callable[[], LangSmith],
) -> None:
    import langsmith

    pair = [
        evaluated(client, "evaluate", evaluators=[flag], summary_evaluators=[], num_repetitions=1)
        for _ in range(2)
    ]
    names = [results.experiment_name for results in pair]

    def prefer(runs: list[Any], _example: Any) -> Fields:  # noqa: ANN401
        scores = {str(run.id): int(number_of(run) == place) for place, run in enumerate(runs)}
        return {"key": "preferred", "scores": scores, "comment": "as I like it"}

    told = langsmith.evaluate(tuple(names), evaluators=[prefer], client=client)
    client.flush()
    found = [row for row in stand_in.feedback.values() if row["key"] == "preferred"]
    assert len(found) == 2 * len(QUESTIONS)
    groups: dict[str, set[str]] = {}
    for name in names:
        source = LangSmithSource(connect_langsmith(), name)
        for run_id, fields in read(source).items():
            (kept,) = [row for row in fields["feedback"] if row["key"] == "preferred"]
            (written,) = [row for row in found if row["run_id"] == run_id]
            assert kept["comparative_experiment_id"] == str(told.comparative_experiment.id)
            assert (kept["score"], kept["comment"]) == (written["score"], "as I like it")
            assert (kept["outcome"], set(fields["scores"])) == ("pairwise", {"flag"})
            assert kept["judge_run_id"]
            groups.setdefault(kept["feedback_group_id"], set()).add(name)
        assert source.reference()["pairwise"] == len(QUESTIONS)
        assert any("3 pairwise preferences (preferred) are no scores" in n for n in source.notes())
    # each comparison has one row in either experiment
    assert list(groups.values()) == [set(names)] * len(QUESTIONS)
