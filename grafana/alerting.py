"""The alert rules, as Grafana reads them from its provisioning directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from grafana.definitions import fleet, versions
from grafana.links import SERVE
from grafana.panels import SOURCE, panel_number, target

if TYPE_CHECKING:
    from grafana.panels import Json

RUNBOOKS: Final = Path(__file__).parent / "runbooks"
_DAY: Final = 86_400
_STALE_HOURS: Final = 192
"""A weekly run may be a day late."""


def alert_rules() -> Json:
    """Return the rule group; who is told is the business of Grafana's own policies."""
    rules = [
        _rule(
            "regressions",
            "An agent got worse",
            "alerts/regressions",
            above=0,
            empty="OK",
            panel=(versions(), "Alerts"),
            severity="",  # the query gives each alert its own
            summary="{{ .Labels.agent }} ({{ .Labels.group }}): {{ .Labels.metric }} is worse "
            "since {{ .Labels.version }}",
            meaning="The level of the metric fell by more than chance explains, and has not come "
            "back: metric_alerts.is_open.",
            page="/agent?name={{ urlquery .Labels.agent }}&metric={{ urlquery .Labels.metric }}",
        ),
        _rule(
            "stale-data",
            "No results came in",
            "alerts/stale_data",
            above=_STALE_HOURS,
            empty="Alerting",
            panel=(fleet(), "Loads, the latest first"),
            severity="high",
            summary='No rows were loaded for {{ printf "%.0f" .Values.A.Value }} hours',
            meaning="Nothing new came in; every verdict and trend is as old as that.",
            page="/loads",
        ),
        _rule(
            "rejected-rows",
            "Rows were rejected",
            "alerts/rejected_rows",
            above=0,
            empty="OK",
            panel=(fleet(), "Why rows were rejected"),
            severity="medium",
            summary='{{ printf "%.0f" .Values.A.Value }} rows were rejected in a day',
            meaning="They are in no mart, so a verdict may rest on fewer tasks than were run.",
            page="/loads?show=rejected",
        ),
    ]  # fmt: skip
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": "evalmart",
                "folder": "evalmart",
                "interval": "5m",
                "rules": rules,
            }
        ],
    }


def runbook(query: str) -> str:
    """Return what to do about the alert of a query, step by step.

    What stands in capitals is a label of the alert, or a file: a name written into a command
    that people copy could be one that a shell runs.
    """
    place = RUNBOOKS / f"{query.removeprefix('alerts/')}.txt"
    return place.read_text(encoding="utf-8").strip()


def _rule(  # noqa: PLR0913  one keyword per property
    uid: str,
    title: str,
    query: str,
    *,
    above: float,
    empty: str,
    panel: tuple[Json, str],
    severity: str,
    summary: str,
    meaning: str,
    page: str,
) -> Json:
    """Return a rule that fires for every row of a query whose value is above a threshold."""
    expression = {"type": "__expr__", "uid": "__expr__"}
    return {
        "uid": f"evalmart-{uid}",
        "title": title,
        "condition": "B",
        "for": "0s",
        "noDataState": empty,
        "execErrState": "Error",
        "isPaused": False,
        "labels": {"severity": severity} if severity else {},
        # no dollar signs: Grafana would take what follows for an environment variable
        "annotations": {
            "summary": summary,
            "description": meaning,
            "runbook": runbook(query),
            "runbook_url": SERVE + page,
        },
        "dashboardUid": panel[0]["uid"],
        "panelId": panel_number(*panel),
        "data": [
            {
                "refId": "A",
                "datasourceUid": SOURCE["uid"],
                "relativeTimeRange": {"from": _DAY, "to": 0},
                "model": {**target(query), "intervalMs": 1000, "maxDataPoints": 43_200},
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": {"from": _DAY, "to": 0},
                "model": {
                    "refId": "B",
                    "type": "threshold",
                    "datasource": expression,
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [above]}}],
                },
            },
        ],
    }
