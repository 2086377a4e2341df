"""Every place that shows numbers: the report, panels of Grafana, Prometheus, the terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import dict_row

import dashboard_queries
from grafana_sql import TimeRange, interpolate
from loader.cli import cli
from shown_numbers import Page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Values = dict[str, str | Sequence[str]]

Row = dict[str, Any]
MEANS = "Every version, by $metric"
TREND = "Mean of $metric, with its 95 % interval"
SERIES = ("agent_name", "experiment_group", "extension_version", "model_version", "metric")


def dashboard_decimals(name: str) -> dict[str, int | None]:
    """Return how many decimals each panel of a dashboard is set to show."""
    path = next(path for path in dashboard_queries.DASHBOARDS if path.stem == name)
    return {
        panel["title"]: panel["fieldConfig"]["defaults"].get("decimals")
        for panel in dashboard_queries.load(path)["panels"]
    }


def dashboard_words(name: str, title: str) -> dict[tuple[str, str], str]:
    """Return what a table of a dashboard shows for the words of a column, by both."""
    path = next(path for path in dashboard_queries.DASHBOARDS if path.stem == name)
    (panel,) = (
        item for item in dashboard_queries.load(path)["panels"] if item["title"] == title
    )  # fmt: skip
    return {
        (override["matcher"]["options"], word): shown["text"]
        for override in panel["fieldConfig"]["overrides"]
        for item in override["properties"]
        if item["id"] == "mappings"
        for mapping in item["value"]
        for word, shown in mapping["options"].items()
    }


class Places:
    """The sample's marts, and every place that shows them."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def rows(self, query: str, *values: object) -> list[Row]:
        return self.connection.execute(query.encode(), values).fetchall()

    def run(self, *arguments: str) -> str:
        """Return what a command prints."""
        done = CliRunner().invoke(
            cli, [*arguments, "--database-url", self.url], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    def verdict(self, *arguments: str) -> str:
        """Return what the gate says in markdown, whatever it decides."""
        done = CliRunner().invoke(
            cli, ["gate", *arguments, "--format", "markdown", "--database-url", self.url]
        )
        assert done.exit_code in {0, 1, 5}, done.output
        return done.stdout

    def program(self, *arguments: str) -> list[Row]:
        """Return what a command prints for programs."""
        rows: list[Row] = json.loads(self.run(*arguments, "--format", "json"))
        return rows

    def page(self, *arguments: str) -> Page:
        path = self.directory / "report.html"
        self.run("report", *arguments, "-o", str(path))
        return Page(path.read_text(encoding="utf-8"))

    def panel(self, dashboard: str, title: str, values: Values) -> list[Row]:
        """Return the rows a Grafana panel gets."""
        path = next(path for path in dashboard_queries.DASHBOARDS if path.stem == dashboard)
        (query,) = (item for item in dashboard_queries.panels(path) if item.title == title)
        now = datetime.now(UTC)
        shown = TimeRange(now - timedelta(days=3 * 365), now + timedelta(minutes=5))
        return self.rows(interpolate(query.sql, values, shown).replace("%", "%%"))

    def exposed(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        path = self.directory / "evalmart.prom"
        self.run("metrics", "--textfile", str(path))
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
            for sample in family.samples
        }


def versions_shown(
    warehouse: Places, trends: list[Row]
) -> tuple[dict[tuple[Any, ...], Row], dict[tuple[Any, ...], Row]]:
    """Return the rows of the panels by title, series, version (or time) and metric; and `trend`."""
    panels, told = {}, {}
    names = ("agent_name", "experiment_group", "extension_version")
    agents, groups, versions = (sorted({row[name] for row in trends}) for name in names)
    for metric in {row["metric"] for row in trends}:
        values: Values = {"agent": agents, "group": groups, "version": versions, "metric": metric}
        for row in warehouse.panel("versions", MEANS, values):
            series = " · ".join(row[name] for name in ("agent", "group", "model"))
            panels[MEANS, series, row["version"], metric] = row
        for row in warehouse.panel("versions", TREND, values):
            panels[TREND, row["metric"], row["time"], metric] = row
        for agent in {row["agent_name"] for row in trends if row["metric"] == metric}:
            for row in warehouse.program("trend", "--agent", agent, "--metric", metric):
                told[tuple(row[name] for name in SERIES)] = row
    return panels, told
