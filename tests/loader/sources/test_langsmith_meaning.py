"""What LangSmith says of its keys: asked once, heeded where nobody else says it, and told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ingest_support import select
from langsmith_again import Project
from langsmith_server import Fault
from loader.cli import cli
from loader.errors import SourceUnavailable
from loader.records.checker import Defaults
from loader.sources.langsmith import LangSmithSource, Wishes
from loader.sources.langsmith.configs import Configs, KeyConfig
from loader.sources.langsmith.feedback import judge
from loader.sources.langsmith.meaning import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from langsmith_server import LangSmithServer
    from langsmith_server import Row as Stored
    from loader.sources.langsmith import LangSmith

Row = dict[str, Any]
ARM = Defaults(experiment_id="exp", experiment_group="code-chef", extension_version="1.0.0")
TONES = ((1.0, "polite"), (0.0, "rude"), (0.5, None))
KEYS = Configs(
    {
        "tone": KeyConfig("categorical", None, None, None, TONES),
        "stars": KeyConfig("continuous", 1, 5, "higher"),
        "cost": KeyConfig("continuous", 0, None, "lower"),
        "notes": KeyConfig("freeform"),
    }
)
LONG = "x" * 257


def row(key: str, score: object = None, value: object = None, **given: object) -> Row:
    return {"id": "f", "key": key, "score": score, "value": value, "source": "model", **given}


@pytest.mark.parametrize(
    ("said", "scores", "labels", "left_out"),
    [
        (row("tone", 1, "polite"), {}, {"tone": "polite"}, []),
        (row("tone", 0), {}, {"tone": "rude"}, []),
        (row("tone", None, 1), {}, {"tone": "polite"}, []),
        (row("tone", score=True), {}, {"tone": "polite"}, []),
        # a category without a label, and a number that is none, are named by the number
        (row("tone", 0.5), {}, {"tone": "0.5"}, []),
        (row("tone", 7), {}, {"tone": "7"}, []),
        (row("tone", None, " odd "), {}, {"tone": "odd"}, []),
        (row("tone", None, None, error=True), {}, {}, []),
        (row("tone", None, None, error=True, correction={"score": 0}), {}, {"tone": "rude"}, []),
        (row("tone", 1, None, correction="rude"), {}, {"tone": "rude"}, []),
        (row("tone", 1, None, correction="Good morning"), {}, {"tone": "polite"}, []),
        (row("tone", None, ["polite", "rude"]), {}, {}, ["tone"]),
        # nobody said what it is
        (row("word", None, "yes"), {}, {"word": "yes"}, []),
        (row("word", None, "yes", error=True), {"word": None}, {}, []),
        (row("word", 0.5, "half"), {"word": 0.5}, {}, ["word"]),
        (row("word", None, "yes", correction={"score": 1}), {"word": 1}, {}, ["word"]),
        (row("word", None, LONG), {"word": None}, {}, ["word"]),
        (row("word", None, 3), {"word": None}, {}, []),
        (row("word", None, "  "), {"word": None}, {}, []),
        # a scale
        (row("stars", 4), {"stars": 4}, {}, []),
        (row("stars", None, "four"), {"stars": None}, {}, ["stars"]),
        (row("cost", 40), {"cost": 40}, {}, []),
        # remarks
        (row("notes", None, "well done"), {}, {}, ["notes"]),
        (row("notes", None, None, source="app", comment="well done"), {}, {}, ["notes"]),
        (row("notes", 0.5), {"notes": 0.5}, {}, ["notes"]),
    ],
)
def test_a_row_is_a_number_a_label_or_neither(
    said: Row, scores: Row, labels: Row, left_out: list[str]
) -> None:
    verdict = judge([said], meaning=Meaning(KEYS))
    assert (verdict.scores, verdict.labels, verdict.left_out) == (scores, labels, left_out)
    assert verdict.scales == ({"stars": [1, 5]} if "stars" in scores else {})


def test_what_the_team_declares_goes_before_what_the_service_says() -> None:
    meaning = Meaning(KEYS, frozenset({"tone", "stars"}))
    verdict = judge([row("tone", 1, "polite"), row("stars", 4)], meaning=meaning)
    assert (verdict.scores, verdict.scales) == ({"tone": 1, "stars": 4}, {})
    assert verdict.labels == {"tone": "polite"}
    # a metric of the team is a number, on the service's scale
    meaning = Meaning(KEYS, scored=frozenset({"tone", "stars"}))
    verdict = judge([row("tone", 1, "polite"), row("stars", 4)], meaning=meaning)
    assert verdict.scores == {"tone": 1, "stars": 4}
    assert (verdict.labels, verdict.scales) == ({"tone": "polite"}, {"stars": [1, 5]})


def test_a_persons_label_outranks_a_models() -> None:
    rows = [
        row("tone", 1, created_at="2026-11-02"),
        row("tone", 0, source="app", id="g", created_at="2026-11-01"),
        row("word", None, "yes", created_at="2026-11-02"),
        row("word", None, "no", source="app", id="g", created_at="2026-11-01"),
    ]  # fmt: skip
    verdict = judge(rows, meaning=Meaning(KEYS))
    assert verdict.labels == {"tone": "rude", "word": "no"}
    assert [entry["outcome"] for entry in verdict.kept].count("outranked") == 2


def project(stand_in: LangSmithServer, *runs: Row, name: str = "one", **metadata: str) -> Stored:
    """Add a project with runs, each of the scores given by key; text goes to `value`."""
    session = stand_in.add_session(name, extra={"metadata": metadata})
    for number, scores in enumerate(runs):
        run = stand_in.add_run(session, extra={"metadata": {"task_id": f"t{number}"}})
        for key, said in scores.items():
            where = "value" if isinstance(said, str) else "score"
            stand_in.add_feedback(run, key, **{where: said})
    return session


def notes(source: LangSmithSource) -> str:
    assert list(source.rows())
    return " ".join(source.notes())


def test_of_many_keys_the_workspace_says_what_it_has(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    keys = [f"key {number:03}" for number in range(101)]
    project(stand_in, dict.fromkeys(keys, 3))
    stand_in.add_config(keys[7], type="continuous", min=1, max=5)
    stand_in.add_config("another", type="freeform")
    source = LangSmithSource(connect_langsmith(), "one", Wishes(ARM))
    assert f"{keys[7]} is on 1 to 5" in notes(source)
    assert [config.evaluator_key for config in source.score_configs()] == [keys[7]]
    assert stand_in.counts()["/feedback-configs"] == 1


def test_many_keys_are_asked_for_by_fifties(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    keys = [f"key {number:03}" for number in range(160)]
    project(stand_in, dict.fromkeys(keys, 3))
    for key in keys:
        stand_in.add_config(key, type="continuous", min=1, max=5)
    stand_in.add_config("another", type="freeform")
    source = LangSmithSource(connect_langsmith(), "one", Wishes(ARM))
    (found,) = source.rows()
    assert found.fields is not None
    assert found.fields["score_scales"] == {key: [1, 5] for key in keys}
    assert len(source.score_configs()) == 160
    assert stand_in.counts()["/feedback-configs"] == 3


def test_a_server_that_heeds_no_keys_is_read_to_its_end(
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project(stand_in, {"z": 3})
    for number in range(250):
        stand_in.add_config(f"other {number}", type="freeform")
    stand_in.add_config("z", type="continuous", min=1, max=5)
    monkeypatch.setattr(stand_in, "heeds_keys", False)
    source = LangSmithSource(connect_langsmith(), "one", Wishes(ARM))
    assert "z is on 1 to 5, as LangSmith says." in notes(source)
    assert [config.evaluator_key for config in source.score_configs()] == ["z"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 501])
def test_a_server_that_says_nothing_of_keys_is_no_reason_to_load_nothing(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith], status: int
) -> None:
    project(stand_in, {"judge": 3})
    stand_in.add_config("judge", type="continuous", min=1, max=5)
    stand_in.faults.append(Fault("/feedback-configs", status=status, times=99))
    source = LangSmithSource(connect_langsmith(), "one", Wishes(ARM))
    assert f"does not say what its feedback keys mean (status {status})" in notes(source)
    assert source.score_configs() == []


def test_a_server_that_does_not_answer_is(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    project(stand_in, {"judge": 3})
    stand_in.faults.append(Fault("/feedback-configs", status=500, times=99))
    with pytest.raises(SourceUnavailable):
        list(LangSmithSource(connect_langsmith(), "one", Wishes(ARM)).rows())


def test_without_feedback_nothing_is_asked(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    project(stand_in, {})
    assert len(list(LangSmithSource(connect_langsmith(), "one", Wishes(ARM)).rows())) == 1
    assert "/feedback-configs" not in stand_in.counts()


def test_what_makes_no_sense_is_not_heeded_and_told(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    project(stand_in, {"flat": 0.5, "new": 0.5, "half": 0.5, "bare": 0.5})
    stand_in.add_config("flat", lower=True, type="continuous", min=5, max=5)
    stand_in.add_config("new", type="ranked")
    stand_in.add_config("half", lower=None, type="continuous", min=True, max="5")
    stand_in.add_config("bare", type="categorical", categories=[{"label": "x"}, "y", {"value": 2}])
    source = LangSmithSource(connect_langsmith(), "one", Wishes(ARM))
    said = notes(source)
    assert "LangSmith says what cannot be, and is not heeded: flat is on 5 to 5," in said
    assert "new is of a type 'ranked'" in said
    assert [config[1:] for config in source.score_configs()] == [
        ("bare", "categorical", None, None, "higher", ((2.0, None),)),
        ("flat", "continuous", None, None, "lower", ()),
        ("half", "continuous", None, None, None, ()),
    ]


def test_scores_of_the_whole_that_could_be_any_arms_stay_in_the_ledger(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = project(stand_in, {"a": 1}, {"a": 0})
    for run, group in zip(stand_in.runs.values(), ("code-chef", "baseline"), strict=True):
        run["extra"]["metadata"]["experiment_group"] = group
    stand_in.add_feedback(None, "overall", 0.5, session_id=session["id"])
    wishes = Wishes(Defaults(experiment_id="exp", extension_version="1.0.0"))
    source = LangSmithSource(connect_langsmith(), "one", wishes)
    assert "1 score of the experiment as a whole could belong to any of its arms" in notes(source)
    assert source.summary_scores() == []
    assert len(source.reference()["summary_feedback"]) == 1  # type: ignore[arg-type]


@pytest.mark.newest_server
@pytest.mark.backends("dual")
def test_ingest_says_what_the_service_said(stand_in: LangSmithServer, database_url: str) -> None:
    session = project(
        stand_in, {"judge": 4, "odd": 7, "tone": 1, "notes": "fine", "accuracy": 0.5},
        experiment_group="code-chef", extension_version="1.0.0",
    )  # fmt: skip
    stand_in.add_feedback(None, "overall", 0.5, session_id=session["id"], source="app")
    stand_in.add_config("judge", type="continuous", min=1, max=5)
    stand_in.add_config("accuracy", type="continuous", min=0, max=10)
    stand_in.add_config("tone", type="categorical", categories=[{"value": 1, "label": "kind"}])
    stand_in.add_config("notes", type="freeform")
    options = ["ingest", "--project", "one", "--database-url", database_url]
    found = CliRunner().invoke(cli, [*options, "--dry-run"])
    assert found.exit_code == 3  # a value of a key without a scale is off 0 to 1
    assert "note: judge is on 1 to 5, as LangSmith says." in found.stderr
    assert "note: Counted by category, not averaged: tone." in found.stderr
    assert "--scale tone=MIN:MAX" in found.stderr
    assert "note: Text that is no category is kept with the feedback only: notes 1." in found.stderr
    assert "note: 1 score of the experiment as a whole: overall 0.5." in found.stderr
    found = CliRunner().invoke(cli, [*options, "--scale", "odd=0:10", "--summary-format", "json"])
    assert found.exit_code == 0
    told = json.loads(found.stdout)
    assert "judge is on 1 to 5, as LangSmith says." in told["notes"]
    # the seed says that accuracy is on 0 to 1, the option that odd is on 0 to 10
    ((scores, labels, scales),) = select(
        database_url, "select scores, labels, score_scales from raw_evals.evaluation_runs"
    )
    assert scores == {"judge": 4, "odd": 7, "accuracy": 0.5}
    assert labels == {"tone": "kind"}
    assert scales == {"judge": [1, 5], "odd": [0, 10]}
    ((source_ref,),) = select(database_url, "select source_ref from raw_evals.loads")
    assert source_ref["score_scales"] == {"judge": [1, 5]}
    assert (source_ref["labelled"], source_ref["text_left_out"]) == (["tone"], {"notes": 1})
    assert select(
        database_url, "select evaluator_key, author_kind from raw_evals.summary_scores"
    ) == [("overall", "person")]


@pytest.mark.newest_server
@pytest.mark.backends("dual")
def test_a_config_that_changes_is_heeded_by_every_run(
    stand_in: LangSmithServer, database_url: str
) -> None:
    session = project(stand_in, {"judge": 4}, {"judge": 2}, name="large")
    again = Project(database_url)
    scales = "select task_id, score_scales, labels from raw_evals.evaluation_runs where load_id = "
    # on 0 to 1 the values make no sense
    again.ingest(exit_code=3)
    for number, (config, scale, labels) in enumerate(
        (
            ({"type": "continuous", "min": 1, "max": 5}, {"judge": [1, 5]}, None),
            ({"type": "continuous", "min": 0, "max": 5}, {"judge": [0, 5]}, None),
            ({"type": "categorical"}, {}, {"t0": {"judge": "4"}, "t1": {"judge": "2"}}),
        )
    ):
        stand_in.add_config("judge", **config)
        told = again.ingest()
        assert (told["read"], told["loaded"], told["replaced"]) == (2, 2, 2)
        rows = again.select(f"{scales}{told['load_id']} order by 1")
        assert rows == [(task, scale, labels and labels[task]) for task in ("t0", "t1")]
        assert again.select("select count(*) from raw_evals.score_configs") == [(number + 1,)]
        assert again.counts() == (0, 0, 0)
    # what is said of the whole is heard without a run that changed
    stand_in.add_feedback(None, "overall", 0.5, session_id=session["id"])
    again.ingest()
    assert again.select("select evaluator_key, score from raw_evals.summary_scores") == [
        ("overall", 0.5)
    ]
