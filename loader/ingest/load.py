"""The way of every load: source → check → warehouse → summary."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg

from ..errors import ConfigurationError, CountsFromZero, InvalidRecord
from ..records.checker import Checker
from ..records.json_text import LARGEST_RECORD, decode_object
from ..sources import BatchedSource, JsonBatch, Rejection, Resuming, SourceRow, Summarising
from ..sources.blocks import KEPT_BYTES
from .deliveries import delivered_by
from .entries import server_errors
from .parallel import PART_ROWS, Checked, ParallelChecker
from .printable import printable
from .side_rows import KEEP_REJECTS, WITHHELD, RejectedRow
from .summary import LoadSummary, Tally, summed_up
from .told import told_by
from .writer import LoadWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..records.checker import Defaults
    from ..records.form import AdmittedBatch
    from ..records.vocabulary import Vocabulary
    from ..sources import Source
    from ..warehouse.connection import Connection

_BATCH_BYTES: Final = 256 * 1024
_PARTS: Final = 8
_ALONE: Final = 4
"""Rows of a batch that is no longer divided but checked one by one."""
_LONGEST_REASON: Final = 8000
_WITHHELD: Final = Rejection(
    WITHHELD,
    "sound, but the load is strict and other rows were rejected or had values set aside; "
    "correct those",
)
_FROM_ZERO: Final = "repetitions are counted from 0 here; they are stored counted from 1"


def load(  # noqa: PLR0913  a load's own options, by name
    connection: Connection,
    source: Source,
    vocabulary: Vocabulary,
    defaults: Defaults | None = None,
    *,
    strict: bool = False,
    dry_run: bool = False,
    accept_feedback: bool = False,
    keep_contents: bool = False,
    first_repetition: int = 1,
    keep_rejects: int = KEEP_REJECTS,
    roles: Mapping[str, str] | None = None,
    most_processes: int = 0,
    again: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> LoadSummary:
    """Load everything a source yields, in one transaction.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        source: read once, to its end. If it has a true attribute `never_waits`, as local
            files have, other loads may be kept waiting while a large one is read.
        vocabulary: known groups, evaluators and metrics.
        defaults: what options say of every record.
        strict: if any row is rejected, load none. The ledger then counts all rows as
            rejected, the sound ones with the reason `withheld`.
        dry_run: check and decide everything, write nothing.
        accept_feedback: whether records may carry `feedback`.
        keep_contents: whether inputs and outputs are kept, not only their ids.
        first_repetition: the number of a task's first run, 1 or 0. A source that can be
            read again is, counted from 0, when a record of it has the repetition 0.
        keep_rejects: how many rejected rows of each reason are kept; all are counted.
        roles: of groups, in the experiments of this load: group → control or treatment.
        most_processes: how many may be started to check a large load on every core. They
            import the main module, so a script then needs its `__name__` guard.
        again: whether files that were loaded before, and records older than what is loaded of
            their runs, are loaded as if they were not.
        on_progress: called now and then with the number of rows read.

    Returns:
        The counts. Nothing is written, and the load has no id, when `dry_run` is set or the
        source is empty; unless it was read before and is otherwise now.

    Raises:
        ConfigurationError: the raw schema or a right on it is missing, a file cannot be
            opened, or a source that cannot be read again has the repetition 0.
        SourceUnavailable: the source fails; nothing is written.
        WarehouseUnavailable: the server fails; nothing is written.
        AlreadyTaken: as `loader.ingest.deliveries` says; nothing is written.

    """
    started = time.monotonic()

    def once(first_repetition: int) -> LoadSummary:
        make_checker = partial(
            Checker,
            vocabulary,
            defaults,
            accept_feedback=accept_feedback,
            keep_contents=keep_contents,
            first_repetition=first_repetition,
        )
        checks = ParallelChecker(make_checker, most_processes=most_processes)
        options = _Options(strict, dry_run, keep_rejects, roles, again, on_progress)
        return _load_once(connection, source, checks, options)

    try:
        summary = once(first_repetition)
    except CountsFromZero:
        if not getattr(source, "never_waits", False):
            raise ConfigurationError(
                "repetitions are counted from 0 here, and this input cannot be read again; "
                "give --first-repetition 0"
            ) from None
        summary = once(0)
        first_repetition = 0
    notes = (_FROM_ZERO, *summary.notes) if first_repetition == 0 else summary.notes
    return replace(summary, notes=notes, seconds=time.monotonic() - started)


class _Options(NamedTuple):
    """What a load does with what it read."""

    strict: bool
    dry_run: bool
    keep_rejects: int
    roles: Mapping[str, str] | None
    again: bool
    on_progress: Callable[[int], None] | None


def _load_once(
    connection: Connection,
    source: Source,
    checks: ParallelChecker,
    options: _Options,
) -> LoadSummary:
    strict = options.strict
    may_hold_lock = getattr(source, "never_waits", False) and not (strict or options.dry_run)
    with (
        server_errors(),
        checks,
        LoadWriter(
            connection,
            source.name,
            may_hold_lock=may_hold_lock,
            keep_rejects=options.keep_rejects,
        ) as writer,
    ):
        tally = _transfer(source, checks, writer, strict=strict, on_progress=options.on_progress)
        is_refused = strict and (tally.rejected > 0 or tally.records_aside > 0)
        writer.seen.end(source, again=options.again)
        kept_alone = _kept_alone(source)
        has_news = kept_alone > 0 or (isinstance(source, Resuming) and source.has_news())
        if options.dry_run or (tally.read == 0 and not has_news):
            outcome = writer.preview(tally.counts(), refuse=is_refused)
            raise psycopg.Rollback
        outcome = writer.finish(
            source.reference(),
            tally.counts(),
            refuse=is_refused,
            beside=told_by(source, options.roles),
            delivered=delivered_by(source),
        )
    if is_refused:
        tally.note(_WITHHELD, "", tally.read - tally.rejected)
    standing = source.standing() if isinstance(source, Resuming) else None
    summary = summed_up(source.name, tally, outcome, standing, is_refused=is_refused)
    if is_refused:
        return summary
    told = writer.seen.notes(loaded=outcome.loaded)
    return replace(summary, notes=(*summary.notes, *told), arm_scores=kept_alone)


def _kept_alone(source: Source) -> int:
    """Return how many scores of arms there are that are kept though no run of the arm is."""
    scores = source.summary_scores() if isinstance(source, Summarising) else ()
    return sum(score.is_kept_alone for score in scores)


def _transfer(
    source: Source,
    checks: ParallelChecker,
    writer: LoadWriter,
    *,
    strict: bool,
    on_progress: Callable[[int], None] | None,
) -> Tally:
    """Check every row and hand it to the writer."""
    tally = Tally()
    origin = None
    items = source.batches() if isinstance(source, BatchedSource) else source.rows()
    for item in checks.checked(_in_batches(items)):
        of_item = item.batch.origin if isinstance(item, Checked) else item.origin
        if of_item != origin:
            origin = of_item
            writer.seen.begin(origin)
        if isinstance(item, Checked):
            batch = item.batch
            for place, admitted in enumerate(item.parts):
                part = _part(batch, place * PART_ROWS, PART_ROWS)
                if admitted is None:
                    _narrow_down(part, checks.checker, writer, tally, strict=strict)
                else:
                    _add(part, admitted, writer, tally, strict=strict)
            tally.read += len(batch.texts)
        else:
            _admit(item, checks.checker, writer, tally, strict=strict)
            tally.read += 1
        if on_progress is not None:
            on_progress(tally.read)
    return tally


def _in_batches(items: Iterable[JsonBatch | SourceRow]) -> Iterator[JsonBatch | SourceRow]:
    """Put together rows of undecoded JSON that follow each other."""
    waiting: list[SourceRow] = []
    waiting_bytes = 0
    for item in items:
        is_json = isinstance(item, SourceRow) and item.fields is None and item.rejection is None
        if waiting and (
            not is_json
            or item.origin != waiting[0].origin
            or len(waiting) >= PART_ROWS
            or waiting_bytes >= _BATCH_BYTES
        ):
            yield _together(waiting)
            waiting, waiting_bytes = [], 0
        if isinstance(item, SourceRow) and is_json:
            waiting.append(item)
            waiting_bytes += len(item.original)
        else:
            yield item
    if waiting:
        yield _together(waiting)


def _together(rows: list[SourceRow]) -> JsonBatch:
    numbers = [row.row_number for row in rows]
    return JsonBatch(rows[0].origin, numbers, [row.original for row in rows])


def _part(batch: JsonBatch, start: int, count: int) -> JsonBatch:
    end = start + count
    return JsonBatch(batch.origin, batch.numbers[start:end], batch.texts[start:end])


def _add(
    batch: JsonBatch, admitted: AdmittedBatch, writer: LoadWriter, tally: Tally, *, strict: bool
) -> None:
    writer.add(admitted.rows, admitted.links, admitted.contents, is_wide=admitted.is_wide)
    if admitted.asides:
        tally.set_aside(admitted.asides, admitted.records_aside)
    if strict:
        for number in batch.numbers:
            _withhold(batch.origin, number, writer)


def _narrow_down(
    batch: JsonBatch, checker: Checker, writer: LoadWriter, tally: Tally, *, strict: bool
) -> None:
    """Check ever smaller parts of a batch that is not sound, at last row by row."""
    count = len(batch.texts)
    if count <= _ALONE:
        for number, text in zip(batch.numbers, batch.texts, strict=True):
            row = SourceRow(number, batch.origin, text, None, None)
            _admit(row, checker, writer, tally, strict=strict)
        return
    size = -(-count // _PARTS)
    for start in range(0, count, size):
        part = _part(batch, start, size)
        admitted = checker.admit_json(part.texts) if len(part.texts) > _ALONE else None
        if admitted is None:
            _narrow_down(part, checker, writer, tally, strict=strict)
        else:
            _add(part, admitted, writer, tally, strict=strict)


def _admit(
    row: SourceRow, checker: Checker, writer: LoadWriter, tally: Tally, *, strict: bool
) -> None:
    """Check one row and hand it to the writer."""
    if row.rejection is not None:
        _reject(writer, tally, row, row.rejection)
        return
    try:
        fields = row.fields
        admitted = checker.admit(decode_object(row.original) if fields is None else fields)
    except CountsFromZero:
        raise
    except InvalidRecord as error:
        tally.note_group(printable(error.value))
        _reject(writer, tally, row, Rejection(error.code, error.reason))
        return
    links = {admitted.labels.link}
    writer.add([admitted.row], links, admitted.contents, is_wide=admitted.is_wide)
    if admitted.asides:
        tally.set_aside(admitted.asides, 1)
    if strict:
        _withhold(row.origin, row.row_number, writer)


def _withhold(origin: str, row_number: int, writer: LoadWriter) -> None:
    """Note a sound row of a strict load, in case the load is refused."""
    writer.reject(RejectedRow(printable(origin), row_number, *_WITHHELD, original=b""))


def _reject(writer: LoadWriter, tally: Tally, row: SourceRow, rejection: Rejection) -> None:
    reason = printable(rejection.reason)[:_LONGEST_REASON]
    origin = printable(row.origin)
    original = row.original
    if len(original) > LARGEST_RECORD:
        original = original[:KEPT_BYTES]
    writer.reject(RejectedRow(origin, row.row_number, rejection.reason_code, reason, original))
    tally.rejected += 1
    tally.note(
        Rejection(rejection.reason_code, reason),
        f"{origin or 'standard input'}, row {row.row_number}",
    )
