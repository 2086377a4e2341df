"""What the marts of a database say, as text that two databases can be compared by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Collection

# when something came, and with which load: another run of the same has others
_OF_LOADING = frozenset({
    "load_id", "next_load_id", "created_at", "updated_at", "loaded_at", "first_loaded_at",
    "valid_from", "valid_to", "decided_at", "baseline_set_at",
})  # fmt: skip
# the ledger of loads, which are as many as the writers made, and that of decisions
_LEDGERS = frozenset({"load_history", "gate_decisions"})
# over the runs of all experiments, with nothing in a row that tells which
_OVER_ALL = frozenset({"judge_repeats"})


def texts(url: str, without: Collection[str] = ()) -> dict[str, list[str]]:
    """Return every mart as the sorted texts of its rows, but for when they were loaded.

    Args:
        url: of a database that is built.
        without: rows that hold any of these words are left out, and with them the marts whose rows
            do not say what they are of.
    """
    found: dict[str, list[str]] = {}
    with connect(url) as connection:
        marts = connection.execute(
            "select class.relname::text, array_agg(attname::text order by attnum)"
            " from pg_class as class"
            " inner join pg_namespace as namespace on namespace.oid = class.relnamespace"
            " inner join pg_attribute as attribute on attribute.attrelid = class.oid"
            " where namespace.nspname = 'evals' and class.relkind in ('r', 'v', 'm')"
            " and attnum > 0 and not attisdropped group by 1 order by 1"
        ).fetchall()
        for mart, columns in marts:
            assert isinstance(columns, list)  # noqa: S101  array_agg makes one
            kept = [name for name in columns if name not in _OF_LOADING]
            if mart in _LEDGERS or (without and mart in _OVER_ALL) or not kept:
                continue
            query = sql.SQL("select row({})::text from {}").format(
                sql.SQL(", ").join(map(sql.Identifier, kept)), sql.Identifier("evals", str(mart))
            )
            texts = (str(text) for (text,) in connection.execute(query))
            found[str(mart)] = sorted(t for t in texts if not any(word in t for word in without))
    return found


def differences(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """Return a line for each mart that is not the same in both, byte for byte."""
    lines = []
    for mart in sorted(one.keys() | other.keys()):
        left, right = one.get(mart), other.get(mart)
        if left == right:
            continue
        if left is None or right is None:
            lines.append(f"{mart} is only in one of them")
            continue
        only_left, only_right = set(left) - set(right), set(right) - set(left)
        lines.append(
            f"{mart}: {len(left):,} and {len(right):,} rows,"
            f" {len(only_left):,} and {len(only_right):,} of them only there;"
            f" {_first_difference(sorted(only_left), sorted(only_right))}"
        )
    return lines


def _first_difference(one: list[str], other: list[str]) -> str:
    left, right = (each[0] if each else "" for each in (one, other))
    start = next(
        (place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), 0
    )
    start = max(start - 60, 0)
    return f"first …{left[start : start + 160]}… and …{right[start : start + 160]}…"
