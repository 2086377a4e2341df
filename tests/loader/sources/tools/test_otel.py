"""Results of evaluations in OTLP become runs, joined with the spans they belong to."""

from __future__ import annotations

import json
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

from loader.errors import ConfigurationError
from loader.sources.mapping import parse_all
from loader.sources.tools.identity import refuse_without_arm
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.otel import IMPORTER
from tool_files import otel
from tool_files.otel import RESULT, attributes, log_request, result, span_request
from tool_reading import records, rejections, runs_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITERS = (otel.write_events, otel.write_logs, otel.write_document)


def lines(path: Path, *requests: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in requests), encoding="utf-8")
    return path


def span(span_id: str, parent: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "traceId": "t1", "spanId": span_id, "parentSpanId": parent or "", "name": span_id,
        "startTimeUnixNano": str(otel.BEGIN), "endTimeUnixNano": str(otel.BEGIN + 9),
        **more,
    }  # fmt: skip


def log(told: list[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401  any value
    return {
        "timeUnixNano": str(otel.BEGIN + 5), "eventName": RESULT, "traceId": "t1",
        "attributes": told, **more,
    }  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_every_form_gives_the_same_runs(tmp_path: Path, write: Callable[..., Path]) -> None:
    found = {run.task_id: run for run in records(source_of(write(tmp_path / "otlp", 30, 2)))}
    wanted = {truth.case: truth for truth in otel.truths(30, 2)}
    assert found.keys() == wanted.keys()
    for case, truth in wanted.items():
        run = found[case]
        assert run.source_run_id == truth.trace
        assert run.experiment_id == "desk suite"
        assert run.extension_version == "1.0.0"
        assert (run.model_version, run.agent_name) == ("small-1", "desk")
        assert (
            run.scores == ({} if truth.error else {"relevance": truth.relevance}) or not run.scores
        )
        assert run.labels == {"relevance": truth.label}
        assert run.comments == {"relevance": "it fits"}
        assert run.prompt_tokens == truth.input_tokens
        assert run.completion_tokens == truth.output_tokens
        assert run.latency_ms == truth.milliseconds
        assert run.recorded_at.timestamp() == truth.start / 1e9
        assert (run.error_message or None) == truth.error
        assert (run.success is False) == (truth.error is not None)
    scored = [run.scores["relevance"] for run in found.values() if run.scores]
    assert fmean(scored) == fmean(
        truth.relevance for truth in wanted.values() if truth.relevance is not None
    )


def test_spans_that_a_collector_wrote_into_a_file_of_their_own_are_joined(tmp_path: Path) -> None:
    whole = otel.write_logs(tmp_path / "all.jsonl", 20, 2)
    text = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    whole.unlink()
    logs, traces = tmp_path / "logs.jsonl", tmp_path / "traces.jsonl"
    logs.write_text("".join(text[:20]), encoding="utf-8")
    traces.write_text("".join(text[20:]), encoding="utf-8")
    source = source_of(logs, traces)
    found = records(source)
    assert {run.task_id for run in found} == {truth.case for truth in otel.truths(20, 2)}
    assert {run.model_version for run in found} == {"small-1"}
    assert any("the results of evaluations beside it" in note for note in source.notes())


def test_a_trace_without_a_result_is_no_run(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl", span_request([span("a"), {**span("b"), "traceId": "t2"}]),
        log_request([log(result("good", 1.0))]),
    )  # fmt: skip
    [run] = runs_of(path)
    assert run["source_run_id"] == "t1"


def test_a_file_of_spans_alone_has_no_run(tmp_path: Path) -> None:
    [(_, code, _)] = rejections(source_of(lines(tmp_path / "a.jsonl", span_request([span("a")]))))
    assert code == "empty_file"


def test_a_result_outside_of_the_trace_finds_its_span_by_the_response(tmp_path: Path) -> None:
    call = attributes(gen_ai__response__id="r-1", gen_ai__request__model="small")
    told = result("good", 0.5, gen_ai__response__id="r-1")
    path = lines(
        tmp_path / "a.jsonl", log_request([log(told, traceId="")]),
        span_request([span("a", attributes=call)]),
    )  # fmt: skip
    [run] = runs_of(path)
    assert (run["source_run_id"], run["model_version"]) == ("response/r-1", "small")
    assert run["scores"] == {"good": 0.5}


def test_each_test_case_of_a_trace_is_a_run(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        span_request([
            span("root"),
            span("c1", "root", attributes=attributes(test__case__name="one")),
            span("c2", "root", attributes=attributes(test__case__name="two")),
            span("x2", "c2"),
        ]),
        log_request([
            log(result("good", 1.0), spanId="c1"),
            log(result("good", 0.0), spanId="x2"),
        ]),
    )  # fmt: skip
    first, second = runs_of(path)
    assert (first["task_id"], first["scores"]) == ("one", {"good": 1.0})
    assert (second["task_id"], second["scores"]) == ("two", {"good": 0.0})
    assert [run["source_run_id"] for run in (first, second)] == ["t1/c1", "t1/c2"]


def test_the_latest_result_of_a_span_counts_and_several_spans_the_mean(tmp_path: Path) -> None:
    later = {"timeUnixNano": str(otel.BEGIN + 99)}
    path = lines(
        tmp_path / "a.jsonl",
        span_request([span("root"), span("a", "root"), span("b", "root")]),
        log_request([
            log(result("good", 0.8), spanId="a", **later),
            log(result("good", 0.1), spanId="a"),
            log(result("good", 0.4), spanId="b"),
        ]),
    )  # fmt: skip
    [run] = runs_of(path)
    assert run["scores"] == {"good": pytest.approx(0.6)}
    assert run["metadata"]["earlier_scores"] == 1


def test_the_service_of_an_evaluator_is_not_what_was_evaluated(tmp_path: Path) -> None:
    request = log_request([log(result("good", 1.0))])
    [service] = request["resourceLogs"]
    service["resource"] = {"attributes": attributes(service__name="evals", service__version="9")}
    [run] = runs_of(lines(tmp_path / "a.jsonl", request))
    assert run["experiment_id"] == "otel"
    assert "extension_version" not in run


def test_an_evaluation_that_failed_is_no_zero(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl", log_request([log(result("good", error__type="TimeoutError"))])
    )
    [run] = records(source_of(path))
    assert run.scores == {"good": None}
    assert run.comments == {"good": "the evaluation failed: TimeoutError"}
    assert run.evaluator_versions == {"good": "judges 2.1"}
    assert run.success is None


def test_the_question_of_a_person_names_the_task_whatever_the_system_prompt(
    tmp_path: Path,
) -> None:
    def request(trace: str, system: str) -> dict[str, Any]:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "Who?"}]
        told = attributes(gen_ai__input__messages=json.dumps(messages))
        events = [{"name": RESULT, "attributes": result("good", 1.0)}]
        return span_request([{**span("a", attributes=told, events=events), "traceId": trace}])

    path = lines(tmp_path / "a.jsonl", request("t1", "be short"), request("t2", "be long"))
    first, second = runs_of(path)
    assert first["task_id"] == second["task_id"]
    assert first["task_id"].startswith("input-")
    assert [run["repetition"] for run in (first, second)] == [1, 2]


def test_older_names_of_attributes_are_read(tmp_path: Path) -> None:
    told = attributes(
        gen_ai__evaluation__name="good", gen_ai__evaluation__score=0.25,
        gen_ai__evaluation__reasoning="short",
    )  # fmt: skip
    usage = attributes(gen_ai__usage__prompt_tokens=7, gen_ai__usage__completion_tokens=2)
    event = {"name": RESULT, "attributes": told}
    path = lines(tmp_path / "a.jsonl", span_request([span("a", attributes=usage, events=[event])]))
    [run] = records(source_of(path))
    assert (run.scores, run.comments) == ({"good": 0.25}, {"good": "short"})
    assert (run.prompt_tokens, run.completion_tokens, run.tokens_used) == (7, 2, 9)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (log(attributes(gen_ai__evaluation__score__value=1.0)), "has no gen_ai.evaluation.name"),
        (log(result("good", 1.0), traceId=""), "belongs to no run"),
    ],
)
def test_a_result_of_nothing_is_rejected_alone(
    tmp_path: Path, record: dict[str, Any], told: str
) -> None:
    path = lines(
        tmp_path / "a.jsonl", log_request([log(result("good", 1.0))]), log_request([record])
    )
    [(place, code, reason)] = rejections(source_of(path))
    assert (place, code) == (2, "missing_field")
    assert told in reason
    assert len(runs_of(path)) == 1


def test_any_attribute_can_tell_the_arm(tmp_path: Path) -> None:
    told = attributes(deployment__variant="code-chef")
    path = lines(
        tmp_path / "a.jsonl", span_request([span("a", attributes=told)]),
        log_request([log(result("good", 1.0), spanId="a")]),
    )  # fmt: skip
    source = source_of(path, supplied={}, mapping=(("experiment_group", "deployment.variant"),))
    assert [run.experiment_group for run in records(source)] == ["code-chef"]
    with pytest.raises(ConfigurationError, match=r'deployment\.variant: "code-chef"') as refused:
        refuse_without_arm([(ToolFile(str(path)), IMPORTER)], parse_all([]), ())
    assert 'service.name: "desk"' in str(refused.value)


def test_a_document_that_breaks_off_loads_nothing(tmp_path: Path) -> None:
    path = otel.write_document(tmp_path / "a.json", 20, 2)
    path.write_bytes(path.read_bytes()[:-200])
    [(_, code, reason)] = rejections(source_of(path))
    assert code == "invalid_json"
    assert "breaks off" in reason


def test_lines_longer_than_the_beginning_that_is_looked_at_are_lines(tmp_path: Path) -> None:
    long = attributes(note="x" * 200_000)
    path = lines(
        tmp_path / "a.jsonl", span_request([span("a", attributes=long)]),
        log_request([log(result("good", 1.0), spanId="a")]),
    )  # fmt: skip
    assert [run["scores"] for run in runs_of(path)] == [{"good": 1.0}]


def test_a_line_that_breaks_off_is_rejected_alone(tmp_path: Path) -> None:
    path = otel.write_events(tmp_path / "a.jsonl", 5, 2)
    path.write_bytes(path.read_bytes()[:-50])
    source = source_of(path)
    assert [place for place, _, _ in rejections(source)] == [5]
    assert len(runs_of(path)) == 4
