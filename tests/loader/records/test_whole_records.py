"""What a record may carry beside scores: checked alike on every way; without it, as before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_support import VOCABULARY, line, record
from loader.errors import CountsFromZero, InvalidRecord
from loader.records.canonical import widened
from loader.records.checker import Admitted, Checker
from loader.records.form import json_schema
from loader.records.json_text import decode_object

WITH_MEASURE = VOCABULARY.with_options({"stars": (0.0, 5.0)}, {"turns"})

# As 0.1 hashed them: files that were loaded then are known again.
HASHES: list[tuple[dict[str, object], str]] = [
    ({}, "9a150e5c2b6636c88f0606f65b7648fa"),
    (
        {"success": True, "scores": {"accuracy": 0.5, "own": 1, "flag": True, "none": None}},
        "c7d0204b8dab3482c83a42ae7522b376",
    ),
    (
        {
            "repetition": 3, "recorded_at": "2026-01-01T00:00:00Z", "latency_ms": 12.5,
            "tokens_used": 7, "cost_usd": 0.25, "error_message": "é", "agent_name": "a",
            "dataset_version": "d",
        },
        "e48d631c82904e52f7e8affcbbda7027",
    ),
    (
        {
            "source_run_id": "r", "accuracy": 0.25, "measurements": {"turns": 4},
            "metadata": {"b": [1, {"c": None}], "a": "x"}, "evaluator_versions": {"accuracy": "2"},
            "success": False, "baseline_experiment_id": "e0", "model_version": "m",
        },
        "a1b86f7326fbb4ac14e2ff9112842860",
    ),
    # as 0.2 hashed them
    ({"comments": {"own": "well said"}}, "ce6d159aeccf0c10332f9cd5874b104d"),
    (
        {"score_scales": {"own": [0, 5]}, "scores": {"own": 1}},
        "23bde7293c9f4e09d6e45d24a77c75b2",
    ),
    (
        {"inputs": "2 + 2", "prompt_tokens": 3, "cost_usd": -1},
        "1cb11ff8e2f8e6b2d2bc0d2cc5e733d8",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "content_hash"), HASHES)
def test_a_record_of_before_has_the_hash_of_before(
    fields: dict[str, object], content_hash: str
) -> None:
    assert Checker(VOCABULARY).admit(record(**fields)).row[-16:].hex() == content_hash


@pytest.mark.parametrize(
    "extra",
    [
        {"score_scales": {"own": [0, 5]}, "scores": {"own": 1}},
        {"comments": {"own": "well said"}},
        {"labels": {"tone": "polite"}},
        {"trace_url": "https://example.org/1"},
        {"prompt_tokens": 0},
        {"inputs": "2 + 2"},
        {"outputs": {"answer": 4}},
        {"reference_outputs": 4},
        {"cost_usd": -1},
    ],
)
def test_whatever_else_is_said_is_other_content(extra: dict[str, object]) -> None:
    without = {"scores": extra["scores"]} if "scores" in extra else {}
    rows = [Checker(VOCABULARY).admit(record(**fields)).row for fields in (extra, without)]
    assert rows[0][-16:] != rows[1][-16:]


KEYS = st.sampled_from(["accuracy", "judge", "own", "stars", "turns", "", " ", "k" * 129, "é"])
NUMBERS = st.sampled_from([0, 1, 0.5, 5, 7, -1, 1.0, 1e308, -1e308, 2**40])
ODD = st.none() | st.booleans() | NUMBERS | st.text(max_size=3) | st.lists(NUMBERS, max_size=3)
LABELS = st.sampled_from(["good", "é" * 256, "x" * 257, "\u2003", "\t\n", "a: b"]) | ODD
ENDS = st.lists(NUMBERS, min_size=2, max_size=2) | ODD
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "scores": st.dictionaries(KEYS, NUMBERS | st.booleans() | ODD, max_size=3),
        "accuracy": NUMBERS | st.none(),
        "efficiency": NUMBERS | st.none(),
        "score_scales": st.dictionaries(KEYS, ENDS, max_size=3),
        "measurements": st.dictionaries(KEYS, NUMBERS, max_size=2),
        "comments": st.dictionaries(KEYS, st.text(max_size=3) | ODD, max_size=2),
        "labels": st.dictionaries(KEYS, LABELS, max_size=2),
        "evaluator_versions": st.dictionaries(KEYS, st.text(max_size=3), max_size=2),
        "trace_url": st.sampled_from(["", "https://example.org", "é" * 1025, "u" * 2049]) | ODD,
        "prompt_tokens": ODD,
        "cached_tokens": ODD,
        "tokens_used": ODD,
        "cost_usd": ODD,
        "latency_ms": ODD,
        "inputs": ODD | st.dictionaries(st.text(max_size=2), ODD, max_size=2),
        "outputs": ODD,
        "reference_outputs": ODD,
        "repetition": st.sampled_from([0, 1, 2, 2**31 - 1, None, -1, 1.0]),
        "set_aside": st.just({}),
        "is_id_derived": st.booleans(),
    },
)


def outcome(checker: Checker, fields: dict[str, Any]) -> Admitted | str:
    """Return what a check admits, else the reason code."""
    try:
        return checker.admit(fields)
    except CountsFromZero:
        return "counts from zero"
    except InvalidRecord as error:
        return error.code


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(fields=FIELDS, keep=st.booleans(), first_repetition=st.sampled_from([0, 1]))
def test_every_way_makes_the_same_row_of_any_record(
    fields: dict[str, Any], *, keep: bool, first_repetition: int
) -> None:
    checker = Checker(WITH_MEASURE, keep_contents=keep, first_repetition=first_repetition)
    text = json.dumps(record(**fields)).encode()
    alone = outcome(checker, decode_object(text))
    assert alone == outcome(checker, record(**fields))
    texts = [line(repetition=1), text, line(task_id="other", repetition=1)]
    among = checker.admit_json(texts)
    assert checker.admit_json(texts) == among, "whatever the load held before"
    if among is None:
        return
    assert isinstance(alone, Admitted)
    is_widened = among.is_wide and not alone.is_wide
    assert among.rows[1] == (widened(alone.row) if is_widened else alone.row)
    assert among.asides == alone.asides
    assert among.records_aside == bool(alone.asides)
    assert among.contents == alone.contents
    assert keep or not among.contents


USUAL = st.fixed_dictionaries(
    {"source_run_id": st.just("r"), "task_id": st.sampled_from(["t", "u"])},
    optional={
        "repetition": st.sampled_from([0, 1, 2, None]),
        "recorded_at": st.sampled_from(["2026-01-01", "2026-01-01T00:00:00+02:00", None]),
        "agent_name": st.sampled_from(["a", None]),
        "scores": st.dictionaries(st.sampled_from(["accuracy", "own"]), st.floats(0, 1)),
        "completeness": st.floats(0, 1) | st.none(),
        "measurements": st.dictionaries(st.sampled_from(["turns", "steps"]), NUMBERS),
        "evaluator_versions": st.dictionaries(KEYS, st.text(max_size=3), max_size=2),
        "latency_ms": st.floats(0, 1e9) | st.none(),
        "tokens_used": st.integers(0, 2**40) | st.none(),
        "cost_usd": st.floats(0, 1) | st.none(),
        "success": st.booleans() | st.none(),
        "error_message": st.sampled_from(["no", "", None]),
        "metadata": st.dictionaries(st.text(max_size=2), NUMBERS, max_size=2),
        "feedback": st.just([{"key": "k"}]),
    },
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(fields=USUAL)
def test_what_is_usual_is_the_same_row_too(fields: dict[str, Any]) -> None:
    checker = Checker(VOCABULARY)
    text = json.dumps(record(**fields)).encode()
    alone = outcome(Checker(VOCABULARY), decode_object(text))
    among = checker.admit_json([text])
    if among is None:
        assert isinstance(alone, str) or alone.asides
        return
    assert isinstance(alone, Admitted)
    assert not among.is_wide
    assert among.rows == [alone.row]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    scores=st.dictionaries(
        st.sampled_from(["accuracy", "judge", "own", "stars"]),
        st.sampled_from([0, 1, 0.5, 5, True, False, None]),
        max_size=4,
    ),
    rest=st.sampled_from([{}, {"inputs": {"q": 1}}, {"trace_url": "u", "prompt_tokens": 3}]),
)
def test_the_fast_way_takes_whatever_is_sound(
    scores: dict[str, Any], rest: dict[str, object]
) -> None:
    text = json.dumps(record(scores=scores, **rest)).encode()
    assert Checker(WITH_MEASURE).admit_json([text]) is not None


def test_the_published_schema_has_what_a_file_may_say_and_no_more() -> None:
    properties = json_schema()["properties"]
    assert {"score_scales", "inputs", "outputs", "reference_outputs", "comments", "labels"} <= set(
        properties
    )
    assert not {"set_aside", "is_id_derived", "feedback"} & set(properties)
