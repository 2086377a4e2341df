"""DeepEval: the test run that `deepeval test run` and `evaluate()` write.

It is `.deepeval/.latest_run_full.json`, `.latest_test_run.json` (in a member `testRunData`) or a
file of DEEPEVAL_RESULTS_FOLDER; or what `evaluate()` returned, dumped by whoever called it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ...tools.counts import counted
from .. import Rejection
from . import About, FileBroken, Importer, Noted, Run
from .deepeval_case import (
    Case,
    Judged,
    measured,
    metadata_of,
    of_snake,
    task_of,
)  # fmt: skip
from .opened import each
from .task_names import digest, in_short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import Part, ToolFile

_LINK: Final = "testRunLink"
_WRAPPED: Final = "testRunData"
_CAMEL: Final = ("testCases", "conversationalTestCases")
_SNAKE: Final = ("test_cases", "conversational_test_cases", "test_results")
_LONG: Final = ("metricsScores", "metricScores", "metrics_scores", "traceMetricsScores")
_MARKS: Final = (b'"metricsData"', b'"metrics_data"', b'"metricsMetadata"')
_LONGEST_NAME: Final = 200
_MOST_ERRORS: Final = 3


class _TestRun(msgspec.Struct, rename="camel"):
    """A test run, but for its test cases."""

    test_run_id: str | None = None
    identifier: str | None = None
    test_file: str | None = None
    dataset_alias: str | None = None
    dataset_id: str | None = None
    hyperparameters: dict[str, Any] | None = None
    configurations: dict[str, Any] | None = None
    """Hyperparameters, in the first versions."""
    run_duration: float | None = None


class _Common(NamedTuple):
    """What the runs of a file have in common."""

    fields: dict[str, Any]
    names: dict[str, object]
    run: str
    """Names the test run: how long it took does, to the last digit; empty where it is not told."""


def _recognises(file: ToolFile) -> bool:
    keys = file.keys
    if "task_id" in keys:
        return False
    if file.is_list:
        return keys >= {"name", "success", "metrics_data"}
    if _WRAPPED in keys or keys == {_LINK}:
        return True
    if "testCases" in keys and keys & {"metricsScores", "metricScores"}:
        return True
    return bool(keys & {*_CAMEL, *_SNAKE}) and any(mark in file.head for mark in _MARKS)


def _runs(file: ToolFile) -> Iterator[Item]:
    lists = [f"{outer}{name}" for outer in ("", f"{_WRAPPED}.") for name in (*_CAMEL, *_SNAKE)]
    found: Mapping[str, Any] = {}
    if file.is_list:
        file.count()  # a list that breaks off is refused before its first run
        lists = [""]
    else:
        outline = file.outline(*lists, *_LONG, *(f"{_WRAPPED}.{name}" for name in _LONG))
        if outline.members.keys() == {_LINK}:
            reason = (
                "only the link to a test run, whose results are with Confident AI; take "
                ".deepeval/.latest_run_full.json, or set DEEPEVAL_RESULTS_FOLDER and run it again"
            )
            raise FileBroken(Rejection("no_results", reason))
        found = outline.members.get(_WRAPPED) or outline.members
        lists = [name for name in lists if outline.counts.get(name)]
    reader = _Reader(_common(file, found))
    for name in lists:
        if name.rpartition(".")[2] in _CAMEL:
            yield from each(file.parts(name, Case), reader.of_case)
        else:
            yield from each(file.parts(name, dict[str, Any]), reader.of_object)
    yield from reader.notes()


def _common(file: ToolFile, found: Mapping[str, Any]) -> _Common:
    try:
        run = msgspec.convert(_camel_or_snake(found), _TestRun)
    except msgspec.ValidationError as error:
        reason = f"not as DeepEval writes it: {error}"
        raise FileBroken(Rejection("unexpected_form", reason)) from None
    hyperparameters = {
        name: value
        for name, value in (run.hyperparameters or run.configurations or {}).items()
        if isinstance(value, int | float | str) and len(str(value)) <= _LONGEST_NAME
    }
    model = next(
        (str(value) for name, value in hyperparameters.items() if name.lower() == "model"), None
    )
    told = [run.identifier, run.test_file, run.hyperparameters, run.run_duration]
    fields = {
        "experiment_id": in_short(run.dataset_alias or run.test_file or "deepeval"),
        "model_version": model,
    }
    names: dict[str, object] = {
        "model": model,
        "identifier": run.identifier or None,
        "test_file": run.test_file,
        "dataset": run.dataset_alias,
        "file": file.name,
        **{f"hyperparameters.{name}": value for name, value in hyperparameters.items()},
    }
    return _Common(
        {name: value for name, value in fields.items() if value},
        names,
        run.test_run_id or (digest(told) if run.run_duration else ""),
    )


def _camel_or_snake(found: Mapping[str, Any]) -> dict[str, Any]:
    names = zip(_TestRun.__struct_fields__, _TestRun.__struct_encode_fields__, strict=True)
    return {camel: found.get(camel, found.get(snake)) for snake, camel in names}


class _Reader:
    """Makes runs of test cases."""

    def __init__(self, common: _Common) -> None:
        self._common = common
        self._seen: Counter[str] = Counter()
        self._lacking = 0
        self._are_unnamed = False
        self._errors: Counter[str] = Counter()

    def of_case(self, part: Part[Case]) -> Iterator[Run]:
        """Yield the run of a test case."""
        yield self._run(part.number, part.value)

    def of_object(self, part: Part[dict[str, Any]]) -> Iterator[Run]:
        """Yield the run of a test case with names in snake case."""
        yield self._run(part.number, of_snake(part.value))

    def notes(self) -> Iterator[Noted]:
        """Say which metrics gave no score, and what runs are known by."""
        if self._are_unnamed:
            yield Noted(
                "nothing names the test run; its runs are the first, second … of their task, group "
                "and version, so load all test runs of an arm in one command: a later one takes "
                "the place of these"
            )
        if self._lacking:
            commonest = self._errors.most_common(_MOST_ERRORS)
            told = [f"{text[:_LONGEST_NAME]} ({count:,})" for text, count in commonest]
            more = len(self._errors) - len(told)
            told += [f"and {more:,} more"] if more > 0 else []
            lacking = counted(self._lacking, "score")
            yield Noted(f"{lacking} absent where a metric failed: {'; '.join(told)}")

    def _run(self, number: int, case: Case) -> Run:
        task_id = task_of(case)
        judged = Judged(case)
        self._lacking += len(judged.errors)
        self._errors.update(judged.errors)
        record: dict[str, Any] = {
            **self._common.fields,
            "task_id": task_id,
            **self._named(case, task_id, number),
            **measured(case),
            "metadata": metadata_of(case, judged),
        }
        has_failed = bool(case.trace and case.trace.status == "ERRORED")
        if has_failed and not judged.scores:
            record |= {"success": False, "error_message": "the trace ended with an error"}
        else:
            record |= {
                "success": True,
                "scores": judged.scores,
                "comments": judged.comments,
                "evaluator_versions": judged.evaluator_versions,
            }
        return Run(number, record, self._common.names)

    def _named(self, case: Case, task_id: str, number: int) -> dict[str, Any]:
        """Name a run by its place in its test run; elsewhere the loader counts those of a task."""
        if not self._common.run:
            self._are_unnamed = True
            return {}
        self._seen[task_id] += 1
        kind = "conversation" if case.is_conversation else "case"
        place = number - 1 if case.place is None else case.place
        return {
            "source_run_id": f"{self._common.run}/{kind}/{place}",
            "repetition": self._seen[task_id],
        }


IMPORTER: Final = Importer(
    About(
        kind="deepeval",
        tool="DeepEval",
        files="test runs: `.deepeval/.latest_run_full.json`, `.latest_test_run.json`, files of "
        "DEEPEVAL_RESULTS_FOLDER; dumps of what `evaluate()` returned",
        versions="0.20 (2023) to 4.3 (2026)",
        kept="metrics as scores with reason and evaluation model, those of spans too; `success` as "
        "`pass`; tokens, cost and time of the application, cost and time of the evaluation",
        left_out="scores of metrics that failed (said), verbose logs, traces but for their metrics",
        names={
            "model": "the hyperparameter of that name",
            "hyperparameters.*": "the hyperparameters",
            "identifier": "the test run's identifier",
            "test_file": "the file of tests",
            "dataset": "the dataset's alias",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
