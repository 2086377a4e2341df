"""Every query of the dashboards and alert rules, and what its panel needs of the rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from grafana.build_dashboards import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DASHBOARDS = sorted((HERE / "dashboards").glob("*.json"))
RULES = HERE / "provisioning" / "alerting" / "rules.yml"


class Query(NamedTuple):
    """One query as Grafana holds it."""

    dashboard: str
    where: str
    """panel, variable, annotation or alert."""
    title: str
    sql: str
    kind: str
    """Type of the panel; else the same as `where`."""
    shape: str
    """table or time_series."""


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def rule_groups() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return groups


def variables(path: Path) -> Iterator[tuple[dict[str, Any], Query | None]]:
    """Yield the variables in the order in which Grafana fills them, with their queries."""
    for item in load(path)["templating"]["list"]:
        query = None
        if item["type"] == "query":
            query = Query(path.stem, "variable", item["name"], item["query"], "variable", "table")
        yield item, query


def panels(path: Path) -> Iterator[Query]:
    board = load(path)
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield Query(
                path.stem, "panel", panel["title"], target["rawSql"], panel["type"],
                target["format"],
            )  # fmt: skip
    for item in board["annotations"]["list"]:
        sql = item["target"]["rawSql"]
        yield Query(path.stem, "annotation", item["name"], sql, "annotation", "table")


def alerts() -> Iterator[tuple[Query, float]]:
    """Yield the query of each rule with its threshold."""
    for group in rule_groups():
        for rule in group["rules"]:
            query, threshold = (part["model"] for part in rule["data"])
            limit = threshold["conditions"][0]["evaluator"]["params"][0]
            yield Query("alerts", "alert", rule["title"], query["rawSql"], "alert", "table"), limit
