"""How a recorder's records reach the database, or failing that the disk.

One thread per recorder writes; callers only append to a queue. Nothing in `add` takes a
lock, and `flush` waits on a primitive lock, so both work inside a signal handler.

Order is kept: what was spooled is loaded before anything newer of the same source, whichever
process spooled it; where another is at that, what is newer goes behind it in the spool. Records
may be spooled while the database is still busy with them, when somebody will not wait any
longer. Both copies carry the id of their batch, which the database takes once: a batch that
arrives late cannot put an old value over a newer one.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import threading
import time
import uuid
import weakref
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from ..errors import LoaderError, WarehouseUnavailable
from ..ingest.deliveries import AlreadyTaken
from ..ingest.entries import patience
from ..ingest.load import load
from ..records.scales import UNDECLARED
from ..sources import SourceRow
from ..warehouse.connection import connect
from .spool import Header, SpoolWriter, has_older, replay, target_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from types import FrameType

    from ..ingest.summary import SetAside
    from ..records.vocabulary import Vocabulary
    from ..warehouse.connection import Connection

FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 30.0
_STATEMENT_SECONDS: Final = 60
_SPOOL_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class _Batch:
    """Checked records as a source."""

    never_waits = True

    def __init__(self, source: str, lines: list[bytes]) -> None:
        self.name = source
        self.lines = lines
        self.delivery = str(uuid.uuid4())

    def reference(self) -> dict[str, object]:
        return {"process": os.getpid()}

    def rows(self) -> Iterator[SourceRow]:
        for number, line in enumerate(self.lines, start=1):
            yield SourceRow(number, "", line, None, None)

    def deliveries(self) -> Collection[str]:
        return (self.delivery,)


class Delivery:
    """The queue of one recorder, and the thread that empties it."""

    def __init__(  # noqa: PLR0913  the recorder's settings
        self,
        source: str,
        vocabulary: Vocabulary,
        database_url: str | None,
        *,
        flush_seconds: float,
        flush_records: int,
        queue_records: int,
        exit_seconds: float,
        keep_contents: bool = False,
    ) -> None:
        """Prepare; the thread starts with the first record.

        Raises:
            ConfigurationError: the database's address is malformed.

        """
        self._source = source
        self._vocabulary = vocabulary
        self._database_url = database_url
        self._target = target_name(database_url)
        self._flush_seconds = flush_seconds
        self._flush_records = flush_records
        self._queue_records = queue_records
        self._exit_seconds = exit_seconds
        self._keep_contents = keep_contents
        self.loaded_count = 0
        self.spooled_count = 0
        self._told_asides: set[str] = set()
        self._reset()

    def _reset(self) -> None:
        """Begin anew, as a child process must after a fork."""
        self._queue: deque[bytes] = deque()
        self._in_flight: _Batch | None = None
        """What was handed over, until it is in the database or on disk."""
        self._taking = threading.RLock()
        """Held while records move between queue, thread and spool; never during I/O of
        the database."""
        # A request is the lock of whoever waits for the answer; None asks for a delivery.
        self._requests: SimpleQueue[threading.Lock | None] = SimpleQueue()
        self._is_woken = False
        self._is_ending = False
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._spool = SpoolWriter(Header(self._source, self._target, self._keep_contents))
        self._connection: Connection | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._problem = ""
        """Why the database did not take the last delivery."""
        self._disk_problem = ""
        """Why the spool file did not."""

    @property
    def is_full(self) -> bool:
        """Whether the next record will have to wait for the disk."""
        return self._waiting_count() >= self._queue_records

    def _waiting_count(self) -> int:
        """Count what waits in memory, with what neither the database nor the disk took."""
        refused = batch.lines if (batch := self._in_flight) and self._disk_problem else ()
        return len(self._queue) + len(refused)

    def add(self, line: bytes) -> None:
        """Queue one record.

        Raises:
            WarehouseUnavailable: the queue is full and the disk does not take it.

        """
        waiting = self._waiting_count()
        if waiting >= self._queue_records:
            self._rescue()
        self._queue.append(line)
        if self._thread is None:
            self._start()
        if waiting >= self._flush_records and not self._is_woken:
            self._is_woken = True
            self._requests.put(None)

    def flush(self, timeout: float) -> None:
        """Wait until everything queued is in the database, else put it on disk.

        Raises:
            WarehouseUnavailable: the disk does not take it either.

        """
        if self._thread is not None and self._thread.is_alive():
            done = threading.Lock()
            done.acquire()
            self._requests.put(done)
            if done.acquire(timeout=timeout) and not self._disk_problem:
                return  # what waits now was recorded after the call
        self._rescue()

    def close(self) -> None:
        """Flush, then end the thread and the connection.

        Raises:
            WarehouseUnavailable: neither the database nor the disk takes what waits.

        """
        try:
            self.flush(self._exit_seconds)
        finally:
            _open.discard(self)
            self._is_ending = True
            thread, self._thread = self._thread, None
            if thread is not None:
                self._requests.put(None)
                thread.join(timeout=1.0)
        if self._spool.has_waiting:
            _log.warning(
                "recorded runs wait in %s for the database (%s); the next recorder or command "
                "loads them",
                self._spool.path,
                self._problem or "it did not answer in time",
            )

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._is_ending:
                _watch(self)
                # a daemon: it must not keep a program alive that wants to end
                self._thread = threading.Thread(
                    target=self._run, name="evalmart-recorder", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        """Deliver until told to end; the thread's whole life."""
        while not self._is_ending:
            waiters = []
            try:
                waiters.append(self._requests.get(timeout=self._flush_seconds))
                while True:
                    waiters.append(self._requests.get_nowait())
            except Empty:
                pass
            self._is_woken = False
            self._deliver()
            for waiter in waiters:
                if waiter is not None:
                    waiter.release()
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()

    def _deliver(self) -> None:
        """Bring everything queued to the database, else to the spool."""
        while True:
            with self._taking:
                is_left = self._in_flight is not None  # neither would take it
                if not is_left and self._queue:
                    lines = list(self._queue)
                    for _ in lines:
                        self._queue.popleft()
                    self._in_flight = _Batch(self._source, lines)
                batch = self._in_flight
            if batch is None and not self._spool.has_waiting:
                return
            try:
                self._to_database(batch)
            except Exception as error:  # noqa: BLE001  whatever it was, the records must not go
                self._note_failure(error)
                with self._taking:
                    self._to_spool()
                return
            self._failures, self._problem = 0, ""
            with self._taking:
                if self._in_flight is batch:  # else a rescue has put it on disk meanwhile
                    self._in_flight = None
            if not is_left:
                return

    def _to_database(self, batch: _Batch | None) -> None:
        if time.monotonic() < self._retry_at:
            raise WarehouseUnavailable(self._problem)
        connection = self._connected()
        try:
            with patience(_STATEMENT_SECONDS):
                self._replay(connection)
                if batch is None:
                    return
                summary = load(
                    connection, batch, self._vocabulary, keep_contents=self._keep_contents
                )
        except AlreadyTaken:
            return  # its copy in the spool was loaded meanwhile
        except BaseException:
            self._connection = None
            with contextlib.suppress(Exception):
                connection.close()
            raise
        self.loaded_count += len(batch.lines)
        self._tell_asides(summary.set_aside)
        if summary.rejected:
            _log.warning(
                "%d recorded runs were rejected, see raw_evals.rejected_rows of load %s: %s",
                summary.rejected,
                summary.load_id,
                "; ".join(reason.example for reason in summary.reasons),
            )

    def _tell_asides(self, asides: Iterable[SetAside]) -> None:
        """Say, once for each score, that its scale has to be declared before it counts."""
        for aside in asides:
            if aside.reason_code == UNDECLARED and aside.field not in self._told_asides:
                self._told_asides.add(aside.field)
                _log.warning(
                    "%s lies between %g and %g, off 0 to 1, and does not count until its scale "
                    "is declared: give score_scales with the record, or a row of "
                    "evaluator_metrics.csv",
                    aside.field, aside.low, aside.high,
                )  # fmt: skip

    def _replay(self, connection: Connection) -> None:
        """Load what was spooled before, so that order is kept."""
        replay(connection, self._vocabulary, self._target)
        if has_older(self._source, self._target):
            raise WarehouseUnavailable("another process is loading older records")

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._database_url, statement_seconds=_STATEMENT_SECONDS)
        return self._connection

    def _note_failure(self, error: Exception) -> None:
        """Wait longer after each failure in a row; say each problem once."""
        is_expected = isinstance(error, LoaderError)
        problem = str(error).partition("\n")[0] if is_expected else type(error).__name__
        if time.monotonic() >= self._retry_at:
            pause = min(FIRST_RETRY_SECONDS * 2**self._failures, LONGEST_RETRY_SECONDS)
            self._failures += 1
            self._retry_at = time.monotonic() + pause
        if problem != self._problem:
            level = logging.INFO if isinstance(error, WarehouseUnavailable) else logging.WARNING
            _log.log(level, "recorded runs go to the spool file: %s", problem)
        self._problem = problem

    def _to_spool(self) -> bool:
        """Put everything that is not in the database for certain on disk; whether it went."""
        if self._in_flight is not None:
            if not self._keep(self._in_flight):
                return False
            self._in_flight = None
        count = len(self._queue)
        if count:
            lines = [self._queue[place] for place in range(count)]
            if not self._keep(_Batch(self._source, lines)):
                return False
            for _ in range(min(count, len(self._queue))):
                self._queue.popleft()
        return True

    def _keep(self, batch: _Batch) -> bool:
        try:
            self._spool.append(batch.lines, batch.delivery)
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._disk_problem = f"{self._spool.directory}: {why}"
            _log.warning("recorded runs wait in memory, no spool file: %s", self._disk_problem)
            return False
        self._disk_problem = ""
        self.spooled_count += len(batch.lines)
        return True

    def _rescue(self) -> None:
        """Do so now; raises WarehouseUnavailable where the disk does not take it."""
        if not self._taking.acquire(timeout=_SPOOL_SECONDS):
            raise WarehouseUnavailable("the disk does not answer; recorded runs wait in memory")
        try:
            if not self._to_spool():
                raise WarehouseUnavailable(
                    f"{self._waiting_count()} recorded runs are neither in the database "
                    f"({self._problem or 'it does not answer in time'}) nor on disk "
                    f"({self._disk_problem}; set EVALMART_HOME to a folder with room)"
                )
        finally:
            self._taking.release()


_open: weakref.WeakSet[Delivery] = weakref.WeakSet()
_inherited: list[object] = []


def _watch(delivery: Delivery) -> None:
    """Deliver when the program ends, by itself or by a signal that would kill it."""
    _open.add(delivery)
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        # SIGINT usually raises KeyboardInterrupt, and then leaving the context delivers
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _deliver_and_die)


def _deliver_all() -> None:
    for delivery in list(_open):
        try:
            delivery.close()
        except WarehouseUnavailable as error:
            _log.critical("%s", error)


def _deliver_and_die(number: int, frame: FrameType | None) -> None:
    """Deliver, then do what the signal does without us."""
    del frame
    _deliver_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _begin_anew() -> None:
    """In a child process: the records queued are the parent's, and the thread is not here."""
    for delivery in list(_open):
        # dropping the parent's connection would complain; it is left alone
        _inherited.append(delivery._connection)  # noqa: SLF001  of this module
        delivery._reset()  # noqa: SLF001
    _open.clear()


atexit.register(_deliver_all)
os.register_at_fork(after_in_child=_begin_anew)
