"""Checking the records of a large load in processes beside the one that reads and writes.

Checking is most of what a load costs and needs nothing but the text, so it goes to every
core. What comes back is in the order of the source, because order decides versions. A
process that dies costs time only: its batch is checked here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from ..sources import JsonBatch, SourceRow
from ..tools.isolated import safe_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess
    from types import TracebackType

    from ..records.checker import Checker
    from ..records.form import AdmittedBatch

    Parts = Sequence[AdmittedBatch | None]

PART_ROWS: Final = 64
"""Records checked together; if one of them is not sound, they are narrowed down."""
START_BYTES: Final = 8 * 1024 * 1024
"""A smaller load is done before another process has started."""
MOST_PROCESSES: Final = 4
_AHEAD: Final = 3
"""Batches under way for each process; bounds memory."""


class Checked(NamedTuple):
    """A batch and what came of it: for each `PART_ROWS` records their rows, or None."""

    batch: JsonBatch
    parts: Parts


def check(checker: Checker, texts: Sequence[bytes]) -> list[AdmittedBatch | None]:
    """Check records part by part; None stands for a part that is not sound as a whole."""
    return [
        checker.admit_json(texts[start : start + PART_ROWS])
        for start in range(0, len(texts), PART_ROWS)
    ]


class ParallelChecker:
    """Checks batches in order; a context that ends its processes."""

    def __init__(
        self,
        make_checker: Callable[[], Checker],
        *,
        most_processes: int,
    ) -> None:
        """Prepare; no process is started before the load proves large.

        Args:
            make_checker: makes the checker of each process; can be pickled.
            most_processes: how many may be started.

        """
        self.checker = make_checker()
        self._make_checker = make_checker
        self._count = min(most_processes, len(os.sched_getaffinity(0)))
        self._processes: list[SpawnProcess] = []
        self._connections: list[Connection] = []
        self._idle: SimpleQueue[Connection | None] = SimpleQueue()
        """Processes without work; None stands for one that died."""
        # its threads start with its first task
        self._threads = ThreadPoolExecutor(max(self._count, 1), "check")
        self.is_ready = False
        """Whether a process has started."""
        self._bytes = 0

    def __enter__(self) -> Self:
        """Do nothing yet."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the processes: each ends when its connection does."""
        self._threads.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.join()

    def checked(self, items: Iterable[JsonBatch | SourceRow]) -> Iterator[Checked | SourceRow]:
        """Yield every item in its order, batches checked."""
        waiting: deque[tuple[JsonBatch, Future[Parts | None]]] = deque()
        for item in items:
            if isinstance(item, JsonBatch) and self._is_ready_for(item):
                waiting.append((item, self._threads.submit(self._check_beside, item.texts)))
                if len(waiting) > _AHEAD * self._count:
                    yield self._done(*waiting.popleft())
                continue
            while waiting:
                yield self._done(*waiting.popleft())
            if isinstance(item, JsonBatch):
                yield Checked(item, check(self.checker, item.texts))
            else:
                yield item
        while waiting:
            yield self._done(*waiting.popleft())

    def _is_ready_for(self, batch: JsonBatch) -> bool:
        """Start the processes when it is time; say whether one of them runs."""
        if self._count and not self._processes:
            self._bytes += sum(map(len, batch.texts))
            if self._bytes >= START_BYTES:
                self.start()
        return self.is_ready

    def start(self) -> None:
        """Start the processes now rather than when a load proves large."""
        context = multiprocessing.get_context("spawn")
        for _ in range(self._count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self._make_checker), daemon=True)
            with safe_path():
                process.start()
            theirs.close()
            self._processes.append(process)
            self._connections.append(ours)
            self._threads.submit(self._greet, ours)

    def _greet(self, connection: Connection) -> None:
        """Wait until a process has started."""
        try:
            connection.recv()
        except (EOFError, OSError):
            self._idle.put(None)
        else:
            self._idle.put(connection)
            self.is_ready = True

    def _check_beside(self, texts: Sequence[bytes]) -> Parts | None:
        """Have a process check a batch; in a thread, since both ways may have to wait."""
        connection = self._idle.get()
        try:
            if connection is None:
                return None
            connection.send(texts)
            parts: Parts = connection.recv()
        except (EOFError, OSError):
            connection = None
            return None
        else:
            return parts
        finally:
            self._idle.put(connection)

    def _done(self, batch: JsonBatch, parts: Future[Parts | None]) -> Checked:
        found = parts.result()
        return Checked(batch, check(self.checker, batch.texts) if found is None else found)


def _serve(connection: Connection, make_checker: Callable[[], Checker]) -> None:
    """Check what comes until the other end closes, also when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    checker = make_checker()
    try:
        connection.send(None)
        while True:
            connection.send(check(checker, connection.recv()))
    except (EOFError, OSError):
        return
