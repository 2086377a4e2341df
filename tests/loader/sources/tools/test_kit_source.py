"""Files of a tool as a source: every run is counted, and what stands beside them is told."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from ingest_support import run_load, select
from loader.errors import SourceUnavailable
from loader.records.json_text import LARGEST_RECORD
from loader.sources import ArmPlan, SummaryScore
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.wholes import score_id
from plain_tool import run, source_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loader.sources.tools.source import ToolSource

pytestmark = pytest.mark.newest_server
WHOLE = {
    "kind": "whole", "key": "accuracy", "score": 0.5, "experiment_id": "e",
    "experiment_group": "baseline", "extension_version": "1",
}  # fmt: skip


def read(source: ToolSource) -> list[object]:
    """Return the record of each row, or its reason code."""
    return [
        row.rejection.reason_code if row.rejection else json.loads(row.original)
        for row in source.rows()
    ]


def notes(source: ToolSource, folder: Path) -> list[str]:
    return [note.replace(f"{folder}/", "") for note in source.notes()]


def runs(count: int, **fields: object) -> list[dict[str, object]]:
    return [run(task_id=f"t{n}", source_run_id=f"r{n}", **fields) for n in range(count)]


def test_every_run_is_a_row_with_its_place(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "a", run(), {"kind": "rejected"}, {"kind": "invalid"}, run())
    rows = list(source_of([file]).rows())
    assert [row.row_number for row in rows] == [1, 2, 3, 4]
    assert {row.origin for row in rows} == {str(tmp_path / "a")}
    assert [row.rejection and row.rejection.reason_code for row in rows] == [
        None, "odd_run", "odd_run", None,
    ]  # fmt: skip
    assert json.loads(rows[0].original) == run()


def test_what_each_file_is_and_has_is_told(tmp_path: Path) -> None:
    files = [
        write_lines(tmp_path / "a", *runs(3), run(experiment_group="code-chef", source_run_id="c")),
        write_lines(tmp_path / "b", run(), {"kind": "rejected"}, {"kind": "noted", "text": "odd"}),
        *(write_lines(tmp_path / f"c{n}", {"kind": "companion", "of": "a"}) for n in range(3)),
        write_lines(tmp_path / "d", run(scores={"accuracy": 0.5}), WHOLE),
        write_lines(tmp_path / "e", {key: run()[key] for key in ("task_id", "experiment_group")}),
    ]
    source = source_of(files, supplied={"experiment_id": "s"})
    assert read(source).count("empty_file") == 0
    *told, unversioned = notes(source, tmp_path)
    assert told == [
        "a: Plain, 4 runs: 3 of baseline 1 in s, 1 of code-chef 1 in s",
        "b: Plain, 1 run: 1 of baseline 1 in s",
        "d: Plain, 1 run: 1 of baseline 1 in s, 1 score of a whole arm",
        "e: Plain, 1 run: 1 of baseline unversioned in s",
        "c0 and 2 more: Plain, read with a",
        "b: odd",
    ]
    assert unversioned.startswith("1 run of files that tell no version: extension_version is")


@pytest.mark.parametrize("kind", ["broken", "odd"])
def test_a_file_that_cannot_be_read_is_one_rejected_row(tmp_path: Path, kind: str) -> None:
    first: dict[str, object] = {"odd": 1} if kind == "odd" else {"kind": "broken"}
    files = [write_lines(tmp_path / "a", first, run()), write_lines(tmp_path / "b", run())]
    source = source_of(files)
    assert read(source) == ["odd_file", run()]
    assert notes(source, tmp_path) == [
        "b: Plain, 1 run: 1 of baseline 1 in e",
        "a: Plain, not read",
    ]


def test_a_file_without_runs_is_one_rejected_row(tmp_path: Path) -> None:
    files = [
        write_lines(tmp_path / "a"),
        write_lines(tmp_path / "b", {"kind": "planned", "tasks": 1, "repetitions": 1}),
    ]
    assert read(source_of(files)) == ["empty_file", "empty_file"]


def test_reading_again_gives_the_same(tmp_path: Path) -> None:
    said = {"said": ["accuracy", 0, "Ann", "wrong"]}
    lines: Sequence[dict[str, object]] = [*runs(2, **said), WHOLE, run()]
    file = write_lines(tmp_path / "a", *lines, {"kind": "planned", "tasks": 9, "repetitions": 2})
    source = source_of([file, file])

    def everything() -> list[Any]:
        found = [*source.rows(), *source.plans(), *source.summary_scores(), *source.notes()]
        assert source.position == source.total_bytes == 2 * file.byte_count
        return [*found, *source.files_read(), *source.said()]

    assert everything() == everything()


def test_how_much_was_to_run_is_told_of_a_file_of_one_arm(tmp_path: Path) -> None:
    planned = {"kind": "planned", "tasks": 9, "repetitions": None}
    other = run(experiment_group="code-chef")
    files = [
        write_lines(tmp_path / "a", planned, run()),
        write_lines(tmp_path / "b", run(), other, planned),
    ]
    source = source_of(files, "extension_version='7'")
    read(source)
    assert source.plans() == [ArmPlan("e", "baseline", "7", None, 9)]


def test_a_score_of_a_whole_arm_is_kept_beside_its_runs_wherever_they_stand(
    tmp_path: Path,
) -> None:
    at = {"at": "2026-11-01T10:00:00", "comment": "± 0.1"}
    files = [
        write_lines(tmp_path / "a", {**WHOLE, **at}, {**WHOLE, "key": "f1", "at": "yesterday"}),
        write_lines(tmp_path / "b", run()),
    ]
    source = source_of(files)
    assert read(source) == [run()]
    assert source.summary_scores() == [
        SummaryScore(
            "e", "baseline", "1", "plain:e/baseline/1:accuracy", "accuracy", 0.5, None, "± 0.1",
            "evaluator", "2026-11-01T10:00:00+00:00", is_kept_alone=True,
        ),
        SummaryScore(
            "e", "baseline", "1", "plain:e/baseline/1:f1", "f1", 0.5, None, None, "evaluator",
            None, is_kept_alone=True,
        ),
    ]  # fmt: skip


def test_scores_of_an_arm_without_runs_are_kept_and_told(tmp_path: Path) -> None:
    lone = {**WHOLE, "experiment_group": "code-chef"}
    files = [
        write_lines(tmp_path / "a", lone, {**lone, "key": "f1", "score": None}),
        write_lines(tmp_path / "b", run(), WHOLE),
    ]
    source = source_of(files)
    assert read(source) == [run()]
    groups = [score.experiment_group for score in source.summary_scores()]
    assert groups == ["code-chef", "code-chef", "baseline"]
    assert notes(source, tmp_path)[-1] == (
        "a: 2 scores of a whole arm (accuracy 0.5, f1 absent) and none of its runs: they are "
        "kept, and nothing is compared by them; give the file of its samples for that"
    )


@pytest.mark.parametrize(
    ("said", "code"),
    [({"experiment_group": "nobody"}, "unknown_group"), ({"experiment_id": ""}, "missing_field")],
)
def test_scores_of_an_arm_that_no_run_can_be_of_are_one_rejected_row(
    tmp_path: Path, said: dict[str, str], code: str
) -> None:
    path = write_lines(tmp_path / "a", {**WHOLE, **said}, {**WHOLE, **said, "key": "f1"})
    source = source_of([path], groups={"baseline", "code-chef"})
    [row] = source.rows()
    assert row.rejection is not None
    assert row.rejection.reason_code == code
    assert json.loads(row.original)[1]["evaluator_key"] == "f1"
    assert source.summary_scores() == []


def test_a_score_of_a_whole_arm_is_kept_with_and_without_its_runs(
    tmp_path: Path, shared_url: str
) -> None:
    named = {"experiment_id": "before"}
    lone = write_lines(tmp_path / "a", {**WHOLE, **named})
    stored = "select score, load_id from raw_evals.summary_scores where experiment_id = 'before'"
    first = run_load(shared_url, source_of([lone]))
    assert (first.read, first.arm_scores, first.has_nothing) == (0, 1, False)
    assert select(shared_url, stored) == [(0.5, first.load_id)]
    run_load(shared_url, source_of([lone]))
    run_load(shared_url, source_of([write_lines(tmp_path / "b", run(**named))]))
    run_load(shared_url, source_of([lone]))
    assert select(shared_url, stored) == [(0.5, first.load_id)]


def test_a_score_that_no_run_can_be_of_takes_none_of_its_file_along(tmp_path: Path) -> None:
    nobody = {**WHOLE, "experiment_group": "nobody", "key": "f1"}
    path = write_lines(tmp_path / "a", run(), WHOLE, nobody, {**WHOLE, "key": "f2"})
    source = source_of([path], groups={"baseline", "code-chef"})
    *_, last = source.rows()
    assert last.rejection is not None
    assert [each["evaluator_key"] for each in json.loads(last.original)] == ["f1"]
    assert [each.evaluator_key for each in source.summary_scores()] == ["accuracy", "f2"]


def test_scores_of_arms_whose_names_run_together_or_are_long_stay_apart() -> None:
    arms = [("e", "a/b", "c"), ("e", "a", "b/c"), ("e" * 500, "g", "v"), ("e" * 501, "g", "v")]
    ids = {score_id("plain", *arm, "accuracy") for arm in arms}
    assert len(ids) == 4
    assert max(map(len, ids)) < 512
    assert score_id("plain", "e", "g", "1", "accuracy") == "plain:e/g/1:accuracy"


def test_what_was_planned_of_a_file_that_breaks_off_behind_its_runs_is_kept(
    tmp_path: Path,
) -> None:
    planned = {"kind": "planned", "tasks": 9, "repetitions": None}
    source = source_of([write_lines(tmp_path / "a", planned, run(), {"kind": "broken"})])
    assert read(source) == [run(), "odd_file"]
    assert source.plans() == [ArmPlan("e", "baseline", "1", None, 9)]


def test_what_was_left_out_is_told_however_many_files_there_are(tmp_path: Path) -> None:
    files = [
        write_lines(tmp_path / f"a{n}", run(), {"kind": "noted", "text": f"odd {n}"})
        for n in range(30)
    ]
    source = source_of(files)
    read(source)
    told = notes(source, tmp_path)
    assert [f"a{n}: odd {n}" in told for n in range(30)] == [True] * 30
    assert "and 10 more Plain files" in told


def test_the_last_of_two_scores_of_one_arm_counts(tmp_path: Path, shared_url: str) -> None:
    lines = [*runs(1, experiment_id="w"), {**WHOLE, "experiment_id": "w"}]
    files = [
        write_lines(tmp_path / "a", *lines),
        write_lines(tmp_path / "b", *lines, {**lines[-1], "score": 0.75}),
    ]
    source = source_of(files)
    run_load(shared_url, source)
    stored = "select score from raw_evals.summary_scores where experiment_id = 'w'"
    assert select(shared_url, stored) == [(0.75,)]
    assert any("2 scores of a whole arm told again" in note for note in source.notes())


def test_inputs_and_outputs_that_are_too_long_cost_no_run(tmp_path: Path, shared_url: str) -> None:
    long = run(experiment_id="long", inputs="x" * LARGEST_RECORD, metadata={"a": 1})
    source = source_of([write_lines(tmp_path / "a", long)])
    assert read(source) == [{key: long[key] for key in long if key != "inputs"}]
    assert f"1 run with inputs and outputs of more than {LARGEST_RECORD:,} bytes" in str(
        list(source.notes())
    )
    assert run_load(shared_url, source, keep_contents=True).loaded == 1
    other = run(experiment_id="long", metadata={"a": "x" * LARGEST_RECORD})
    summary = run_load(shared_url, source_of([write_lines(tmp_path / "b", other)]))
    assert [reason.reason_code for reason in summary.reasons] == ["record_too_large"]


def test_a_file_whose_name_is_no_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    try:
        file = write_lines(path, run())
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    assert read(source_of([file], "dataset_version=file")) == ["invalid_utf8"]


def test_numbers_that_are_none_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('{"task_id": "t", "experiment_group": "b", "scores": {"a": NaN, "b": 1}}\n')
    source = source_of([ToolFile(str(path))], supplied={"experiment_id": "e"})
    [found] = read(source)
    assert isinstance(found, dict)
    assert found["scores"] == {"a": None, "b": 1}
    assert "a: 1 number NaN or infinite, read as absent" in notes(source, tmp_path)


def test_a_file_that_fails_while_it_is_read_loads_nothing(tmp_path: Path) -> None:
    class Failing(ToolFile):
        def lines(self, kind: Any) -> Any:  # noqa: ANN401
            yield from super().lines(kind)
            raise OSError(5, "Input/output error")

    write_lines(tmp_path / "a", run())
    with pytest.raises(SourceUnavailable, match=r"a failed: Input/output error; nothing was"):
        list(source_of([Failing(str(tmp_path / "a"))]).rows())


def test_a_load_adds_up_and_a_second_one_loads_nothing(tmp_path: Path, shared_url: str) -> None:
    files = [
        write_lines(tmp_path / "a", *runs(3, experiment_id="up"), {"kind": "rejected"}),
        write_lines(tmp_path / "b", {"kind": "broken"}),
        write_lines(tmp_path / "c", *runs(2, experiment_id="up", experiment_group="nobody")),
    ]
    first = run_load(shared_url, source_of(files))
    assert (first.read, first.loaded, first.rejected) == (7, 3, 4)
    again = run_load(shared_url, source_of(files))
    assert (again.read, again.loaded, again.unchanged, again.rejected) == (7, 0, 3, 4)


def test_runs_that_were_scored_anew_are_new_versions(tmp_path: Path, shared_url: str) -> None:
    old = write_lines(tmp_path / "a", *runs(3, experiment_id="anew"))
    new = write_lines(tmp_path / "b", *runs(3, experiment_id="anew", scores={"accuracy": 0}))
    assert run_load(shared_url, source_of([old])).loaded == 3
    scored_anew = run_load(shared_url, source_of([new]))
    assert (scored_anew.loaded, scored_anew.replaced) == (3, 3)
    assert run_load(shared_url, source_of([old])).loaded == 0
    stored = (
        "select run_version, count(*) from raw_evals.evaluation_runs "
        "where experiment_id = 'anew' group by 1 order by 1"
    )
    assert select(shared_url, stored) == [(1, 3), (2, 3)]
