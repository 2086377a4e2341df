"""Connections that pages borrow: few, read-only, with an end to every statement."""

from __future__ import annotations

import queue
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TypeVar

import psycopg

from ..errors import WarehouseUnavailable
from ..marts.reading import reading
from ..warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..warehouse.connection import Connection

Answer = TypeVar("Answer")
SECONDS: Final = 10
"""How long a statement of a page may take."""
LONG_SECONDS: Final = 300
"""How long that of a whole table, a report or a replay may take."""
_MOST: Final = 4
_LONG_MOST: Final = 2
_WAIT_SECONDS: Final = 15.0


class Busy(WarehouseUnavailable):
    """Every connection is at work."""


class Warehouse:
    """What pages ask; each question is answered from one state of the marts."""

    def __init__(self, database_url: str | None = None) -> None:
        """Remember where to read; nothing is opened yet."""
        self.url = database_url
        self._short = _Places(database_url, _MOST, SECONDS)
        self._long = _Places(database_url, _LONG_MOST, LONG_SECONDS)

    def ask(
        self,
        question: Callable[[Connection], Answer],
        *,
        is_long: bool = False,
        is_apart: bool = False,
    ) -> Answer:
        """Return the answer to a question; asked again where the connection had gone.

        Args:
            question: reads the marts.
            is_long: whether it may take minutes.
            is_apart: whether it begins to read the marts by itself.

        Raises:
            WarehouseUnavailable: the server fails, takes too long, or all connections are used.
            ConfigurationError: the marts are not built, or have not what is asked for.
        """
        places = self._long if is_long else self._short
        for is_last in (False, True):
            with places.borrowed() as connection:
                try:
                    with nullcontext() if is_apart else reading(connection):
                        return question(connection)
                except WarehouseUnavailable:
                    if is_last or not connection.broken:
                        raise
        raise AssertionError  # the second time returns or raises

    @contextmanager
    def long(self) -> Iterator[Connection]:
        """Lend a connection for as long as rows are sent."""
        with self._long.borrowed() as connection:
            yield connection

    def close(self) -> None:
        """Close what is open."""
        self._short.close()
        self._long.close()


class _Places:
    """So many connections, opened when they are wanted; the last used first."""

    def __init__(self, url: str | None, most: int, seconds: int) -> None:
        self._url = url
        self._seconds = seconds
        self._free: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(most):
            self._free.put(None)

    @contextmanager
    def borrowed(self) -> Iterator[Connection]:
        try:
            connection = self._free.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            raise Busy("every connection is at work") from None
        kept: Connection | None = None
        try:
            if connection is None or connection.closed:
                connection = connect(
                    self._url, statement_seconds=self._seconds, lock_seconds=self._seconds
                )
            yield connection
        finally:
            kept = _reusable(connection)
            self._free.put(kept)

    def close(self) -> None:
        while True:
            try:
                connection = self._free.get_nowait()
            except queue.Empty:
                return
            if connection is not None:
                connection.close()


def _reusable(connection: Connection | None) -> Connection | None:
    """Return a connection at rest; None, closed, where it is not fit for another question."""
    if connection is None:
        return None
    try:
        if not connection.closed:
            connection.rollback()
    except psycopg.Error:
        connection.close()
    return None if connection.closed else connection
