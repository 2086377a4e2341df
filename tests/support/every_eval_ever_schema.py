"""What the schema 0.3.0 of Every Eval Ever demands, and its validator beside, stated anew."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TEXT, _NUMBER, _FLAG, _LIST = (str,), (int, float), (bool,), (list,)
_NAME = "data/[^/]+/[^/]+/[^/]+/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_SAMPLES = re.compile(rf"{_NAME}_samples\.jsonl")
_OF_INSTANCE = {
    "schema_version": _TEXT, "evaluation_id": _TEXT, "model_id": _TEXT, "evaluation_name": _TEXT,
    "sample_id": _TEXT, "interaction_type": _TEXT, "input": (dict,), "answer_attribution": _LIST,
    "evaluation": (dict,),
}  # fmt: skip
_MAY_BE = {
    "evaluation_result_id", "sample_hash", "output", "messages", "token_usage", "performance",
    "error", "metadata",
}  # fmt: skip
_OF_AGGREGATE = {
    "schema_version": _TEXT, "evaluation_id": _TEXT, "retrieved_timestamp": _TEXT,
    "source_metadata": (dict,), "eval_library": (dict,), "model_info": (dict,),
    "evaluation_results": _LIST,
}  # fmt: skip


def check_instance(line: dict[str, Any]) -> None:
    """Raise AssertionError where a line is not as the schema wants."""
    _has(line, _OF_INSTANCE)
    assert set(line) <= set(_OF_INSTANCE) | _MAY_BE
    assert line["schema_version"] == "0.3.0"
    assert line["interaction_type"] == "single_turn"
    assert line.get("messages") is None
    _has(line["input"], {"raw": _TEXT, "reference": _LIST})
    assert all(isinstance(each, str) for each in line["input"]["reference"])
    _has(line["output"], {"raw": _LIST})
    assert all(isinstance(each, str) for each in line["output"]["raw"])
    _has(line["evaluation"], {"score": _NUMBER, "is_correct": _FLAG})
    usage = line.get("token_usage")
    if usage is not None:
        names = ("input_tokens", "output_tokens", "total_tokens")
        _has(usage, dict.fromkeys(names, (int,)))
        assert all(count is None or (type(count) is int and count >= 0) for count in usage.values())
    spent = line.get("performance")
    if spent is not None:
        assert spent["latency_ms"] is None or spent["latency_ms"] >= 0
        _texts(spent["additional_details"])
    assert isinstance(line.get("error"), str | None)
    _texts(line.get("metadata") or {})


def check_aggregate(path: Path, folder: Path) -> None:
    """Raise AssertionError where an aggregate, or its instance file beside it, is not right."""
    found = json.loads(path.read_text(encoding="utf-8"))
    _has(found, _OF_AGGREGATE)
    assert set(found) <= {*_OF_AGGREGATE, "evaluation_timestamp", "detailed_evaluation_results"}
    origin = found["source_metadata"]
    assert origin["source_type"] in {"documentation", "evaluation_run"}
    assert origin["evaluator_relationship"] in {
        "first_party", "third_party", "collaborative", "other",
    }  # fmt: skip
    _has(origin, {"source_organization_name": _TEXT})
    _texts(origin["additional_details"])
    _has(found["eval_library"], {"name": _TEXT, "version": _TEXT})
    _has(found["model_info"], {"name": _TEXT, "id": _TEXT, "additional_details": (dict,)})
    details = found["model_info"]["additional_details"]
    assert details["deployment_type"] in {"self_deployed", "externally_managed", "unknown"}
    assert details["model_availability"] in {"open_weights", "closed_weights", "unknown"}
    for result in found["evaluation_results"]:
        _check_result(result)
    _check_samples(found, path, folder)


def _check_result(result: dict[str, Any]) -> None:
    _has(result, {
        "evaluation_result_id": _TEXT, "evaluation_name": _TEXT, "source_data": (dict,),
        "metric_config": (dict,), "score_details": (dict,),
    })  # fmt: skip
    assert result["source_data"]["source_type"] == "other"
    _has(result["source_data"], {"dataset_name": _TEXT})
    _texts(result["source_data"]["additional_details"])
    config = result["metric_config"]
    _has(config, {"lower_is_better": _FLAG, "metric_id": _TEXT})
    assert config["score_type"] in {"binary", "continuous"}
    _texts(config["additional_details"])
    score = result["score_details"]["score"]
    assert config["min_score"] <= score <= config["max_score"]
    _texts(result["score_details"]["details"])


def _check_samples(found: dict[str, Any], path: Path, folder: Path) -> None:
    told = found["detailed_evaluation_results"]
    assert _SAMPLES.fullmatch(told["file_path"])
    samples = folder / told["file_path"]
    assert samples == path.with_name(f"{path.stem}_samples.jsonl")
    content = samples.read_bytes()
    assert (told["format"], told["hash_algorithm"]) == ("jsonl", "sha256")
    assert told["checksum"] == hashlib.sha256(content).hexdigest()
    lines = [json.loads(line) for line in content.splitlines()]
    assert told["total_rows"] == len(lines) > 0
    assert {line["evaluation_id"] for line in lines} == {found["evaluation_id"]}
    assert {line["model_id"] for line in lines} == {found["model_info"]["id"]}
    ids = {result["evaluation_result_id"] for result in found["evaluation_results"]}
    assert {line["evaluation_result_id"] for line in lines if not line.get("error")} == ids


def _has(found: dict[str, Any], wanted: Mapping[str, tuple[type, ...]]) -> None:
    for name, kinds in wanted.items():
        assert name in found, name
        assert isinstance(found[name], kinds), name
        assert bool in kinds or not isinstance(found[name], bool), name


def _texts(found: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in found.values())
