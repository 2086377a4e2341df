"""What was loaded, what was decided, and what metrics have a say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ...gate.ledger import is_readable
from ...gate.replay import replay
from ...marts import browsing, catalog, lists
from ...marts.listing import Order
from ...show.render import cell, printable
from ...tools.tables import Kind, Table
from ..grids import Cell, Grid, Heading, Shown, listed, of_table, plain, word
from ..view import Page, Rows, of_records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...marts.listing import Listing
    from ..asking import Asked
    from ..view import View

    Record = Mapping[str, object]

LOADS: Final = {"rejected": "with rejected rows"}
VERDICTS: Final = {"pass": "pass", "blocked": "blocked", "inconclusive": "inconclusive"}
_LONGEST: Final = 4_000


def load_filters(asked: Asked) -> tuple[Listing, dict[str, object], Order]:
    """Return what `loads` lists."""
    return (
        lists.LOADS,
        {"search": asked.pattern(), "show": asked.choice("show", LOADS)},
        asked.order(lists.LOADS, Order("load_id", is_descending=True)),
    )


def loads(view: View) -> Page:
    """Return the list of loads."""
    listing, chosen, order = load_filters(view.asked)
    found = view.read(listing, chosen, order)
    columns = (
        Shown(
            "load_id",
            "load",
            lambda row: Cell(str(row["load_id"]), view.link("/load", id=row["load_id"])),
            first_is_largest=True,
        ),
        plain("source", "source"),
        Shown("experiment_id", "experiment", lambda row: _experiment(view, row)),
        plain("rows_read", "read", Kind.INTEGER),
        plain("rows_loaded", "loaded", Kind.INTEGER),
        plain("rows_unchanged", "unchanged", Kind.INTEGER),
        Shown(
            "rows_rejected",
            "rejected",
            lambda row: Cell(
                cell(row["rows_rejected"], Kind.INTEGER),
                style="bad" if row["rows_rejected"] else "",
                small=str(row["top_reject_reason_code"] or ""),
            ),
            is_numeric=True,
            first_is_largest=True,
        ),
        plain("values_set_aside", "set aside", Kind.INTEGER),
        plain("finished_at", "finished (UTC)", Kind.TIMESTAMP),
    )
    return Page(
        "loads.html.j2",
        "Loads",
        {"list": listed(view, "Loads", listing, order, found, columns), "shows": LOADS},
        "loads",
    )


def _experiment(view: View, row: Record) -> Cell:
    if row["experiment_id"] == "":
        return Cell("several, or none")
    return Cell(
        printable(str(row["experiment_id"])), view.link("/experiment", id=row["experiment_id"])
    )


def load(view: View) -> Page:
    """Return the page of one load."""
    found = browsing.load(view.connection, view.asked.number("id"))
    row = found.row
    reasons = row["reject_reasons"] if isinstance(row["reject_reasons"], dict) else {}
    facts = [
        (name, cell(row[column], kind))
        for name, column, kind in (
            ("source", "source", Kind.TEXT),
            ("experiment", "experiment_id", Kind.TEXT),
            ("by", "loader_version", Kind.TEXT),
            ("began (UTC)", "started_at", Kind.TIMESTAMP),
            ("finished (UTC)", "finished_at", Kind.TIMESTAMP),
        )
    ]
    counts = [
        (name, cell(row[column], Kind.INTEGER), style if row[column] else "")
        for name, column, style in (
            ("read", "rows_read", ""),
            ("loaded", "rows_loaded", "good"),
            ("unchanged", "rows_unchanged", ""),
            ("rejected", "rows_rejected", "bad"),
            ("values set aside", "values_set_aside", "unsure"),
        )
    ]
    return Page(
        "load.html.j2",
        f"Load {row['load_id']}",
        {
            "facts": facts,
            "counts": counts,
            "source": json.dumps(row["source_ref"], indent=2, ensure_ascii=False)[:_LONGEST],
            "reasons": sorted(
                ((printable(str(code)), f"{count:,}") for code, count in reasons.items()),
            ),
            "rejected": None if found.rejected is None else _rejected(view, found),
            "left_out": row["rejects_left_out"] or 0,
        },
        "loads",
    )


def _rejected(view: View, found: browsing.Load) -> Grid:
    return Grid(
        "Rejected rows",
        [
            Heading("row", is_numeric=True), Heading("reason"), Heading("in words"),
            Heading("text"),
        ],
        [
            [
                Cell(cell(row["row_number"], Kind.INTEGER)),
                Cell(cell(row["reason_code"], Kind.TEXT)),
                Cell(cell(row["reason"], Kind.TEXT)),
                Cell(cell(row["payload"], Kind.TEXT)[:_LONGEST]),
            ]
            for row in found.rejected or []
        ],
        view.link("/load/rejected.csv", id=view.asked.text("id")),
    )  # fmt: skip


def rejected_rows(view: View) -> Rows:
    """Return the rejected rows of a load, for programs."""
    found = browsing.load(view.connection, view.asked.number("id"))
    return Rows("rejected", of_records(found.rejected or []))


def decision_filters(asked: Asked) -> tuple[Listing, dict[str, object], Order]:
    """Return what `decisions` lists."""
    return (
        lists.DECISIONS,
        {
            "search": asked.pattern(),
            "verdict": asked.choice("verdict", VERDICTS),
            "experiment": asked.text("experiment"),
        },
        asked.order(lists.DECISIONS, Order("decided_at", is_descending=True)),
    )


def decisions(view: View) -> Page:
    """Return the verdicts that were asked for."""
    listing, chosen, order = decision_filters(view.asked)
    found = view.read(listing, chosen, order)
    columns = (
        Shown(
            "experiment_id",
            "experiment",
            lambda row: Cell(
                printable(str(row["experiment_id"])),
                view.link(
                    "/experiment",
                    id=row["experiment_id"],
                    group=row["candidate_group"],
                    version=row["candidate_version"],
                ),
                small=_why(row),
            ),
        ),
        Shown(
            "candidate_version",
            "candidate",
            lambda row: Cell(
                cell(row["candidate_version"], Kind.TEXT),
                small=cell(row["candidate_group"], Kind.TEXT),
            ),
        ),
        plain("agent_name", "agent"),
        Shown("verdict", "verdict", lambda row: word(row["verdict"])),
        Shown("previous_verdict", "before", lambda row: word(row["previous_verdict"])),
        Shown(
            "look_number",
            "look",
            lambda row: Cell(f"{row['look_number']} of {row['looks']}"),
            is_numeric=True,
            first_is_largest=True,
        ),
        Shown(
            "state_number",
            "state",
            lambda row: Cell(f"{row['state_number']} of {row['states']}"),
            is_numeric=True,
            first_is_largest=True,
        ),
        plain("decided_at", "decided (UTC)", Kind.TIMESTAMP),
    )
    return Page(
        "decisions.html.j2",
        "Gate decisions",
        {
            "list": listed(view, "Gate decisions", listing, order, found, columns),
            "verdicts": VERDICTS,
            "replay": view.link("/decisions/replay"),
        },
        "decisions",
    )


def _why(row: Record) -> str:
    """Return the first reasons of a verdict."""
    given = row["reasons"] if isinstance(row["reasons"], list) else []
    told = [
        str(reason.get("sentence") or reason.get("code"))
        for reason in given
        if isinstance(reason, dict)
    ]
    return printable(" ".join(told[:2]))[:400]


def replayed(view: View) -> Page:
    """Return what past verdicts would be today; to be asked outside of reading the marts."""
    found = _replayed(view)
    return Page(
        "replay.html.j2",
        "Decided again today",
        {
            "may_see": found is not None,
            "decisions": 0 if found is None else found[0],
            "changed": of_table("Verdicts that would be others", found[1], view.csv())
            if found is not None and found[1].rows
            else None,
            "all": view.link("/decisions"),
        },
        "decisions",
    )


def replayed_rows(view: View) -> Rows:
    """Return what past verdicts would be today, for programs."""
    found = _replayed(view)
    return Rows("replay", Table((), []) if found is None else found[1])


def _replayed(view: View) -> tuple[int, Table] | None:
    may_see = is_readable(view.connection)
    view.connection.commit()
    if not may_see:
        return None
    found = replay(view.connection)
    return found.decisions, found.changed


def metrics(view: View) -> Page:
    """Return every metric that was seen, and its say."""
    experiment = view.asked.text("experiment")
    found = catalog.metrics_seen(view.connection, experiment)
    return Page(
        "metrics.html.j2",
        "Metrics",
        {
            "table": of_table("Metrics", catalog.for_people(found), view.csv()),
            "experiment": experiment,
            "changes": catalog.changes(found) if found.rows else [],
        },
        "metrics",
    )


def metric_rows(view: View) -> Rows:
    """Return every metric that was seen, for programs."""
    return Rows("metrics", catalog.metrics_seen(view.connection, view.asked.text("experiment")))
