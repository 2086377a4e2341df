"""Where the links of dashboards and alerts lead, on a warehouse with something of everything."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import click
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import dashboard_queries
import served
from dashboard_queries import DASHBOARDS
from dashboard_reader import READER, create_reader, fill, run
from grafana.links import SERVE
from grafana_links import Link, alert_page, asked_of_dashboard, links, resolved
from loader.cli import cli
from loader.show import escape
from loader.show.render import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dashboard_reader import Reader
    from served import Served

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
MOST_CELLS = 40
"""Different cells of a column that are clicked."""


@pytest.fixture(scope="module")
def app(postgres_server: str) -> Iterator[Served]:
    """Give what pages answer on a warehouse that Grafana reads too."""
    with served.warehouse(postgres_server) as database:
        create_reader(database)
        with served.served(database) as running:
            yield running


@pytest.fixture
def reader(app: Served) -> Iterator[Reader]:
    with psycopg.connect(make_conninfo(app.database, user=READER), autocommit=True) as connection:
        yield connection


def _cells(reader: Reader, path: Path, link: Link, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of the link's panel with different cells that hold something."""
    (query,) = (
        each
        for each in dashboard_queries.panels(path)
        if (each.where, each.title) == ("panel", link.where)
    )
    rows = run(reader, query, values).records()
    assert link.column is not None
    found = {str(row[link.column]): row for row in rows if row[link.column] is not None}
    return list(found.values())[:MOST_CELLS]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_link_of_a_dashboard_leads_to_what_it_says(
    path: Path, app: Served, reader: Reader
) -> None:
    boards = {dashboard_queries.load(each)["uid"]: each for each in DASHBOARDS}
    given = {"metric": "accuracy"} if path.stem == "versions" else None
    values = {**fill(reader, path, given), "serve": app.url}
    followed: dict[Link, int] = {}
    for link in links(dashboard_queries.load(path)):
        clicked = [None] if link.column is None else _cells(reader, path, link, values)
        for row in clicked:
            url = resolved(link, values, row)
            if url.startswith("/d/"):
                uid, asked = asked_of_dashboard(url)
                assert asked
                opened = fill(reader, boards[uid], asked)
                assert set(asked) <= set(opened)
            else:
                assert url.startswith(app.url + "/")
                status, _, body = served.ask(app, url.removeprefix(app.url))
                assert status == 200, (link, url, body[-400:])
        followed[link] = len(clicked)
    assert len(followed) >= 5
    assert [link for link, count in followed.items() if not count] == []


def test_a_link_shows_what_was_clicked(app: Served, reader: Reader) -> None:
    path = next(path for path in DASHBOARDS if path.stem == "experiments")
    values = {**fill(reader, path, {"experiment": served.TALK}), "serve": app.url}
    (link,) = (
        each
        for each in links(dashboard_queries.load(path))
        if each.column == "task" and "${serve" in each.url
    )
    cells = _cells(reader, path, link, values)
    names = [str(row["task"]) for row in cells]
    assert any(set(name) & set("&#?+% /\"'<") for name in names), "nothing that needs encoding"
    for row in cells:
        body = served.ask(app, resolved(link, values, row).removeprefix(app.url))[2].decode()
        assert f"<h1><bdi>{escape.html(printable(str(row['task'])))}</bdi></h1>" in body


def test_pickers_offer_what_has_two_arms_and_nothing_is_left_out(reader: Reader) -> None:
    path = next(path for path in DASHBOARDS if path.stem == "experiments")
    values = fill(reader, path)
    pick = {item["name"]: query for item, query in dashboard_queries.variables(path)}
    of = {query.title: query for query in dashboard_queries.panels(path)}
    query = pick["experiment"]
    assert query is not None
    offered = {str(row[0]) for row in run(reader, query, values).rows}
    listed = set(run(reader, of["All experiments, the latest first"], values).column("experiment"))
    lonely = set(run(reader, of["Experiments without a second arm"], values).column("experiment"))
    assert offered == listed
    assert {served.TALK, served.SAMPLE, "no-pairs"} <= offered
    assert "one-arm" in lonely
    assert not offered & lonely
    arms = reader.execute("select distinct experiment_id from evals.arm_summaries").fetchall()
    assert {name for (name,) in arms} == offered | lonely
    for experiment in offered:
        opened = fill(reader, path, {"experiment": experiment})
        pairs = reader.execute(
            "select count(*) filter (where baseline_result_id is not null),"
            " count(*) filter (where candidate_result_id is not null)"
            " from evals.evaluation_comparison_view where experiment_id = %s"
            " and candidate_group = %s and candidate_version = %s",
            (experiment, opened["group"], opened["version"]),
        ).fetchone()
        assert pairs is not None
        assert min(pairs) > 0, experiment


def test_what_both_arms_cost_and_how_reliable_they_are_is_what_their_runs_say(
    reader: Reader,
) -> None:
    path = next(path for path in DASHBOARDS if path.stem == "experiments")
    values = fill(reader, path, {"experiment": served.TALK})
    of = {query.title: query for query in dashboard_queries.panels(path)}
    spent = run(reader, of["What the runs of both arms cost"], values).records()
    reliable = run(reader, of["How reliable both arms are"], values).records()
    assert [row["arm"] for row in spent] == [row["arm"] for row in reliable]
    assert [row["arm"] for row in spent] == ["baseline", "candidate"]
    for row, arm in zip(spent, reliable, strict=True):
        costs = [
            cost
            for (cost,) in reader.execute(
                "select cost_usd from evals.evaluation_trials where experiment_id = %s"
                " and experiment_group = %s",
                (served.TALK, row["group"]),
            )
        ]
        assert row["runs"] == len(costs) == arm["runs"]
        assert row["spent"] == pytest.approx(sum(costs), rel=1e-12)
        rates = reader.execute(
            "select avg(rate) from (select avg(success::int) as rate from evals.evaluation_trials"
            " where experiment_id = %s and experiment_group = %s group by task_id) as tasks",
            (served.TALK, row["group"]),
        ).fetchone()
        assert rates is not None
        assert arm["ended well"] == pytest.approx(float(rates[0]), abs=1e-12)


def test_an_alert_says_what_to_do_and_where_to_look(app: Served) -> None:
    names: list[str] = []
    for group in dashboard_queries.rule_groups():
        for rule in group["rules"]:
            told = rule["annotations"]
            assert set(told) == {"summary", "description", "runbook", "runbook_url"}
            commands = re.findall(r"`evalmart ([^`]*)`", told["runbook"])
            assert commands, rule["title"]
            assert "{{" not in told["runbook"], "a label in a command that people copy"
            for command in commands:
                name, *arguments = shlex.split(command)
                _parsed(name, arguments)
                names.append(name)
            assert told["runbook_url"].startswith(SERVE + "/")
            page = alert_page(
                told["runbook_url"].removeprefix(SERVE),
                {"agent": "feature_dev", "metric": "accuracy"},
            )
            assert served.ask(app, page)[0] == 200, page
    assert {"regressions", "ingest", "doctor"} <= set(names)


def test_a_command_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(click.UsageError):
        _parsed("recent", ["--nothing", "5"])


def _parsed(name: str, arguments: list[str]) -> None:
    """Parse a command's arguments as if it were run."""
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        assert command is not None, name
        command.make_context(name, list(arguments), parent=context)
