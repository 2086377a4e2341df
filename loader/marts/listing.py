"""Long tables of the marts a page at a time: filtered, sorted by any column, told where one is.

A page begins behind a row, not at a number: the server keeps the best so many rows of one pass
and never sorts all of them, and the page stays where it was when rows come in front of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from psycopg import sql

from ..show.escape import FORMULA_PATTERN
from ..tools.tables import Kind
from .reading import fetch, reading, statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..tools.tables import Table
    from ..warehouse.connection import Connection

    Value = str | float | bool | None

MOST_ROWS: Final = 100
"""Rows of a page."""
_BLOCK_BYTES: Final = 65_536
TYPES: Final[dict[Kind, LiteralString]] = {
    Kind.INTEGER: "bigint",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP: "timestamptz",
    Kind.TEXT: "text",
    Kind.OUTCOME: "text",
}
"""What a column's values are to PostgreSQL; of any other kind, double precision."""


class Field(NamedTuple):
    """A column of a listing."""

    name: str
    kind: Kind = Kind.TEXT

    @property
    def type(self) -> LiteralString:
        """What its values are to PostgreSQL."""
        return TYPES.get(self.kind, "double precision")


class Listing(NamedTuple):
    """A table to page through."""

    statement: str
    """A file of `sql/`; its parameters are the filters."""
    fields: Sequence[Field]
    """What may be sorted by and exported, in order."""
    key: Sequence[str]
    """Columns of text that no two rows share, none of them null."""

    def field(self, name: str) -> Field:
        """Return a column by its name; raises KeyError."""
        return {field.name: field for field in self.fields}[name]


class Order(NamedTuple):
    """Which row comes first; null comes last, and rows alike in the order of the key."""

    column: str
    is_descending: bool = False


class Place(NamedTuple):
    """A row of a listing: what it has in the column of the order, and its key."""

    value: Value
    key: Sequence[str]


class Page(NamedTuple):
    """Some rows of a listing."""

    table: Table
    total: int
    """Rows of the whole listing."""
    has_before: bool
    has_after: bool


def page(  # noqa: PLR0913, PLR0917  what is listed, and where in it
    connection: Connection,
    listing: Listing,
    filters: Mapping[str, object],
    order: Order,
    after: Place | None = None,
    before: Place | None = None,
) -> Page:
    """Return the rows behind a place, or those before one; without either the first.

    Args:
        connection: to the warehouse.
        listing: what to page through.
        filters: parameters of its statement.
        order: which row comes first.
        after: the last row of the page before.
        before: the first row of the page behind; `after` is none then.

    Raises:
        ConfigurationError: the marts are not built.
        WarehouseUnavailable: the server fails, or takes too long.
    """
    place = after or before
    is_backwards = before is not None and after is None
    with reading(connection):
        found = fetch(
            connection,
            sql.SQL("with listed as ({}) select * from listed {} {} limit {}").format(
                statement(listing.statement),
                sql.SQL("")
                if place is None
                else sql.SQL("where {}").format(
                    _beyond(listing, order, place, is_backwards=is_backwards)
                ),
                _order_by(listing, order, is_backwards=is_backwards),
                sql.Literal(MOST_ROWS + 1),
            ),
            {**filters, **_values(place)},
            prepare=False,  # which filters are none decides how it is best read
        )
        total = fetch(
            connection,
            sql.SQL("with listed as ({}) select count(*)::bigint as rows from listed").format(
                statement(listing.statement)
            ),
            filters,
            prepare=False,
        )
    rows = list(found.rows[:MOST_ROWS])
    has_more = len(found.rows) > MOST_ROWS
    if is_backwards:
        rows.reverse()
    return Page(
        found._replace(rows=rows),
        int(str(total.rows[0][0])),
        has_before=has_more if is_backwards else place is not None,
        has_after=is_backwards or has_more,
    )


def csv_blocks(
    connection: Connection, listing: Listing, filters: Mapping[str, object], order: Order
) -> Iterator[bytes]:
    """Yield all rows of a listing as CSV with a header, in bounded memory.

    Numbers are PostgreSQL's own text; a text that a spreadsheet takes for a formula has an
    apostrophe in front. Raises like `page`, before the first block.
    """
    columns = [
        _guarded(field.name) if field.type == "text" else sql.Identifier(field.name)
        for field in listing.fields
    ]
    query = sql.SQL(
        "copy (with listed as ({}) select {} from listed {}) to stdout (format csv, header)"
    ).format(
        statement(listing.statement),
        sql.SQL(", ").join(columns),
        _order_by(listing, order, is_backwards=False),
    )
    with reading(connection), connection.cursor() as cursor, cursor.copy(query, filters) as blocks:
        held: list[bytes] = []
        size = 0
        for block in blocks:
            held.append(bytes(block))
            size += len(block)
            if size >= _BLOCK_BYTES:
                yield b"".join(held)
                held, size = [], 0
        yield b"".join(held)


def _guarded(name: str) -> sql.Composed:
    return sql.SQL(
        "case when {name} ~ {pattern} then '''' || {name} else {name} end as {name}"
    ).format(name=sql.Identifier(name), pattern=sql.Literal(FORMULA_PATTERN))


def _order_by(listing: Listing, order: Order, *, is_backwards: bool) -> sql.Composed:
    direction = sql.SQL(" desc") if order.is_descending != is_backwards else sql.SQL(" asc")
    nulls = sql.SQL(" nulls first") if is_backwards else sql.SQL(" nulls last")
    of_key = sql.SQL(" desc") if is_backwards else sql.SQL(" asc")
    return sql.SQL("order by {}, {}").format(
        sql.Identifier(order.column) + direction + nulls,
        sql.SQL(", ").join(sql.Identifier(name) + of_key for name in listing.key),
    )


def _beyond(listing: Listing, order: Order, place: Place, *, is_backwards: bool) -> sql.Composed:
    """Return the condition of the rows behind a place, or of those before it."""
    column = sql.Identifier(order.column)
    of_key = sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, listing.key)),
        sql.SQL("<") if is_backwards else sql.SQL(">"),
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Placeholder(f"key_{number}"))
            for number in range(len(listing.key))
        ),
    )
    if place.value is None:
        others = sql.SQL("{} is not null or ").format(column) if is_backwards else sql.SQL("")
        return sql.SQL("{}({} is null and {})").format(others, column, of_key)
    value = sql.SQL("{}::{}").format(
        sql.Placeholder("value"), sql.SQL(listing.field(order.column).type)
    )
    further = sql.SQL("<") if order.is_descending != is_backwards else sql.SQL(">")
    nulls = sql.SQL("") if is_backwards else sql.SQL(" or {} is null").format(column)
    return sql.SQL(
        "({column} {further} {value} or ({column} = {value} and {of_key}){nulls})"
    ).format(column=column, further=further, value=value, of_key=of_key, nulls=nulls)


def _values(place: Place | None) -> dict[str, object]:
    if place is None:
        return {}
    return {"value": place.value, **{f"key_{n}": text for n, text in enumerate(place.key)}}
