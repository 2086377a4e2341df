"""What a page has at hand while it is made: the marts, the address, and ways to other pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlencode

from ..marts.listing import page
from ..tools.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts import listing
    from ..warehouse.connection import Connection
    from .asking import Asked


class Page(NamedTuple):
    """What a template needs to make a page."""

    template: str
    title: str
    values: Mapping[str, object]
    section: str = ""
    """Which entry of the menu it belongs to."""


class View:
    """One question to the app."""

    def __init__(
        self,
        connection: Connection,
        asked: Asked,
        path: str,
        given: Mapping[str, str],
        root_path: str,
    ) -> None:
        """Take what came.

        Args:
            connection: reading the marts.
            asked: the parameters, checked when they are taken.
            path: of the page.
            given: the parameters as they came.
            root_path: before every path.
        """
        self.connection = connection
        self.asked = asked
        self.path = path
        self.given = given
        self._root_path = root_path

    def read(
        self, listed: listing.Listing, chosen: Mapping[str, object], order: listing.Order
    ) -> listing.Page:
        """Return the rows of a list at the place that the address says.

        Args:
            listed: what there is.
            chosen: parameters of its filters.
            order: of the rows.
        """
        after, before = (self.asked.place(name, listed, order) for name in ("after", "before"))
        return page(self.connection, listed, chosen, order, after, before)

    def link(self, path: str, **parameters: object) -> str:
        """Return the address of a page; parameters that are None are left out."""
        return link(self._root_path, path, parameters)

    def here(self, **changes: object) -> str:
        """Return the address of this page with some parameters changed."""
        return self.link(self.path, **{**self.given, **changes})

    def has(self, names: Sequence[str]) -> bool:
        """Whether the address says anything of some parameters."""
        return any(self.given.get(name) for name in names)

    def without(self, names: Sequence[str]) -> str:
        """Return the address of this page's first rows without some parameters."""
        return self.here(**dict.fromkeys([*names, "after", "before"]))

    def csv(self) -> str:
        """Return the address of this page's table as CSV, filtered and sorted as here."""
        return self.link(f"{self.path}.csv", **{**self.given, "after": None, "before": None})


class Rows(NamedTuple):
    """A small table for programs, and what its file is called."""

    name: str
    table: Table


def of_records(rows: Sequence[Mapping[str, object]]) -> Table:
    """Return rows of the same columns as a table for programs."""
    names = list(rows[0]) if rows else []
    return Table(tuple(map(Column, names)), [tuple(row.values()) for row in rows])


def link(root_path: str, path: str, parameters: Mapping[str, object]) -> str:
    """Return an address within the app."""
    said = {name: str(value) for name, value in parameters.items() if value not in (None, "")}
    query = urlencode(said, quote_via=quote, errors="replace")
    return f"{root_path}{path}{'?' if query else ''}{query}"
