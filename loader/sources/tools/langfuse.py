"""Langfuse: scores, traces and dataset runs, exported or answered by its API; a run is a trace."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
from ...tools.counts import counted
from .. import Rejection
from . import (
    About,
    Companion,
    FileBroken,
    Importer,
    Noted,
    Rejected,
    Run,
    Said,
    Whole,
)
from .gathered import Gathered
from .langfuse_files import Role, beside, pages_of, role_of, rows_of
from .langfuse_scores import Score, kind_of, read_scores, value_of
from .langfuse_traces import earliest, first_of, measured, scores_in
from .naming import Names, below, worth_keeping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from . import Item
    from .gathered import Piece
    from .opened import Part, ToolFile

_JOINED: Final = 0
_THEIRS: Final = -1
"""Place of a piece from a file beside: joined to a run of this file, or of a run of that one."""
_ITEM: Final = ("datasetItemId", "experimentItemId", "dataset_item_id")
_RUN: Final = ("datasetRunName", "experimentName", "experiment_run_name")
_RUN_ID: Final = ("datasetRunId", "experimentId")
_DATASET: Final = ("datasetName", "dataset_name", "experimentDatasetId", "datasetId", "dataset_id")

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_score = msgspec.json.Decoder(Score).decode
_SCORE: Final = b"s"
"""Before a piece that is a score; one that is a row begins with a bracket."""


def _recognises(file: ToolFile) -> bool:
    return "task_id" not in {*file.columns, *file.keys} and role_of(file) is not None


def _runs(file: ToolFile) -> Iterator[Item]:
    role = role_of(file) or Role.SCORES
    names = Names(file.name)
    with Gathered() as gathered:
        for part in rows_of(file):
            if isinstance(part, Rejected):
                yield part
                continue
            try:
                of_arm = _gather(part, role, gathered)
                if of_arm is not None:
                    yield _whole(of_arm, names)
            except (InvalidRecord, msgspec.ValidationError) as error:
                code = error.code if isinstance(error, InvalidRecord) else "unexpected_form"
                text = part.text or _encode(part.value)
                yield Rejected(part.number, text[:2000], Rejection(code, str(error)))
        yield from _join(file, role, gathered)
        yield from _of_traces(file, role, gathered)


def _join(file: ToolFile, role: Role, gathered: Gathered) -> Iterator[Item]:
    """Put in what other files of the folder say of the same traces."""
    is_page = pages_of(file) > 1
    for other_role, other in beside(file):
        if other_role is role and not (is_page and pages_of(other) > 1):
            continue
        is_theirs = (other_role, file.name) > (role, other.name)
        place = _THEIRS if is_theirs else _JOINED
        try:
            for part in rows_of(other):
                if not isinstance(part, Rejected):
                    # what is wrong with a row is said when its own file is loaded
                    with suppress(InvalidRecord, msgspec.ValidationError):
                        _gather(part._replace(number=place), other_role, gathered)
        except FileBroken as broken:
            told = broken.rejection.reason
            yield Noted(f"{other.name} beside it cannot be read, and is not joined: {told}")


def _gather(part: Part[dict[str, Any]], role: Role, gathered: Gathered) -> Score | None:
    """Keep a row with its trace; return a score of a whole dataset run, which has none.

    Raises:
        InvalidRecord, msgspec.ValidationError: it is not as Langfuse writes it.

    """
    row = part.value
    if role is not Role.SCORES:
        key = row.get("id" if role is Role.TRACES else "traceId")
        if not isinstance(key, str):
            raise InvalidRecord("traceId", "missing_field", "the row names no trace; export its id")
        gathered.add(key, part.number, _encode(row))
        return None
    score = msgspec.convert(row, Score, strict=False)
    kind_of(score)
    subject, key = score.run_key()
    if subject == "experiment":
        return score
    run_key = key if subject == "trace" else f"{subject}/{key}"
    gathered.add(run_key, part.number, _SCORE + _encode(score))
    return None


def _whole(score: Score, names: Names) -> Whole:
    told = names.of({"dataset_run_id": score.run_key()[1]})
    record = {"experiment_id": "langfuse"}
    return Whole(score.name, value_of(score), record, told, score.timestamp)


def _of_traces(file: ToolFile, role: Role, gathered: Gathered) -> Iterator[Item]:
    names = Names(file.name)
    own = theirs = untold = 0
    for group in gathered.groups():
        if isinstance(group, Rejected):
            yield group
            continue
        key, pieces = group
        if all(piece.number < 1 for piece in pieces):
            continue
        if any(piece.number == _THEIRS for piece in pieces):
            theirs += 1
            continue
        try:
            found = [*_of_trace(key, pieces, gathered, names)]
        except (InvalidRecord, msgspec.ValidationError) as error:
            code = error.code if isinstance(error, InvalidRecord) else "unexpected_form"
            yield Rejected(pieces[0].number, pieces[0].text[:2000], Rejection(code, str(error)))
            continue
        yield from found
        own += 1
        untold += any(isinstance(item, Run) and item.record["task_id"] == key for item in found)
    if theirs and not own:
        yield Companion("the scores beside it")
    yield from _notes(file, role, theirs, untold)


def _notes(file: ToolFile, role: Role, theirs: int, untold: int) -> Iterator[Noted]:
    if theirs:
        yield Noted(f"{counted(theirs, 'trace')} of it: loaded with another file of the folder")
    if untold:
        yield Noted(
            f"{counted(untold, 'run')} without an item of a dataset: the trace is the task, which "
            "no other arm shares; save the answer of /api/public/dataset-run-items in the "
            "same folder, or say what is shared: --format langfuse --map task_id=trace_name, "
            "session_id or metadata.NAME"
        )
    if (pages := pages_of(file)) > 1:
        yield Noted(f"one of {pages} pages; save all of them in this folder")
    if role is Role.ITEMS and not theirs:
        yield Noted("items of a dataset run without scores; save /api/public/scores beside it")


def _of_trace(
    key: str, pieces: Sequence[Piece], gathered: Gathered, names: Names
) -> Iterator[Item]:
    own = next(piece.number for piece in pieces if piece.number > 0)
    row: dict[str, Any] = {}
    scores: list[Score] = []
    for piece in pieces:
        if piece.text[:1] == _SCORE:
            scores.append(_decode_score(piece.text[1:]))
        else:
            found = _decode(piece.text)
            scores += scores_in(found)
            row |= {name: value for name, value in found.items() if value is not None}
    read = read_scores(scores)
    metadata = row.get("metadata") if isinstance(row.get("metadata"), dict) else None
    told = {**(metadata or {}), **row}
    item, run, run_id = (first_of(told, wanted) for wanted in (_ITEM, _RUN, _RUN_ID))
    first = scores[0] if scores else None
    about: dict[str, Any] = {
        "trace_name": row.get("name") or row.get("traceName") or (first and first.trace_name),
        "session_id": row.get("sessionId") or (first and first.session_id),
        "environment": row.get("environment") or (first and first.environment),
        "tags": row.get("tags") or (first and first.trace_tags),
        "user_id": row.get("userId") or (first and first.user_id),
    }
    version = row.get("release") or row.get("version")
    record: dict[str, Any] = {
        "experiment_id": first_of(told, _DATASET) or "langfuse",
        "task_id": item or key,
        "source_run_id": key,
        "recorded_at": row.get("timestamp") or row.get("startTime") or earliest(scores),
        "inputs": row.get("input"),
        "outputs": row.get("output"),
        "reference_outputs": row.get("expectedOutput", read.correction),
        **read.fields,
        **measured(row),
    }
    if item:
        record["repetition"] = gathered.ordinal(f"{run_id or run} {item}".encode())
    if version:
        record["extension_version"] = version
    kept = {**worth_keeping(metadata), **worth_keeping(about)}
    if read.superseded:
        kept["earlier_scores"] = read.superseded
    if kept:
        record["metadata"] = kept
    made = Run(
        own,
        {name: value for name, value in record.items() if value is not None},
        names.of({
            "dataset_run": run, "dataset_run_id": run_id, **about, "release": row.get("release"),
            "version": row.get("version"), "model": record.get("model_version"),
            **below("metadata", metadata),
        }),
    )  # fmt: skip
    yield made
    for said in read.said:
        yield Said(made, *said)


IMPORTER: Final = Importer(
    About(
        kind="langfuse",
        tool="Langfuse",
        files="scores or traces, exported on their page or to blob storage (CSV, JSON, JSONL); "
        "answers of the API: scores (v1 to v3), traces, dataset-run-items, experiment-items",
        versions="API v1 to v3, exports of 2024 to 2026 (Langfuse 2 to 4)",
        kept="the latest score of each name of a trace (numbers and booleans as scores, "
        "categories as labels, text as comments); what a named annotator gave, as said by a "
        "person; dataset item as task; files of one folder are joined by trace",
        left_out="earlier scores of one name, the numbers of categories, observations other than "
        "for tokens, cost, model and errors; Parquet",
        names={
            "dataset_run": "name of the dataset run or experiment",
            "dataset_run_id": "its id",
            "trace_name": "name of the trace",
            "release": "release of the application",
            "version": "version of the trace",
            "environment": "environment of the trace",
            "session_id": "session of the trace",
            "user_id": "user of the trace",
            "model": "model, if the trace used one only",
            "metadata.*": "a member of the trace's metadata",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
