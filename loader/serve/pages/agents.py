"""Agents over their versions, and what fell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ...marts import browsing, lists
from ...marts.listing import Order
from ...marts.pages import read_agent
from ...show.render import NULL, cell, number, printable, with_unit
from ...tools.counts import counted
from ...tools.tables import Kind
from .. import drawing
from ..grids import Cell, Grid, Heading, Shown, difference, kind_of, listed, plain, word
from ..view import Page, Rows, of_records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...marts.listing import Listing
    from ..asking import Asked
    from ..view import View

    Record = Mapping[str, object]

STATES: Final = {"open": "open", "over": "over"}
_MOST_DRAWN: Final = 24
_MOST_VERSIONS: Final = 100


def filters(asked: Asked) -> tuple[Listing, dict[str, object], Order]:
    """Return what `agents` lists."""
    return (
        lists.AGENTS,
        {"search": asked.pattern()},
        asked.order(lists.AGENTS, Order("last_recorded_at", is_descending=True)),
    )


def agents(view: View) -> Page:
    """Return the list of agents."""
    listing, chosen, order = filters(view.asked)
    found = view.read(listing, chosen, order)
    columns = (
        Shown(
            "agent_name",
            "agent",
            lambda row: Cell(
                printable(str(row["agent_name"])), view.link("/agent", name=row["agent_name"])
            ),
        ),
        plain("latest_version", "latest version"),
        plain("versions", "versions", Kind.INTEGER),
        plain("metrics", "metrics", Kind.INTEGER),
        Shown(
            "open_alerts",
            "open alerts",
            lambda row: Cell(
                cell(row["open_alerts"], Kind.INTEGER), style="bad" if row["open_alerts"] else ""
            ),
            is_numeric=True,
            first_is_largest=True,
        ),
        plain("last_recorded_at", "recorded (UTC)", Kind.TIMESTAMP),
    )
    return Page(
        "agents.html.j2",
        "Agents",
        {"list": listed(view, "Agents", listing, order, found, columns)},
        "agents",
    )


def alert_filters(asked: Asked) -> tuple[Listing, dict[str, object], Order]:
    """Return what `alerts` lists."""
    return (
        lists.ALERTS,
        {
            "search": asked.pattern(),
            "agent": asked.text("agent"),
            "state": asked.choice("state", STATES),
        },
        asked.order(lists.ALERTS, Order("found_at", is_descending=True)),
    )


def alerts(view: View) -> Page:
    """Return the list of alerts."""
    listing, chosen, order = alert_filters(view.asked)
    found = view.read(listing, chosen, order)
    columns = (
        Shown("metric", "metric", lambda row: _alert(view, row)),
        Shown("is_open", "state", _state),
        Shown("severity", "severity", lambda row: word(row["severity"])),
        Shown(
            "change_pct",
            "change (%)",
            lambda row: difference(row["change_pct"], Kind.PERCENT),
            is_numeric=True,
        ),
        Shown("level_before", "level", _levels, is_numeric=True, first_is_largest=True),
        plain("cause", "cause"),
        plain("began_version", "began at"),
        plain("found_version", "found at"),
        plain("ended_version", "ended at"),
        plain("shared_task_count", "tasks", Kind.INTEGER),
        plain("found_at", "found (UTC)", Kind.TIMESTAMP),
    )
    return Page(
        "alerts.html.j2",
        "Alerts",
        {
            "list": listed(view, "Alerts", listing, order, found, columns),
            "states": STATES,
            "agents": [(name, name) for name in browsing.known_agents(view.connection)],
        },
        "alerts",
    )


def _alert(view: View, row: Record) -> Cell:
    return Cell(
        printable(str(row["metric"])),
        view.link("/agent", name=row["agent_name"], metric=row["metric"]),
        small=printable(f"{row['agent_name']}, {row['experiment_group']}, {row['model_version']}"),
    )


def _state(row: Record) -> Cell:
    if row["is_open"]:
        return Cell("open", style="bad", is_word=True)
    return Cell(cell(row["end_reason"], Kind.TEXT), style="good", is_word=True)


def _levels(row: Record) -> Cell:
    kind = Kind.SCORE if row["metric"] == "success_rate" else kind_of(row["metric"])
    before, after = (with_unit(row[name], kind) for name in ("level_before", "level_found"))
    return Cell(f"{before} → {after}")


class Small(NamedTuple):
    """One series over versions."""

    name: str
    of: str
    line: drawing.Line
    latest: str
    words: str
    href: str


def agent(view: View) -> Page:
    """Return the page of one agent."""
    name = view.asked.name("name")
    found = read_agent(view.connection, name)
    metrics = list(dict.fromkeys(str(row["metric"]) for row in found.trends))
    wanted = view.asked.choice("metric", metrics)
    metric = wanted or ("accuracy" if "accuracy" in metrics else metrics[0])
    fallen: dict[tuple[object, ...], Record] = {
        (row["metric"], row["experiment_group"], row["model_version"]): row
        for row in found.alerts or []
        if row["is_open"]
    }
    drawn = _drawn(view, found.trends, fallen)
    return Page(
        "agent.html.j2",
        printable(name),
        {
            "sentence": _sentence(found.alerts, list(fallen.values())),
            "is_open": bool(fallen),
            "drawn": drawn[:_MOST_DRAWN],
            "left": len(drawn) - _MOST_DRAWN,
            "metric": metric,
            "metrics": [(each, printable(each)) for each in metrics],
            "versions": _versions(view, found.trends, metric),
            "older": sum(row["metric"] == metric for row in found.trends) - _MOST_VERSIONS,
            "alerts": _alerts(found.alerts or []),
            "alerts_known": found.alerts is not None,
            "alerts_link": view.link("/alerts", agent=name),
            "experiments": view.link("/experiments", agent=name),
        },
        "agents",
    )


def version_rows(view: View) -> Rows:
    """Return `version_trends` of an agent, for programs."""
    return Rows("versions", of_records(read_agent(view.connection, view.asked.name("name")).trends))


def _sentence(alerts: Sequence[Record] | None, fallen: Sequence[Record]) -> str:
    """Say what is open now."""
    if alerts is None:
        return "Whether anything fell is not told: the marts of it are not built."
    if not fallen:
        past = (
            f" {counted(len(alerts), 'alert')} before {'is' if len(alerts) == 1 else 'are'} over."
        )
        return "Nothing is open." + (past if alerts else "")
    told = [
        f"{printable(str(row['metric']))} of {printable(str(row['experiment_group']))} since "
        f"{printable(str(row['began_version']))}"
        + (
            f" ({number(row['change_pct'], Kind.PERCENT)} %)"
            if isinstance(row["change_pct"], int | float)
            else ""
        )
        for row in fallen[:5]
    ]
    more = f", and {len(fallen) - 5} more" if len(fallen) > len(told) else ""
    return f"{counted(len(fallen), 'alert')} open: {'; '.join(told)}{more}."


def _drawn(
    view: View, trends: Sequence[Record], fallen: Mapping[tuple[object, ...], Record]
) -> list[Small]:
    """Draw every series of two versions or more, those with an open alert first."""
    series: dict[tuple[object, ...], list[Record]] = {}
    for row in trends:
        of = (row["metric"], row["experiment_group"], row["model_version"])
        series.setdefault(of, []).append(row)
    found = []
    for place in sorted(series, key=lambda place: place not in fallen):
        rows = series[place]
        began = fallen[place]["began_version"] if place in fallen else None
        values = [
            (
                drawing.known(row["avg_value"]),
                drawing.known(row["avg_value_low"]),
                drawing.known(row["avg_value_high"]),
                "bad" if row["extension_version"] == began else "",
            )
            for row in rows
        ]
        line = drawing.line(values)
        if line is None:
            continue
        kind = kind_of(place[0], rows[0]["kind"])
        latest = with_unit(rows[-1]["avg_value"], kind)
        least, most = (with_unit(value, kind) for value in (line.least, line.most))
        found.append(
            Small(
                printable(str(place[0])),
                printable(f"{place[1]}, {place[2]}"),
                line,
                latest,
                f"{len(rows)} versions, from {least} to {most}; the latest {latest}.",
                view.here(metric=place[0]),
            )
        )
    return found


def _versions(view: View, trends: Sequence[Record], metric: str) -> Grid:
    """Return the versions by one metric that ran last, the latest of a series first."""
    rows = [row for row in trends if row["metric"] == metric]
    rows.reverse()
    if len(rows) > _MOST_VERSIONS:
        times = sorted((str(row["last_recorded_at"]) for row in rows), reverse=True)
        rows = [row for row in rows if str(row["last_recorded_at"]) >= times[_MOST_VERSIONS - 1]]
        rows = rows[:_MOST_VERSIONS]
    kind = kind_of(metric, rows[0]["kind"])
    return Grid(
        f"Versions by {printable(metric)}",
        [
            Heading("version"), Heading("runs of", is_numeric=True),
            Heading("mean", is_numeric=True), Heading("95 %", is_numeric=True),
            Heading("like for like, before", is_numeric=True),
            Heading("now", is_numeric=True), Heading("change (%)", is_numeric=True),
            Heading("p", is_numeric=True), Heading("shared tasks", is_numeric=True),
            Heading("recorded (UTC)"),
        ],
        [
            [
                Cell(
                    printable(str(row["extension_version"])),
                    small=printable(f"{row['experiment_group']}, {row['model_version']}"),
                ),
                Cell(cell(row["sample_count"], Kind.INTEGER)),
                Cell(with_unit(row["avg_value"], kind)),
                Cell(_range(row, kind)),
                Cell(with_unit(row["previous_like_for_like_avg"], kind)),
                Cell(with_unit(row["like_for_like_avg"], kind)),
                difference(row["change_pct"], Kind.PERCENT),
                Cell(cell(row["change_p_value"], Kind.PROBABILITY)),
                Cell(cell(row["shared_task_count"], Kind.INTEGER)),
                Cell(cell(row["last_recorded_at"], Kind.TIMESTAMP)),
            ]
            for row in rows
        ],
        view.link("/agent/versions.csv", name=view.asked.text("name")),
    )  # fmt: skip


def _range(row: Record, kind: Kind) -> str:
    low, high = drawing.known(row["avg_value_low"]), drawing.known(row["avg_value_high"])
    return NULL if low is None or high is None else f"{number(low, kind)} … {number(high, kind)}"


def _alerts(rows: Sequence[Record]) -> Grid | None:
    if not rows:
        return None
    told = sorted(rows, key=lambda row: (not row["is_open"], str(row["found_at"])))
    return Grid(
        "What fell",
        [
            Heading("metric"), Heading("state"), Heading("severity"),
            Heading("change (%)", is_numeric=True), Heading("level", is_numeric=True),
            Heading("cause"), Heading("began at"), Heading("found at"), Heading("ended at"),
        ],
        [
            [
                Cell(
                    printable(str(row["metric"])),
                    small=printable(f"{row['experiment_group']}, {row['model_version']}"),
                ),
                _state(row),
                word(row["severity"]),
                difference(row["change_pct"], Kind.PERCENT),
                _levels(row),
                Cell(cell(row["cause"], Kind.TEXT)),
                Cell(cell(row["began_version"], Kind.TEXT)),
                Cell(cell(row["found_version"], Kind.TEXT)),
                Cell(cell(row["ended_version"], Kind.TEXT)),
            ]
            for row in told
        ],
    )  # fmt: skip
