"""What `docs` and `env` give to people who know dbt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from playwright.sync_api import expect

import browser
import sample_marts
import servers
from loader.cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

_NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
_PATIENCE_MS = 60_000  # the page makes itself of five megabytes
_SUMMARIES = "model.evalmart.experiment_summaries"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.fixture(scope="module")
def page(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the page of a warehouse in which nothing was built yet."""
    path = tmp_path_factory.mktemp("docs") / "docs.html"
    with servers.migrated(postgres_server) as url:
        done = sample_marts.loader(url, "docs", "-o", path)
        assert done.stdout == f"{path}\n"
        with psycopg.connect(url) as connection:
            made = connection.execute("select to_regnamespace('evals_staging')").fetchone()
        assert made == (None,)
    return path


@pytest.fixture
def shown(page: Path) -> Iterator[tuple[Page, list[str]]]:
    """Give a tab with the page of a mart, and what it asked for."""
    requests: list[str] = []
    with browser.chromium() as viewer, viewer.tab() as tab:
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(f"{page.as_uri()}#!/model/{_SUMMARIES}")
        yield tab, requests


@pytest.mark.newest_server
@pytest.mark.slow
def test_the_page_shows_a_mart_its_columns_and_what_it_is_made_of(
    shown: tuple[Page, list[str]],
) -> None:
    tab, requests = shown
    body = tab.locator("body")
    expect(body).to_contain_text("recommendation_route", timeout=_PATIENCE_MS)
    expect(body).to_contain_text("One row per experiment, candidate group")
    expect(body).to_contain_text("int_experiment_verdicts")
    graph: Any = tab.evaluate(
        "angular.element(document.body).injector().get('project').project.parent_map"
    )
    assert "model.evalmart.int_experiment_verdicts" in graph[_SUMMARIES]
    metrics = tab.evaluate(
        "Object.keys(angular.element(document.body).injector().get('project').project.metrics)"
    )
    assert "metric.evalmart.evals_success_rate" in metrics
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.newest_server
@pytest.mark.slow
def test_a_page_that_is_there_stays_where_none_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docs.html"
    path.write_text("before", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", _NOWHERE)
    assert run("docs", "-o", str(path)).exit_code == 4
    assert path.read_text(encoding="utf-8") == "before"


@pytest.mark.parametrize(
    ("path", "told"),
    [("docs", "write a file that ends in .html"), ("away/docs.html", "there is no folder away")],
)
def test_a_page_goes_into_a_file_of_a_folder_that_is_there(
    path: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("docs", "-o", path)
    assert done.exit_code == 2
    assert told in done.output


def test_the_folder_of_the_project_is_told_without_a_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", _NOWHERE)
    done = run("env", "--project-dir")
    assert done.exit_code == 0
    assert (Path(done.stdout.strip()) / "dbt_project.yml").is_file()
    assert done.stdout.count("\n") == 1


@pytest.mark.newest_server
def test_a_project_with_a_profile_of_its_own_keeps_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = run("env", "--database-url", database_url).stdout
    (exported,) = [line for line in before.splitlines() if "DBT_PROFILES_DIR" in line]
    monkeypatch.setenv("DBT_PROFILES_DIR", exported.partition("=")[2])
    (tmp_path / "profiles.yml").write_text("shop: {}\n", encoding="utf-8")
    done = run("env", "--database-url", database_url)
    assert "export DBT_PROFILES_DIR" not in done.stdout
    assert "unset DBT_PROFILES_DIR\n" in done.stdout
    assert "dbt takes the profiles.yml of this folder" in done.stderr
    assert "export PGDATABASE=" in done.stdout
