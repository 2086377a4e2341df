"""ragas: the table of `evaluate(...)`, a row a question, the means of one, or an experiment."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
from ...records.json_text import shown
from .. import Rejection
from . import About, FileBroken, Importer, Rejected, Run, Whole
from .cells import body, is_absent, number
from .naming import Names, worth_keeping
from .opened import Part, each
from .task_names import task_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from . import Item
    from .opened import ToolFile

_QUESTIONS: Final = ("user_input", "question", "query", "input")
_ANSWERS: Final = ("response", "answer", "model_response", "multi_responses", "output")
_CONTEXTS: Final = ("retrieved_contexts", "contexts", "retrieved_context_ids")
_REFERENCES: Final = (
    "reference", "ground_truth", "ground_truths", "expected_answer", "expected_output",
    "grading_notes", "reference_answer",
)  # fmt: skip
_NOT_KEPT: Final = frozenset({
    *_QUESTIONS, *_ANSWERS, *_CONTEXTS, *_REFERENCES, "reference_contexts", "rubrics",
    "reference_context_ids", "reference_tool_calls", "reference_topics", "index",
})  # fmt: skip
_UNNAMED: Final = re.compile(r"#\d+|Unnamed: \d+")
"""What the index of a data frame is called."""
_METRIC: Final = re.compile(
    r"(?:nv_|llm_|non_llm_|id_based_|multi_?modal_)?(?:faithful(?:ness|_rate)|answer_\w+|"
    r"context_\w+|factual_correctness|noise_sensitivity|semantic_similarity|response_\w*relevancy|"
    r"response_groundedness|response_relevance|relevance_rate|accuracy|summar\w+_score|"
    r"(?:bleu|rouge|chrf)_score|string_(?:similarity|present)|exact_match|tool_call_\w+|"
    r"agent_goal_accuracy\w*|topic_adherence|(?:domain_specific_|instance_)?rubrics(?:_score)?|"
    r"(?:llm_)?sql_\w*equivalence\w*|data_?comp\w+_score|aspect_critic|simple_criteria\w*|"
    r"harmfulness|maliciousness|coherence|correctness|conciseness)"
    r"(?:_with(?:out)?_\w+|_classification)?(?:\(.*\))?"
)
"""What the metrics of ragas are called; a mode stands in brackets."""
_THEIRS: Final = re.compile(
    r"(?:nv_|llm_|non_llm_|id_based_|multi_?modal_)?(?:faithfulness|answer_(?:relevancy|similarity)|"
    r"context_(?:precision|recall|relevanc[ey]|utilization|entity_recall|entities_recall)|"
    r"factual_correctness|semantic_similarity|noise_sensitivity|response_(?:relevancy|groundedness)|"
    r"topic_adherence|agent_goal_accuracy)"
    r"(?:_with(?:out)?_\w+|_classification)?(?:\(.*\))?"
)
"""Those of them that are nobody else's; others, such as accuracy, are anybody's."""
_BODIES: Final = frozenset({"user_input", "retrieved_contexts", "reference_contexts"})
_WITH_ID: Final = frozenset({"retrieved_contexts", "reference_contexts"})
"""Those that tables of others, which have an id, do not."""
_OLD_BODIES: Final = frozenset({"contexts", "ground_truth", "ground_truths"})
"""What a row of 0.1 has; others have it too."""
_WITH_BODIES: Final = frozenset(
    {"answer_correctness", "answer_accuracy", "harmfulness", "maliciousness"}
)
_PERHAPS: Final = re.compile(
    r"(?:answer|context)_(?!.*(?:relevan|correct|similar|accura|precision|recall|utiliz)).*"
)
"""Columns of one's own that are called as metrics are: answer_language, context_source."""
_ALMOST: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*\s*%?")
_MEASURED: Final = re.compile(
    r"(?:.*_)?(?:time|latency|duration|seconds|secs?|ms|tokens?|cost|price|count|length|size|"
    r"chars|rank|num|number|year|page|idx|index|id)(?:_.*)?",
    re.IGNORECASE,
)
_VERDICTS: Final = frozenset({"pass", "fail", "correct", "incorrect", "passed", "failed"})
_ROUNDED_ONE: Final = 1 + 1e-9
_AGGREGATE: Final = ("metric", "score")
_COLUMNWISE: Final = re.compile(rb'\s*\{\s*"[^"\\]*"\s*:\s*\{')

_encode = msgspec.json.Encoder(order="sorted").encode


@lru_cache(maxsize=1000)
def _kind(column: str) -> str:
    """Return what a column holds, by its name: metric, body, count or something else."""
    if column in _NOT_KEPT or _UNNAMED.fullmatch(column):
        return "body"
    if _METRIC.fullmatch(column):
        return "metric"
    return "count" if _MEASURED.fullmatch(column) else "other"


def _recognises(file: ToolFile) -> bool:
    columns = file.columns
    if _is_aggregate(columns):
        rows = file.head.decode("utf-8", "replace").splitlines()[1:]
        return any(_THEIRS.fullmatch(row.partition(",")[0].strip('"')) for row in rows)
    names = {*columns} or file.keys
    has_bodies = bool(names & {*_QUESTIONS[:2]}) and bool(names & {*_ANSWERS[:2], *_CONTEXTS[:2]})
    if not has_bodies or "task_id" in names:
        return False
    if names & _BODIES and ("id" not in names or names & _WITH_ID):
        return any(map(_METRIC.fullmatch, names))
    if names & {*_BODIES, *_OLD_BODIES}:
        return any(_THEIRS.fullmatch(name) or name in _WITH_BODIES for name in names)
    # rows with an id are of somebody who judged them with metrics of ragas
    return "id" not in names and any(map(_THEIRS.fullmatch, names))


def _is_aggregate(columns: tuple[str, ...]) -> bool:
    return tuple(name.lower() for name in columns) == _AGGREGATE


def _runs(file: ToolFile) -> Iterator[Item]:
    if _is_aggregate(file.columns):
        yield from _wholes(file)
        return
    names = Names(file.name)

    def run(part: Part[dict[str, Any]]) -> Iterator[Run]:
        yield _run(part, names)

    yield from each(_rows(file), run)


def _wholes(file: ToolFile) -> Iterator[Item]:
    """Yield the means of an evaluation, of which no single rows are there."""
    names = Names(file.name).of({})
    for part in file.rows():
        if isinstance(part, Rejected):
            yield part
            continue
        key, cell = (text.strip() for text in part.value.values())
        score = None if is_absent(cell) else number(cell)
        if not key or (score is None and not is_absent(cell)):
            reason = f"{key or 'a metric without a name'}: {cell!r} is no score; write a number"
            yield Rejected(part.number, b"", Rejection("unexpected_form", reason))
            continue
        yield Whole(key, score, {"experiment_id": "ragas"}, names)


def _rows(file: ToolFile) -> Iterator[Part[dict[str, Any]] | Rejected]:
    if file.columns:
        yield from file.rows()
    elif file.is_list:
        file.count()  # a list that breaks off is refused before its first run
        yield from file.parts("", dict[str, Any])
    elif _COLUMNWISE.match(file.head):
        yield from _turned(file.document(dict[str, Any]))
    else:
        yield from file.lines(dict[str, Any])


def _turned(columns: Mapping[str, Any]) -> Iterator[Part[dict[str, Any]]]:
    """Yield the rows of a data frame that was written column by column."""
    for name, cells in columns.items():
        if not isinstance(cells, dict):
            reason = f"{name} is no column of a data frame; write to_json(orient='records')"
            raise FileBroken(Rejection("unexpected_form", reason))
    index = dict.fromkeys(place for cells in columns.values() for place in cells)
    for ordinal, place in enumerate(index, 1):
        yield Part(ordinal, {name: cells.get(place) for name, cells in columns.items()}, b"")


def _run(part: Part[dict[str, Any]], names: Names) -> Run:
    row = part.value
    question = _first(row, _QUESTIONS)
    if question is None:
        raise InvalidRecord(
            "task_id",
            "missing_field",
            f"the row has no question, under none of {', '.join(_QUESTIONS)}; tasks are told by it",
        )
    scores: dict[str, float | None] = {}
    labels: dict[str, str] = {}
    counts: dict[str, float] = {}
    rest: dict[str, Any] = {}
    for column, value in row.items():
        kind = _kind(column)
        if kind == "body":
            continue
        found = _number(value)
        if kind == "metric" and (found is not None or _is_nothing(value)):
            # the cosine of a vector with itself is 1.0000000000000002
            scores[column] = 1.0 if found and 1 < found < _ROUNDED_ONE else found
        elif isinstance(value, str) and value.strip().lower() in _VERDICTS:
            labels[column] = value.strip()
        elif found is not None:
            (counts if kind == "count" else scores)[column] = found
        elif kind == "metric" and _is_meant_as_score(column, value):
            reason = (
                f"{column} is {shown(value)} in line {part.number}, which is no number; write one "
                "such as 0.5, or leave the cell empty where there is no score"
            )
            raise InvalidRecord("scores", "invalid_score", reason)
        elif not _is_nothing(value):
            rest[column] = value
    told = names.of({name: value for name, value in rest.items() if isinstance(value, str)})
    asked = question.strip() if isinstance(question, str) else _encode(question).decode()
    record: dict[str, Any] = {
        "experiment_id": "ragas",
        "task_id": task_name(asked, asked),
        "scores": scores,
        "inputs": _body(question),
        "outputs": _answer(row),
        "reference_outputs": _body(_first(row, _REFERENCES)),
    }
    beside = {"labels": labels, "measurements": counts, "metadata": worth_keeping(rest)}
    record |= {name: values for name, values in beside.items() if values}
    return Run(part.number, record, told)


def _is_meant_as_score(column: str, value: object) -> bool:
    """Whether what is no number had to be one: `0,5`, `83 %`, or anything a metric surely says."""
    looks_like_one = isinstance(value, str) and _ALMOST.fullmatch(value.strip())
    return bool(looks_like_one) or not _PERHAPS.fullmatch(column)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401  any JSON value
    """Return the first value that is there of those that different versions name differently."""
    return next((row[name] for name in names if not _is_nothing(row.get(name))), None)


def _answer(row: Mapping[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    answer, contexts = _body(_first(row, _ANSWERS)), _body(_first(row, _CONTEXTS))
    return answer if contexts is None else {"response": answer, "retrieved_contexts": contexts}


def _body(value: Any) -> Any:  # noqa: ANN401  any JSON value
    return body(value) if isinstance(value, str) else value


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_absent(value))


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return number(value)
    return float(value) if isinstance(value, int | float) else None


IMPORTER: Final = Importer(
    About(
        kind="ragas",
        tool="ragas",
        files="`to_pandas()` of an evaluation or an experiment (CSV, JSONL, JSON); "
        "its means (CSV: metric, score)",
        versions="0.1 to 0.4",
        kept="metrics as scores (NaN is no value), pass and fail as labels, columns of time, "
        "tokens or cost as measurements; the question names the task, asked again it is a "
        "repetition; means become scores of the arm as a whole",
        left_out="traces of the metrics",
        names={
            "file": "name of the file, without folder",
            "*": "a column of text that is none of ragas: model, experiment_name, …",
        },
    ),
    _recognises,
    _runs,
)
