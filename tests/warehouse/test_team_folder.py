"""A team's folder by the real command and database: its metrics, groups, vars and policy decide."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from warehouse_dbt import Dbt

# the server's version matters to none of it, and a build takes a while
pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

BUILD = ("build", "--quiet", "--select", "+experiment_summaries", "--indirect-selection",
         "buildable")  # fmt: skip


class Team(NamedTuple):
    """A working directory with a database of its own."""

    directory: Path
    url: str
    home: Path

    def run(self, *arguments: str, exit_code: int = 0, **environment: str) -> Result:
        """Run the command as a person would, in their folder; its dbt is a process."""
        own = {"DATABASE_URL": self.url, "EVALMART_HOME": str(self.home), **environment}
        with contextlib.chdir(self.directory):
            done = CliRunner(env=own).invoke(cli, arguments)
        assert done.exit_code == exit_code, done.output
        return done

    def verdict(self, experiment: str) -> tuple[object, ...]:
        """Return candidate, deciding metric and recommendation of an experiment."""
        with connect(self.url) as connection:
            [row] = connection.execute(
                "select candidate_group, primary_metric, recommendation"
                " from evals.experiment_summaries where experiment_id = %s",
                [experiment],
            ).fetchall()
        return row

    def direction(self, metric: str) -> object:
        """Return the direction that the marts have for a metric."""
        with connect(self.url) as connection:
            [(found,)] = connection.execute(
                "select distinct direction from evals.experiment_metric_comparisons"
                " where metric = %s",
                [metric],
            ).fetchall()
        return found


def records(path: Path, control: str, candidate: str) -> None:
    """Write an experiment whose candidate is less toxic, and as slow, in 30 tasks."""
    rows = [
        {
            "task_id": f"t{task}",
            "experiment_group": group,
            "extension_version": "1",
            "scores": {"toxicity": toxicity + (task % 5) / 100},
            "latency_ms": 100 + task + (task % 3 if group == candidate else 0),
        }
        for task in range(30)
        for group, toxicity in ((control, 0.6), (candidate, 0.3))
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


@pytest.fixture
def team(postgres_server: str, tmp_path: Path) -> Iterator[Team]:
    """Give a team with an empty directory and database."""
    with servers.fresh_database(postgres_server) as url:
        directory = tmp_path / "work"
        directory.mkdir()
        yield Team(directory, url, tmp_path / "home")


def test_the_folder_decides_and_an_edit_is_carried_into_what_was_built(team: Team) -> None:
    team.run("init", "--here")
    team.run("declare", "group", "control_v3", "--role", "control")
    team.run("declare", "group", "cand", "--role", "treatment")
    team.run("declare", "metric", "toxicity", "--direction", "lower", "--margin", "0.02")
    records(team.directory / "r.jsonl", "control_v3", "cand")
    team.run("ingest", "r.jsonl", "--experiment-id", "e1")
    team.run(*BUILD)
    assert team.verdict("e1") == ("cand", "toxicity", "deploy")
    assert team.direction("toxicity") == "lower"

    # an edit by hand, with a comment, rebuilds what reads the seed: no load is new
    path = team.directory / "evalmart" / "metrics.csv"
    text = path.read_text()
    path.write_text(text.replace("toxicity,8,score,fraction,lower", "# more is better now\n"
                                 "toxicity,8,score,fraction,higher"))  # fmt: skip
    team.run(*BUILD)
    assert team.verdict("e1") == ("cand", "toxicity", "reject")
    groups = team.directory / "evalmart" / "experiment_groups.csv"
    groups.write_text(
        "# the other way round\nexperiment_group,role,description\n"
        "cand,control,as it was\ncontrol_v3,treatment,as it shall be\n"
    )
    team.run(*BUILD)
    assert team.verdict("e1") == ("control_v3", "toxicity", "deploy")

    # the names people type, in vars and in the policy
    (team.directory / "evalmart" / "vars.yml").write_text("primary_metric: latency\n")
    (team.directory / "evalmart" / "policy.yml").write_text("version: 1\nfloors: {latency: 50}\n")
    team.run("build", "--quiet")
    assert team.verdict("e1")[:2] == ("control_v3", "latency_ms")
    gate = team.run("gate", "--experiment", "e1", "--format", "json", exit_code=1)
    [bar] = [
        reason
        for reason in json.loads(gate.stdout)[0]["reasons"]
        if reason["metric"] == "latency_ms" and "50" in reason["sentence"]
    ]
    assert "ceiling" in bar["sentence"]


def test_two_folders_of_one_home_are_two_teams(
    team: Team, postgres_server: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with servers.fresh_database(postgres_server) as url:
        other = Team(elsewhere, url, team.home)
        for each, control, candidate, direction in (
            (team, "a", "b", "lower"),
            (other, "b", "a", "higher"),
        ):
            each.run("init")
            each.run("declare", "group", control, "--role", "control")
            each.run("declare", "group", candidate, "--role", "treatment")
            each.run("declare", "metric", "toxicity", "--direction", direction)
            records(each.directory / "r.jsonl", "a", "b")
            each.run("ingest", "r.jsonl", "--experiment-id", "e1")
        for each in (team, other, team):
            each.run(*BUILD)
        assert team.verdict("e1") == ("b", "toxicity", "deploy")
        assert other.verdict("e1") == ("a", "toxicity", "deploy")
        assert (team.direction("toxicity"), other.direction("toxicity")) == ("lower", "higher")
        # from anywhere, the folder by its name
        named = {"EVALMART_CONFIG": str(elsewhere / "evalmart")}
        Team(tmp_path, team.url, team.home).run(*BUILD, **named)
        assert team.verdict("e1") == ("a", "toxicity", "deploy")
        assert str(elsewhere / "evalmart") in team.run("doctor", **named).stdout
        told = team.run("env", **named)
        assert f"the team's folder: {elsewhere / 'evalmart'}" in told.stderr
        assert "export EVALMART_SEEDS=" in told.stdout


def test_a_build_with_a_fault_in_the_folder_says_them_all_and_asks_no_server(team: Team) -> None:
    folder = team.directory / "evalmart"
    folder.mkdir()
    (folder / "experiment_groups.csv").write_text(
        "experiment_group,role,description\na,controll,x\nb,treatment\n"
    )
    (folder / "vars.yml").write_text("minimum_tasks: many\n")
    advice = "put a text with a comma in quotes"
    done = team.run("build", exit_code=2, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.stderr.splitlines() == [
        f"Error: the team's folder {folder} has 3 faults:",
        "  evalmart/experiment_groups.csv, line 2, role: is 'controll'; write control or treatment",
        f"  evalmart/experiment_groups.csv, line 3: has 2 fields, the header 3; {advice}",
        "  evalmart/vars.yml, line 1, minimum_tasks: is 'many'; write a number, such as 10",
    ]  # fmt: skip


def test_two_experiments_may_use_one_name_in_different_roles(team: Team, dbt: Dbt) -> None:
    team.run("init")
    team.run("declare", "metric", "toxicity", "--direction", "lower")
    for experiment, control, candidate in (("e1", "a", "b"), ("e2", "b", "a")):
        path = team.directory / f"{experiment}.jsonl"
        records(path, control, candidate)
        team.run("ingest", path.name, "--experiment-id", experiment, "--control", control,
                 "--treatment", candidate)  # fmt: skip
    team.run(*BUILD)
    assert team.verdict("e1") == ("b", "toxicity", "deploy")
    assert team.verdict("e2") == ("a", "toxicity", "deploy")
    # the same file with the roles changed: no run is new, and the experiment is rebuilt
    done = team.run("ingest", "e1.jsonl", "--experiment-id", "e1", "--control", "b",
                    "--treatment", "a")  # fmt: skip
    assert "loaded 0 · unchanged 60" in done.stdout
    # plain dbt, which knows no folder: the project's own seeds, and roles all the same
    dbt.run(team.url, "build", "--exclude-resource-type", "unit_test", "--select",
            "+experiment_summaries", "assert_groups_have_roles", *BUILD[-2:])  # fmt: skip
    assert team.verdict("e1")[0] == "a"
    assert team.verdict("e2")[0] == "a"
    with connect(team.url) as connection:
        connection.execute("delete from raw_evals.experiment_group_roles where experiment_id='e2'")
        connection.commit()
    success, messages = dbt.attempt(team.url, "test", "--select", "assert_groups_have_roles",
                                    "--vars", "{test_all: true}")  # fmt: skip
    assert not success, messages
