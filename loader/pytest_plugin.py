"""pytest plugin: existing evaluation tests land in the warehouse.

Off unless `--evalmart-experiment` or the ini option `evalmart_experiment` names an
experiment. The fixture `evalmart_record` then records; otherwise it does nothing, so a
test that uses it passes either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.recording.recorder import Recorder


_OPTIONS: Final = {
    "experiment": "experiment_id of the runs that evalmart_record takes; turns it on",
    "group": "their experiment_group",
    "version": "their extension_version",
    "agent": "their agent_name",
    "model": "their model_version",
    "database-url": "where they go; else DATABASE_URL, PG* variables, or the embedded server",
}
_RECORDER: Final[pytest.StashKey[Recorder]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options, each also an ini option."""
    group = parser.getgroup("evalmart", "record evaluation runs")
    for name, meaning in _OPTIONS.items():
        group.addoption(f"--evalmart-{name}", metavar="TEXT", help=meaning)
        parser.addini(f"evalmart_{name.replace('-', '_')}", meaning)


def pytest_configure(config: pytest.Config) -> None:
    """Make the session's recorder, if an experiment is named."""
    settings = {name: _setting(config, name) for name in _OPTIONS}
    if not settings["experiment"]:
        return
    # imported here: a session that records nothing pays nothing
    from loader.errors import LoaderError
    from loader.recording.recorder import Recorder

    try:
        config.stash[_RECORDER] = Recorder(
            experiment_id=settings["experiment"],
            experiment_group=settings["group"],
            extension_version=settings["version"],
            agent_name=settings["agent"],
            model_version=settings["model"],
            database_url=settings["database-url"],
        )
    except LoaderError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401
    """Deliver what waits, and say where it went."""
    recorder = config.stash.get(_RECORDER, None)
    if recorder is None:
        return
    recorder.flush()
    total = recorder.loaded_count + recorder.spooled_count
    where = f", {recorder.spooled_count} of them in the spool" if recorder.spooled_count else ""
    terminalreporter.write_line(
        f"evalmart: {total} runs recorded in {_setting(config, 'experiment')}{where}"
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Deliver what waits; also in the workers of pytest-xdist, which print no summary."""
    recorder = config.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.close()


@pytest.fixture
def evalmart_record(request: pytest.FixtureRequest) -> Callable[..., str | None]:
    """Give a function that records one run: the fields of `Recorder.record`.

    `task_id` is the test's id if not given; the metadata say which test it was.
    """
    recorder = request.config.stash.get(_RECORDER, None)
    test = request.node.nodeid

    def record(**fields: Any) -> str | None:  # noqa: ANN401  a record's fields
        if recorder is None:
            return None
        fields.setdefault("task_id", test)
        fields["metadata"] = {"pytest": test, **(fields.get("metadata") or {})}
        run_id: str = recorder.record(**fields)
        return run_id

    return record


def _setting(config: pytest.Config, name: str) -> str | None:
    option = config.getoption(f"--evalmart-{name}")
    value = option or config.getini(f"evalmart_{name.replace('-', '_')}")
    return str(value) if value else None
