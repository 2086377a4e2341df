"""The pytest plugin: what tests record is stored as they end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import servers
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

_TESTS = """
def test_recorded(evalmart_record):
    assert evalmart_record(accuracy=0.5) != ""
    evalmart_record(task_id="named", accuracy=1, metadata={"step": 2})
"""
# one test for every way that a test can end
_FAILING = (servers.REPOSITORY / "tests" / "support" / "tests_to_record.txt").read_text("utf-8")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # only this plugin: whatever else is installed takes seconds to load
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("MY_API_KEY", "very-secret")


def run(directory: Path, text: str, *options: str, code: int = 0) -> str:
    """Run a file of tests; return what pytest says."""
    (directory / "test_it.py").write_text(text)
    base = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    result = subprocess.run(
        [*base, "-p", "loader.pytest_plugin", *options],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def recording(url: str, *more: str) -> list[str]:
    return [
        "--evalmart-experiment=exp-1",
        "--evalmart-group=code-chef",
        "--evalmart-version=1.2.3",
        f"--evalmart-database-url={url}",
        *more,
    ]


def stored(url: str, columns: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(
            f"select task_id, {columns} from raw_evals.evaluation_runs "
            'order by task_id collate "C", repetition, run_version'
        ).fetchall()


def test_the_plugin_records_when_asked_to(database_url: str, tmp_path: Path) -> None:
    run(tmp_path, _TESTS.replace('!= ""', "is None"))
    assert stored(database_url, "metadata") == []
    said = run(tmp_path, _TESTS, *recording(database_url))
    assert "evalmart: 2 runs recorded in exp-1\n" in said
    assert stored(database_url, "metadata, success") == [
        ("named", {"pytest": "test_it.py::test_recorded", "step": 2}, True),
        ("test_it.py::test_recorded", {"pytest": "test_it.py::test_recorded"}, True),
    ]


@pytest.mark.parametrize("more", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_a_failing_test_is_stored_as_failing(
    database_url: str, tmp_path: Path, more: tuple[str, ...]
) -> None:
    said = run(tmp_path, _FAILING, *recording(database_url, *more), code=1)
    assert "evalmart: 8 runs recorded in exp-1; 3 skipped tests are not stored\n" in said
    rows = stored(database_url, "success, (scores ->> 'accuracy')::float8, error_message")
    found = {task.removeprefix("test_it.py::test_"): rest for task, *rest in rows}
    error = found.pop("fails")
    assert error[:2] == [False, 0.2]
    assert error[2].startswith("AssertionError: too low for ***")
    assert found.pop("is_expected_to_fail")[:2] == [False, 0]
    assert found == {
        "passes": [True, 1, None],
        "says_otherwise": [False, 1, None],
        "passes_against_expectation": [False, 1, "[XPASS(strict)]"],
        "fails_before_it_records": [False, None, "RuntimeError: no answer"],
        "cannot_be_set_up": [False, None, "in setup: ConnectionError: no model"],
        "cannot_be_torn_down": [False, 1, "in teardown: OSError: cannot be removed"],
    }


def test_an_interrupted_test_is_stored_as_far_as_it_came(database_url: str, tmp_path: Path) -> None:
    text = "def test_it(evalmart_record):\n    evalmart_record(accuracy=1); raise KeyboardInterrupt"
    run(tmp_path, text, *recording(database_url), code=2)
    assert stored(database_url, "success") == [("test_it.py::test_it", None)]


@pytest.mark.parametrize("more", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_what_is_there_is_added_to_replaced_or_refused(
    database_url: str, tmp_path: Path, more: tuple[str, ...]
) -> None:
    text = (
        "import pytest\n@pytest.mark.parametrize('task', {})\ndef test_it(evalmart_record, task):\n"
        "    evalmart_record(task_id=task, accuracy={})"
    )

    def again(tasks: str, accuracy: float, how: str, code: int = 0) -> str:
        options = recording(database_url, f"--evalmart-on-existing={how}", *more)
        return run(tmp_path, text.format(list(tasks), accuracy), *options, code=code)

    again("abc", 0, "refuse")
    assert "exp-1, code-chef 1.2.3 has 3 runs of 3 tasks already; what is recorded now adds" in (
        again("abc", 0.5, "add")
    )
    said = again("ab", 1, "replace")
    assert "evalmart: 2 of 6 runs replaced; 4 stay" in said
    again("a", 1, "refuse", code=4)
    accuracy = "repetition, run_version, (scores ->> 'accuracy')::float8"
    assert stored(database_url, accuracy) == [
        ("a", 1, 1, 0), ("a", 1, 2, 1), ("a", 2, 1, 0.5),
        ("b", 1, 1, 0), ("b", 1, 2, 1), ("b", 2, 1, 0.5),
        ("c", 1, 1, 0), ("c", 2, 1, 0.5),
    ]  # fmt: skip


def test_a_test_that_skips_itself_replaces_nothing(database_url: str, tmp_path: Path) -> None:
    text = "import pytest\ndef test_it(evalmart_record):\n    evalmart_record(accuracy=1)"
    run(tmp_path, text, *recording(database_url))
    replacing = recording(database_url, "--evalmart-on-existing=replace")
    said = run(tmp_path, f"{text}; pytest.skip('not today')", *replacing)
    assert "evalmart: 0 of 1 run replaced; 1 stay" in said
    assert stored(database_url, "run_version") == [("test_it.py::test_it", 1)]


def test_a_worker_in_place_of_a_crashed_one_sees_what_was_there_before_the_session(
    database_url: str, tmp_path: Path
) -> None:
    text = (
        "import os, time\n"
        "def test_a(evalmart_record): evalmart_record(accuracy=1)\n"
        "def test_b(): time.sleep(4); os._exit(1)  # what test_a recorded is delivered by then\n"
        "def test_c(evalmart_record): evalmart_record(accuracy=1)\n"
    )
    options = recording(database_url, "--evalmart-on-existing=refuse", "-p", "xdist", "-n", "1")
    run(tmp_path, text, *options, code=1)
    tasks = [("test_it.py::test_a", True), ("test_it.py::test_c", True)]
    assert stored(database_url, "success") == tasks


def test_what_cannot_be_stored_is_said_and_the_tests_go_on(
    database_url: str, tmp_path: Path
) -> None:
    options = [item for item in recording(database_url) if "group" not in item]
    said = run(
        tmp_path, "def test_it(evalmart_record): assert False\ndef test_b(): pass", *options, code=1
    )  # fmt: skip
    assert "test_it.py::test_it is not stored: experiment_group is missing" in said
    assert "1 failed, 1 passed" in said
