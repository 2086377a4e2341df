"""Which of Langfuse's exports and answers a file is, and its rows under one set of names."""

from __future__ import annotations

import re
from enum import IntEnum
from io import SEEK_END
from typing import TYPE_CHECKING, Any, Final

from .. import Rejection
from . import FileBroken, Rejected
from .cells import body
from .json_lines import has_lines
from .opened import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .opened import ToolFile

_MOST_BESIDE: Final = 100
_END_BYTES: Final = 1000
_PAGES: Final = re.compile(rb'"meta"\s*:\s*\{[^{}]*"totalPages"\s*:\s*(\d{1,9})\b')
_SUFFIXES: Final = (".csv", ".json", ".jsonl", ".ndjson")
_SNAKE: Final[Mapping[str, str]] = {
    "trace_id": "traceId", "observation_id": "observationId", "session_id": "sessionId",
    "dataset_run_id": "datasetRunId", "data_type": "dataType", "string_value": "stringValue",
    "created_at": "createdAt", "updated_at": "updatedAt", "project_id": "projectId",
    "user_id": "userId", "trace_name": "traceName", "author_user_id": "authorUserId",
    "config_id": "configId", "start_time": "startTime", "end_time": "endTime",
}  # fmt: skip
"""Names of the export to blob storage, which is written by the database → all others'."""
_OF_RUN: Final = frozenset({"datasetRunId", "datasetRunName"})
_OF_TRACE: Final = frozenset({"userId", "sessionId", "public", "projectId"})
_OBJECTS: Final = frozenset({"metadata", "tags", "traceTags", "input", "output", "comments"})


class Role(IntEnum):
    """What a file holds; where several hold a run, it is loaded with the highest."""

    ITEMS = 1
    """Which item of a dataset each trace ran: dataset-run-items."""
    TRACES = 2
    EXPERIMENT = 3
    """Experiment items: the item, its trace and their scores."""
    SCORES = 4


def role_of(file: ToolFile) -> Role | None:
    """Tell by its beginning what a file holds; None if it is none of Langfuse's."""
    names = _names(file)
    is_valued = bool(names & {"dataType", "value", "stringValue"})
    if names >= {"name", "source", "timestamp"} and names & {"traceId", "subject"} and is_valued:
        return Role.SCORES
    if names >= {"experimentItemId", "experimentId", "traceId"}:
        return Role.EXPERIMENT
    if names >= {"datasetItemId", "traceId"} and names & _OF_RUN:
        return Role.ITEMS
    if "datasetRunItems" in names and names & {"datasetId", "datasetName"}:
        return Role.ITEMS
    is_trace = names >= {"id", "timestamp"} and (
        "htmlPath" in names or (names >= {"name", "bookmarked", "tags"} and names & _OF_TRACE)
    )
    is_page_of_trace = "observations" in names and names <= {"observations", "scores"}
    if is_trace or (is_page_of_trace and b'"traceId"' in file.head):
        return Role.TRACES
    return None


def _names(file: ToolFile) -> set[str]:
    """Return the names of a row, or of the members of a document that is one run."""
    names = set(file.columns) or file.keys_within("data") or file.keys
    return {_SNAKE.get(name, name) for name in names}


def rows_of(file: ToolFile) -> Iterator[Part[dict[str, Any]] | Rejected]:
    """Yield the rows of a file under the names of the API.

    Raises:
        FileBroken: a document breaks off.

    """
    for part in _rows(file):
        if isinstance(part, Rejected) or _SNAKE.keys().isdisjoint(part.value):
            yield part
        else:
            row = {_SNAKE.get(name, name): value for name, value in part.value.items()}
            yield Part(part.number, row, part.text)


def _rows(file: ToolFile) -> Iterator[Part[dict[str, Any]] | Rejected]:
    if file.columns:
        yield from map(_of_cells, file.rows())
    elif file.is_list:
        file.count()  # a list that breaks off is refused before its first run
        yield from file.parts("", dict[str, Any])
    elif "data" in file.keys:
        file.outline("data")
        yield from file.parts("data", dict[str, Any])
    elif "datasetRunItems" in file.keys:
        run = file.outline("datasetRunItems").members
        for part in file.parts("datasetRunItems", dict[str, Any]):
            if isinstance(part, Part):
                part.value.setdefault("datasetName", run.get("datasetName"))
            yield part
    elif "observations" in file.keys and not has_lines(file):
        yield Part(1, _whole_trace(file), b"")
    else:
        yield from file.lines(dict[str, Any])


def _of_cells(part: Part[dict[str, str]] | Rejected) -> Part[dict[str, Any]] | Rejected:
    if isinstance(part, Rejected):
        return part
    row = {
        name: body(cell) if name in _OBJECTS or cell[:1] == "[" else cell
        for name, cell in part.value.items()
        if cell
    }
    return Part(part.number, row, part.text)


def _whole_trace(file: ToolFile) -> dict[str, Any]:
    """Return a trace with its observations and scores; its page downloads these alone."""
    trace = file.document(dict[str, Any])
    if "id" in trace:
        return trace
    parts = [*trace.get("observations", ()), *trace.get("scores", ())]
    ids = {part.get("traceId") for part in parts if isinstance(part, dict)} - {None}
    if len(ids) != 1:
        reason = f"the file is of {len(ids)} traces, not of one; export it again"
        raise FileBroken(Rejection("unexpected_form", reason))
    names = [part["traceName"] for part in parts if part.get("traceName")]
    return {**trace, "id": ids.pop(), "name": names[0] if names else None}


def beside(file: ToolFile) -> list[tuple[Role, ToolFile]]:
    """Return Langfuse's other files of the same folder, at most a hundred are looked at."""
    looked_at = file.beside("*", _SUFFIXES)[:_MOST_BESIDE]
    return [(role, each) for each in looked_at if (role := role_of(each)) is not None]


def pages_of(file: ToolFile) -> int:
    """Return how many pages the answer has that the file is one of; 1 if it does not say."""
    if file.columns or file.is_list or "data" not in file.keys:
        return 1
    with file.opened() as stream:
        stream.seek(0, SEEK_END)
        stream.seek(max(stream.tell() - _END_BYTES, 0))
        found = _PAGES.search(stream.read())
    return int(found[1]) if found else 1
