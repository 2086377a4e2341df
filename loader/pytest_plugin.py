"""pytest plugin: existing evaluation tests land in the warehouse.

Off unless `--evalmart-experiment` or the ini option `evalmart_experiment` names an
experiment. The fixture `evalmart_record` then records; otherwise it does nothing, so a
test that uses it passes either way.

What a test records waits for the test's end, since only then is it known whether it
failed. With pytest-xdist the workers record, and the first process says what was there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .recording.recorder import Recorder, RecordFields

_OPTIONS: Final = {
    "experiment": "experiment_id of the runs that evalmart_record takes; turns it on",
    "group": "their experiment_group",
    "version": "their extension_version",
    "agent": "their agent_name",
    "model": "their model_version",
    "database-url": "where they go; else DATABASE_URL, PG* variables, or the embedded server",
    "on-existing": "where there are runs already: add repetitions (default), replace, or refuse",
}
_FIXTURE: Final = "evalmart_record"
_AS_OF_LOAD: Final = "evalmart_as_of_load"
_COUNTS: Final = "evalmart_counts"


@dataclass
class _Test:
    """One test that may record."""

    runs: list[RecordFields] = field(default_factory=list)
    failure: str = ""
    is_skipped: bool = False


@dataclass
class _Recording:
    """What a process of the session records."""

    recorder: Recorder
    tests: dict[str, _Test] = field(default_factory=dict)
    """By id; those that have not ended."""
    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("recorded", "spooled", "skipped", "replaced"), 0)
    )
    """Of all processes that have ended."""
    worker_input: dict[str, int | None] = field(default_factory=dict)
    """What every worker of pytest-xdist is told, also one that takes a crashed one's place."""

    def test(self, name: str) -> _Test:
        return self.tests.setdefault(name, _Test())

    def end(self, name: str, *, is_over: bool = True) -> None:
        """Record what a test has to say; how it went, if it is over."""
        from .errors import LoaderError

        test = self.tests.pop(name, _Test())
        if test.is_skipped:
            self.counts["skipped"] += 1
            return
        unsaid: RecordFields = {"task_id": name, "metadata": {"pytest": name}}
        for run in test.runs or ([unsaid] if test.failure else []):
            judged = _judged(run, test.failure) if is_over else run
            try:
                self.recorder.record(**judged)
            except LoaderError as error:
                self.problems.append(f"{name} is not stored: {error}")

    def finish(self) -> None:
        """Deliver what waits, and count it."""
        for name in list(self.tests):
            self.end(name, is_over=False)  # interrupted: nobody knows how it would have ended
        self.recorder.flush()
        self.counts["spooled"] += self.recorder.spooled_count
        self.counts["recorded"] += self.recorder.loaded_count + self.recorder.spooled_count
        self.counts["replaced"] += self.recorder.replaced_count


_RECORDING: Final[pytest.StashKey[_Recording]] = pytest.StashKey()


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
    from .errors import LoaderError
    from .recording.recorder import Recorder

    worker = getattr(config, "workerinput", {})
    try:
        recorder = Recorder(
            experiment_id=settings["experiment"],
            experiment_group=settings["group"],
            extension_version=settings["version"],
            agent_name=settings["agent"],
            model_version=settings["model"],
            database_url=settings["database-url"],
            on_existing=settings["on-existing"] or "add",
            as_of_load=worker.get(_AS_OF_LOAD),
        )
    except LoaderError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_RECORDING] = _Recording(recorder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401  of pytest-xdist
    """Let every worker see what was there before the session."""
    recording = node.config.stash.get(_RECORDING, None)
    if recording is not None:
        from .recording.existing import last_load

        told = recording.worker_input
        if _AS_OF_LOAD not in told:
            told[_AS_OF_LOAD] = last_load(_setting(node.config, "database-url"))
        node.workerinput.update(told)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ANN401  of pytest-xdist
    """Add up what a worker has recorded."""
    del error
    recording = node.config.stash.get(_RECORDING, None)
    counts, problems = getattr(node, "workeroutput", {}).get(_COUNTS, ({}, []))
    if recording is not None:
        recording.problems += problems
        for name, count in counts.items():
            recording.counts[name] += count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how a test that records went; when it has ended, record it."""
    report = yield
    recording = item.config.stash.get(_RECORDING, None)
    if recording is not None and _FIXTURE in getattr(item, "fixturenames", ()):
        test = recording.test(item.nodeid)
        if call.excinfo is not None:
            # one that is expected to fail has run and failed, unless it was not let begin
            did_not_run = report.skipped and (
                not hasattr(report, "wasxfail") or report.when == "setup"
            )
            test.is_skipped = test.is_skipped or did_not_run
            error = call.excinfo.exconly(tryshort=True)
            test.failure = test.failure or _failure(error, str(report.when))
        elif report.failed:  # it passed, which a strict xfail does not allow
            test.failure = test.failure or _failure(report.longreprtext, str(report.when))
        if report.when == "teardown":
            recording.end(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Deliver what waits; a worker of pytest-xdist also says what it was."""
    recording = session.config.stash.get(_RECORDING, None)
    if recording is not None:
        recording.finish()
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_COUNTS] = (recording.counts, recording.problems)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # noqa: ANN401
    """Say what was recorded and where it went, what was there, and what was skipped."""
    recording = config.stash.get(_RECORDING, None)
    if recording is None:
        return
    from .show.escape import terminal
    from .tools.secrets import redact

    counts = recording.counts
    where = f", {counts['spooled']} of them in the spool" if counts["spooled"] else ""
    skipped = f"; {counts['skipped']} skipped tests are not stored" if counts["skipped"] else ""
    told = f"{counts['recorded']} runs recorded in {_setting(config, 'experiment')}{where}{skipped}"
    elsewhere = counts["replaced"] - recording.recorder.replaced_count
    for line in (told, *recording.recorder.notes_with(elsewhere), *recording.problems):
        terminalreporter.write_line(terminal(redact(f"evalmart: {line}")))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the recorder."""
    recording = config.stash.get(_RECORDING, None)
    if recording is not None:
        recording.recorder.close()


@pytest.fixture
def evalmart_record(request: pytest.FixtureRequest) -> Callable[..., str | None]:
    """Give a function that records one run: the fields of `Recorder.record`.

    `task_id` is the test's id if not given; the metadata say which test it was. The run is
    kept when the test has ended: as failing if the test failed, with the failure as its
    `error_message`; else as a success, unless it says otherwise itself.
    """
    recording = request.config.stash.get(_RECORDING, None)
    name = request.node.nodeid

    def record(**fields: Any) -> str | None:  # noqa: ANN401  a record's fields
        if recording is None:
            return None
        fields.setdefault("task_id", name)
        fields["metadata"] = {"pytest": name, **(fields.get("metadata") or {})}
        run = recording.recorder.prepare(**fields)
        recording.test(name).runs.append(run)
        return run["source_run_id"]

    return record


def _judged(run: RecordFields, failure: str) -> RecordFields:
    """Return a run with what its test says of it."""
    said = run.get("error_message")
    if failure:
        return {**run, "success": False, "error_message": f"{said}\n{failure}" if said else failure}
    return run if said or run.get("success") is not None else {**run, "success": True}


def _failure(error: str, when: str) -> str:
    """Return what went wrong, without secrets and at a length to read."""
    from .runner.answers import LONGEST_ERROR, redact_all

    text = error.encode(errors="backslashreplace").decode()
    place = "" if when == "call" else f"in {when}: "
    shown: str = redact_all(f"{place}{text}")[:LONGEST_ERROR]
    return shown


def _setting(config: pytest.Config, name: str) -> str | None:
    option = config.getoption(f"--evalmart-{name}")
    value = option or config.getini(f"evalmart_{name.replace('-', '_')}")
    return str(value) if value else None
