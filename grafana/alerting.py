"""The alert rules, as Grafana reads them from its provisioning directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana.definitions import fleet, versions
from grafana.panels import SOURCE, panel_number, target

if TYPE_CHECKING:
    from grafana.panels import Json

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
            remedy="Open the dashboard Versions; the alert ends when a version returns to the "
            "level before, or when the new level is accepted.",
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
            remedy="Look at the job that runs `evalmart ingest`; then "
            "`evalmart doctor`.",
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
            remedy="The dashboard Fleet says why; raw_evals.rejected_rows has their text. Repair "
            "the source and ingest again.",
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
    remedy: str,
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
        "annotations": {"summary": summary, "description": remedy},
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
