"""Fixtures: real servers, and a fresh database for each test that wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

import servers
import warehouse_dbt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from xdist.remote import Producer

    from warehouse_dbt import Dbt

# nothing here is held to a time
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# long tests that share nothing with their file
_ALONE = (
    "test_every_command_of_a_guide_runs_as_written", "test_compare_models.py::",
    "test_workflows.py::test_the_script", "test_team_folder.py::",
    "test_unbroken_marts.py::", "test_one_state.py::", "test_taken_back.py::",
    "test_agent_baselines.py::", "test_retention_rollups.py::", "test_equal_bytes.py::",
    "test_langsmith_histories.py::", "test_promises.py::",
)  # fmt: skip
# what takes minutes, the longest first: what begins last should end soon
_LONGEST = (
    "test_endurance.py", "test_dbt_package.py", "[dbt.md]", "test_wheel.py", "test_upgrade.py",
    "test_history.py", "test_image.py", "test_pipeline.py", "[operate.md]",
    "[evaluate-a-change.md]", "test_marts.py",
    "test_verdicts.py", "test_mutations.py", "test_team_folder.py", "test_the_script_of_a_pull",
    "test_compare_models.py", "test_regressions.py", "test_readers_of_every_mart",
    "test_old_scripts_page.py", "test_scales_in_marts.py", "test_servers_agree.py",
    "test_extreme_records.py", "test_every_command_of_a_guide_runs_as_written",
)  # fmt: skip
_TARGETS = ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT", "PGUSER")
# what fills options that a test does not give
_OPTIONS = ("EXPERIMENT_ID", "EXPERIMENT_GROUP", "EXTENSION_VERSION", "AGENT_NAME", "MODEL_VERSION",
            "LANGSMITH_PROJECT", "LANGCHAIN_PROJECT")  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep every test away from the user's own databases, keys and project state."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("EVALMART_HOME", str(home))
        patch.setenv("EVALMART_PROJECT_DIR", str(servers.REPOSITORY))
        for name in (*_TARGETS, *_OPTIONS):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(scope="session", params=servers.available(), ids=lambda name: f"postgres{name}")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """Give the connection string of a running server of each version, one for the whole run."""
    return servers.shared(request.param)


@pytest.fixture(scope="session")
def dbt() -> Dbt:
    """Give dbt in one process for every build."""
    return warehouse_dbt.shared()


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """Give a new database with nothing in it; dropped afterwards."""
    with servers.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """Give a new database with the raw schema in it; dropped afterwards."""
    with servers.migrated(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def shared_url(postgres_server: str) -> Iterator[str]:
    """Give one such database for all tests of a module that do not mind the others' rows."""
    with servers.migrated(postgres_server) as url:
        yield url


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes of a run share servers: the first begins the run, and ends it."""
    if not hasattr(config, "workerinput"):
        servers.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    warehouse_dbt.leave()
    servers.leave()
    if not hasattr(config, "workerinput"):
        servers.end_run()


class ByFile(LoadFileScheduling):
    """Keep a file in one process, for the sake of its fixtures; what shares none goes anywhere."""

    def _split_scope(self, nodeid: str) -> str:
        is_alone = any(name in nodeid for name in _ALONE)
        return nodeid if is_alone else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Deal the tests to processes; in another way than by file, where one is asked for."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Call slow what builds marts."""
    if "dbt" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slow)


def _rank(nodeid: str) -> int:
    """Return the place among the longest; behind them all, where it is none."""
    return next((place for place, name in enumerate(_LONGEST) if name in nodeid), len(_LONGEST))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what does not depend on the server's version on the newest one only.

    Files are whole. What is longest begins first, and then the files with slow tests, so that
    no process is left alone with one at the end.
    """
    place = {item.path: number for number, item in reversed(list(enumerate(items)))}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_rank(item.nodeid), item.path not in slow, place[item.path]))
    older = [f"postgres{name}" for name in servers.available()[1:]]
    kept, elsewhere = [], []
    for item in items:
        is_for_newest = item.get_closest_marker("newest_server") is not None
        is_elsewhere = is_for_newest and any(name in item.nodeid for name in older)
        (elsewhere if is_elsewhere else kept).append(item)
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = kept
