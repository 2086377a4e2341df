"""What a load keeps beside its runs: rows that cannot be loaded, and inputs and outputs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from . import statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..warehouse.connection import Connection

_MOST_BYTES: Final = 4 * 1024 * 1024
WITHHELD: Final = "withheld"
"""Reason code of the sound rows of a strict load that was refused."""
KEEP_REJECTS: Final = 1000
"""How many rejected rows of each reason a load keeps, where nobody says it."""
KEPT_TEXT_BYTES: Final = 64 * 1024 * 1024
"""How much text of rejected rows, their reasons included, a load keeps."""


class RejectedRow(NamedTuple):
    """A row that cannot be loaded, and why."""

    origin: str
    row_number: int
    reason_code: str
    reason: str
    original: bytes


class Kept:
    """Which rejected rows of a load are kept: the first of each reason, while there is room."""

    def __init__(self, most: int = KEEP_REJECTS) -> None:
        """Keep nothing yet; of each reason at most so many."""
        self._most = most
        self._counts: Counter[str] = Counter()
        self._bytes = 0

    def takes(self, reason_code: str, size: int) -> bool:
        """Say whether a row is kept whose texts are of so many bytes, and count it if it is."""
        is_kept = self._counts[reason_code] < self._most and self._bytes + size <= KEPT_TEXT_BYTES
        if is_kept:
            self._counts[reason_code] += 1
            self._bytes += size
        return is_kept

    def count(self, *, withheld: bool) -> int:
        """Return how many rows are kept; those that were withheld only if they are asked for."""
        return self._counts.total() - (0 if withheld else self._counts[WITHHELD])


class SideRows:
    """Side rows of one load: kept here, moved to temporary tables, inserted at its end.

    A connection does one COPY at a time: nothing else may be copied during `flush`.
    """

    def __init__(self, connection: Connection, keep_rejects: int = KEEP_REJECTS) -> None:
        """Keep nothing yet; `connection` is inside the transaction of the load."""
        self._connection = connection
        self._kept = Kept(keep_rejects)
        self._has_rejected = False
        self._rejected: list[RejectedRow] = []
        self._has_contents = False
        self._contents: dict[bytes, bytes] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether so much is kept that it should be moved."""
        return self._bytes >= _MOST_BYTES

    def reject(self, row: RejectedRow) -> None:
        """Keep a row that cannot be loaded, unless enough are kept."""
        size = len(row.original) + len(row.reason) + len(row.origin)
        if self._kept.takes(row.reason_code, size):
            self._rejected.append(row)
            self._bytes += size + 200

    def kept_rejects(self, *, refuse: bool) -> int:
        """Return how many rejected rows `insert` keeps."""
        return self._kept.count(withheld=refuse)

    def keep(self, contents: Mapping[bytes, bytes]) -> None:
        """Keep inputs and outputs: their id, 16 bytes, to their JSON."""
        self._contents |= contents
        self._bytes += sum(map(len, contents.values()))

    def flush(self) -> None:
        """Move what is kept to the temporary tables."""
        if self._rejected:
            if not self._has_rejected:
                self._connection.execute(statements.CREATE_REJECTED)
                self._has_rejected = True
            statements.copy_rows(
                self._connection,
                "rejected",
                ((*row[:4], *storable(row.original)) for row in self._rejected),
            )
        if self._contents:
            if not self._has_contents:
                self._connection.execute(statements.CREATE_CONTENTS)
                self._has_contents = True
            statements.copy_rows(
                self._connection,
                "incoming_contents",
                ((UUID(bytes=key), text.decode()) for key, text in self._contents.items()),
            )
        self._rejected, self._contents, self._bytes = [], {}, 0

    def insert(self, load_id: int, *, refuse: bool) -> None:
        """Insert what was flushed.

        Args:
            load_id: the load.
            refuse: keep the rows that were withheld, and no contents.

        """
        values = {"load_id": load_id, "withheld": WITHHELD, "with_withheld": refuse}
        if self._has_contents and not refuse:
            self._connection.execute(statements.INSERT_CONTENTS, values)
        if self._has_rejected:
            self._connection.execute(statements.INSERT_REJECTED, values)


def storable(original: bytes) -> tuple[str, bytes | None]:
    """Return a row's original text, and its bytes if text cannot hold it exactly.

    PostgreSQL's text is UTF-8 without NUL; anything else is shown escaped.
    """
    try:
        text = original.decode()
    except UnicodeDecodeError:
        text = original.decode(errors="backslashreplace")
    else:
        if "\0" not in text:
            return text, None
    return text.replace("\0", "\\x00"), original
