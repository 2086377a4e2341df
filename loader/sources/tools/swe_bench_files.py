"""The files that lie around a report of SWE-bench's harness, and what is found from which.

    <model>.<run id>.json                                               report
    logs/run_evaluation/<run id>/<model>/<instance>/report.json         one instance
    *pred*.json, *.jsonl                                                predictions

or, as the benchmark's collection of results has it: results/results.json, logs/<instance>/
report.json and all_preds.jsonl in one folder.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from . import FileBroken, Rejected
from .opened import ToolFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_GENERIC: Final = {"results", "report"}
"""Names of reports that name nothing."""
_SINGLE: Final = (b'"patch_exists"', b'"patch_successfully_applied"', b'"resolved"')
_PREDICTED: Final = frozenset({"instance_id", "model_patch"})
_MOST_LOOKED_AT: Final = 200
"""Files of a folder that are opened in search of predictions, or of their report."""


class Prediction(msgspec.Struct):
    """A patch that was to be evaluated."""

    instance_id: str
    model_patch: str | None = None
    model_name_or_path: str | None = None


class _Tests(msgspec.Struct):
    success: list[msgspec.Raw] = []
    failure: list[msgspec.Raw] = []


class Instance(msgspec.Struct):
    """What a report of one instance says."""

    resolved: bool | None = None
    patch_is_None: bool | None = None  # noqa: N815  the harness' name
    patch_exists: bool | None = None
    patch_successfully_applied: bool | None = None
    tests_status: dict[str, _Tests] | None = None

    @property
    def outcome(self) -> str:
        """What became of it, in the words of the harness' lists."""
        if self.resolved:
            return "resolved"
        if self.patch_is_None or self.patch_exists is False:
            return "empty_patch"
        return "no_apply" if self.patch_successfully_applied is False else "unresolved"

    @property
    def tests(self) -> dict[str, int]:
        """How many tests passed and failed: of those that did not pass before, and that did."""
        return {
            f"{kind.lower()}_{how}": len(which)
            for kind, tests in (self.tests_status or {}).items()
            for how, which in (("passed", tests.success), ("failed", tests.failure))
            if tests.success or tests.failure
        }


class Place(NamedTuple):
    """Which run of the harness a file is of, as its name and folders have it."""

    mark: str
    """Names it: `<model>.<run id>`, or its two nearest folders where the name names nothing."""
    model: str | None
    run_id: str | None


def is_report(file: ToolFile) -> bool:
    """Whether a file is the report of a run of the harness."""
    keys = file.keys
    return not file.is_list and bool(
        keys >= {"total_instances", "resolved_instances"}
        or keys >= {"resolved_ids", "submitted_ids"}
        or keys >= {"no_generation", "generated"}
        or (keys >= {"resolved", "no_generation"} and keys & {"no_logs", "applied", "with_logs"})
    )


def is_predictions(file: ToolFile) -> bool:
    """Whether a file has predictions: lines, a list, or an object by instance."""
    if file.keys >= _PREDICTED:
        return "model_name_or_path" in file.keys or file.keys == _PREDICTED
    if file.is_list or not file.keys:
        return False
    members = [found for found in map(file.shown, file.keys) if found is not None]
    return bool(members) and all(isinstance(m, dict) and "model_patch" in m for m in members)


def is_single(file: ToolFile) -> bool:
    """Whether a file is the report of single instances."""
    if file.is_list or not file.keys or not all(name in file.head for name in _SINGLE):
        return False
    return all(isinstance(file.shown(name), dict | None) for name in file.keys)


def place_of_report(file: ToolFile, model: str | None) -> Place:
    """Tell which run a report is of.

    Args:
        file: the report.
        model: as the predictions have it, if there are some.

    """
    stem = file.name.removesuffix(".json") or "report"
    if stem in _GENERIC:
        return Place(_folders(file, 0) or stem, model, None)
    if model is not None and stem.startswith(f"{_as_name(model)}."):
        return Place(stem, model, stem[len(_as_name(model)) + 1 :])
    named, _, run_id = stem.rpartition(".")
    return Place(stem, model or named or None, run_id if named else None)


def place_of_single(file: ToolFile) -> tuple[Place, str | None]:
    """Tell which run a single report is of, and the report of that run if it is there."""
    folders = [folder.name for folder in Path(file.path).absolute().parents]
    if "run_evaluation" in folders[3:4]:
        mark = f"{folders[1]}.{folders[2]}"
        whole = file.near(f"../../../../../{mark}.json")
        return Place(mark, folders[1], folders[2]), whole.name if whole else None
    if "logs" in folders[1:2]:
        whole = file.near("../../results/results.json")
        return Place(_folders(file, 2), None, None), "results/results.json" if whole else None
    return Place(_folders(file, 0) or "report", None, None), None


def _folders(file: ToolFile, first: int) -> str:
    """Return the names of the two nearest folders that name something, the outer one first."""
    if not file.path:
        return ""
    above = [folder.name for folder in Path(file.path).absolute().parents][first:]
    named = [name for name in above if name and name not in _GENERIC]
    return "/".join(reversed(named[:2]))


def folder_of_singles(file: ToolFile, place: Place) -> Path | None:
    """Return where the single reports of a report lie, if they are there."""
    here = Path(file.path).absolute().parent
    if place.run_id is None:
        found = here.parent / "logs"
    else:
        model = place.mark.removesuffix(f".{place.run_id}")
        found = here / "logs" / "run_evaluation" / place.run_id / model
    return found if file.path and found.is_dir() else None


def single_of(folder: Path | None, instance: str) -> Instance | None:
    """Return the single report of an instance; None if it is not there or cannot be read."""
    if folder is None or Path(instance).name != instance:
        return None
    path = folder / instance / "report.json"
    if not path.is_file():
        return None
    try:
        return ToolFile(str(path)).document(dict[str, Instance]).get(instance)
    except FileBroken:
        return None  # the harness, too, goes by its report of the whole


def predictions_of(file: ToolFile) -> ToolFile | None:
    """Return the predictions that a report is of, if they lie beside it."""
    candidates = [*file.beside("*.jsonl"), *file.beside("*pred*.json")]
    is_generic = file.name.removesuffix(".json") in _GENERIC
    if is_generic:
        candidates += [*file.beside("../*.jsonl"), *file.beside("../*pred*.json")]
    for found in candidates[:_MOST_LOOKED_AT]:
        if is_predictions(found) and (is_generic or _is_of(file, model_of(found))):
            return found
    return None


def report_of(file: ToolFile) -> str | None:
    """Return the name of the report that predictions lie beside, if there is one."""
    model = model_of(file)
    for found in file.beside("*.json")[:_MOST_LOOKED_AT]:
        is_generic = found.name.removesuffix(".json") in _GENERIC
        if (is_generic or _is_of(found, model)) and is_report(found):
            return found.name
    within = file.near("results/results.json")
    return "results/results.json" if within is not None and is_report(within) else None


def model_of(file: ToolFile) -> str | None:
    """Return the model of the first of some predictions."""
    return next((each.model_name_or_path for each in islice(each_prediction(file), 1)), None)


def each_prediction(file: ToolFile) -> Iterator[Prediction]:
    """Yield the predictions of a file that can be read."""
    if file.is_list:
        parts = file.parts("", Prediction)
    elif "model_patch" in file.keys:
        parts = file.lines(Prediction)
    else:
        try:
            yield from file.document(dict[str, Prediction]).values()
        except FileBroken:
            return
        return
    for part in parts:
        if not isinstance(part, Rejected):
            yield part.value


def _is_of(report: ToolFile, model: str | None) -> bool:
    return model is not None and report.name.startswith(f"{_as_name(model)}.")


def _as_name(model: str) -> str:
    """Return a model as the harness has it in names of files."""
    return model.replace("/", "__")
