"""How PostgreSQL goes about a build of everything: no loop over all rows for each row.

The planner knows nothing of what a query has computed and takes it for one row; a plan that is
right for one is hours at a hundred thousand. So plans are looked at, not times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import sample_marts
import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
_FOLDERS = ("comparisons", "results", "rollups", "versions")
"""Subjects of steps and marts whose tables grow with every load."""
# as dbt_project.yml has it for whole tables; what a model adds is in its own text
_SETTINGS = ("enable_nestloop = off", "enable_mergejoin = off", "jit = off")


def _models() -> list[str]:
    return sorted(
        path.stem
        for name in _FOLDERS
        for path in (servers.REPOSITORY / "models").glob(f"*/{name}/*.sql")
    )


@pytest.fixture(scope="module")
def plans(postgres_server: str, dbt: Dbt) -> Iterator[dict[str, Any]]:
    """Give the plan of every model, by its name."""
    names = _models()
    with sample_marts.sample_marts(postgres_server) as url:
        dbt.run(url, "compile", "--full-refresh", "--select", *names)
        compiled = dbt.directory / "target" / "compiled"
        found = {path.stem: path for path in compiled.rglob("*.sql") if path.stem in names}
        with psycopg.connect(url) as connection:
            for setting in _SETTINGS:
                connection.execute(f"set {setting}".encode())
            plans = {}
            for name, path in found.items():
                with connection.transaction(force_rollback=True):
                    for line in _own_settings(name):
                        connection.execute(line.encode())
                    text = path.read_text(encoding="utf-8")
                    rows = connection.execute(f"explain (format json) {text}".encode()).fetchone()
                    assert rows is not None
                    plans[name] = rows[0][0]["Plan"]
        yield plans


def _own_settings(name: str) -> list[str]:
    (path,) = servers.REPOSITORY.glob(f"models/**/{name}.sql")
    text = path.read_text(encoding="utf-8")
    return [part for part in text.split('"') if part.startswith("set local ")]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@pytest.mark.parametrize("model", _models())
def test_no_model_loops_over_all_rows_for_each(plans: dict[str, Any], model: str) -> None:
    if model not in plans:
        pytest.skip("ephemeral")
    loops = [
        node["Join Filter"]
        for node in _nodes(plans[model])
        if node["Node Type"] == "Nested Loop" and " = " in node.get("Join Filter", "")
    ]
    assert loops == []
