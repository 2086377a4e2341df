"""Dashboards, alert rules and provisioning as files: what Grafana and dbt ask of them."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models import alerting, dashboard

import dashboard_queries
from dashboard_queries import DASHBOARDS
from grafana.build_dashboards import HERE, rendered
from grafana.panels import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

plugins.register_default_plugins()


def test_the_generated_files_are_up_to_date() -> None:
    outdated = [path.name for path, text in rendered() if path.read_text(encoding="utf-8") != text]
    assert outdated == [], "run: python -m grafana.build_dashboards"


def test_every_query_file_is_used() -> None:
    used = "".join(text for _, text in rendered())
    unused = [
        str(path.relative_to(QUERIES))
        for path in QUERIES.rglob("*.sql")
        if json.dumps(path.read_text(encoding="utf-8").strip(), ensure_ascii=False)[1:-1]
        not in used
        and path.read_text(encoding="utf-8").splitlines()[0] not in used
    ]
    assert unused == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_holds_nothing_that_grafanas_schema_does_not_know(path: Path) -> None:
    given = dashboard_queries.load(path)
    read = json.loads(json.dumps(dashboard.Dashboard.from_json(given), default=_plain))
    # the schema knows the target of tags only; Grafana takes any query
    unknown = [path for path in _lost(given, read) if not path.startswith(".annotations.list")]
    assert unknown == []
    for panel in given["panels"]:
        model = import_module(f"grafana_foundation_sdk.models.{panel['type']}")
        options = json.loads(json.dumps(model.Options.from_json(panel["options"]), default=_plain))
        assert list(_lost(panel["options"], options)) == [], panel["title"]
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        if hasattr(model, "FieldConfig"):
            known = json.loads(json.dumps(model.FieldConfig.from_json(custom), default=_plain))
            assert list(_lost(custom, known)) == [], panel["title"]


def test_the_alert_rules_hold_nothing_that_grafanas_schema_does_not_know() -> None:
    for group in dashboard_queries.rule_groups():
        for rule in group["rules"]:
            read = json.loads(json.dumps(alerting.Rule.from_json(_as_api(rule)), default=_plain))
            assert list(_lost(_as_api(rule), read)) == []
            assert "$" not in json.dumps([rule["labels"], rule["annotations"]])


def _as_api(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule as the API has it: models apart, and what files add left out."""
    data = [{key: part[key] for key in part if key != "model"} for part in rule["data"]]
    files_only = {"dashboardUid", "panelId"}
    return {**{key: rule[key] for key in rule if key not in files_only}, "data": data}


def _plain(value: Any) -> Any:  # noqa: ANN401  whatever the SDK made
    return value.to_json()


def _lost(given: Any, read: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401  JSON
    """Yield what of `given` is not in `read`."""
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(read, dict) or key not in read:
                if value not in ("", [], {}, None, False, 0):
                    yield f"{path}.{key}"
            else:
                yield from _lost(value, read[key], f"{path}.{key}")
    elif isinstance(given, list):
        if not isinstance(read, list) or len(given) != len(read):
            yield path
        else:
            for place, value in enumerate(given):
                yield from _lost(value, read[place], f"{path}[{place}]")
    elif given != read:
        yield f"{path}: {given!r} became {read!r}"


def test_panels_do_not_overlap_and_every_one_has_a_number_of_its_own() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        given = dashboard_queries.load(path)["panels"]
        assert len({panel["id"] for panel in given}) == len(given)
        for panel in given:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not taken & cells, panel["title"]
            taken |= cells


def test_queries_read_marts_only() -> None:
    every = [query for path in DASHBOARDS for query in dashboard_queries.panels(path)]
    every += [query for query, _ in dashboard_queries.alerts()]
    marts = {path.stem for path in (HERE.parent / "models" / "marts").rglob("*.sql")}
    for query in every:
        read = re.findall(r"\b(evals\w*|raw_evals)\.(\w+)", query.sql)
        assert read, query.title
        assert {schema for schema, _ in read} == {"evals"}
        assert {table for _, table in read} <= marts, query.title


def test_the_exposures_of_dbt_name_the_marts_that_dashboards_and_alerts_read() -> None:
    written = yaml.safe_load((HERE.parent / "models" / "exposures.yml").read_text())["exposures"]
    told = {item["name"]: set(re.findall(r"'(\w+)'", str(item["depends_on"]))) for item in written}
    for path in DASHBOARDS:
        every = [query for _, query in dashboard_queries.variables(path) if query is not None]
        every += dashboard_queries.panels(path)
        read = {mart for query in every for mart in re.findall(r"\bevals\.(\w+)", query.sql)}
        assert told[f"{path.stem}_dashboard"] == read
    alerts = [query.sql for query, _ in dashboard_queries.alerts()]
    assert told["grafana_alerts"] == set(re.findall(r"\bevals\.(\w+)", " ".join(alerts)))


def test_provisioning_points_at_files_and_sources_that_exist() -> None:
    source = yaml.safe_load((HERE / "provisioning/datasources/evalmart.yml").read_text())
    uids = {item["uid"] for item in source["datasources"]}
    named = {query["uid"] for query in _sources([dashboard_queries.load(p) for p in DASHBOARDS])}
    assert named == uids
    compose = yaml.safe_load((HERE.parent / "compose.yaml").read_text())
    variables = set(re.findall(r"\$\{(EVALMART_\w+)\}", json.dumps(source)))
    assert variables <= set(compose["services"]["grafana"]["environment"])
    mounts = compose["services"]["grafana"]["volumes"]
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
    provider = yaml.safe_load((HERE / "provisioning/dashboards/evalmart.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in mounts


def _sources(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  JSON
    if isinstance(value, dict):
        if isinstance(value.get("datasource"), dict):
            yield value["datasource"]
        for item in value.values():
            yield from _sources(item)
    elif isinstance(value, list):
        for item in value:
            yield from _sources(item)
