"""Files that were loaded before: what they said then is stored, and has its place among versions.

A file that is loaded again brings what was never stored, as any file does, but takes nothing
back: of a run that was corrected since, its old value is no news. So a file and its correction,
loaded one after the other every night, change nothing after the first. Which records that
holds for is decided by the content of the file alone; another mapping or other options make
other records of it, which are new as long as they were not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..sources.digests import Filed
from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..sources import Source
    from ..sources.digests import FileRead
    from ..warehouse.connection import Connection

_MOST_NAMED: Final = 5
# A load that was taken back, in whole or in part, is no reason to hold anything back.
_FIND: Final = """
select files.content_hash, files.byte_count, max(loaded.load_id)
from unnest(%(hashes)s::uuid[], %(counts)s::bigint[]) as files (content_hash, byte_count)
inner join raw_evals.loaded_files as loaded using (content_hash, byte_count)
where
    loaded.source = %(source)s
    and not exists (
        select from raw_evals.withdrawals_in_force as withdrawals
        where withdrawals.withdrawn_load_id = loaded.load_id
    )
group by files.content_hash, files.byte_count
"""
_INSERT: Final = """
insert into raw_evals.loaded_files (load_id, source, content_hash, byte_count, origin)
values (%s, %s, %s, %s, %s)
on conflict do nothing
"""


def find(connection: Connection, source: str, files: Sequence[FileRead]) -> dict[str, int]:
    """Return those of some files that were loaded before, by origin, each with the last such load.

    Args:
        connection: inside the transaction of the load, under its lock.
        source: the `source` of the load.
        files: as they were read.

    """
    values: dict[str, object] = {
        "source": source,
        "hashes": [file.content_hash for file in files],
        "counts": [file.byte_count for file in files],
    }
    found = {
        (str(content).replace("-", ""), count): int(str(load_id))
        for content, count, load_id in connection.execute(_FIND, values)
    }
    known = {file.origin: found.get((file.content_hash, file.byte_count)) for file in files}
    return {origin: load_id for origin, load_id in known.items() if load_id is not None}


def insert(connection: Connection, load_id: int, source: str, files: Sequence[FileRead]) -> None:
    """Write which files a load was the first to bring; inside its transaction."""
    if files:
        connection.cursor().executemany(
            _INSERT,
            [
                (load_id, source, file.content_hash, file.byte_count, printable(file.origin))
                for file in files
            ],
        )


class Seen:
    """What a load reads of files, and which of them were loaded before."""

    def __init__(self) -> None:
        """Begin before the first row."""
        self.known: dict[str, int] = {}
        """Files that were loaded before, each with the last such load."""
        self.older = 0
        """Rows that have an earlier time than what is loaded of their run."""
        self._is_by_time = False
        self._files: Sequence[FileRead] = ()
        self._rows = 0
        self._parts: list[tuple[str, int]] = []
        """Where rows come from, each with the number of the first, from 0."""

    def begin(self, origin: str) -> None:
        """Say where the rows come from that are counted next."""
        self._parts.append((origin, self._rows))

    def count(self, rows: int) -> None:
        """Count rows that are added to the load."""
        self._rows += rows

    def end(self, source: Source, *, again: bool) -> None:
        """Take note of what a source read; nothing is held back of no file, or where `again`."""
        self._files = source.files_read() if isinstance(source, Filed) else ()
        self._is_by_time = bool(self._files) and not again

    def recognise(self, connection: Connection, source: str) -> None:
        """Look which files were loaded before; inside the transaction, under its lock."""
        if self._is_by_time:
            self.known = find(connection, source, self._files)

    def values(self, straight_count: int) -> dict[str, object]:
        """Return what the decision goes by.

        Args:
            straight_count: how many of the rows were not staged; the others are numbered
                from 1, behind them.

        """
        ends = [first for _, first in self._parts[1:]] + [self._rows]
        ranges = (
            [
                (first + 1 - straight_count, end - straight_count)
                for (origin, first), end in zip(self._parts, ends, strict=True)
                if origin in self.known
            ]
            if self._parts
            else []
        )
        return {
            "by_time": self._is_by_time,
            "first_repeated": [first for first, _ in ranges],
            "last_repeated": [last for _, last in ranges],
        }

    def insert(self, connection: Connection, load_id: int, source: str) -> None:
        """Write which files the load was the first to bring; inside its transaction."""
        news = [file for file in self._files if file.origin not in self.known]
        insert(connection, load_id, source, news)

    def notes(self, *, loaded: int) -> Iterator[str]:
        """Say which files were loaded before, and what came too late.

        Args:
            loaded: how many rows of the load are.

        """
        what = "what was stored then changes nothing" if loaded else "it changes nothing"
        for origin, load_id in list(self.known.items())[:_MOST_NAMED]:
            name = printable(origin) or "standard input"
            yield f"{name} was loaded before, as load {load_id}: {what} (--again loads it anyway)"
        if len(self.known) > _MOST_NAMED:
            yield f"and {len(self.known) - _MOST_NAMED} more files were loaded before"
        if self.older == 1:
            yield (
                "1 record is older, by recorded_at, than what is loaded of its run, and changes "
                "nothing (--again loads it anyway)"
            )
        elif self.older:
            yield (
                f"{self.older:,} records are older, by recorded_at, than what is loaded of their "
                "runs, and change nothing (--again loads them anyway)"
            )
