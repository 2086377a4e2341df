"""What Inspect's scorers gave, in every kind of value, and what people edited since."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from loader.sources.tools.inspect_scores import as_score
from tool_files import inspect_log as files
from tool_runs import ReadFiles, read_tool_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Score = dict[str, Any]
ANA = {"author": "ana", "reason": "read it", "timestamp": "2026-05-01T10:00:00Z"}
WHEN = "(edited in Inspect at 2026-05-01T10:00:00Z)"


def read(
    folder: Path, scores: dict[str, Score], scorers: Sequence[dict[str, Any]] = ()
) -> ReadFiles:
    """Read a log of one sample with these scores."""

    def change(sample: dict[str, Any]) -> None:
        sample["scores"] = scores

    def declare(log: dict[str, Any]) -> None:
        log["eval"]["scorers"] = list(scorers)

    path = files.write_json(folder / "a.json", 1, change=declare, changes=change)
    return read_tool_files("inspect", path)


def said(found: ReadFiles) -> list[tuple[str, float, str, str]]:
    return [(each.key, each.score, each.author, each.reason) for each in found.source.said()]


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("C", 1), ("P", 0.5), ("I", 0), ("N", 0), ("yes", 1), ("No", 0), ("true", 1),
        ("FALSE", 0), ("0.25", 0.25), (True, 1), (False, 0), (7, 7), (-1.5, -1.5),
        ("c", "c"), ("refused", "refused"), ("inf", "inf"), ("nan", "nan"),
        (None, None), ("", None), (" ", None),
    ],
)  # fmt: skip
def test_a_value_is_the_number_that_inspect_computes_with(value: object, score: object) -> None:
    assert as_score(value) == score
    assert not isinstance(as_score(value), bool)


def test_every_part_of_a_value_is_a_score_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, {
        "match": {"value": "P", "explanation": "half", "answer": "42"},
        "rubric": {"value": {"tone": 0.25, "safe": True, "kind": "rude", "none": None}},
        "steps": {"value": [1, "I", 0.5], "explanation": "three"},
        "verdict": {"value": "refused"},
        "essay": {"value": "x" * 300},
        "odd": {"value": float("nan"), "reason": "grader_failed"},
    })  # fmt: skip
    [record] = found.records
    assert record["scores"] == {
        "match": 0.5, "rubric.tone": 0.25, "rubric.safe": 1, "rubric.none": None,
        "steps.0": 1, "steps.1": 0, "steps.2": 0.5, "odd": None,
    }  # fmt: skip
    assert record["labels"] == {"rubric.kind": "rude", "verdict": "refused"}
    assert record["comments"] == {
        "match": "half", "steps.0": "three", "steps.1": "three", "steps.2": "three",
        "essay": "x" * 300,
    }  # fmt: skip
    told = record["metadata"]["inspect"]
    assert told["answers"] == {"match": "42"}
    assert told["score_reasons"] == {"odd": "grader_failed"}
    assert any("1 number NaN or infinite, read as absent" in note for note in found.notes)


def test_letters_of_a_scorer_that_only_counts_them_are_categories(tmp_path: Path) -> None:
    scores = {"kind": {"value": "C"}, "grade": {"value": "C"}}
    counted = {"name": "kind", "metrics": [{"name": "inspect_ai/frequency"}]}
    both = {"name": "grade", "metrics": [{"name": "frequency"}, {"name": "accuracy"}]}
    [record] = read(tmp_path, scores, [counted, both]).records
    assert record["labels"] == {"kind": "C"}
    assert record["scores"] == {"grade": 1}


def test_a_score_says_which_model_gave_it(tmp_path: Path) -> None:
    scorers = [
        {"name": "model_graded_qa"},
        {"name": "judge", "options": {"model": ["acme/a", {"model": "acme/b"}]}},
        {"name": "match"},
    ]
    scores = {
        "model_graded_qa": {"value": "C"},
        "judge": {"value": {"tone": 1, "truth": 0}},
        "match": {"value": "C"},
    }
    [record] = read(tmp_path, scores, scorers).records
    assert record["evaluator_versions"] == {
        "model_graded_qa": "acme/judge",
        "judge.tone": "acme/a+acme/b",
        "judge.truth": "acme/a+acme/b",
    }


def test_a_value_inside_a_value_is_rejected_with_its_key(tmp_path: Path) -> None:
    found = read(tmp_path, {"rubric": {"value": {"tone": {"low": 1}}}})
    [(number, rejection)] = found.rejections
    assert number == 1
    assert rejection.reason_code == "unexpected_form"
    assert rejection.reason.startswith("scores.rubric.tone: ")


def test_an_edited_score_stays_the_scorers_and_the_edit_is_what_a_person_said(
    tmp_path: Path,
) -> None:
    history = [
        {"value": "I", "explanation": "the scorer's words", "answer": "7"},
        {"value": "C", "explanation": "mine", "provenance": ANA},
    ]
    edited = {"value": "C", "explanation": "mine", "answer": "7", "history": history}
    found = read(tmp_path, {"match": edited})
    [record] = found.records
    assert record["scores"] == {"match": 0}
    assert record["comments"] == {"match": "the scorer's words"}
    assert said(found) == [("match", 1, "ana", f"read it {WHEN}")]
    [statement] = found.source.said()
    assert statement.record["source_run_id"] == record["source_run_id"]
    assert statement.record["experiment_group"] == "baseline"
    plain = {"value": "I", "explanation": "the scorer's words", "answer": "7"}
    before = read(tmp_path, {"match": plain})
    assert before.records == found.records
    assert said(before) == []


def test_each_author_has_a_last_word_on_each_key(tmp_path: Path) -> None:
    ben = {"author": " ben ", "reason": None}
    history = [
        {"value": {"a": 0, "b": 0.5, "c": "x"}},
        {"value": {"a": 1, "b": 0.5, "c": "x"}, "provenance": ANA},
        {"value": {"a": 0.5, "b": 1, "c": "x"}, "provenance": ben},
        {"explanation": "only words", "provenance": {**ANA, "author": "cy"}},
        {"value": {"a": 0.25, "b": 1, "c": "y"}, "provenance": {**ANA, "reason": "again"}},
        {"value": {"a": 0.25, "b": 0, "c": "y"}},
    ]
    found = read(tmp_path, {"rubric": {"value": history[-1]["value"], "history": history}})
    assert found.records[0]["scores"] == {"rubric.a": 0, "rubric.b": 0.5}
    assert said(found) == [
        ("rubric.a", 0.5, "ben", "edited in Inspect"),
        ("rubric.b", 1, "ben", "edited in Inspect"),
        ("rubric.a", 0.25, "ana", f"again {WHEN}"),
        ("rubric.b", 0, "unknown", "edited in Inspect"),
    ]


def test_a_score_that_a_person_was_the_first_to_give_is_not_the_scorers(tmp_path: Path) -> None:
    added = {"value": 0.75, "history": [{"value": 0.75, "provenance": ANA}]}
    found = read(tmp_path, {"match": {"value": "C"}, "human": added})
    assert found.records[0]["scores"] == {"match": 1}
    assert said(found) == [("human", 0.75, "ana", f"read it {WHEN}")]


def test_an_edit_of_a_sample_that_was_invalidated_does_not_bring_it_back(tmp_path: Path) -> None:
    history = [{"value": "I"}, {"value": "C", "provenance": ANA}]

    def change(sample: dict[str, Any]) -> None:
        sample["scores"] = {"match": {"value": "C", "history": history}}
        sample["invalidation"] = ANA

    path = files.write_archive(tmp_path / "a.eval", 1, changes=change)
    found = read_tool_files("inspect", path)
    assert found.records[0]["scores"] == {"match": None}
    assert said(found) == []


def test_what_is_said_of_a_run_whose_row_is_rejected_is_left_with_it(tmp_path: Path) -> None:
    history = [{"value": "I"}, {"value": "C", "provenance": ANA}]

    def change(sample: dict[str, Any]) -> None:
        sample["scores"] = {"match": {"value": "C", "history": history}}

    path = files.write_json(tmp_path / "a.json", 1, changes=change)
    found = read_tool_files("inspect", path, maps="experiment_group=model_args.nowhere")
    assert json.dumps(found.records) == "[]"
    assert len(found.rejections) == 1
    assert said(found) == []
