from __future__ import annotations

import gzip
import json
import math
import resource
from typing import TYPE_CHECKING, Any

import pytest

from loader.records.checker import Checker
from loader.records.vocabulary import Vocabulary
from loader.sources.mapping import Mapping
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from loader.sources.tools.source import ToolSource
from sample_marts import loader
from tool_files import every_eval_ever as made

if TYPE_CHECKING:
    from pathlib import Path

    from loader.sources import SourceRow

KIND = "every-eval-ever"
GROUP = {"experiment_group": "baseline"}


def read(*paths: Path) -> tuple[ToolSource, list[SourceRow]]:
    """Return a source of some files of the tool, and every row of it."""
    files = [ToolFile(str(path)) for path in paths]
    assert {recognised(file) for file in files} == {KIND}
    source = ToolSource(files, importer_of(KIND), supplied=GROUP, mapping=Mapping())
    return source, list(source.rows())


def records(*paths: Path) -> list[dict[str, Any]]:
    """Return the records of files; all must be admitted as they are."""
    _, rows = read(*paths)
    assert [row.rejection for row in rows if row.rejection] == []
    found = [json.loads(row.original) for row in rows]
    checker = Checker(Vocabulary(frozenset({"baseline"})))
    for record in found:
        checker.check({**record, **GROUP})
    return found


def line(**changes: object) -> dict[str, Any]:
    """Return an instance that says as little as the schema allows."""
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "e/m/1",
        "model_id": "m",
        "evaluation_name": "e",
        "sample_id": "s",
        "interaction_type": "single_turn",
        "input": {"raw": "q", "reference": []},
        "answer_attribution": [],
        "evaluation": {"score": 1, "is_correct": True},
        **changes,
    }


def instances(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return path


def test_the_lines_of_a_sample_are_one_run_with_a_score_each(tmp_path: Path) -> None:
    paths = made.write(tmp_path, 40)
    truth = made.numbers(paths)
    found = records(*paths)
    assert len(found) == truth.runs == 40
    assert sum("error_message" in record for record in found) == truth.errors
    for metric, mean in truth.means.items():
        scores = [record["scores"][metric] for record in found if "scores" in record]
        assert math.isclose(sum(scores) / len(scores), mean)
    aggregate = json.loads(paths[0].read_text())
    told = [each["score_details"]["score"] for each in aggregate["evaluation_results"]]
    assert list(truth.means.values()) == pytest.approx(told)


def test_every_field_has_its_place(tmp_path: Path) -> None:
    paths = made.write(tmp_path, 40)
    first = records(*paths)[2]
    text = paths[1].read_text(encoding="utf-8").splitlines()
    original = next(each for each in map(json.loads, text) if each["sample_id"] == "land-1")
    assert first == {
        "experiment_id": "capitals",
        "task_id": "land-1",
        "source_run_id": f"{made.EVALUATION}/land-1/1",
        "repetition": 1,
        "recorded_at": "2025-11-24T16:00:00+00:00",
        "model_version": "acme/small-1",
        "extension_version": "unversioned",
        "scores": first["scores"],
        "score_scales": {"judge": [1, 5]},
        "evaluator_versions": {"accuracy": "atlas 2.1", "judge": "atlas 2.1"},
        "measurements": {"num_turns": 1},
        "latency_ms": original["performance"]["latency_ms"],
        "prompt_tokens": original["token_usage"]["input_tokens"],
        "completion_tokens": original["token_usage"]["output_tokens"],
        "tokens_used": original["token_usage"]["total_tokens"],
        "cached_tokens": original["token_usage"]["input_tokens_cache_read"],
        "inputs": {"question": "Capital of land 1?", "choices": ["City 1", "City 2"]},
        "outputs": original["output"]["raw"][0],
        "reference_outputs": "City 1",
        "metadata": {"category": "south", "sample_hash": original["sample_hash"]},
    }
    assert set(first["scores"]) == {"accuracy", "judge"}
    assert 1 <= first["scores"]["judge"] <= 5


def test_the_answer_of_an_agent_is_its_messages(tmp_path: Path) -> None:
    found = {record["task_id"]: record for record in records(*made.write(tmp_path, 10))}
    assert [message["role"] for message in found["land-3"]["outputs"]] == ["user", "assistant"]


def test_a_failed_sample_is_a_run_without_a_score(tmp_path: Path) -> None:
    failed = [each for each in records(*made.write(tmp_path, 20)) if "error_message" in each]
    assert len(failed) == 2
    assert failed[0]["error_message"] == "the server did not answer"
    assert "scores" not in failed[0]
    assert failed[0]["inputs"] == "Capital of land 3?"


def test_lines_of_one_run_may_lie_anywhere(tmp_path: Path) -> None:
    paths = made.write(tmp_path / "ordered", 30)
    ordered = {each["source_run_id"]: each for each in records(*paths)}
    lines = paths[1].read_text(encoding="utf-8").splitlines()
    by_metric = sorted(lines, key=lambda text: json.loads(text)["evaluation_result_id"])
    paths[1].write_text("\n".join(by_metric), encoding="utf-8")
    assert {each["source_run_id"]: each for each in records(*paths)} == ordered


def test_a_sample_that_comes_again_is_the_next_repetition(tmp_path: Path) -> None:
    path = instances(tmp_path / "s.jsonl", line(), line(), line(sample_id="t"), line())
    found = [(each["task_id"], each["repetition"]) for each in records(path)]
    assert found == [("s", 1), ("s", 2), ("t", 1), ("s", 3)]
    ids = [each["source_run_id"] for each in records(path)]
    assert len(set(ids)) == 4


def test_an_evaluation_without_a_name_of_its_own_is_told_by_its_model(tmp_path: Path) -> None:
    one, two = (
        records(instances(tmp_path / f"{model}.jsonl", line(evaluation_id="run", model_id=model)))
        for model in ("a", "b")
    )
    assert one[0]["source_run_id"] != two[0]["source_run_id"]
    assert one[0]["task_id"] == two[0]["task_id"]


def test_samples_of_two_evaluations_are_two_tasks(tmp_path: Path) -> None:
    path = instances(
        tmp_path / "s.jsonl", line(evaluation_name="law"), line(evaluation_name="art"), line()
    )
    found = records(path)
    assert [each["task_id"] for each in found] == ["law/s", "art/s", "s"]
    assert {each["experiment_id"] for each in found} == {"e"}


def test_what_is_null_or_not_there_is_absent(tmp_path: Path) -> None:
    (only,) = records(
        instances(
            tmp_path / "s.jsonl",
            line(output=None, token_usage=None, performance={"latency_ms": None}, metadata=None),
        )
    )
    assert only == {
        "experiment_id": "e", "task_id": "s", "source_run_id": "e/m/1/s/1", "repetition": 1,
        "model_version": "m", "scores": {"score": 1}, "inputs": "q",
        "extension_version": "unversioned",
    }  # fmt: skip


@pytest.mark.parametrize("score", ["NaN", "null"])
def test_a_score_that_is_no_number_is_none_and_not_zero(tmp_path: Path, score: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(line()).replace('"score": 1', f'"score": {score}'))
    (only,) = records(path)
    assert "scores" not in only


@pytest.mark.parametrize(
    ("low", "high", "mean", "scores", "scale"),
    [
        (0, 100, 50, [0, 1], None),  # per cent of the whole, of lines that are 0 or 1
        (0, 100, 50, [0, 100], [0, 100]),
        (1, 5, 1, [1, 1], [1, 5]),  # all at the worst end, which is no 1 of 0 to 1
        (0, 1, 0.5, [0, 1], None),
        ("-Infinity", "Infinity", 7, [6, 8], None),
    ],
)
def test_the_scale_of_an_aggregate_counts_where_lines_are_on_it(  # noqa: PLR0913  a case's columns
    tmp_path: Path, low: object, high: object, *, mean: float, scores: list[float], scale: object
) -> None:
    samples = instances(
        tmp_path / "a_samples.jsonl",
        *(line(sample_id=str(n), evaluation={"score": s}) for n, s in enumerate(scores)),
    )
    result = {
        "evaluation_name": "e",
        "metric_config": {"metric_id": "grade", "min_score": low, "max_score": high},
        "score_details": {"score": mean},
    }
    head = {"schema_version": "0.3.0", "evaluation_id": "e/m/1", "retrieved_timestamp": "1"}
    whole = {**head, "source_metadata": {}, "evaluation_results": [result]}
    (tmp_path / "a.json").write_text(json.dumps(whole))
    found = [each.get("score_scales", {}).get("grade") for each in records(samples)]
    assert found == [scale, scale]


@pytest.mark.parametrize(
    ("ids", "keys"),
    [
        (["e::f1"], {"f1"}),
        (["e_small_1"], {"score"}),  # may name the model, which arms do not share
        (["one", "two"], {"one", "two"}),
        ([None], {"score"}),
    ],
)
def test_without_an_aggregate_a_score_is_called_what_arms_may_share(
    tmp_path: Path, ids: list[str | None], keys: set[str]
) -> None:
    path = instances(tmp_path / "s.jsonl", *(line(evaluation_result_id=each) for each in ids))
    (only,) = records(path)
    assert set(only["scores"]) == keys


def test_earlier_schemas_are_read(tmp_path: Path) -> None:
    older = line(
        schema_version="instance_level_eval_0.2.1", sample_id=7,
        input={"raw": "q", "reference": "r"}, output={"raw": "a"}, metadata={"epoch": 2},
        interactions=[{"turn_idx": 0, "role": "user", "content": "q"}],
    )  # fmt: skip
    (only,) = records(instances(tmp_path / "s.jsonl", older))
    assert (only["task_id"], only["repetition"]) == ("7", 2)
    assert (only["reference_outputs"], only["outputs"]) == ("r", "a")


def test_a_later_schema_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = instances(tmp_path / "s.jsonl", line(schema_version="2.0.0", evaluation=[1]))
    _, rows = read(path)
    (row,) = rows
    assert row.rejection is not None
    assert row.rejection.reason_code == "unknown_version"
    assert "2.0.0" in row.rejection.reason
    assert "0.0.1 to 0.3.0" in row.rejection.reason


def test_a_broken_line_is_rejected_alone(tmp_path: Path) -> None:
    path = instances(tmp_path / "s.jsonl", line(), line(sample_id="t"))
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], text[1][:60], json.dumps(line(evaluation=3)), text[1]]))
    _, rows = read(path)
    assert [(row.row_number, row.rejection and row.rejection.reason_code) for row in rows] == [
        (1, None), (2, "invalid_json"), (3, "unexpected_form"), (4, None),
    ]  # fmt: skip


def test_an_aggregate_alone_is_scores_of_the_arm(tmp_path: Path) -> None:
    aggregate, samples = made.write(tmp_path, 10)
    samples.unlink()
    told = json.loads(aggregate.read_text())
    told["evaluation_results"][0]["score_details"]["uncertainty"] = {
        "standard_error": {"value": 0.125}, "num_samples": 9,
    }  # fmt: skip
    aggregate.write_text(json.dumps(told))
    source, rows = read(aggregate)
    assert rows == []
    assert any("(capitals: accuracy" in note for note in source.notes())
    truth = json.loads(aggregate.read_text())["evaluation_results"]
    assert [(each.evaluator_key, each.score) for each in source.summary_scores()] == [
        (f"capitals: {name}", result["score_details"]["score"])
        for name, result in zip(("accuracy", "judge"), truth, strict=True)
    ]
    assert source.summary_scores()[0].comment == "standard error 0.125, of 9 samples"
    assert source.summary_scores()[1].comment is None
    assert source.summary_scores()[0].scored_at == "2025-11-24T16:00:00+00:00"


def test_an_aggregate_beside_its_instances_is_read_with_them(tmp_path: Path) -> None:
    source, rows = read(*made.write(tmp_path, 10))
    assert len(rows) == 10
    assert source.summary_scores() == []
    assert any("read with" in note for note in source.notes())


def test_what_an_export_kept_beside_the_format_comes_back(tmp_path: Path) -> None:
    kept = {"experiment_id": "x", "cost_usd": 0.5, "inputs": None, "json": ["outputs"]}
    path = instances(
        tmp_path / "s.jsonl",
        line(output={"raw": ['{"a":1}']}, metadata={"evalmart": json.dumps(kept)}),
        line(metadata={"evalmart": "[1]"}),
    )
    source = ToolSource(
        [ToolFile(str(path))],
        importer_of(KIND),
        supplied={**GROUP, "experiment_id": "x"},
        mapping=Mapping(),
    )
    rows = list(source.rows())
    first = json.loads(rows[0].original)
    assert (first["cost_usd"], first["outputs"]) == (0.5, {"a": 1})
    assert "inputs" not in first
    assert rows[1].rejection is not None
    assert "metadata.evalmart" in rows[1].rejection.reason


def test_a_run_is_not_loaded_into_the_experiment_that_it_left(tmp_path: Path) -> None:
    kept = {"experiment_id": "x", "source_run_id": "r"}
    path = instances(tmp_path / "s.jsonl", line(metadata={"evalmart": json.dumps(kept)}))
    _, [row] = read(path)
    assert row.rejection is not None
    assert row.rejection.reason_code == "left_this_experiment"
    assert 'left evalmart with experiment "x"' in row.rejection.reason
    assert "say --experiment-id OTHER" in row.rejection.reason
    for experiment in ("x", "y"):
        supplied = {**GROUP, "experiment_id": experiment}
        source = ToolSource(
            [ToolFile(str(path))], importer_of(KIND), supplied=supplied, mapping=Mapping()
        )
        [row] = source.rows()
        assert row.rejection is None


def test_runs_of_one_epoch_are_told_apart_by_the_names_that_an_export_kept(
    tmp_path: Path,
) -> None:
    def said(run: str, **metric: object) -> dict[str, Any]:
        kept = json.dumps({"source_run_id": run})
        return line(metadata={"evalmart": kept, "epoch": "1"}, **metric)

    path = instances(
        tmp_path / "s.jsonl",
        said("a", evaluation_result_id="accuracy", evaluation={"score": 1}),
        said("b", evaluation_result_id="accuracy", evaluation={"score": 0}),
        said("a", evaluation_result_id="judge", evaluation={"score": 0.5}),
        line(metadata={"evalmart": 1, "epoch": "2"}),
    )
    found = records(path)
    assert [(each["source_run_id"], each["scores"]) for each in found[:2]] == [
        ("a", {"accuracy": 1, "judge": 0.5}), ("b", {"accuracy": 0}),
    ]  # fmt: skip
    assert len(found) == 3


def test_gzip_says_the_same(tmp_path: Path) -> None:
    _, samples = made.write(tmp_path, 10)
    packed = tmp_path / f"{samples.name}.gz"
    packed.write_bytes(gzip.compress(samples.read_bytes()))
    assert records(packed) == records(samples)


def test_it_loads_once_and_a_score_that_changed_is_a_new_version(
    database_url: str, tmp_path: Path
) -> None:
    _, samples = made.write(tmp_path, 20)
    told = loader(database_url, "ingest", "--file", tmp_path, "--experiment-group", "baseline")
    assert "read with" in told.stdout + told.stderr
    again = loader(
        database_url, "ingest", "--again", "--file", tmp_path, "--experiment-group", "baseline"
    )
    assert "loaded 0 · unchanged 20" in again.stdout
    text = samples.read_text(encoding="utf-8")
    samples.write_text(text.replace("the server did not answer", "the server is away"))
    rescored = loader(database_url, "ingest", "--file", samples, "--experiment-group", "baseline")
    assert "loaded 2 · unchanged 18" in rescored.stdout


def test_memory_stays_bounded(tmp_path: Path) -> None:
    _, samples = made.write(tmp_path, 20_000)
    source = ToolSource(
        [ToolFile(str(samples))], importer_of(KIND), supplied=GROUP, mapping=Mapping()
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(1 for _ in source.rows()) == 20_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024
