"""promptfoo: what `promptfoo eval -o results.json` writes, or its lines with `-o results.jsonl`.

A test may have run for several providers and prompts: each pair of them is a candidate for an
arm. A task is a test, by its description and its variables: its number (`testIdx`) changes when
tests are added or re-ordered, and counts every repetition anew.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...tools.counts import counted
from .. import Rejection
from . import About, FileBroken, Importer, Noted, Rejected, Run, Said
from .json_values import decode
from .opened import each
from .promptfoo_form import (
    Config,
    Document,
    Head,
    HeadPrompt,
    Origin,
    Prompt,
    Provider,
    Result,
    Row,
    RowTest,
    Summary,
    Table,
    Test,
    form_of,
    is_error,
    measured,
    metadata,
    of_cell,
    raw,
    text_of,
)  # fmt: skip
from .promptfoo_scores import judged
from .task_names import digest, in_short, task_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from . import Item
    from .opened import Part, ToolFile

_NEWEST: Final = 4
_OF_RUNTIME: Final = ("_conversation", "sessionId")
"""Variables that promptfoo fills in while a test runs."""
_JUDGEMENT: Final = frozenset(
    {"gradingResult", "score", "namedScores", "success", "failureReason", "error", "testCase"}
)
"""Members of a result that change when it is judged anew."""
_LONGEST_LABEL: Final = 60
_MOST_ARMS: Final = 1000
_OF_SUMMARY: Final = frozenset({"prompts", "stats", "table"})
_OF_RESULT: Final = frozenset({"vars", "testCase", "gradingResult", "namedScores"})
_BEGUN: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_LISTS: Final = ("results", "table.body", "config.tests", "config.scenarios", "traces")

_Arm = tuple[str, str, str, int | None, str | None]


class _Evaluation(NamedTuple):
    """What the runs of a file have in common."""

    file: str
    id: str | None = None
    description: str = ""
    tags: str | None = None
    recorded_at: str | None = None
    trace_url: str | None = None
    author: str = ""


def _recognises(file: ToolFile) -> bool:
    keys = file.keys
    if file.is_list or "task_id" in keys:
        return False
    if keys >= {"success", "score", "namedScores", "latencyMs", "promptIdx"}:
        return True
    within = file.keys_within("results")
    is_summary = "version" in within and (
        not within.isdisjoint(_OF_SUMMARY)
        # of a long file the head shows no more
        or within >= {"timestamp", "results"}
    )
    are_results = "provider" in within and not within.isdisjoint(_OF_RESULT)
    return is_summary or are_results or file.keys_within("prompts") >= {"raw", "label"}


def _runs(file: ToolFile) -> Iterator[Item]:
    if "promptIdx" in file.keys:
        reader = _Reader(_Evaluation(file.name))
        yield from each(file.lines(Result), reader.runs)
        yield from reader.notes()
        return
    outline = file.outline(*_LISTS, *(f"results.{name}" for name in _LISTS[:2]))
    document = form_of(outline.members)
    is_nested = isinstance(document.results, Summary)
    summary = document.results if isinstance(document.results, Summary) else document
    outer = "results." if is_nested else ""
    if summary.version is not None and not 1 <= summary.version <= _NEWEST:
        reason = (
            f"{outer}version is {summary.version}, and versions 1 to {_NEWEST} are known; export "
            "the evaluation with an older promptfoo, or its rows with -o results.jsonl"
        )
        raise FileBroken(Rejection("unknown_version", reason))
    reader = _Reader(_evaluation(file, document, summary))
    has_rows = outline.counts.get(f"{outer}table.body")
    if outline.counts.get(f"{outer}results") or not has_rows:
        if has_rows:
            reader.take_descriptions(file.parts(f"{outer}table.body", RowTest))
        yield from each(file.parts(f"{outer}results", Result), reader.runs)
    else:
        rows = file.parts(f"{outer}table.body", Row)
        head = (summary.table or Table()).head
        yield from each(rows, lambda row: reader.runs_of_row(row, head))
    yield from reader.notes()


def _evaluation(file: ToolFile, document: Document, summary: Summary) -> _Evaluation:
    config, about = document.config or Config(), document.metadata or Origin()
    tags = ", ".join(f"{name}={value}" for name, value in (config.tags or {}).items())
    created = document.created_at
    return _Evaluation(
        file=file.name,
        id=document.eval_id or document.id,
        description=config.description or document.description or "",
        tags=tags or None,
        recorded_at=summary.timestamp or (created if isinstance(created, str) else None),
        trace_url=document.shareable_url or None,
        author=document.author or about.author or "a user of promptfoo",
    )


class _Reader:
    """Makes runs of the results of one evaluation."""

    def __init__(self, evaluation: _Evaluation) -> None:
        self._evaluation = evaluation
        self._names: dict[tuple[object, ...], dict[str, object]] = {}
        self._seen: Counter[int] = Counter()
        self._descriptions: dict[str, str] = {}
        self._grader_errors = self._unnamed_ratings = 0
        self._are_unnamed = False

    def take_descriptions(self, rows: Iterable[Part[RowTest] | Rejected]) -> None:
        """Take the descriptions of tests from the table: results of version 2 have none."""
        for row in rows:
            if isinstance(row, Rejected):
                continue
            test = row.value.test or Test()
            description = test.description or row.value.description or ""
            asked = digest(_variables(test.vars))
            known = self._descriptions.setdefault(asked, description)
            if known != description:  # tests that ask the same cannot be told apart by results
                self._descriptions[asked] = ""

    def runs(self, part: Part[Result]) -> Iterator[Run | Said]:
        """Yield the run of one result, and what a person said of it."""
        yield from self._run(part.number, part.value, part.text)

    def runs_of_row(self, part: Part[Row], head: Head) -> Iterator[Run | Said]:
        """Yield the runs of one row of the table."""
        row = part.value
        variables = dict(zip(head.vars, row.vars, strict=False))
        for place, output in enumerate(row.outputs):
            about = head.prompts[place] if place < len(head.prompts) else HeadPrompt()
            result = of_cell(output, about)
            result.prompt_idx = place
            result.test_idx = part.number - 1 if row.test_idx is None else row.test_idx
            result.test_case, result.description = row.test, row.description
            result.vars = variables
            yield from self._run(part.number, result, part.text)

    def notes(self) -> Iterator[Noted]:
        """Say what is to be known of all of them."""
        if self._are_unnamed:
            yield Noted(
                "the file does not name its evaluation; its runs are the first, second … of "
                "their task, group and version, so load all evaluations of an arm in one command: "
                "a later one takes the place of these"
            )
        if self._grader_errors:
            failed = counted(self._grader_errors, "assertion")
            yield Noted(f"{failed} whose grader failed count as not passed, as in promptfoo")
        if self._unnamed_ratings:
            rated = counted(self._unnamed_ratings, "rating")
            yield Noted(
                f"{rated} of people left out; export the evaluation as JSON, which names it"
            )

    def _run(self, number: int, result: Result, text: bytes) -> Iterator[Run | Said]:
        evaluation = self._evaluation
        arm, names = self._names_of(result)
        test = result.test_case or Test()
        description = test.description or result.description or ""
        if self._descriptions and not description:
            description = self._descriptions.get(digest(_variables(result.vars)), "")
        task_id = _task_id(result, test, description)
        named = self._named(arm, task_id, result, text)
        record: dict[str, Any] = {
            "experiment_id": in_short(evaluation.description or "promptfoo"),
            "task_id": task_id,
            **named,
            "model_version": names["provider"],
            **measured(result),
            "inputs": {"prompt": raw(result.prompt), "vars": test.vars or result.vars or {}},
            "metadata": metadata(result, test),
        }
        begun = _BEGUN.search(result.evaluation_id or evaluation.id or "")
        if recorded_at := evaluation.recorded_at or (begun and begun[0]):
            record["recorded_at"] = recorded_at
        if evaluation.trace_url:
            record["trace_url"] = evaluation.trace_url
        if test.assertions:
            record["reference_outputs"] = test.assertions
        if is_error(result):
            record["success"] = False
            record["error_message"] = text_of(result.error) or "an error without a word"
            yield Run(number, record, names)
            return
        given = judged(result)
        self._grader_errors += given.grader_errors
        record |= {
            "success": True,
            "scores": given.scores,
            "comments": given.comments,
            "evaluator_versions": given.evaluator_versions,
        }
        run = Run(number, record, names)
        yield run
        if given.rated is not None and not named:
            self._unnamed_ratings += 1  # nothing says of which run
        elif given.rated is not None:
            author, reason = evaluation.author, given.rated.reason
            yield Said(run, "score", given.rated.score, author, reason)
            yield Said(run, "pass", float(given.rated.passed), author, reason)

    def _named(self, arm: _Arm, task_id: str, result: Result, text: bytes) -> dict[str, Any]:
        """Name a run by its evaluation; elsewhere the loader counts those of a task."""
        evaluation = self._evaluation
        which = result.evaluation_id or evaluation.id or evaluation.recorded_at
        if not which:
            self._are_unnamed = True
            return {}
        alike = hash((arm, task_id))
        self._seen[alike] += 1
        repetition = self._seen[alike]
        return {
            "repetition": repetition,
            "source_run_id": _run_id(which, result, repetition, text),
        }

    def _names_of(self, result: Result) -> tuple[_Arm, dict[str, object]]:
        provider = result.provider
        if not isinstance(provider, Provider):
            provider = Provider(provider or "")
        prompt = result.prompt if isinstance(result.prompt, Prompt) else Prompt(result.prompt)
        text = prompt.label or prompt.display or text_of(prompt.raw)
        label = provider.label or provider.id
        arm = (provider.id, label, text, result.prompt_idx, result.evaluation_id)
        if arm not in self._names:
            if len(self._names) >= _MOST_ARMS:
                self._names.clear()
            evaluation, named = self._evaluation, _prompt_name(text)
            self._names[arm] = {
                "provider": provider.id or None,
                "label": label or None,
                "prompt": named,
                "column": f"{label}, {named}" if label and named else label or named,
                "promptId": result.prompt_id or None,
                "evalId": result.evaluation_id or evaluation.id,
                "description": evaluation.description or None,
                "tags": evaluation.tags,
                "file": evaluation.file,
            }
        return arm, self._names[arm]


def _variables(found: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (found or {}).items() if name not in _OF_RUNTIME}


def _task_id(result: Result, test: Test, description: str) -> str:
    if variables := _variables(test.vars or result.vars):
        text = description or ", ".join(f"{name}={value}" for name, value in variables.items())
        return task_name(text, variables)
    if test.vars is None and result.test_idx is not None:  # left out of the file: only its number
        return f"{in_short(description) or 'test'} {result.test_idx}"
    return task_name(description or "no variables", test.assertions)


def _run_id(which: str, result: Result, repetition: int, text: bytes) -> str:
    """Name a run by its place in its evaluation, else by all that is said but how it was judged."""
    place = f"{result.test_idx}/{result.prompt_idx}"
    if result.test_idx is not None and result.prompt_idx is not None:
        return f"{which}/{place}"
    said: dict[str, Any] = decode(text, dict)
    happened = {name: value for name, value in said.items() if name not in _JUDGEMENT}
    return f"{which}/{place}/{repetition}/{digest(happened)}"


def _prompt_name(label: str) -> str | None:
    """Name a prompt by its label, which is its whole text where nobody gave it one."""
    short = in_short(label, _LONGEST_LABEL)
    if not short:
        return None
    return short if short == label else f"{short} #{digest(label)}"


IMPORTER: Final = Importer(
    About(
        kind="promptfoo",
        tool="promptfoo",
        files="what `promptfoo eval -o` and `promptfoo export` write: JSON, JSONL",
        versions="results of versions 2 and 3 (promptfoo 0.80 to 0.122); 1 and 4 are read alike",
        kept="score and success (`pass`) of a test, named scores and metrics of assertions with "
        "their reasons and graders; repetitions, tokens, latency, cost, errors, what people rated",
        left_out="derived metrics, assertions without a metric (but for what became of them, in "
        "metadata), traces, media",
        names={
            "provider": "the provider's id",
            "label": "the provider's label, else its id",
            "prompt": "the prompt's label, in short",
            "column": "label and prompt together: a column of promptfoo's table",
            "promptId": "hash of the prompt's text",
            "evalId": "id of the evaluation",
            "description": "description of the evaluation",
            "tags": "tags of the evaluation: name=value, …",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
