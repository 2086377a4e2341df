"""Every kind of broken record: refused with its own reason, or kept intact."""

# ruff: noqa: E501  the tables read best with one case a line

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ingest_support import VOCABULARY, line, load_file, record, select
from loader.errors import InvalidRecord
from loader.records.checker import Checker
from loader.records.json_text import decode_object

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def nested(depth: int) -> dict[str, object]:
    """Make objects inside each other."""
    inner: dict[str, object] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


# name, the record's text, the reason code, and a word that the reason must contain
REFUSED: list[tuple[str, bytes, str, str]] = [
    ("no experiment", b'{"task_id":"t"}', "missing_field", "experiment_id"),
    ("no task", line().replace(b'"task_id": "t-1", ', b""), "missing_field", "task_id"),
    ("task is null", line(task_id=None), "missing_field", "task_id"),
    ("no group", line(experiment_group=None), "missing_field", "experiment_group"),
    ("no version", line(extension_version=None), "missing_field", "--extension-version"),
    ("empty experiment", line(experiment_id=""), "empty_field", "experiment_id"),
    ("blank task", line(task_id=" \t "), "empty_field", "task_id"),
    ("blank version", line(extension_version=" "), "empty_field", "extension_version"),
    ("unknown group", line(experiment_group="gold"), "unknown_group", "baseline, code-chef"),
    ("group in capitals", line(experiment_group="Baseline"), "unknown_group", '"Baseline"'),
    ("task is a number", line(task_id=7), "wrong_type", "in quotes"),
    ("task is an array", line(task_id=["t"]), "wrong_type", "an array"),
    ("experiment is true", line(experiment_id=True), "wrong_type", "a boolean"),
    ("unknown field", line(latency=5), "unknown_field", "metadata"),
    ("a score at the top", line(helpfulness=0.5), "unknown_field", "scores"),
    ("feedback in a file", line(feedback=[{"key": "a"}]), "unknown_field", "feedback"),
    ("score in quotes", line(scores={"accuracy": "0.9"}), "wrong_type", "without quotes"),
    ("score is an object", line(scores={"accuracy": {}}), "wrong_type", "scores.accuracy"),
    ("scores is an array", line(scores=[0.9]), "wrong_type", "an object"),
    ("score is NaN", line(scores={"accuracy": float("nan")}), "not_finite", "scores.accuracy"),
    ("score key is empty", line(scores={"": 0.5}), "empty_field", "scores"),
    ("score key is long", line(scores={"k" * 129: 0.5}), "too_long", "129"),
    (
        "metric twice, two values",
        line(accuracy=0.9, scores={"accuracy": 0.8}),
        "conflicting_scores",
        "keep one",
    ),
    (
        "two keys of one metric",
        line(scores={"agent_routing_accuracy": 0.9, "accuracy": 0.8}),
        "conflicting_scores",
        "both accuracy",
    ),
    ("latency is NaN", line(latency_ms=float("nan")), "not_finite", "latency_ms"),
    ("latency is Infinity", line(latency_ms=float("inf")), "not_finite", "latency_ms"),
    ("latency is -Infinity", line(latency_ms=float("-inf")), "not_finite", "latency_ms"),
    ("latency is 1e400", line(latency_ms=0).replace(b": 0", b": 1e400"), "not_finite", "latency"),
    ("latency in quotes", line(latency_ms="5"), "wrong_type", "without quotes"),
    ("latency is true", line(latency_ms=True), "wrong_type", "a boolean"),
    ("latency is huge", line(latency_ms=10**400), "number_out_of_range", "past 1,000,000,000,000"),
    ("cost is an object", line(cost_usd={}), "wrong_type", "cost_usd"),
    ("half a token", line(tokens_used=2.5), "wrong_type", "whole"),
    ("tokens is false", line(tokens_used=False), "wrong_type", "tokens_used"),
    ("repetition zero", line(repetition=0), "number_out_of_range", "from 1"),
    ("repetition past integer", line(repetition=2**31), "number_out_of_range", "1,000,000,000"),
    ("scale past 1e30", line(score_scales={"a": [0, 2e30]}), "number_out_of_range", "past 1e30"),
    ("repetition is text", line(repetition="1"), "wrong_type", "repetition"),
    ("success is text", line(success="yes"), "wrong_type", "success"),
    ("success is 1", line(success=1), "wrong_type", "true or false"),
    ("error is an object", line(error_message={"a": 1}), "wrong_type", "error_message"),
    ("time is a number", line(recorded_at=1735689600), "wrong_type", "recorded_at"),
    ("time is no time", line(recorded_at="yesterday"), "invalid_timestamp", "ISO 8601"),
    ("time is 30 February", line(recorded_at="2025-02-30T00:00:00Z"), "invalid_timestamp", "30T"),
    ("time is an array", line(recorded_at=[]), "wrong_type", "recorded_at"),
    ("time before 1970", line(recorded_at="1969-12-31T23:59:59Z"), "timestamp_out_of_range", ""),
    ("time after 2199", line(recorded_at="9999-12-31T23:59:59-12:00"), "timestamp_out_of_range", ""),
    ("time in the year 1", line(recorded_at="0001-01-01T00:00:00+14:00"), "timestamp_out_of_range", ""),
    ("measurement is null", line(measurements={"turns": None}), "wrong_type", "turns"),
    ("measurement is infinite", line(measurements={"x": float("inf")}), "not_finite", "x"),
    ("measurement is true", line(measurements={"x": True}), "wrong_type", "measurements.x"),
    ("measurement named as metric", line(measurements={"accuracy": 1}), "name_taken", "accuracy"),
    ("measurement named as latency", line(measurements={"latency_ms": 1}), "name_taken", "latency"),
    (
        "measurement named as a score",
        line(scores={"own": 0.5}, measurements={"own": 1}),
        "name_taken",
        "a score of the record",
    ),
    ("evaluator version is 3", line(evaluator_versions={"a": 3}), "wrong_type", "in quotes"),
    ("metadata is text", line(metadata="x"), "wrong_type", "metadata"),
    ("metadata holds NaN", line(metadata={"a": [float("nan")]}), "not_finite", "metadata.a"),
    ("metadata holds 1e400", line(metadata={"a": 0}).replace(b": 0", b": 1e400"), "not_finite", "a"),
    ("metadata holds NUL", line(metadata={"a": {"b": "x\0"}}), "nul_character", "metadata.a.b"),
    ("metadata key holds NUL", line(metadata={"a\0": 1}), "nul_character", "a key of metadata"),
    ("task holds NUL", line(task_id="t\0"), "nul_character", "task_id"),
    ("half a surrogate pair", line(error_message="\ud800x"), "invalid_unicode", "\\ud800"),
    ("half a pair, nested", line(metadata={"a": ["\udc00"]}), "invalid_unicode", "metadata.a"),
    ("task too long", line(task_id="t" * 513), "too_long", "513"),
    ("task too long in bytes", line(task_id="é" * 300), "too_long", "600"),
    ("version too long", line(extension_version="1" * 257), "too_long", "257"),
    ("run id too long", line(source_run_id="r" * 1025), "too_long", "1,025"),
    ("key twice", b'{"task_id":"a","task_id":"b"}', "duplicate_key", '"task_id"'),
    ("key twice, escaped", b'{"task_id":"a","task\\u005fid":"b"}', "duplicate_key", "task_id"),
    ("key twice, nested", line(metadata={}).replace(b"{}", b'{"a":1 ,"a" :1}'), "duplicate_key", "a"),
    ("integer of 5000 digits", b'{"a":' + b"9" * 5000 + b"}", "number_out_of_range", "digits"),
    ("array nested deep", b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep", ""),
    ("too deep by one", line(metadata=nested(300)), "too_deep", "metadata is nested too deeply"),
    ("object nested deep", b'{"a":' * 5000 + b"1" + b"}" * 5000, "too_deep", "flatten"),
    ("not closed", b'{"experiment_id": "e"', "invalid_json", "breaks off"),
    ("text after the record", line() + b" x", "invalid_json", "'x'"),
    ("trailing comma", b'{"a": 1,}', "invalid_json", "character"),
    ("single quotes", b"{'a': 1}", "invalid_json", "character 2"),
    ("a bare word", b"hello", "invalid_json", "'hello'"),
    ("a raw line feed in text", b'{"a": "x\ny"}', "invalid_json", "control character at character 9"),
    ("an array", b"[1, 2]", "not_an_object", "an array"),
    ("a number", b"5", "not_an_object", "an integer"),
    ("null", b"null", "not_an_object", "null"),
    ("not UTF-8", line().replace(b"t-1", b"\xff"), "invalid_utf8", "0xff"),
    ("a surrogate as UTF-8", line().replace(b"t-1", b"\xed\xa0\x80"), "invalid_utf8", "0xed"),
    ("overlong UTF-8", line().replace(b"t-1", b"\xc0\xaf"), "invalid_utf8", "0xc0"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), "invalid_utf8", "UTF-8"),
    ("a mark inside", b"\xef\xbb\xbf" + line(), "invalid_json", "byte order mark"),
    ("a field of 10 MB", line(error_message="x" * 10_000_000), "record_too_large", "10,000,"),
]  # fmt: skip
# name, the record's text, and what is set aside: where, the value, and a word of the reason why
# a recorder, which sets nothing aside, refuses it
ASIDE: list[tuple[str, bytes, str, float, str]] = [
    ("score above one", line(scores={"accuracy": 1.01}), "scores.accuracy", 1.01, "0 to 1"),
    ("score below zero", line(scores={"accuracy": -0.1}), "scores.accuracy", -0.1, "0 to 1"),
    ("judge below its scale", line(scores={"judge": 0}), "scores.judge", 0, "1 to 5"),
    ("metric above one", line(accuracy=1.5), "scores.accuracy", 1.5, "accuracy"),
    ("scale of the record's own", line(scores={"own": 7}, score_scales={"own": [0, 5]}), "scores.own", 7, "0 to 5"),
    ("latency below zero", line(latency_ms=-1), "latency_ms", -1, "cannot be negative"),
    ("tokens below zero", line(tokens_used=-3), "tokens_used", -3, "cannot be negative"),
    ("cost below zero", line(cost_usd=-0.5), "cost_usd", -0.5, "cannot be negative"),
    ("tokens by kind below zero", line(cached_tokens=-1), "cached_tokens", -1, "cannot be negative"),
    ("a score of 1e308", line(scores={"own": 1e308}), "scores.own", 1e308, "past 1e30"),
    ("a score of -1e31", line(scores={"accuracy": -1e31}), "scores.accuracy", -1e31, "under -1e30"),
    ("a measurement of 1e308", line(measurements={"x": 1e308}), "measurements.x", 1e308, "past 1e30"),
    ("the largest double", line(latency_ms=1.7976931348623157e308), "latency_ms", 1.7976931348623157e308, "past 1,000,000,000,000"),
    ("tokens past bigint", line(tokens_used=2**63), "tokens_used", 2.0**63, "past 1,000,000,000,000"),
    ("tokens of 40 digits", line(cached_tokens=10**40), "cached_tokens", 1e40, "past"),
    ("cost of 1e308", line(cost_usd=1e308), "cost_usd", 1e308, "past 1,000,000,000"),
]  # fmt: skip
# name, the fields beyond the required ones, and what must be stored (column, value)
INTACT: list[tuple[str, dict[str, object], str, object]] = [
    ("SQL in an id", {"task_id": "'; drop table x; --"}, "task_id", "'; drop table x; --"),
    ("tabs and line feeds", {"error_message": "a\tb\r\nc"}, "error_message", "a\tb\r\nc"),
    ("COPY's own marks", {"error_message": "\\N\\."}, "error_message", "\\N\\."),
    ("an astral character", {"agent_name": "🦊"}, "agent_name", "🦊"),
    ("a backslash and u0000", {"metadata": {"a": "\\u0000"}}, "metadata", {"a": "\\u0000"}),
    ("colons everywhere", {"metadata": {"a:b": ":,{:"}}, "metadata", {"a:b": ":,{:"}),
    ("a score of zero", {"scores": {"accuracy": 0}}, "scores", {"accuracy": 0}),
    ("a score of null", {"scores": {"accuracy": None}}, "scores", {"accuracy": None}),
    ("a score of true", {"scores": {"own": True}}, "scores", {"own": 1}),
    ("a metric at the top", {"accuracy": 0.9}, "scores", {"accuracy": 0.9}),
    ("a metric twice", {"accuracy": 0.9, "scores": {"accuracy": 0.9}}, "scores", {"accuracy": 0.9}),
    ("a judge's score", {"scores": {"judge": 5}}, "scores", {"judge": 5}),
    ("whole tokens as decimal", {"tokens_used": 2450.0}, "tokens_used", 2450),
    ("the largest tokens", {"tokens_used": 10**12}, "tokens_used", 10**12),
    ("the smallest float", {"cost_usd": 5e-324}, "cost_usd", 5e-324),
    ("the largest latency", {"latency_ms": 1e12}, "latency_ms", 1e12),
    ("the largest score", {"scores": {"own": -1e30}}, "scores", {"own": -(10**30)}),
    ("the deepest metadata", {"metadata": nested(299)}, "metadata", nested(299)),
    ("a big integer", {"metadata": {"n": 10**40}}, "metadata", {"n": 10**40}),
    ("a field of 3 MB", {"error_message": "x" * 3_000_000}, "error_message", "x" * 3_000_000),
    ("null where optional", {"agent_name": None, "success": None}, "success", None),
    ("an error with success", {"error_message": "slow", "success": True}, "success", True),
    ("an error alone", {"error_message": "timed out"}, "success", False),
    ("an error and null", {"error_message": "timed out", "success": None}, "success", False),
    ("an empty error", {"error_message": ""}, "success", None),
    ("an empty optional text", {"agent_name": ""}, "agent_name", None),
    ("nesting that is deep", {"metadata": {"a": [[[[{"b": [1]}]]]]}}, "metadata", {"a": [[[[{"b": [1]}]]]]}),
    ("the longest id", {"task_id": "é" * 256}, "task_id", "é" * 256),
]  # fmt: skip


def test_there_are_at_least_sixty_kinds_of_broken_record() -> None:
    assert len(REFUSED) >= 60
    assert len({name for name, *_ in REFUSED}) == len(REFUSED)


@pytest.mark.parametrize(
    ("text", "code", "word"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_broken_record_is_refused_with_its_own_reason(text: bytes, code: str, word: str) -> None:
    checker = Checker(VOCABULARY)
    assert checker.admit_json([line(), text, line()]) is None
    with pytest.raises(InvalidRecord) as caught:
        checker.check(decode_object(text))
    assert caught.value.code == code
    assert word in caught.value.reason
    assert len(caught.value.reason) < 400


@pytest.mark.parametrize("case", ASIDE, ids=[case[0] for case in ASIDE])
def test_a_value_that_cannot_be_is_set_aside_and_its_record_is_kept(
    shared_url: str, tmp_path: Path, case: tuple[str, bytes, str, float, str]
) -> None:
    _, text, path, value, word = case
    file = tmp_path / "results.jsonl"
    name = f"{path} {value}"
    file.write_bytes(text[:-1] + f', "source_run_id": "{name}", "completeness": 0.5}}'.encode())
    summary = load_file(shared_url, file)
    assert (summary.loaded, summary.rejected, summary.records_aside) == (1, 0, 1)
    assert [(one.field, one.runs, one.low, one.high) for one in summary.set_aside] == [
        (path, 1, value, value)
    ]
    [(scores, latency, tokens, cost, cached, set_aside)] = select(
        shared_url,
        "select scores, latency_ms, tokens_used, cost_usd, cached_tokens, set_aside "
        "from raw_evals.evaluation_runs where source_run_id = %s",
        name,
    )
    assert (scores, latency, tokens, cost, cached) == ({"completeness": 0.5}, *[None] * 4)
    assert {key: float(kept) for key, kept in set_aside.items()} == {path: value}
    with pytest.raises(InvalidRecord) as caught:
        Checker(VOCABULARY).check(decode_object(text))
    assert word in caught.value.reason
    assert path in caught.value.reason


def test_broken_records_are_kept_with_their_exact_text_and_the_sound_ones_are_loaded(
    database_url: str, tmp_path: Path
) -> None:
    # a repetition 0 is refused alone: a file that holds one is counted from 0
    broken = [case for case in REFUSED if b"\n" not in case[1] and case[0] != "repetition zero"]
    lines = [line(task_id="first"), *(text for _, text, *_ in broken), line(task_id="last")]
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\n".join(lines))
    summary = load_file(database_url, path)
    assert (summary.loaded, summary.rejected) == (2, len(broken))
    kept = select(
        database_url,
        "select origin, row_number, reason_code, payload, payload_bytes "
        "from raw_evals.rejected_rows order by row_number",
    )
    assert len(kept) == len(broken)
    for number, ((_, text, code, _), row) in enumerate(zip(broken, kept, strict=True), 2):
        origin, row_number, reason_code, payload, payload_bytes = row
        assert (origin, row_number, reason_code) == (str(path), number, code)
        original = payload.encode() if payload_bytes is None else bytes(payload_bytes)
        assert original == (text[: 64 * 1024] if code == "record_too_large" else text)


@pytest.mark.parametrize("ascii_only", [True, False])
def test_odd_but_sound_records_are_kept_intact(
    shared_url: str, tmp_path: Path, *, ascii_only: bool
) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        "".join(
            json.dumps(record(**fields, source_run_id=name), ensure_ascii=ascii_only) + "\n"
            for name, fields, *_ in INTACT
        ),
        encoding="utf-8",
    )
    summary = load_file(shared_url, path, defaults=None)
    assert summary.rejected == 0
    for name, _, column, value in INTACT:
        found = select(
            shared_url,
            f"select {column} from raw_evals.evaluation_runs where source_run_id = %s",
            name,
        )
        assert found == [(value,)], name
