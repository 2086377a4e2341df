"""Raw writes: one load is one transaction, whole or not at all.

Rows go by COPY into a temporary table. Then, in the turn that every writer of the raw
schema waits for, one statement decides which of them are loaded, and they, the
load's ledger entry, its change feed and its rejected rows are inserted and committed.
Because `load_id` is drawn with the turn, load ids become visible in order.

A large load whose source never waits takes a shorter way: if the turn is free it is taken
at once, and the rows are copied straight into `evaluation_runs` as first versions, a
savepoint for each chunk. The primary key refuses a chunk that holds a run seen before, in
an earlier load or in this one; that chunk and all after it go the normal way, so the order
of the rows, which decides versions, is kept.

Needs what `evals_loader` may do, and temporary tables.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, Self

import psycopg
from psycopg.copy import QueuedLibpqWriter
from psycopg.pq import TransactionStatus

from ..records.canonical import COPY_HEADER, COPY_TRAILER, widened
from ..records.scales import UNDECLARED
from ..tools.sql_files import read_sql
from ..warehouse import locks
from ..warehouse.connection import be_patient
from . import change_feed, deliveries, entries, noticed, statements, told
from .change_feed import ChangeFeed
from .entries import draw_load_id, insert_load
from .known_files import Seen
from .side_rows import KEEP_REJECTS, WITHHELD, SideRows
from .summary import Counts, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    from psycopg import Copy, Transaction

    from ..records.form import Link
    from ..warehouse.connection import Connection
    from .side_rows import RejectedRow
    from .told import Told

CHUNK_ROWS: Final = 20_000
SMALL_LOAD_ROWS: Final = 5000
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""A chunk is kept until the server has taken it, so this bounds memory."""
WAITING_BYTES: Final = 4 * 1024 * 1024
"""A load that is larger is not kept whole before it is sent, however few its rows."""
_BLOCK_BYTES: Final = 64 * 1024
_BLOCK_ROWS: Final = 200
_FIELD_COUNT: Final = Struct(">h").pack
_CONSTANTS: Final = Struct(">iqiii").pack
"""load_id, run_version and the length of the source, which follows."""


class LoadWriter:
    """One load, as a context: leaving it commits, an exception undoes everything.

    Rows are added in the order of the source, then `finish` is called once. Holds one
    chunk of rows in memory at most.
    """

    def __init__(
        self,
        connection: Connection,
        source: str,
        *,
        may_hold_lock: bool,
        keep_rejects: int = KEEP_REJECTS,
    ) -> None:
        """Prepare a load.

        Args:
            connection: without an open transaction.
            source: the `source` of every run of the load.
            may_hold_lock: whether the source never waits for anybody, so that other
                loads may be kept waiting while it is read.
            keep_rejects: how many rejected rows of each reason are kept.

        Raises:
            RuntimeError: the connection is inside a transaction.

        """
        if connection.info.transaction_status != TransactionStatus.IDLE:
            raise RuntimeError("a load is a transaction of its own; commit the open one first")
        self._connection = connection
        self._source = source
        self._may_hold_lock = may_hold_lock
        self._transaction: AbstractContextManager[Transaction] = connection.transaction()
        self._load_id: int | None = None
        self._straight_count = 0
        self._staged_count = 0
        self._is_straight = False
        self._is_wide = False
        self._copy_runs = statements.copy_runs(is_straight=False, is_wide=False)
        self._has_staging = False
        self._rows: list[bytes] = []
        """Rows of the chunk under way that are not with the server yet."""
        self._rows_bytes = 0
        self._sent: list[bytes] = []
        """Rows of the chunk under way that are; kept to send them again."""
        self._sent_bytes = 0
        self._sent_count = 0
        self._copy_context: AbstractContextManager[Copy] | None = None
        self._copy: Copy | None = None
        self._chunk_links: set[Link] = set()
        self._experiments: set[str] = set()
        """One or two experiments of the load: enough to know whether there is only one."""
        self._doubled: tuple[tuple[str, ...], int] = (), 0
        self.seen = Seen()
        self._feed = ChangeFeed(connection)
        self._side_rows = SideRows(connection, keep_rejects)

    def __enter__(self) -> Self:
        """Begin the transaction."""
        self._transaction.__enter__()
        # a source may be slow, and so may the turn of this load be
        be_patient(self._connection)
        self._connection.execute(
            # the decision must see what others committed before the turn was taken
            "set transaction isolation level read committed; "
            "set local client_encoding to 'UTF8'; "
            # who has gone without a word must not keep the turn for ever
            "set local idle_in_transaction_session_timeout to '1h'",
            prepare=False,
        )
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Commit, or undo everything; psycopg.Rollback undoes and is not passed on."""
        try:
            if exception is not None and self._copy_context is not None:
                context, self._copy_context = self._copy_context, None
                context.__exit__(exception_type, exception, traceback)
        except psycopg.Error:
            self._transaction.__exit__(exception_type, exception, traceback)
            raise
        return self._transaction.__exit__(exception_type, exception, traceback)

    def add(
        self,
        rows: list[bytes],
        links: set[Link],
        contents: Mapping[bytes, bytes],
        *,
        is_wide: bool,
    ) -> None:
        """Add some rows, far fewer than a chunk.

        Args:
            rows: their fields as `loader.records.canonical.copy_rows` makes them.
            links: their experiments, each with the one that it is compared with.
            contents: inputs and outputs to be kept, by id.
            is_wide: whether the rows are.

        """
        if contents:
            self._side_rows.keep(contents)
            self._flush_side_rows()
        if is_wide and not self._is_wide:
            self._end_chunk()
            self._rows = list(map(widened, self._rows))
        elif self._is_wide and not is_wide:
            rows = list(map(widened, rows))
        self._is_wide |= is_wide
        self._rows += rows
        self.seen.count(len(rows))
        self._rows_bytes += sum(map(len, rows))
        self._chunk_links |= links
        if self._copy is None:
            if self._rows_bytes >= WAITING_BYTES or len(self._rows) >= SMALL_LOAD_ROWS:
                self._begin_chunk()
        elif self._rows_bytes >= _BLOCK_BYTES:
            self._send()
            if self._sent_bytes >= CHUNK_BYTES or self._sent_count >= CHUNK_ROWS:
                self._end_chunk()
                self._begin_chunk()

    def reject(self, row: RejectedRow) -> None:
        """Add a row that cannot be loaded."""
        self._side_rows.reject(row)
        self._flush_side_rows()

    def _flush_side_rows(self) -> None:
        if self._side_rows.is_full:
            # a connection does one COPY at a time
            was_copying = self._copy is not None
            self._end_chunk()
            self._side_rows.flush()
            if was_copying:
                self._begin_chunk()

    def finish(
        self,
        source_ref: Mapping[str, object],
        counts: Counts,
        *,
        refuse: bool = False,
        beside: Told = told.NOTHING,
        delivered: Collection[str] = (),
    ) -> Outcome:
        """Decide what is loaded, write it and the ledger entry.

        Args:
            source_ref: where the rows came from; no secrets.
            counts: of the rows met at the source.
            refuse: load nothing; rows given to `reject` as withheld are rejected too.
            beside: what the load says beside its runs.
            delivered: ids of the batches in which the rows were handed over.

        Raises:
            AlreadyTaken: another load brought one of those batches.

        """
        self._end_rows()
        self._side_rows.flush()
        self._feed.flush()
        # waits for the lock, unless it is ours already
        load_id = self._load_id = self._load_id or draw_load_id(self._connection)
        deliveries.take(self._connection, load_id, delivered)
        self.seen.recognise(self._connection, self._source)
        counts = self._with_undeclared(counts)
        staged, replaced = (0, 0) if refuse else self._insert_staged()
        loaded = 0 if refuse else self._straight_count + staged
        rejected = counts.read if refuse else counts.rejected
        unchanged = counts.read - rejected - loaded
        set_aside = 0 if refuse else sum(aside.runs for aside in counts.asides.values())
        left_out = rejected - self._side_rows.kept_rejects(refuse=refuse)
        insert_load(
            self._connection, load_id, self._source, source_ref,
            experiment=self._only_experiment(),
            counts=entries.Counts(
                counts.read, loaded, unchanged, rejected, set_aside,
                _reject_counts(counts, refuse=refuse), left_out,
            ),
        )  # fmt: skip
        if not refuse:
            tables = self._temporary_tables()
            changed = told.insert(self._connection, load_id, beside, tables)
            self._feed.add((name, None) for name in changed)
            self.seen.insert(self._connection, load_id, self._source)
        self._feed.insert(load_id)
        self._side_rows.insert(load_id, refuse=refuse)
        return Outcome(load_id, loaded, unchanged, replaced, counts, *self._doubled, left_out)

    def preview(self, counts: Counts, *, refuse: bool = False) -> Outcome:
        """Say what `finish` would; the caller then undoes the load."""
        self._end_rows()
        self.seen.recognise(self._connection, self._source)
        counts = self._with_undeclared(counts)
        loaded, replaced = (0, 0) if refuse else self._decide()
        rest = 0 if refuse else counts.read - counts.rejected - loaded
        return Outcome(None, loaded, rest, replaced, counts, *self._doubled)

    def _end_rows(self) -> None:
        """Wait until the server has taken every row."""
        if self._copy is None and self._rows:
            self._begin_chunk(is_last=True)
        self._end_chunk()

    def _begin_chunk(self, *, is_last: bool = False) -> None:
        """Open a COPY, straight or into the staging table, and send what waits."""
        if self._staged_count == 0 and not self._has_staging and not self._is_straight:
            self._is_straight = self._may_hold_lock and not is_last and self._try_lock()
        if self._is_straight:
            self._connection.execute("savepoint chunk")
        self._open_copy()
        self._send()

    def _open_copy(self) -> None:
        if not self._is_straight:
            self._create_staging()
        self._copy_runs = statements.copy_runs(is_straight=self._is_straight, is_wide=self._is_wide)
        statement = self._copy_runs.statement
        cursor = self._connection.cursor()
        # a thread of its own feeds the server while rows are checked
        self._copy_context = cursor.copy(statement.encode(), writer=QueuedLibpqWriter(cursor))
        self._copy = self._copy_context.__enter__()
        self._copy.write(COPY_HEADER)

    def _create_staging(self) -> None:
        if not self._has_staging:
            self._connection.execute(statements.CREATE_INCOMING)
            self._has_staging = True

    def _send(self) -> None:
        """Hand the waiting rows to the driver; the server works while we go on."""
        if self._copy is None or not self._rows:
            return
        # a row is the number of its fields and the fields
        before, after = _FIELD_COUNT(self._copy_runs.field_count), b""
        if self._is_straight:
            source = self._source.encode()
            after = _CONSTANTS(8, self._load_id, 4, 1, len(source)) + source
            self._sent += self._rows
        between = after + before
        for start in range(0, len(self._rows), _BLOCK_ROWS):
            block = between.join(self._rows[start : start + _BLOCK_ROWS])
            self._copy.write(b"%b%b%b" % (before, block, after))
        self._sent_count += len(self._rows)
        self._sent_bytes += self._rows_bytes
        self._rows = []
        self._rows_bytes = 0

    def _end_chunk(self) -> None:
        """Wait until the server has taken the chunk."""
        if self._copy_context is None:
            return
        self._send()
        if self._copy is not None:
            self._copy.write(COPY_TRAILER)
        context, self._copy_context, self._copy = self._copy_context, None, None
        try:
            context.__exit__(None, None, None)
        except psycopg.errors.UniqueViolation:
            if not self._is_straight:
                raise
            # a run was seen before: this chunk and all that follow take the normal way
            self._connection.execute("rollback to savepoint chunk")
            self._is_straight = False
            self._rows, self._sent, self._sent_count = self._sent, [], 0
            self._open_copy()
            self._send()
            self._end_chunk()
            return
        if self._is_straight:
            self._connection.execute("release savepoint chunk")
            self._straight_count += self._sent_count
            self._feed.add(self._chunk_links)
        else:
            self._staged_count += self._sent_count
        self._experiments |= {experiment_id for experiment_id, _ in self._chunk_links}
        if len(self._experiments) > 1:
            self._experiments = set(list(self._experiments)[:2])  # more than one is all we ask
        self._sent, self._sent_count, self._sent_bytes = [], 0, 0
        self._chunk_links = set()

    def _try_lock(self) -> bool:
        """Take the turn if it is free, and draw the load's id."""
        self._load_id = locks.try_draw(self._connection)
        return self._load_id is not None

    def _decide(self) -> tuple[int, int]:
        """Choose the staged rows that are loaded, and their versions.

        Returns:
            How many they are, and how many of them have a version before.

        """
        if not self._staged_count:
            return 0, 0
        self._connection.execute("analyze incoming")
        values: dict[str, object] = {"source": self._source, "load_id": self._load_id}
        number_lines = read_sql(__name__, "number_lines")
        if self._connection.execute(number_lines, values).rowcount:
            self._doubled = noticed.doubled_tasks(self._connection, self._load_id)
        values |= self.seen.values(self._straight_count)
        self._connection.execute(read_sql(__name__, "decide"), values)
        counts = self._connection.execute(statements.COUNT_DECIDED).fetchone()
        loaded, replaced, self.seen.older = (int(str(count)) for count in counts or (0, 0, 0))
        return loaded, replaced

    def _with_undeclared(self, counts: Counts) -> Counts:
        """Count, where a key's scale is unknown, its values that did not look so too."""
        if not any(reason == UNDECLARED for _, reason in counts.asides):
            return counts
        self._create_staging()
        found, records = noticed.asides(self._connection, self._load_id)
        return counts._replace(asides=counts.asides | found, records_aside=records)

    def _insert_staged(self) -> tuple[int, int]:
        count, replaced = self._decide()
        if count:
            self._connection.execute(
                statements.INSERT_RUNS, {"source": self._source, "load_id": self._load_id}
            )
            self._feed.add_decided()
        return count, replaced

    def _temporary_tables(self) -> list[str]:
        """Name the tables that hold the experiments of the load's rows."""
        there = ((change_feed.TABLE, self._feed.has_table), ("incoming", self._has_staging))
        return [name for name, is_there in there if is_there]

    def _only_experiment(self) -> str | None:
        return next(iter(self._experiments)) if len(self._experiments) == 1 else None


def _reject_counts(counts: Counts, *, refuse: bool) -> Mapping[str, int]:
    """Return the rejected rows by reason, those that a refused load withholds among them."""
    withheld = counts.read - counts.rejected if refuse else 0
    return {**counts.reasons, **({WITHHELD: withheld} if withheld else {})}
