"""A build with nothing new does nothing; whatever could change a mart is something new."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.warehouse.connection import connect
from loader.warehouse.dbt import dbt_environment
from loader.warehouse.project import project_directory
from loader.warehouse.project_files import add_files
from loader.warehouse.standing import inputs_of, stamp_of, standing, waiting
from loader.warehouse.variables import with_team_variables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loader.warehouse.standing import Standing

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]

RUN = {
    "experiment_id": "exp-1", "experiment_group": "baseline", "extension_version": "1",
    "scores": {"accuracy": 0.5},
}  # fmt: skip


def loader(url: str, *words: str, code: int = 0, text: str | None = None) -> str:
    """Run one command on a database, its dbt as a process; return all that it printed itself."""
    command = [words[0], "--database-url", url, *words[1:]]
    done = CliRunner().invoke(cli, command, input=text)
    assert done.exit_code == code, done.output
    return done.output


def ingest(url: str, *tasks: str, **more: object) -> str:
    lines = "\n".join(json.dumps(RUN | {"task_id": task} | more) for task in tasks)
    return loader(url, "ingest", "--file", "-", "--format", "jsonl", text=lines)


def builds(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("select count(*) from evals_staging.builds").fetchone()
    assert row is not None
    return int(row[0])


def found(url: str, *arguments: str) -> Standing | None:
    """Return the build that a command with these arguments would find to be enough."""
    words = ["build", "--project-dir", str(project_directory()), *with_team_variables(arguments)]
    inputs = inputs_of(words, dbt_environment(url))
    if inputs is None:
        return None
    with connect(url) as connection:
        stamp = stamp_of(connection, inputs)
        assert stamp is not None
        return standing(connection, stamp)


@pytest.fixture(scope="module")
def built_url(postgres_server: str) -> Iterator[str]:
    """Give a database with two runs, built by the command."""
    with servers.migrated(postgres_server) as url:
        ingest(url, "t-1", "t-2")
        loader(url, "build", "--quiet")
        yield url


@pytest.fixture
def url(built_url: str, postgres_server: str) -> Iterator[str]:
    """Give a copy of it."""
    with connect(built_url) as connection:
        name = connection.info.dbname
    with servers.fresh_database(postgres_server, name) as copy:
        yield copy


def test_a_second_build_says_that_the_first_is_enough_and_starts_nothing(url: str) -> None:
    before = builds(url)
    assert "up to date with load 1, built 2" in loader(url, "build")
    assert "up to date with load 1, built 2" in loader(url, "build", "--quiet")
    assert builds(url) == before


def test_what_is_loaded_waits_until_it_is_built(url: str) -> None:
    with connect(url) as connection:
        assert waiting(connection) == 0
    ingest(url, "t-3")
    with connect(url) as connection:
        assert waiting(connection) == 1
    assert found(url) is None
    told = loader(url, "report", "--agent", "unknown", "-o", "-")
    assert "note: 1 load is not in the marts yet; --build takes it in" in told
    assert "| baseline | 1 | unknown | accuracy | 2 |" in told
    told = loader(url, "report", "--agent", "unknown", "-o", "-", "--build")
    assert "note:" not in told
    assert "| baseline | 1 | unknown | accuracy | 3 |" in told
    assert (standing_now := found(url)) is not None
    assert standing_now.load_id == 2
    ingest(url, "t-3")  # nothing new in it, but the ledger has a row more
    assert found(url) is None


def test_a_forced_build_and_one_with_other_vars_are_made(url: str) -> None:
    before = builds(url)
    loader(url, "build", "--force", "--quiet")
    assert builds(url) == before + 1
    assert found(url) is not None
    assert found(url, "--vars", "{alpha: 0.01}") is None
    assert found(url, "--vars", "{alpha: 0.05}") is None  # whether it is the default, dbt knows


@pytest.mark.parametrize(
    "words",
    [["--select", "stg_loads"], ["--full-refresh"], ["--exclude-resource-type", "test"]],
)
def test_a_build_of_something_else_is_never_taken_for_one_of_everything(
    url: str, words: list[str]
) -> None:
    assert found(url, *words) is None


def test_a_part_built_by_dbt_itself_takes_the_stamp_away_and_takes_no_load_in(url: str) -> None:
    assert found(url) is not None
    ingest(url, "t-3")
    loader(
        url, "build", "--quiet", "--select", "+evaluation_trials", "--exclude-resource-type", "test"
    )
    assert found(url) is None
    with connect(url) as connection:
        assert waiting(connection) == 1  # summaries lack it still


def test_a_stamp_is_of_the_last_build_and_of_the_roles_that_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(url) as connection:
        roles = connection.execute(
            """
            select roles.oid::text from pg_roles as roles
            where roles.rolname in ('evals_analyst', 'evals_gate', 'evals_loader')
            order by roles.oid
            """
        ).fetchall()
        stamp = stamp_of(connection, "")
        assert stamp is not None
        assert f"roles {','.join(oid for (oid,) in roles)}" in str(stamp["raw"])
    monkeypatch.setenv("DBT_FULL_REFRESH", "1")
    assert found(url) is None
    monkeypatch.delenv("DBT_FULL_REFRESH")
    assert found(url) is not None
    with connect(url) as connection:
        connection.execute(
            "insert into evals_staging.builds (status, holder) values ('failed', '{}')"
        )
    assert found(url) is None


@pytest.mark.parametrize(
    "statement",
    [
        """
        insert into raw_evals.gate_decisions (
            experiment_id, candidate_group, candidate_version, policy_hash, policy, verdict,
            exit_code, reasons, load_id, loader_version, numbers
        )
        values ('e', 'g', '1', 'h', '{}', 'pass', 0, '[]', 1, '0', '{}')
        """,
        "drop view evals.run_scores",
        "drop table evals.load_history cascade",
        "drop schema evals_staging cascade",
    ],
)
def test_what_changes_beside_loads_is_noticed(url: str, statement: str) -> None:
    assert found(url) is not None
    with connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
    assert found(url) is None


def test_a_withdrawn_load_is_something_new(url: str) -> None:
    loader(url, "withdraw", "--load", "1", "--reason", "wrong", "--yes")
    assert found(url) is None


def test_the_teams_seeds_and_vars_are_part_of_what_is_built(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_CONFIG", str(tmp_path))
    assert found(url) is not None  # an empty folder changes nothing
    (tmp_path / "vars.yml").write_text("alpha: 0.01\n")
    assert found(url) is None
    (tmp_path / "vars.yml").unlink()
    assert found(url) is not None
    groups = "experiment_group,role,description\nnew,treatment,ours\n"
    (tmp_path / "experiment_groups.csv").write_text(groups)
    assert found(url) is None


def test_the_text_of_the_project_is_part_of_what_is_built(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "seeds_of_others").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: a")
    model, seed = tmp_path / "models" / "a.sql", tmp_path / "seeds_of_others" / "b.csv"
    hashes = []
    for path, text in ((None, ""), (model, "select 1"), (model, "select 2"), (seed, "a\n1\n")):
        if path is not None:
            path.write_text(text)
        digest = hashlib.sha256()
        add_files(digest, tmp_path, str(seed.parent))
        hashes.append(digest.hexdigest())
    assert len({*hashes}) == 4


def test_environment_variables_of_dbt_are_part_of_what_is_built(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(url) is not None
    monkeypatch.setenv("DBT_LOG_PATH", "/elsewhere")
    assert found(url) is not None
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "test")
    assert found(url) is None


def test_a_build_in_which_a_test_failed_is_not_enough(url: str) -> None:
    ingest(url, "t-1", "t-2", experiment_group="code-chef", extension_version="2")
    ingest(url, "t-4", experiment_group="code-chef", extension_version="2", dataset_version="d")
    gate = ("--vars", "{gate_experiment: exp-1, gate_agent: nobody}")
    told = loader(url, "build", "--quiet", *gate, code=70)
    assert "the build failed" in told
    assert found(url, *gate) is None
