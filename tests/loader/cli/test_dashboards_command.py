"""`dashboards`: what somebody without a clone needs for Grafana and Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.warehouse.shipped import SERVE, write_shipped

_ALONE = {"grafana/create_reader.sql", "prometheus/alerts.yml"}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_dashboard_and_rule_of_the_project_is_written_as_it_is(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["dashboards", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    written = _files(tmp_path / "new")
    kept = {
        path.relative_to(servers.REPOSITORY).as_posix()
        for folder in ("dashboards", "provisioning")
        for path in (servers.REPOSITORY / "grafana" / folder).rglob("*")
        if path.is_file()
    }
    assert set(written) == kept | _ALONE
    for name, content in written.items():
        assert content == (servers.REPOSITORY / name).read_bytes()
    told = {str(Path(line).relative_to(tmp_path / "new")) for line in done.stdout.splitlines()}
    assert told == set(written)


def test_what_somebody_changed_is_written_over_only_when_told_so(tmp_path: Path) -> None:
    write_shipped(tmp_path)
    before = _files(tmp_path)
    own = tmp_path / "prometheus" / "alerts.yml"
    own.write_text("groups: []\n")
    (tmp_path / "grafana" / "create_reader.sql").unlink()

    refused = CliRunner().invoke(cli, ["dashboards", str(tmp_path)])
    assert refused.exit_code == 2
    assert str(own) in refused.output
    assert "--replace" in refused.output
    assert own.read_text() == "groups: []\n"
    assert not (tmp_path / "grafana" / "create_reader.sql").exists()

    done = CliRunner().invoke(cli, ["dashboards", str(tmp_path), "--replace"])
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 2
    assert "as they were" in done.stderr
    assert _files(tmp_path) == before


def test_a_project_without_them_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from loader.warehouse import project

    (tmp_path / "dbt_project.yml").write_text("name: other\n")
    monkeypatch.setenv("EVALMART_PROJECT_DIR", str(tmp_path))
    project.project_directory.cache_clear()
    try:
        done = CliRunner().invoke(cli, ["dashboards", str(tmp_path / "new")])
    finally:
        project.project_directory.cache_clear()
    assert done.exit_code == 2
    assert "grafana/dashboards" in done.output
    assert "EVALMART_PROJECT_DIR" in done.output
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = CliRunner().invoke(cli, ["dashboards", str(tmp_path / "file" / "below")])
    assert done.exit_code == 2
    assert str(tmp_path / "file") in done.output


def test_links_lead_to_where_pages_are_served(tmp_path: Path) -> None:
    address = "https://evals.example.org/evals"
    done = CliRunner().invoke(
        cli, ["dashboards", str(tmp_path / "own"), "--serve-url", address + "/"]
    )
    assert done.exit_code == 0, done.output
    written = _files(tmp_path / "own")
    board = json.loads(written["grafana/dashboards/experiments.json"])
    (serve,) = (item for item in board["templating"]["list"] if item["name"] == "serve")
    assert serve["query"] == serve["current"]["value"] == address
    rules = yaml.safe_load(written["grafana/provisioning/alerting/rules.yml"])
    pages = [rule["annotations"]["runbook_url"] for rule in rules["groups"][0]["rules"]]
    assert all(page.startswith(address + "/") for page in pages)
    shipped = (servers.REPOSITORY / "grafana/dashboards/experiments.json").read_text()
    assert SERVE in shipped
    assert not any(SERVE.encode() in content for content in written.values())


@pytest.mark.parametrize(
    "address",
    ["evals.example.org", "javascript:alert(1)", "https://a b", 'https://a"b', "https://a/$HOME",
     "https://a/{{ b }}", "https://a/?b", "ftp://a", ""],
)  # fmt: skip
def test_what_is_no_address_of_pages_is_refused(tmp_path: Path, address: str) -> None:
    done = CliRunner().invoke(cli, ["dashboards", str(tmp_path / "new"), "--serve-url", address])
    assert done.exit_code == 2
    assert "--serve-url" in done.output
    assert not (tmp_path / "new").exists()
