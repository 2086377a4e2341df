"""The marts that models/exposures.yml says the report and the gate read, held against rights.

A role that may select from those marts and no other gets every page and every verdict; without
the right to any one of them some page or verdict is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
import yaml
from click.testing import CliRunner

import servers
from loader.cli import cli
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
_ROLE = "reads_what_is_exposed"
_SAMPLE = "exp-2025-01-001"
_POLICY = """
version: 1
require: non_inferiority
metrics: {accuracy: {margin: 0.05}}
floors: {accuracy: 0.7}
critical_tasks: [metadata.critical, "*"]
planned_repetitions: 3
kept_level: 0.1
"""
_COMMANDS = {
    "report": [
        ["report", "--experiment", _SAMPLE, "-o", "page.html"],
        ["report", "--experiment", _SAMPLE, "-o", "-"],
        ["report", "--agent", "feature_dev", "-o", "agent.html"],
    ],
    "gate": [
        ["gate", "--agent", "feature_dev"],
        ["gate", "--experiment", _SAMPLE],
        ["gate", "--experiment", _SAMPLE, "--policy", "policy.yml"],
    ],
}
_ANSWERED = (0, 1, 5)


@pytest.fixture(scope="module")
def url(postgres_server: str) -> Iterator[str]:
    """Give a database with the sample's marts, and a role that may read none of them."""
    with sample_marts(postgres_server) as url:
        with psycopg.connect(url) as connection:
            connection.execute(
                f"""
                create role {_ROLE} login;
                grant usage on schema evals, evals_functions, raw_evals to {_ROLE};
                grant select on all tables in schema raw_evals to {_ROLE};
                grant insert on raw_evals.gate_decisions to {_ROLE};
                """
            )
        yield url
        with psycopg.connect(url) as connection:
            connection.execute(f"drop owned by {_ROLE}; drop role {_ROLE}")


def exposed(name: str) -> list[str]:
    """Return the marts of an exposure."""
    text = (servers.REPOSITORY / "models" / "exposures.yml").read_text(encoding="utf-8")
    (found,) = (item for item in yaml.safe_load(text)["exposures"] if item["name"] == name)
    return re.findall(r"'(\w+)'", str(found["depends_on"]))


def is_answered(url: str, command: list[str]) -> bool:
    """Run a command as the role; tell whether it had all the rights that it asked for."""
    result = CliRunner().invoke(cli, [*command, "--database-url", f"{url} user={_ROLE}"])
    assert result.exit_code in _ANSWERED or "grant" in result.output, result.output
    return result.exit_code in _ANSWERED


@pytest.mark.parametrize("exposure", sorted(_COMMANDS))
def test_the_exposure_names_the_marts_that_are_read_and_no_other(
    exposure: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yml").write_text(_POLICY)
    marts, commands = exposed(exposure), _COMMANDS[exposure]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"revoke select on all tables in schema evals from {_ROLE}")
        for mart in marts:
            connection.execute(f"grant select on evals.{mart} to {_ROLE}")
        refused = [command for command in commands if not is_answered(url, command)]
        assert refused == []
        unread = []
        for mart in marts:
            connection.execute(f"revoke select on evals.{mart} from {_ROLE}")
            if all(is_answered(url, command) for command in commands):
                unread.append(mart)
            connection.execute(f"grant select on evals.{mart} to {_ROLE}")
    assert unread == []
