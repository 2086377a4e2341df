"""Every metric seen: what it is, which way is better, its say, and how to change that.

Read from the marts alone; the row to add follows the columns of the seed `metrics` where its
file is at hand.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from ..show.render import NULL, printable
from ..show.wording import RATIOS, ROLES, SHARES, say
from ..tools.tables import Column, Kind, Table
from ..warehouse.seeds import read_seed, seed_columns, seed_path, seed_shown
from .names import check_experiment
from .reading import fetch, reading, statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

    Record = Mapping[str, object]

SEED: Final = "metrics"
_UNITS: Final = {"latency": "ms", "tokens": "tokens", "cost": "US dollars"}
_COLUMNS_OF_SEED: Final = (
    "metric", "position", "kind", "unit", "direction", "weight", "tie_margin",
    "non_inferiority_margin", "description",
)  # fmt: skip
_SCORE_MARGIN: Final = "0.05"
_MARGINS: Final = {"score": _SCORE_MARGIN, **dict.fromkeys(RATIOS, "0.20")}
_PSEUDO: Final = frozenset({"success", "reliability"})
"""Kinds that come of other metrics and have no row in the seed."""


def metrics_seen(connection: Connection, experiment_id: str | None = None) -> Table:
    """Return a row per metric: what it is, its say, and the row that declares it.

    Args:
        connection: to the warehouse.
        experiment_id: only metrics of this experiment.

    Raises:
        ConfigurationError: there is no such experiment, or the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection, None if experiment_id is None else [experiment_id]):
        found = fetch(connection, statement("metrics_seen"), {"experiment": experiment_id})
        if experiment_id is not None and not found.rows:
            check_experiment(connection, experiment_id)
    header, declared = _seed()
    position = 1 + max((int(row["position"]) for row in declared.values()), default=0)
    columns = (
        Column("metric"),
        Column("kind"),
        Column("direction"),
        Column("direction_source"),
        Column("is_declared", Kind.BOOLEAN),
        Column("scale"),
        Column("weight", Kind.NUMBER),
        Column("margin_pct", Kind.NUMBER),
        Column("roles"),
        Column("role_notes"),
        Column("experiments", Kind.INTEGER),
        Column("how_to_change"),
    )
    rows: list[tuple[object, ...]] = []
    for record in found.records():
        row = _declared(record, declared)
        rows.append((
            row["metric"],
            row["kind"],
            row["direction"],
            row["direction_source"],
            row["is_declared"],
            _scale(row),
            row["weight"],
            row["margin_pct"],
            {role: row[role] for role in ROLES if row[role]},
            row["role_notes"],
            row["experiments"],
            _how(row, header, position),
        ))  # fmt: skip
        position += not row["is_declared"] and row["kind"] not in _PSEUDO
    return Table(columns, rows)


def for_people(table: Table) -> Table:
    """Return what a person reads of `metrics_seen`."""
    columns = (
        Column("metric"),
        Column("kind"),
        Column("direction", heading="better is"),
        Column("scale"),
        Column("weight"),
        Column("margin"),
        Column("role", heading="say"),
        Column("experiments", Kind.INTEGER),
    )
    return Table(
        columns,
        [
            (
                printable(str(row["metric"])),
                row["kind"],
                _direction(row),
                row["scale"],
                f"{row['weight']:.3g}" if row["weight"] else NULL,
                _margin(row),
                _says(row),
                row["experiments"],
            )
            for row in table.records()
        ],
    )


def changes(table: Table) -> list[str]:
    """Return, as lines, how to change what is declared, and rows for what is not."""
    rows = [
        str(row["how_to_change"])
        for row in table.records()
        if not row["is_declared"] and row["kind"] not in _PSEUDO
    ]
    file = seed_shown(SEED)
    told = [
        f"What is declared is a row of {file}; after a change: evalmart build --quiet.",
        "success, pass@k and pass^k are guarded by the policy of the gate, under metrics.",
    ]
    if rows:
        told.append(
            "To declare what is not: evalmart declare metric NAME, or check these rows and "
            f"add them to {file}:\n"
        )
    return [*told, *rows]


def _scale(row: Record) -> str:
    if row["kind"] in SHARES:
        return "0…1"
    return _UNITS.get(str(row["kind"]), "its own unit")


def _direction(row: Record) -> str:
    source, direction = row["direction_source"], row["direction"]
    if direction is None:
        return NULL
    if direction == "unknown":
        return "unknown"
    return str(direction) if row["kind"] in _PSEUDO else f"{direction} ({source})"


def _has_say(row: Record) -> bool:
    roles = row["roles"]
    return isinstance(roles, dict) and any(role != "none" for role in roles)


def _margin(row: Record) -> str:
    margin = row["margin_pct"]
    if not isinstance(margin, int | float) or not margin or not _has_say(row):
        return NULL
    return f"{margin:.3g} {'points' if row['kind'] in SHARES else '%'}"


def _says(row: Record) -> str:
    """Return the say of a metric; where experiments differ, in how many it is which."""
    raw, notes = row["roles"], row["role_notes"]
    roles = raw if isinstance(raw, dict) else {}
    note = notes[0] if isinstance(notes, list) and notes else None
    told = []
    for role, count in roles.items():
        text = say({"role": role, "role_note": note if role == "none" else None})
        told.append(text if len(roles) == 1 else f"{text} ({count})")
    return ", ".join(told) or NULL


def _how(row: Record, header: Sequence[str], position: int) -> str:
    """Return how to change a metric: the row to add, or where its row or its guard stands."""
    name, kind = str(row["metric"]), str(row["kind"])
    if kind in _PSEUDO:
        return f"policy: metrics: {{{name}: {{margin: {_SCORE_MARGIN}}}}}"
    if row["is_declared"]:
        return f"its row in {seed_shown(SEED)}"
    direction = row["direction"]
    is_ratio = kind in RATIOS
    values = {
        "metric": name,
        "position": position,
        "kind": kind,
        "unit": "fraction" if kind in SHARES else _UNITS.get(kind, ""),
        "direction": "lower" if is_ratio or direction in {"lower", "unknown"} else "higher",
        "weight": 0,
        "tie_margin": _SCORE_MARGIN if kind in SHARES else 0,
        "non_inferiority_margin": _MARGINS.get(kind, 0),
        "description": f"What {name} says",
    }
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([values.get(column, "") for column in header])
    return printable(line.getvalue())


def _declared(row: Record, declared: Mapping[str, Mapping[str, str]]) -> Record:
    """Return a metric with what the seed says of it where no comparison does."""
    seed = declared.get(str(row["metric"]))
    if row["is_declared"] is not None:
        return row
    if seed is None:
        return {**row, "is_declared": False}
    return {
        **row,
        "is_declared": True,
        "direction": seed["direction"],
        "direction_source": "declared",
        "weight": float(seed["weight"]),
        "margin_pct": 100 * float(seed["non_inferiority_margin"]),
    }


def _seed() -> tuple[Sequence[str], Mapping[str, Mapping[str, str]]]:
    """Return the columns of the seed, and its rows by metric; nothing where it is not at hand."""
    if not seed_path("metrics").is_file():
        return _COLUMNS_OF_SEED, {}
    rows = {row["metric"]: row for row in read_seed("metrics")}
    return seed_columns("metrics") or _COLUMNS_OF_SEED, rows
