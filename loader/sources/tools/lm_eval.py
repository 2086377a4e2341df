"""lm-evaluation-harness: samples that `--log_samples` writes, one line a doc and filter.

The lines do not say which task, model or version they are of: the file's name tells the task,
and the results file of the same time beside it the rest. A doc is known by its place and by the
hash of its content, so that arms meet where they had the same doc, and nowhere else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
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
from . import lm_eval_results as results_file
from .gathered import Gathered
from .lm_eval_lines import (
    HASH_LENGTH,
    Line,
    alone,
    hash_of_doc,
    prompt_of,
)
from .lm_eval_metrics import NO_FILTER, NOT_METRICS, Metrics
from .lm_eval_results import KIND, TRIED, is_results
from .opened import Part, each

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from . import Item
    from .opened import ToolFile


class _Place(msgspec.Struct):
    """What says whether lines are of one doc."""

    doc_id: int | str
    doc_hash: str | None = None
    filter: str | None = None


_Lines = list[tuple[Line, dict[str, Any]]]
"""Of one doc, each with all that it says."""


def _is_samples(file: ToolFile) -> bool:
    keys = file.keys
    is_cut = keys >= {"doc_id", "doc"} and keys <= NOT_METRICS and file.shown("doc") is None
    return keys >= {"doc_id", "filtered_resps"} or is_cut


def _recognises(file: ToolFile) -> bool:
    return _is_samples(file) or is_results(file)


def _runs(file: ToolFile) -> Iterator[Item]:
    if is_results(file):
        results = results_file.read_results(file)
        if results.samples:
            yield from _inside(file, results)
            return
        sampled = _sampled(file, results)
        if sampled is not None:
            yield Companion("the samples beside it")
        yield from results_file.items_without_samples(file, results, sampled)
        return
    if file.is_list:
        file.count()  # a list that breaks off is refused before its first run
    samples = _Samples(file)
    yield from each(samples.docs(), samples.runs)
    yield from samples.beside()


def _inside(file: ToolFile, results: results_file.Results) -> Iterator[Item]:
    """Yield the samples that are in a results file, numbered through all tasks."""
    before = 0
    for task, count in results.samples.items():
        samples = _Samples(file, results, task)
        for item in each(samples.docs(), samples.runs):
            if isinstance(item, Run | Rejected):
                yield item._replace(number=item.number + before)
            else:
                yield item
        yield from samples.beside()
        before += count
        if not count:
            yield Noted(f"no samples of {task} can be read")
    yield from results_file.items_without_samples(file, results, {*results.samples})


def _sampled(file: ToolFile, results: results_file.Results) -> set[str] | None:
    """Return the tasks of which samples lie beside a results file."""
    time = results_file.task_and_time(file.name)[1]
    pattern = f"*samples_*{time}.json*" if time else "*.jsonl"
    found = [*file.beside(pattern), *file.beside(f"*/{pattern}")]
    tasks = [results_file.task_and_time(sample.name)[0] for sample in found if _is_samples(sample)]
    if not tasks:
        return None
    if time is None:
        tasks = [results_file.task_by_name(sample.name, results) for sample in found]
    return {task for task in tasks if task is not None}


class _Samples:
    """The samples of one task: a file of their own, or a list in the results file."""

    def __init__(
        self, file: ToolFile, results: results_file.Results | None = None, task: str | None = None
    ) -> None:
        """Look for what the lines do not say.

        Args:
            file: the samples, or the results that they are in.
            results: if they are in them.
            task: likewise.

        """
        self._file = file
        self._list = "" if task is None else f"samples.{task}"
        named, self._time = results_file.task_and_time(file.name)
        self._task = task or named
        self._results = results
        self._trouble = ""
        if results is None:
            self._look_beside()
        self._said = results_file.said_of(self._results, self._task, self._time)
        self._names = results_file.names_of(file, self._results, self._task, self._time)
        of_task = self._task or ""
        self._filters = self._results.filters(of_task) if self._results else []
        self._metrics = Metrics(self._results.aggregations(of_task) if self._results else {})
        self._are_filters_unnamed = self._is_unnamed = False

    def _look_beside(self) -> None:
        """Read the results file that belongs to the samples."""
        beside = results_file.results_beside(self._file, self._task, self._time)
        if beside is None:
            self._trouble = "no results file is beside it that would tell its model and version"
            return
        try:
            self._results = results_file.read_results(beside)
        except FileBroken as broken:
            self._trouble = f"{beside.name} beside it cannot be read: {broken}"
            return
        if self._task is None:
            self._task = results_file.task_by_name(self._file.name, self._results)

    def docs(self) -> Iterator[Part[list[dict[str, Any]]] | Rejected]:
        """Yield the lines of each doc."""
        counted = self._file.not_numbers
        has_several = self._has_several()
        self._file.not_numbers = counted
        if not has_several:
            for part in self._parts(dict):
                if isinstance(part, Rejected):
                    yield part
                else:
                    yield Part(part.number, [part.value], part.text)
            return
        with Gathered() as gathered:
            for part in self._parts(_Place):
                if isinstance(part, Rejected):
                    yield part
                else:
                    doc = f"{part.value.doc_id}/{part.value.doc_hash}"
                    gathered.add(doc, part.number, part.text)
            self._file.not_numbers = counted  # they are counted below
            for group in gathered.groups():
                if isinstance(group, Rejected):
                    yield group
                    continue
                _, pieces = group
                lines = [self._file.decode(piece.text, dict) for piece in pieces]
                yield Part(pieces[0].number, lines, pieces[0].text)

    def _parts(self, kind: type[Any]) -> Iterator[Part[Any] | Rejected]:
        if self._list or self._file.is_list:
            return self._file.parts(self._list, kind)
        return self._file.lines(kind)

    def _has_several(self) -> bool:
        """Whether a doc has several lines: those of one filter follow those of another."""
        first: _Place | None = None
        for part in self._parts(_Place):
            if isinstance(part, Rejected):
                continue
            if first is None:
                first = part.value
            elif part.value.doc_id == first.doc_id or part.value.filter != first.filter:
                return True
        return False

    def runs(self, part: Part[list[dict[str, Any]]]) -> Iterator[Run]:
        """Yield the runs of one doc: one, unless its lines are there more than once."""
        try:
            lines = [(msgspec.convert(said, Line), said) for said in part.value]
        except msgspec.ValidationError as error:
            reason = f"not as lm-evaluation-harness writes samples: {error}; tried are {TRIED}"
            raise InvalidRecord("", "unexpected_form", reason) from None
        for repetition, repeated in enumerate(self._repetitions(lines), 1):
            yield Run(part.number, self._record(repeated, repetition), self._names)

    def _repetitions(self, lines: _Lines) -> Sequence[_Lines]:
        if len(lines) == 1:
            return [lines]
        if all(line.filter is None for line, _ in lines):  # before 0.4.6
            self._are_filters_unnamed |= len(self._filters) < len(lines)
            return [lines]
        seen: Counter[str | None] = Counter()
        found: defaultdict[int, _Lines] = defaultdict(list)
        for line, said in lines:
            found[seen[line.filter]].append((line, said))
            seen[line.filter] += 1
        return list(found.values())

    def _record(self, lines: _Lines, repetition: int) -> dict[str, Any]:
        line = lines[0][0]
        doc = line.doc_hash or hash_of_doc(line.doc)
        task_id = f"{self._task or KIND}/{line.doc_id}/{doc[:HASH_LENGTH]}"
        scores: dict[str, float | None] = {}
        measurements: dict[str, float] = {}
        for place, (one, said) in enumerate(lines):
            named = said if one.metrics is None else one.metrics
            self._metrics.read(said, named, self._filter(place, one), scores, measurements)
        record = self._said | {
            "task_id": task_id,
            **self._named(task_id, repetition),
            "scores": scores,
            "inputs": prompt_of(line),
            "outputs": self._output(lines),
            "reference_outputs": line.target,
        }
        if measurements:
            record["measurements"] = measurements
        return record

    def _named(self, task_id: str, repetition: int) -> dict[str, Any]:
        """Name a run by when its evaluation was; elsewhere the loader counts those of a doc."""
        time = self._time or _iso(self._said)
        if time is None:
            self._is_unnamed = True
            return {}
        again = f"/{repetition}" if repetition > 1 else ""
        return {"source_run_id": f"{time}/{task_id}{again}", "repetition": repetition}

    def _filter(self, place: int, line: Line) -> str | None:
        if line.filter is not None:
            return line.filter
        if place < len(self._filters):
            return self._filters[place]
        return f"filter-{place + 1}" if place else None

    def _output(self, lines: _Lines) -> Any:  # noqa: ANN401  any JSON value
        output = alone(alone(lines[0][0].resps))
        filtered = {
            name: alone(line.filtered_resps)
            for place, (line, _) in enumerate(lines)
            if (name := self._filter(place, line)) not in (None, NO_FILTER)
        }
        return {"response": output, "filtered": filtered} if filtered else output

    def beside(self) -> Iterator[Item]:
        """Yield what the file and its results say beside the runs."""
        unscored = self._metrics.unscored - self._metrics.scored
        if self._results is not None and self._task is not None:
            count = self._results.n_samples.get(self._task)
            if count is not None:
                yield Planned(count.effective, None, self._said, self._names)
            yield from results_file.whole_scores(
                self._results, self._task, self._metrics.scored, self._said, self._names
            )
            yield from results_file.directions(
                self._results, self._task, self._metrics.scored, self._said, self._names
            )
        if unscored:
            listed = ", ".join(sorted(unscored))
            what = "left out" if self._results is None else "kept of the whole arm only"
            yield Noted(f"no score of a single doc, so {what}: {listed}")
        if self._are_filters_unnamed:
            yield Noted("several filters a doc that nothing names, told apart by their order")
        if self._is_unnamed:
            yield Noted(
                "nothing tells when it was; its runs are the first, second … of their task, group "
                "and version, so load all evaluations of an arm in one command: a later one takes "
                "the place of these"
            )
        if self._trouble:
            told = f"task {self._task} by the file's name" if self._task else "task not told"
            yield Noted(
                f"{self._trouble}; {told}, --model-version MODEL or --map model_version=folder "
                "says the rest"
            )


def _iso(said: dict[str, Any]) -> str | None:
    found = said.get("recorded_at")
    return found if isinstance(found, str) else None


IMPORTER: Final = Importer(
    About(
        kind=KIND,
        tool="lm-evaluation-harness",
        files="`samples_*.jsonl` of `--log_samples` with `results_*.json` beside them, what "
        "`simple_evaluate` returns (JSON), results alone",
        versions=TRIED,
        kept="each metric and filter as a score (`exact_match,strict-match`), and which way it is "
        "better; doc_id and doc_hash as task; model and its revision, task version, prompt, "
        "responses, target; perplexities as log-likelihoods; what only the results file has, of "
        "the whole arm",
        left_out="metrics that are no number of a single doc, scores of groups where there are "
        "samples, seconds of the whole run",
        names={
            "model": "name of the model",
            "revision": "revision of the model that was asked for",
            "model_source": "what ran it: hf, vllm, local-completions",
            "folder": "the folder that --output_path named",
            "time": "when the results were written, as the file's name has it",
            "file": "name of the file, without folder",
            "task": "the task, which is the experiment if nothing else is said",
            "group": "the outermost group that the task was run in",
        },
    ),
    _recognises,
    _runs,
)
