"""Whether the marts have what a person names; else the nearest names that they have.

To be called while reading the marts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from ..errors import UnknownName, nearest
from ..warehouse.grants import may_read
from .freshness import is_loaded
from .reading import on_marts
from .states import schema_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection


def check_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise, with the nearest names, when there is no such experiment."""
    mart = sql.Identifier(schema_name(), "evaluation_results")
    found = connection.execute(
        sql.SQL("select from {} where experiment_id = %s limit 1").format(mart), (experiment_id,)
    ).fetchone()
    if found is None:
        if is_loaded(connection, experiment_id):
            raise UnknownName(f"{experiment_id} is loaded but not built yet; run evalmart build")
        withdrawn = withdrawal(connection, experiment_id)
        if withdrawn is not None:
            raise UnknownName(withdrawn.sentence)
        names = distinct(connection, "evaluation_results", "experiment_id", {})
        raise UnknownName(
            f"no experiment {experiment_id!r}{nearest(experiment_id, names)}; "
            "evalmart experiments lists them"
            if names
            else f"no experiment {experiment_id!r}: nothing is loaded, or the marts are not built"
        )


class Withdrawal(NamedTuple):
    """The latest one that left an experiment without results."""

    load_id: int
    sentence: str


def withdrawal(connection: Connection, experiment_id: str) -> Withdrawal | None:
    """Say who took back the results of an experiment that has none left; None if nobody did."""
    if not may_read(connection, "load_history", schema_name()):
        return None
    query = on_marts(
        """
        select
            load_id,
            to_char(finished_at at time zone 'UTC', 'YYYY-MM-DD'),
            coalesce(' by ' || (source_ref ->> 'author'), ''),
            source_ref ->> 'reason'
        from {load_history}
        where
            experiment_id = %(experiment_id)s
            and source = 'withdrawal'
            and not jsonb_exists(source_ref, 'undone')
        order by load_id desc
        limit 1
        """
    )
    found = connection.execute(query, {"experiment_id": experiment_id}).fetchone()
    if found is None:
        return None
    load_id, day, author, reason = found
    return Withdrawal(
        int(str(load_id)),
        f"every run of {experiment_id} was withdrawn{author} on {day}: {reason} "
        f"(to lift it: evalmart withdraw --undo {load_id} --reason TEXT)",
    )


def check_names(connection: Connection, mart: str, names: Mapping[str, str]) -> None:
    """Raise for the first of some columns in which no row of a mart has its name."""
    known: dict[str, str] = {}
    for column, name in names.items():
        present = distinct(connection, mart, column, known)
        if name not in present:
            raise UnknownName(
                f"no {column.removesuffix('_name')} {name!r}{nearest(name, present)}; "
                f"there are: {', '.join(present) or 'none'}"
            )
        known[column] = name


def distinct(
    connection: Connection, mart: str, column: str, where: Mapping[str, str]
) -> Sequence[str]:
    """Return a column's distinct values by skipping through its index, sorted."""
    conditions = sql.SQL("").join(
        sql.SQL(" and {} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in where
    )
    query = sql.SQL(
        """
        with recursive names as (
            (
                select {column} as name from {mart}
                where {column} is not null{conditions}
                order by {column} limit 1
            )
            union all
            select (
                select {column} from {mart}
                where {column} > names.name{conditions}
                order by {column} limit 1
            )
            from names
            where names.name is not null
        )

        select name from names where name is not null
        """
    ).format(
        column=sql.Identifier(column),
        mart=sql.Identifier(schema_name(), mart),
        conditions=conditions,
    )
    return [str(name) for (name,) in connection.execute(query, where).fetchall()]
