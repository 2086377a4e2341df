"""`ingest --control --treatment`: roles of groups in the experiments of a load."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from ingest_support import line, select
from loader.cli import cli
from loader.ingest import retention, withdrawals
from loader.ingest.withdrawals import Slice
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROLES = (
    "select experiment_id, experiment_group, role from raw_evals.experiment_group_roles"
    " order by load_id, experiment_id, experiment_group"
)
FEED = "select load_id, experiment_id from raw_evals.load_experiments order by 1, 2"


@pytest.fixture
def folderless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working directory without a folder of a team."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ingest(url: str, *arguments: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["ingest", *map(str, arguments), "--database-url", url])
    assert result.exit_code == exit_code, result.output
    return result


def write(path: Path, groups: Sequence[str], *experiments: str) -> Path:
    rows = [
        line(experiment_id=experiment, experiment_group=group, scores={"accuracy": 0.5})
        for experiment in experiments
        for group in groups
    ]
    path.write_bytes(b"\n".join(rows))
    return path


def test_named_groups_are_known_for_this_load_and_kept_with_each_experiment(
    database_url: str, folderless: Path
) -> None:
    path = write(folderless / "r.jsonl", ["old", "new"], "e1", "e2")
    named = ("--control", "old", "--treatment", "new")
    ingest(database_url, path, *named, "--dry-run")
    assert select(database_url, ROLES) == []
    ingest(database_url, path, *named)
    assert select(database_url, ROLES) == [
        ("e1", "new", "treatment"),
        ("e1", "old", "control"),
        ("e2", "new", "treatment"),
        ("e2", "old", "control"),
    ]
    ingest(database_url, path, exit_code=3)
    ingest(database_url, path, *named)
    assert len(select(database_url, ROLES)) == 4, "said again, nothing is written"
    feed = select(database_url, FEED)
    assert sorted(feed) == feed
    assert len(feed) == 2


def test_another_role_is_another_entry_and_the_change_feed_has_it_though_no_run_is_new(
    database_url: str, folderless: Path
) -> None:
    path = write(folderless / "r.jsonl", ["old", "new"], "e1")
    ingest(database_url, path, "--control", "new", "--treatment", "old")
    before = select(database_url, FEED)
    told = ingest(database_url, path, "--control", "old", "--treatment", "new").output
    assert "loaded 0 · unchanged 2" in told
    assert select(database_url, ROLES)[2:] == [
        ("e1", "new", "treatment"),
        ("e1", "old", "control"),
    ]
    added = [entry for entry in select(database_url, FEED) if entry not in before]
    assert [experiment for _, experiment in added] == ["e1"]


def test_a_large_load_that_is_copied_straight_keeps_roles_too(
    database_url: str, folderless: Path
) -> None:
    path = folderless / "large.jsonl"
    lines = [line(task_id=f"t{n}", experiment_group="cand", scores={"a": 1.0}) for n in range(6000)]
    path.write_bytes(b"\n".join(lines))
    ingest(database_url, path, "--treatment", "cand")
    assert select(database_url, ROLES) == [("exp-1", "cand", "treatment")]
    # a run seen before: the straight way is left half-way
    path.write_bytes(b"\n".join([line(experiment_id="exp-2", experiment_group="cand"), *lines]))
    ingest(database_url, path, "--control", "cand")
    assert select(database_url, ROLES)[1:] == [
        ("exp-1", "cand", "control"),
        ("exp-2", "cand", "control"),
    ]


def test_a_refused_load_keeps_no_role(database_url: str, folderless: Path) -> None:
    path = write(folderless / "r.jsonl", ["old", "nobody"], "e1")
    ingest(database_url, path, "--control", "old", "--strict", exit_code=3)
    assert select(database_url, ROLES) == []


def test_names_that_make_no_sense_are_refused_together(folderless: Path) -> None:
    path = write(folderless / "r.jsonl", ["a"], "e1")
    told = ingest(
        "postgresql://nowhere/x", path, "--control", "a", "--treatment", "a", "--control", "",
        "--treatment", "x" * 300, exit_code=2,
    ).output  # fmt: skip
    assert "'a' is both --control and --treatment; keep one" in told
    assert "take the name of a group" in told
    assert "is 300 bytes long" in told


def test_roles_go_with_an_experiments_last_run(database_url: str, folderless: Path) -> None:
    rows = [
        line(experiment_id=name, experiment_group="old", recorded_at=at)
        for name, at in (("e1", "2020-01-01"), ("e2", "2020-01-01"), ("e2", "2026-11-01"))
    ]
    path = folderless / "r.jsonl"
    path.write_bytes(b"\n".join([*rows[:2], rows[2].replace(b"t-1", b"t-2")]))
    ingest(database_url, path, "--control", "old")
    with connect(database_url, autocommit=True) as connection:
        list(retention.remove(connection, retention.find(connection, 1000)))
    assert select(database_url, ROLES) == [("e2", "old", "control")]


def test_every_unknown_group_is_said_once_with_commands_that_make_it_known(
    database_url: str, folderless: Path
) -> None:
    path = write(folderless / "r.jsonl", ["control v3", "gold", "baseline"], "e1", "e2")
    result = ingest(database_url, path, exit_code=3)
    said = result.stderr.splitlines()
    assert said[0] == "2 groups are not known: control v3 (2), gold (2)"
    assert said[2:4] == [
        "  evalmart declare group 'control v3' --role control",
        "  evalmart declare group gold --role treatment",
    ]
    for command in said[2:4]:
        _, *arguments = shlex.split(command)
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
    assert "loaded 4 · unchanged 2 · rejected 0" in ingest(database_url, path).output
    again = write(folderless / "s.jsonl", ["x", "y"], "e3")
    named = shlex.split(ingest(database_url, again, exit_code=3).stderr.splitlines()[-2])
    summary = ingest(database_url, again, "--summary-format", "json", exit_code=3).stdout
    assert json.loads(summary)["unknown_groups"] == [["x", 1], ["y", 1]]
    ingest(database_url, again, *named[named.index("with:") + 1 :])
    assert select(database_url, ROLES) == [("e3", "x", "treatment"), ("e3", "y", "treatment")]


def test_a_wrong_column_is_not_a_list_of_groups(database_url: str, folderless: Path) -> None:
    path = write(folderless / "r.jsonl", [f"q{n}" for n in range(1200)], "e1")
    said = ingest(database_url, path, exit_code=3).stderr
    assert "1000 groups are not known: q0 (1), " in said
    assert "and 992 more: is that the right column?" in said
    assert len(said.splitlines()) < 20


def test_a_load_that_brought_only_roles_is_taken_back_in_every_experiment(
    database_url: str, folderless: Path
) -> None:
    ingest(database_url, write(folderless / "r.jsonl", ["baseline"], "e1", "e2"))
    ingest(database_url, write(folderless / "s.jsonl", ["baseline"], "e1", "e2", "e3"),
           "--control", "baseline")  # fmt: skip
    ingest(database_url, folderless / "s.jsonl", "--treatment", "baseline")
    taken = ["withdraw", "--reason", "mixed up", "--database-url", database_url, "--load"]
    for load, experiments in ((3, ["e1", "e2", "e3"]), (2, ["e1", "e2", "e3"])):
        done = CliRunner().invoke(cli, [*taken, str(load)])
        assert done.exit_code == 0, done.output
        assert "and what was said of arms and groups in e1, e2, e3" in done.stderr
        told = "select experiment_id from raw_evals.withdrawals where withdrawn_load_id = %s"
        assert sorted(name for (name,) in select(database_url, told, load)) == experiments
        again = CliRunner().invoke(cli, [*taken, str(load)])
        assert again.exit_code == 2


def test_roles_that_were_withdrawn_with_their_load_are_said_anew(
    database_url: str, folderless: Path
) -> None:
    path = write(folderless / "r.jsonl", ["old", "new"], "e1")
    named = ("--control", "old", "--treatment", "new")
    ingest(database_url, path, *named)
    with connect(database_url) as connection:
        withdrawals.withdraw(connection, Slice(load=1), "the wrong file", None)
    ingest(database_url, path, *named)
    assert (
        select(database_url, ROLES)
        == [
            ("e1", "new", "treatment"),
            ("e1", "old", "control"),
        ]
        * 2
    )


def test_runs_keep_their_roles_when_the_load_that_said_them_first_is_withdrawn(
    database_url: str, folderless: Path
) -> None:
    named = ("--control", "old", "--treatment", "new")
    ingest(database_url, write(folderless / "r.jsonl", ["old", "new"], "e1"), *named)
    later = folderless / "s.jsonl"
    later.write_bytes(
        b"\n".join(
            line(experiment_id="e1", experiment_group=group, task_id="t-2")
            for group in ("old", "new")
        )
    )
    ingest(database_url, later, *named)
    with connect(database_url) as connection:
        withdrawals.withdraw(connection, Slice(load=1), "the wrong file", None)
    standing = (
        "select distinct experiment_group, role from raw_evals.experiment_group_roles"
        " where load_id > 1 order by 1"
    )
    assert select(database_url, standing) == [("new", "treatment"), ("old", "control")]
