"""Which experiments a load touches: kept while it goes, written at its end for the next build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import baselines, statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..records.form import Link
    from ..warehouse.connection import Connection

TABLE: Final = "touched"
_MOST_KEPT: Final = 20_000


class ChangeFeed:
    """The change feed of one load, in a temporary table that is made when it is needed.

    A connection does one COPY at a time: nothing else may be copied during a call.
    """

    def __init__(self, connection: Connection) -> None:
        """Keep nothing yet; `connection` is inside the transaction of the load."""
        self._connection = connection
        self._links: set[Link] = set()
        self.has_table = False
        """Whether there is the table `TABLE`."""

    def add(self, links: Iterable[Link]) -> None:
        """Add experiments, each with the one that it is compared with."""
        self._links.update(links)
        if len(self._links) > _MOST_KEPT:
            self.flush()

    def add_decided(self) -> None:
        """Add the experiments of the staged rows that are loaded."""
        self._create_table()
        self._connection.execute(statements.COLLECT_TOUCHED)

    def flush(self) -> None:
        """Move what is kept to the table."""
        if self._links:
            self._create_table()
            statements.copy_rows(self._connection, TABLE, self._links)
            self._links = set()

    def insert(self, load_id: int) -> None:
        """Write everything that was added as the feed of a load."""
        self.flush()
        if self.has_table:
            self._connection.execute(statements.INSERT_TOUCHED, {"load_id": load_id})
            baselines.link(self._connection, load_id)

    def _create_table(self) -> None:
        if not self.has_table:
            self._connection.execute(statements.CREATE_TOUCHED)
            self.has_table = True
