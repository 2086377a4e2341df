"""SWE-bench: the harness' report, with the predictions and single reports that lie around it.

The benchmark's rate is resolved ÷ instances, whatever became of the others: an empty patch, one
that does not apply (which the harness counts among errors) and a harness that failed are not
resolved. So it is here; what was never submitted is planned, and missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...tools.counts import counted
from .. import Rejection
from . import (
    About,
    Companion,
    FileBroken,
    Importer,
    Noted,
    Planned,
    Rejected,
    Run,
)
from . import swe_bench_files as around

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import ToolFile
    from .swe_bench_files import Instance, Place

_SCHEMA: Final = 2
"""The last `schema_version` that was tried."""
_NO_RESULT: Final = "the harness has no result: the patch does not apply, or the run failed"
_NO_LOG: Final = "the harness left no log of it"
# A list of a report → what became of its instances, and the error if it is one. A later list goes
# before an earlier.
_LISTS: Final[Mapping[str, tuple[str, str | None]]] = {
    "completed_ids": ("unresolved", None),
    "error_ids": ("error", _NO_RESULT),
    "empty_patch_ids": ("empty_patch", None),
    "unresolved_ids": ("unresolved", None),
    "resolved_ids": ("resolved", None),
}
_OLD_LISTS: Final[Mapping[str, tuple[str, str | None]]] = {
    "generated": ("error", _NO_LOG),
    "with_logs": ("unresolved", None),
    "applied": ("unresolved", None),
    "no_logs": ("error", _NO_LOG),
    "no_generation": ("empty_patch", None),
    "install_fail": ("error", "the repository could not be installed"),
    "reset_failed": ("error", "the repository could not be reset"),
    "no_apply": ("no_apply", None),
    "test_errored": ("error", "the tests could not be run"),
    "test_timeout": ("error", "the tests took too long"),
    "resolved": ("resolved", None),
}
_BECAME: Final = {**_OLD_LISTS, **_LISTS}
_TELLING_ALL: Final = {"completed_ids", "unresolved_ids", "generated", "with_logs", "applied"}
"""Lists of which at least one names what was not resolved."""
_FAILURES: Final = {"infra_failure_ids": "infrastructure", "ambiguous_failure_ids": "ambiguous"}


def _recognises(file: ToolFile) -> bool:
    return around.is_report(file) or around.is_predictions(file) or around.is_single(file)


def _runs(file: ToolFile) -> Iterator[Item]:
    if around.is_report(file):
        yield from _of_report(file)
    elif around.is_predictions(file):
        report = around.report_of(file)
        if report is None:
            reason = (
                "predictions are patches without a result; run the harness on them and give its "
                "report, <model>.<run id>.json, with this file beside it"
            )
            raise FileBroken(Rejection("no_results", reason))
        yield Companion(report)
    else:
        yield from _of_singles(file)


def _of_report(file: ToolFile) -> Iterator[Item]:
    outline = file.outline(*_LISTS, *_OLD_LISTS, *_FAILURES, "incomplete_ids", "submitted_ids")
    counts = outline.counts
    lists = _OLD_LISTS if "resolved" in counts else _LISTS
    predictions = around.predictions_of(file)
    tells_all = bool(counts.keys() & _TELLING_ALL)
    _refuse_useless(outline.members, counts, tells_all=tells_all or predictions is not None)
    told = counts.keys()  # each list is a walk through the file
    outcomes = {each: name for name in lists if name in told for each in _ids(file, name)}
    failures = {
        each: kind for name, kind in _FAILURES.items() if name in told for each in _ids(file, name)
    }
    said = outline.members.get("failure_reasons")
    reasons = said if isinstance(said, dict) else {}
    model = around.model_of(predictions) if predictions else None
    place = around.place_of_report(file, model)
    singles = around.folder_of_singles(file, place)
    names = {"model": place.model, "run_id": place.run_id, "file": file.name}

    def run(number: int, instance: str, name: str, patch: str | None) -> Run:
        record = _record(place, instance, _BECAME[name], around.single_of(singles, instance))
        if model is not None:
            record["model_version"] = model
        if instance in failures:
            record["labels"]["failure"] = failures[instance]
            record["comments"] = {"resolved": str(reasons.get(instance, failures[instance]))}
        if patch:
            record["outputs"] = patch
        return Run(number, record, names)

    total = outline.members.get("total_instances")
    if isinstance(total, int):
        yield Planned(total, None)
    number = untold = 0
    for instance, name, patch in _tried(outcomes, predictions, tells_all=tells_all):
        number += 1
        if name is None:
            untold += 1
        else:
            yield run(number, instance, name, patch)
    untold = max(untold, counts.get("submitted_ids", 0) - number)
    if untold:
        yield Noted(f"{counted(untold, 'instance')} submitted and not evaluated: no runs")


def _tried(
    outcomes: dict[str, str], predictions: ToolFile | None, *, tells_all: bool
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield each instance that was tried, once: which, the list that tells of it, and its patch.

    Args:
        outcomes: instance to list.
        predictions: of the report.
        tells_all: whether an instance of no list was not evaluated; else it was not resolved.

    """
    seen: set[str] = set()
    for prediction in around.each_prediction(predictions) if predictions else ():
        instance, patch = prediction.instance_id, prediction.model_patch
        if instance in seen:
            continue
        seen.add(instance)
        otherwise = None if tells_all else "applied" if patch else "no_generation"
        yield instance, outcomes.pop(instance, otherwise), patch
    for instance, name in outcomes.items():
        yield instance, name, None


def _refuse_useless(
    members: Mapping[str, Any], counts: Mapping[str, int], *, tells_all: bool
) -> None:
    """Raise FileBroken where a report does not say which instances were resolved and which not."""
    if not counts.keys() & {"resolved", "resolved_ids"}:
        version = members.get("schema_version")
        is_new = version is not None and version != _SCHEMA
        known = f"; its schema_version is {version}, tried is {_SCHEMA}" if is_new else ""
        reason = f"the report has no list resolved_ids, only counts{known}; give the whole report"
        raise FileBroken(Rejection("no_results", reason))
    if not tells_all:
        reason = (
            "the report names what was resolved and not what else was tried; put the predictions, "
            "all_preds.jsonl, beside it"
        )
        raise FileBroken(Rejection("no_results", reason))


def _ids(file: ToolFile, name: str) -> Iterator[str]:
    for part in file.parts(name, str):
        if isinstance(part, Rejected):
            reason = f"{name}, entry {part.number}: {part.rejection.reason}"
            raise FileBroken(Rejection(part.rejection.reason_code, reason))
        yield part.value


def _record(
    place: Place, instance: str, became: tuple[str, str | None], single: Instance | None
) -> dict[str, Any]:
    outcome, error = became
    record: dict[str, Any] = {
        "experiment_id": "swe-bench",
        "task_id": instance,
        "source_run_id": f"{place.mark}/{instance}",
        "scores": {"resolved": float(outcome == "resolved")},
        "labels": {"outcome": outcome},
    }
    repository, separator, _ = instance.rpartition("-")
    if separator:
        record["metadata"] = {"category": repository.replace("__", "/")}
    if error is None:
        record["success"] = outcome == "resolved"
    else:
        record["error_message"] = error
    if single is not None:
        if outcome == "unresolved":
            record["labels"]["outcome"] = single.outcome
        if single.tests:
            record["measurements"] = single.tests
    return record


def _of_singles(file: ToolFile) -> Iterator[Item]:
    place, report = around.place_of_single(file)
    if report is not None:
        yield Companion(report)
        return
    names = {"model": place.model, "run_id": place.run_id, "file": file.name}
    instances = file.document(dict[str, around.Instance])
    for number, (instance, found) in enumerate(instances.items(), 1):
        yield Run(number, _record(place, instance, (found.outcome, None), found), names)


IMPORTER: Final = Importer(
    About(
        kind="swe-bench",
        tool="SWE-bench",
        files="reports of the harness, predictions, single reports (JSON, JSONL)",
        versions="schema 2; the lists of 2023 and 2024",
        kept=(
            "resolved as score, as the benchmark counts it: an empty patch, an error of the "
            "harness or of the patch is 0; the list as label; all instances of the dataset as "
            "planned tasks; of single reports how many tests passed; of predictions model and patch"
        ),
        left_out="logs, names of tests, containers",
        names={
            "model": "as the predictions have it, else as the file's name begins",
            "run_id": "the harness' run, as the file's name ends",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
