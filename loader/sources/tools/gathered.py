"""Pieces of runs brought together, wherever they stand in a file; held on disk, not in memory."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from .. import Rejection
from . import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

_CACHE_KILOBYTES: Final = 8 * 1024
_BATCH: Final = 500
_MOST_PIECES: Final = 10_000


class Piece(NamedTuple):
    """One of the pieces of a run."""

    number: int
    """Its place in the file."""
    text: bytes
    """As it was put in."""


class Gathered:
    """Pieces by the key of their run, and counts by key.

    They are in a temporary database of SQLite that has no name: nothing is left of it once it
    is closed, or the program has ended.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        # read by whoever takes the runs, which may be another thread than began
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        execute = self._database.execute
        execute(f"pragma cache_size = -{_CACHE_KILOBYTES}")
        execute("pragma journal_mode = off")
        execute("pragma temp_store = file")
        execute("create table pieces (key text, number integer, piece blob)")
        execute("create table counts (key blob primary key, count integer) without rowid")
        execute("begin")
        self._waiting: list[tuple[str, int, bytes]] = []

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Throw everything away."""
        self._database.close()

    def add(self, key: str, number: int, piece: bytes) -> None:
        """Keep a piece.

        Args:
            key: of its run.
            number: its place in the file.
            piece: any bytes.

        """
        self._waiting.append((key, number, piece))
        if len(self._waiting) >= _BATCH:
            self._store()

    def _store(self) -> None:
        self._database.executemany("insert into pieces values (?, ?, ?)", self._waiting)
        self._waiting.clear()

    def groups(self) -> Iterator[tuple[str, list[Piece]] | Rejected]:
        """Yield each key with its pieces, both as they came; call it once, after all were added.

        A run of more pieces than anybody wrote by intent is rejected.
        """
        self._store()
        execute = self._database.execute
        execute("create index pieces_by_key on pieces (key)")
        firsts = execute("select key, min(rowid), count(*) from pieces group by key order by 2")
        for key, first, count in firsts:
            if count > _MOST_PIECES:
                [[number]] = execute("select number from pieces where rowid = ?", (first,))
                reason = (
                    f"{key} has {count:,} parts; a run has at most {_MOST_PIECES:,}, "
                    "check that its id is one of a run"
                )
                yield Rejected(number, b"", Rejection("too_many_parts", reason))
                continue
            found = execute("select number, piece from pieces where key = ? order by rowid", (key,))
            yield key, [Piece(*row) for row in found]

    def ordinal(self, key: bytes) -> int:
        """Return how often a key was asked for, this time included: which repetition it is."""
        [[count]] = self._database.execute(
            "insert into counts values (?, 1) "
            "on conflict (key) do update set count = count + 1 returning count",
            (key,),
        ).fetchall()
        return int(count)
