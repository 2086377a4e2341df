"""Inspect: logs of evaluations, as `.eval` archives and as JSON documents."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...errors import InvalidRecord
from .. import Rejection
from ..blocks import KEPT_BYTES, ZIP, ZIP_WITHIN_GZIP
from . import About, FileBroken, Importer, Noted, Rejected
from .archives import member, member_blocks
from .excerpt import excerpt
from .inspect_header import Header, arm_of, planned, story, wholes
from .inspect_samples import Sample, runs
from .json_values import decode
from .opened import LARGEST_PART, Part, each

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator, Sequence

    from . import Item
    from .inspect_samples import Arm
    from .opened import ToolFile

_HEADER: Final = "header.json"
_START: Final = "_journal/start.json"
"""What a log has from its first moment, and the only head of one that has not ended."""
_FIRST_NAME: Final = 30
"""Where the name of the first member stands in an archive."""
_MEMBER: Final = re.compile(r"samples/(.*)_epoch_(\d{1,9})(?:\.json|/sample\.json)", re.DOTALL)
_SHELL: Final = "sample.json"
"""What is left of a sample whose long parts are members of their own."""
_LISTS: Final = ("samples", "reductions", "results.sample_reductions", "logging")
_NEWEST: Final = 3
_KEPT_OF_LONG: Final = {*Sample.__struct_fields__} - {"events", "attachments", "transcript"}
_LONGEST_KEPT: Final = 4 * 1024 * 1024
_WIDEST_NUMBER: Final = 20


class _Version(msgspec.Struct):
    version: int = 1


def _has_spec(file: ToolFile) -> bool:
    """Whether `eval` says what was evaluated, as far as the head shows it."""
    return not file.keys_within("eval").isdisjoint({"task", "model"})


def _recognises(file: ToolFile) -> bool:
    if not file.is_zip:
        return not file.is_list and file.keys >= {"version", "status", "eval"} and _has_spec(file)
    if file.head.startswith(_START.encode(), _FIRST_NAME):
        return True  # also where the archive breaks off
    with suppress(FileBroken), file.archive() as archive:
        return _START in archive.NameToInfo
    return False


def _runs(file: ToolFile) -> Iterator[Item]:
    return _of_archive(file) if file.is_zip else _of_document(file)


def _of_document(file: ToolFile) -> Iterator[Item]:
    if file.head.startswith(ZIP):
        raise FileBroken(ZIP_WITHIN_GZIP)
    outline = file.outline(*_LISTS)
    try:
        _refuse_newer(msgspec.convert(outline.members, _Version))
        header = msgspec.convert(outline.members, Header)
    except msgspec.ValidationError as error:
        reason = f"not as Inspect writes it: {error}"
        raise FileBroken(Rejection("unexpected_form", reason)) from None
    arm = arm_of(header, file.name)
    yield from _of_whole(header, arm, outline.counts.get("samples", 0))
    yield from each(file.parts("samples", Sample), lambda part: runs(part.number, part.value, arm))


def _of_archive(file: ToolFile) -> Iterator[Item]:
    with file.archive() as archive:
        head = _HEADER if _HEADER in archive.NameToInfo else _START
        try:
            text = member(archive, head)
            _refuse_newer(file.decode(text, _Version))
            header = file.decode(text, Header)
        except InvalidRecord as error:
            raise FileBroken(Rejection(error.code, f"{head}: {error.reason}")) from None
        arm = arm_of(header, file.name)
        samples = _samples(archive)
        yield from _of_whole(header, arm, len(samples))

        def made(part: Part[Sample]) -> Iterator[Item]:
            prefix = _prefix(samples[part.number - 1])
            texts = partial(_chunked_text, archive, prefix) if prefix else None
            return runs(part.number, part.value, arm, texts)

        yield from each(_parts(file, archive, samples), made)


def _of_whole(header: Header, arm: Arm, count: int) -> Iterator[Item]:
    """Yield what a log says beside its samples.

    Raises:
        FileBroken: it has neither a sample nor a metric.

    """
    plan = planned(header, count)
    told = story(header, count, plan)
    metrics = [] if count else list(wholes(header, arm))
    if not count and not metrics:
        reason = f"no sample and no metric is in this log: {told or 'nothing was evaluated'}"
        raise FileBroken(Rejection("empty_file", f"{reason}; run it again"))
    if told:
        yield Noted(told)
    if plan is not None and count:
        yield plan
    yield from metrics


def _refuse_newer(found: _Version) -> None:
    if found.version > _NEWEST:
        reason = (
            f"version {found.version} of Inspect's log format is not known here, 1 to "
            f"{_NEWEST} are; a newer evalmart may read it"
        )
        raise FileBroken(Rejection("unknown_version", reason))


def _samples(archive: zipfile.ZipFile) -> Sequence[str]:
    """Return the members that are samples, in the order of the JSON form: by epoch, then by id."""
    found = []
    for name in archive.NameToInfo:
        match, prefix = _MEMBER.fullmatch(name), _prefix(name)
        if match is None or (prefix and f"{prefix[:-1]}.json" in archive.NameToInfo):
            continue
        named, epoch = match.groups()
        order = named.zfill(_WIDEST_NUMBER) if named.isdecimal() else named
        found.append((int(epoch), order, name))
    return [name for _, _, name in sorted(found)]


def _prefix(name: str) -> str:
    """Return what the names of a sample's members begin with, if it has several; else nothing."""
    return name.removesuffix(_SHELL) if name.endswith(f"/{_SHELL}") else ""


def _parts(
    file: ToolFile, archive: zipfile.ZipFile, samples: Sequence[str]
) -> Iterator[Part[Sample] | Rejected]:
    for number, name in enumerate(samples, 1):
        text = b""
        try:
            text = _text(archive, name)
            sample = file.decode(text, Sample)
            beside = f"{_prefix(name)}metadata.json"
            if _prefix(name) and beside in archive.NameToInfo:
                sample.metadata = file.decode(member(archive, beside), dict[str, Any])
        except InvalidRecord as error:
            reason = error.reason if name in error.reason else f"{name}: {error.reason}"
            yield Rejected(number, text[:KEPT_BYTES], Rejection(error.code, reason))
        else:
            yield Part(number, sample, text)


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a sample, without events and what else is passed over if it is very long."""
    if archive.getinfo(name).file_size <= LARGEST_PART:
        return member(archive, name)
    return excerpt(member_blocks(archive, name), _KEPT_OF_LONG, _LONGEST_KEPT)


def _chunked_text(archive: zipfile.ZipFile, prefix: str, name: str) -> str | None:
    """Find a long text of a sample that stands in several members, by its number."""
    starts = [
        int(each.stem)
        for each in map(PurePosixPath, archive.NameToInfo)
        if each.parent == PurePosixPath(f"{prefix}attachments") and each.stem.isdecimal()
    ]
    if not name.isdecimal() or not (before := [at for at in starts if at <= int(name)]):
        return None
    first = max(before)
    texts = decode(member(archive, f"{prefix}attachments/{first}.json"), list[str])
    return texts[int(name) - first] if int(name) - first < len(texts) else None


IMPORTER: Final = Importer(
    About(
        kind="inspect",
        tool="Inspect",
        files="`.eval` and JSON logs",
        versions="log formats 1 to 3, of 2024 to 2026 (to 0.3.285)",
        kept="scores of every scorer (letters as numbers, other texts as labels), explanations, "
        "epochs as repetitions, errors, limits, tokens, cost, times, model, dataset, git commit "
        "as version; edited scores as annotations; metrics of logs without samples",
        left_out="messages, events, tool calls, the store, reduced scores, metrics of logs that "
        "have samples, edits to anything but a number",
        names={
            "model": "the model evaluated",
            "task": "name of the task",
            "solver": "name of the solver, where one was chosen",
            "revision": "git commit of the evaluation",
            "tags": "tags of the log, joined by commas",
            "task_args.*": "an argument of the task",
            "model_args.*": "an argument of the model",
            "model_roles.*": "the model that has a role, such as grader",
            "run_id": "the run that made the log, perhaps with others",
            "eval_id": "the evaluation",
            "created": "when the evaluation began",
            "file": "name of the file, without folder",
        },
    ),
    _recognises,
    _runs,
)
