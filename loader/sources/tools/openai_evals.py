"""OpenAI Evals: the log that `oaieval` writes, one event a line.

A log begins with its `spec`; events of many samples stand in between one another, for samples
run side by side; `final_report` is appended when all are done. Versions of the tool have put it
behind the spec, at the end, and into an event: it is found wherever it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
from ...tools.counts import counted
from .. import Rejection
from ..blocks import KEPT_BYTES
from . import About, FileBroken, Importer, Noted, Rejected, Run, Whole
from .gathered import Gathered
from .json_values import decode
from .openai_evals_sample import Event, Means, Sample
from .opened import each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import Item
    from .gathered import Piece
    from .opened import Part, ToolFile

_OF_SPEC: Final = {"completion_fns", "model_name", "eval_name", "base_eval"}
_USAGE: Final = "usage_"
"""Sums of tokens, in a report, begin so; the runs have them."""
_TOLERANCE: Final = 1e-6
_ZONE: Final = re.compile(r"(Z|[+-]\d\d:?\d\d)$")


class _Spec(msgspec.Struct):
    """What was run on what."""

    completion_fns: list[str] | None = None
    model_name: str | None = None
    """Before completion functions, in the first versions."""
    eval_name: str = ""
    base_eval: str | None = None
    split: str | None = None
    run_id: str = ""
    created_by: str | None = None
    created_at: str | None = None

    @property
    def model(self) -> str | None:
        return ", ".join(self.completion_fns or ()) or self.model_name

    @property
    def version(self) -> str | None:
        """Behind name and split, where evals have it: it changes with their samples."""
        parts = self.eval_name.split(".", 2)
        return parts[2] if len(parts) == 3 else None  # noqa: PLR2004  name, split, version


class _Line(msgspec.Struct):
    """A spec, a report or an event."""

    spec: _Spec | None = None
    final_report: Any = msgspec.UNSET
    run_id: str | None = None
    sample_id: str | int | None = None
    type: str | None = None
    data: msgspec.Raw = msgspec.Raw()


class _Log:
    """What a file has of one run of the tool."""

    def __init__(self, spec: _Spec, file_name: str) -> None:
        self.spec = spec
        self.report: dict[str, Any] | None = None
        self.samples = self.not_judged = 0
        self.means = Means()
        self.names: dict[str, object] = {
            "model": spec.model,
            "eval_name": spec.eval_name or None,
            "base_eval": spec.base_eval,
            "split": spec.split,
            "run_id": spec.run_id or None,
            "created_by": spec.created_by or None,
            "file": file_name,
        }
        fields = {
            "experiment_id": spec.eval_name or spec.base_eval or "openai-evals",
            "model_version": spec.model,
            "dataset_version": spec.version,
        }
        self.fields = {name: value for name, value in fields.items() if value}

    def _begun(self) -> str | None:
        """Return when the run began; the tool writes UTC and leaves the zone out."""
        begun = self.spec.created_at
        return f"{begun}Z" if begun and not _ZONE.search(begun) else begun

    def told(self, *, are_several: bool) -> Iterator[Item]:
        """Yield what is to be known beside the runs."""
        which = f"run {self.spec.run_id}: " if are_several else ""
        if self.report is None:
            judged = self.samples - self.not_judged
            yield Noted(
                f"{which}the log has no final report, so its run did not end; "
                f"{counted(judged, 'sample')} judged, {self.not_judged:,} begun and not judged"
            )
            return
        for key, value in self.report.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            mean = self.means.of(key)
            if mean is None:
                if not are_several and not key.startswith(_USAGE):
                    yield Whole(key, value, self.fields, self.names, self._begun())
            elif abs(mean - value) > _TOLERANCE * max(1.0, abs(value)):
                yield Noted(
                    f"{which}{key} is {value:.6g} in the final report and {mean:.6g} over the "
                    "samples in the log; the report may count otherwise, or events are missing"
                )


def _recognises(file: ToolFile) -> bool:
    spec = file.shown("spec") if file.keys == {"spec"} else None
    return not file.is_list and isinstance(spec, dict) and bool(_OF_SPEC & spec.keys())


def _runs(file: ToolFile) -> Iterator[Item]:
    with Gathered() as gathered:
        logs: dict[str, _Log] = {}

        def sort(part: Part[_Line]) -> Iterator[Item]:
            _sort(part, logs, gathered, file.name)
            yield from ()

        yield from each(file.lines(_Line), sort)
        for group in gathered.groups():
            if isinstance(group, Rejected):
                yield group
                continue
            key, pieces = group
            run_id, _, sample_id = key.partition("\n")
            yield _run(sample_id, pieces, logs[run_id])
        for log in logs.values():
            yield from log.told(are_several=len(logs) > 1)


def _sort(part: Part[_Line], logs: dict[str, _Log], gathered: Gathered, file_name: str) -> None:
    """Put a line where it belongs."""
    line = part.value
    if line.spec is not None:
        logs[line.spec.run_id] = _Log(line.spec, file_name)
        return
    if not logs:
        reason = "the log does not begin with its spec; copy the file again from its beginning"
        raise FileBroken(Rejection("no_spec", reason))
    run_id = line.run_id if line.run_id in logs else next(reversed(logs))
    if line.type == "final_report":
        line.final_report = decode(bytes(line.data), object)
    if line.final_report is not msgspec.UNSET:
        logs[run_id].report = line.final_report if isinstance(line.final_report, dict) else {}
    elif line.type is None or line.sample_id is None:
        reason = (
            "neither a spec, a final report nor an event of a sample (type, sample_id); "
            "remove the line if it is none of this log's"
        )
        raise InvalidRecord("", "unexpected_form", reason)
    else:
        gathered.add(f"{run_id}\n{line.sample_id}", part.number, part.text)


def _run(sample_id: str, pieces: list[Piece], log: _Log) -> Run | Rejected:
    sample = Sample()
    for number, text in pieces:
        try:
            sample.add(decode(text, Event))
        except InvalidRecord as error:
            reason = f"sample {sample_id}: {error.reason}"
            return Rejected(number, text[:KEPT_BYTES], Rejection(error.code, reason))
    log.samples += 1
    log.not_judged += not sample.is_judged
    log.means.add(sample)
    spec = log.spec
    record = {
        **log.fields,
        "task_id": sample_id,
        "source_run_id": f"{spec.run_id}/{sample_id}",
        "repetition": 1,
        **sample.fields(),
    }
    beside = {"base_eval": spec.base_eval, "split": spec.split}
    record["metadata"] |= {name: value for name, value in beside.items() if value}
    return Run(pieces[0].number, record, log.names)


IMPORTER: Final = Importer(
    About(
        kind="openai-evals",
        tool="OpenAI Evals",
        files="logs of `oaieval` (JSONL)",
        versions="1.0 (2023) to 3.0 (2024, usage in the report)",
        kept="`match` as accuracy, numbers of `metrics` as scores and their texts as labels, usage "
        "of sampling, errors; of the final report what no sample has, as scores of the arm",
        left_out="log probabilities, embeddings, raw samples, arguments of function calls (their "
        "number is kept), members of `metrics` that hold others",
        names={
            "model": "completion functions, separated by commas",
            "eval_name": "the eval: name, split and version",
            "base_eval": "its name alone",
            "split": "its split alone",
            "run_id": "id of the run",
            "created_by": "who ran it",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
