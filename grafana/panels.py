"""The parts dashboards are made of, as Grafana 11.6 reads them from JSON.

Queries are SQL files under `queries/`, so that they can be read, run and tested by
themselves; the functions here wrap them into panels, variables and annotations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grafana.links import serve_variable, sisters
from loader.show.wording import FINDINGS, ROLE_NOTES, ROLES

QUERIES: Final = Path(__file__).parent / "queries"
SOURCE: Final = {"type": "grafana-postgresql-datasource", "uid": "evalmart"}
COLUMNS: Final = 24
"""Width of a dashboard in grid units."""

Json = dict[str, object]

GOOD: Final = "green"
BAD: Final = "red"
UNSURE: Final = "orange"
NEUTRAL: Final = "blue"
VERDICTS: Final = {
    "deploy": ("Deploy", GOOD),
    "needs_review": ("Needs review", UNSURE),
    "reject": ("Reject", BAD),
    "pass": ("pass", GOOD),
    "inconclusive": ("inconclusive", UNSURE),
    "blocked": ("blocked", BAD),
    "candidate": ("candidate", GOOD),
    "baseline": ("baseline", BAD),
    "tie": ("tie", "text"),
    "medium": ("medium", "yellow"),
    "high": ("high", UNSURE),
    "critical": ("critical", BAD),
    "open": ("open", BAD),
}
"""Word in a mart → what a cell shows, and its colour."""
_COLOURS: Final = {"better": GOOD, "harmed": BAD, "worse": UNSURE, "changed": NEUTRAL}
COMPARED: Final = {
    **{code: (text, _COLOURS.get(code, "text")) for code, text in FINDINGS.items()},
    **{code: (text, "text") for code, text in (*ROLES.items(), *ROLE_NOTES.items())},
}
"""Roles and findings, in the words that every page has for them."""

P_VALUE: Final = {"decimals": 4, "min": 0, "max": 1}
INTERVAL: Final = "95 % interval"


def sql(name: str) -> str:
    """Return the text of a query; `name` is its path under `queries/` without `.sql`."""
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8").strip()


def target(name: str, shape: str = "table") -> Json:
    """Return a query as panels and alerts hold it; shape: table or time_series."""
    return {
        "refId": "A",
        "datasource": SOURCE,
        "editorMode": "code",
        "format": shape,
        "rawQuery": True,
        "rawSql": sql(name),
    }


def variable(  # noqa: PLR0913  one keyword per property
    name: str, label: str, query: str, *, many: bool, description: str = "", links: str = ""
) -> Json:
    """Return a variable filled by a query.

    Args:
        name: how queries call it.
        label: what people see.
        query: name of the query.
        many: several values and "All", which is the default; else the first value is.
        description: what it selects.
        links: a regular expression that picks a part of each value; "" takes it whole.
    """
    shared: Json = {
        "type": "query",
        "name": name,
        "label": label,
        "description": description,
        "datasource": SOURCE,
        "query": sql(query),
        "refresh": 2,  # when the time range changes
        "regex": links,
        "sort": 0,  # as the query orders them
        "hide": 0,
        "skipUrlSync": False,
        "multi": many,
        "includeAll": many,
        "options": [],
    }
    if many:
        shared["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return shared


def textbox(name: str, label: str, description: str) -> Json:
    """Return a variable that a link fills or a person types."""
    empty = {"selected": True, "text": "", "value": ""}
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": description,
        "query": "",
        "hide": 0,
        "skipUrlSync": False,
        "current": empty,
        "options": [empty],
    }


def annotation(name: str, query: str, color: str) -> Json:
    """Return marks on the time axis; the query gives time, text and perhaps tags."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "target": target(query),
    }


def mappings(words: dict[str, tuple[str, str]]) -> list[Json]:
    """Return value mappings that give words their colours."""
    options = {
        word: {"text": text, "color": color, "index": place}
        for place, (word, (text, color)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Return absolute thresholds: each colour holds from its value on, None from below."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in steps],
    }


BETTER: Final = thresholds((None, BAD), (0, GOOD))


def field(by_name: str, **properties: object) -> Json:
    """Return an override for one column; `custom__width=80` sets `custom.width`."""
    return {
        "matcher": {"id": "byName", "options": by_name},
        "properties": [
            {"id": name.replace("__", "."), "value": value} for name, value in properties.items()
        ],
    }


def panel(  # noqa: PLR0913  one keyword per property
    kind: str,
    title: str,
    query: str,
    *,
    width: int,
    height: int,
    description: str = "",
    shape: str = "table",
    options: Json | None = None,
    defaults: Json | None = None,
    overrides: list[Json] | None = None,
    transformations: list[Json] | None = None,
    links: list[Json] | None = None,
) -> Json:
    """Return a panel; `arrange` gives it its place and number."""
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "gridPos": {"x": 0, "y": 0, "w": width, "h": height},
        "targets": [target(query, shape)],
        "options": options or {},
        "fieldConfig": {"defaults": defaults or {}, "overrides": overrides or []},
        "transformations": transformations or [],
        "links": links or [],
    }


def stat(  # noqa: PLR0913  one keyword per property
    title: str,
    query: str,
    *,
    width: int,
    description: str = "",
    height: int = 4,
    fields: str = "",
    defaults: Json | None = None,
    overrides: list[Json] | None = None,
    by: str = "background",
    orientation: str = "auto",
    links: list[Json] | None = None,
) -> Json:
    """Return large numbers or words; `fields` is a pattern, "" means every number."""
    return panel(
        "stat",
        title,
        query,
        width=width,
        height=height,
        description=description,
        defaults=defaults,
        overrides=overrides,
        options={
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": fields, "values": False},
            "colorMode": by,
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": orientation,
            "textMode": "auto",
            "wideLayout": True,
        },
        links=links,
    )


def table(  # noqa: PLR0913  one keyword per property
    title: str,
    query: str,
    *,
    height: int,
    width: int = COLUMNS,
    description: str = "",
    overrides: list[Json] | None = None,
    defaults: Json | None = None,
    links: list[Json] | None = None,
) -> Json:
    """Return a table that people can sort and filter."""
    return panel(
        "table",
        title,
        query,
        width=width,
        height=height,
        description=description,
        overrides=overrides,
        defaults={
            "noValue": "none",
            "custom": {"align": "auto", "filterable": True, "cellOptions": {"type": "auto"}},
            **(defaults or {}),
        },
        options={"showHeader": True, "cellHeight": "sm"},
        links=links,
    )


def words(column: str, known: dict[str, tuple[str, str]] = VERDICTS, **more: object) -> Json:
    """Return the override that shows a column's words as coloured labels."""
    return field(
        column,
        mappings=mappings(known),
        custom__cellOptions={"type": "color-text"},
        **more,
    )


def legend(*calcs: str, placement: str = "bottom") -> Json:
    """Return the options of a legend and of tooltips that show every line."""
    return {
        "legend": {
            "showLegend": True,
            "displayMode": "table" if calcs else "list",
            "placement": placement,
            "calcs": list(calcs),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def arrange(panels: list[Json]) -> list[Json]:
    """Give panels their numbers and lay them out from left to right, top to bottom."""
    x = y = row_height = 0
    for number, item in enumerate(panels, 1):
        place = item["gridPos"]
        assert isinstance(place, dict)  # noqa: S101  panel() made it
        width, height = place["w"], place["h"]
        if x + width > COLUMNS:
            x, y, row_height = 0, y + row_height, 0
        place.update(x=x, y=y)
        item["id"] = number
        x, row_height = x + width, max(row_height, height)
    return panels


def panel_number(within: Json, title: str) -> int:
    """Return the number of the panel with this title.

    Raises:
        KeyError: there is none.
    """
    panels = within["panels"]
    assert isinstance(panels, list)  # noqa: S101  dashboard() made it
    return {str(item["title"]): int(item["id"]) for item in panels}[title]


def dashboard(  # noqa: PLR0913  one keyword per property
    uid: str,
    title: str,
    description: str,
    *,
    variables: list[Json],
    panels: list[Json],
    pages: Json,
    annotations: list[Json] | None = None,
    since: str = "now-3y",
) -> Json:
    """Return a dashboard with links to its sisters, and `pages`, one to `evalmart serve`."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["evalmart"],
        "editable": False,
        "graphTooltip": 1,  # one crosshair in all panels
        "schemaVersion": 41,
        "version": 1,
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "refresh": "",
        "fiscalYearStartMonth": 0,
        "links": [sisters(), pages],
        "templating": {"list": [*variables, serve_variable()]},
        "annotations": {"list": annotations or []},
        "panels": arrange(panels),
    }
