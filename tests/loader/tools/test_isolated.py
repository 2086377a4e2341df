"""What runs beside a stranger's files: nothing in the working directory is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import servers
from loader.tools.isolated import module_command, safe_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.newest_server

_BIN = Path(sys.executable).parent
# what a stranger's tree may have the names of: this package, what it imports, what Python
# itself imports, of children too
_NAMES = (
    "loader", "click", "yaml", "dbt", "psycopg", "rich", "msgspec", "langsmith", "stamina",
    "sitecustomize", "usercustomize", "multiprocessing", "pickle", "json", "runpy", "importlib",
    "logging", "pyarrow", "jinja2", "agate", "ssl", "socket", "encodings", "evaluators",
)  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Give a folder in which every import leaves a mark, and which has a project of its own."""
    tree = tmp_path / "tree"
    for name in _NAMES:
        package = tree / name
        package.mkdir(parents=True)
        attack = (
            "import os, pathlib\n"
            f"pathlib.Path({str(tmp_path)!r}, 'imported-{name}').write_text(\n"
            "    os.environ.get('DATABASE_URL', '') + os.environ.get('PGPASSWORD', ''))\n"
        )
        (package / "__init__.py").write_text(attack)
        (package / "__main__.py").write_text(attack)
        (tree / f"{name}.py").write_text(attack)
    (tree / "dbt_project.yml").write_text("name: stolen\nprofile: stolen\n")
    (tree / "profiles.yml").write_text("stolen: {}\n")
    return tree


def imported(tree: Path) -> list[str]:
    return sorted(path.name for path in tree.parent.glob("imported-*"))


@pytest.fixture
def environment(empty_database_url: str) -> Iterator[Mapping[str, str]]:
    with servers.short_directory() as home:
        yield {
            **os.environ,
            "EVALMART_HOME": str(home),
            "DATABASE_URL": empty_database_url,
            "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}",
            # several processes check what is loaded, from the first bytes on
            "PYTHONPATH": str(servers.REPOSITORY),
        }


def run(
    command: list[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_tree_would_be_imported_by_a_plain_call(
    hostile: Path, environment: Mapping[str, str]
) -> None:
    run([sys.executable, "-m", "loader", "doctor"], hostile, {**environment, "PYTHONPATH": ""})
    assert imported(hostile)


@pytest.mark.slow
def test_the_command_of_workflows_imports_nothing_of_the_callers_tree(
    hostile: Path, environment: Mapping[str, str]
) -> None:
    sample = hostile / "results"
    written = run([sys.executable, "-P", "-m", "loader", "sample", str(sample)],
                  hostile.parent, environment)  # fmt: skip
    assert written.returncode == 0, written.stderr
    done = run(
        [sys.executable, "-P", "-m", "loader", "ci", "--baseline", "own",
         "--experiment", "exp-2025-01-001", "--out", "out", "--",
         "--file", "results/baseline.jsonl", "--file", "results/code-chef.jsonl"],
        hostile, environment,
    )  # fmt: skip
    assert imported(hostile) == []
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_command_imports_nothing_of_where_it_runs(
    hostile: Path, environment: Mapping[str, str]
) -> None:
    command = [sys.executable, "-P", "-c", "from loader.cli import main; main()"]
    for arguments in (["init"], ["doctor"], ["env"], ["experiments"]):
        run([*command, *arguments], hostile, environment)
    assert imported(hostile) == []


def test_a_child_process_runs_this_package_wherever_it_is_started(
    hostile: Path, environment: Mapping[str, str]
) -> None:
    """Whether installed, in a path of its own, or neither, as in a fresh clone."""
    for path in (str(servers.REPOSITORY), ""):
        done = run([*module_command(), "schema"], hostile, {**environment, "PYTHONPATH": path})
        assert done.returncode == 0, done.stderr
        assert '"task_id"' in done.stdout
    assert imported(hostile) == []


def test_processes_that_a_library_starts_do_not_look_where_they_run(
    hostile: Path, environment: Mapping[str, str]
) -> None:
    script = hostile.parent / "scripts" / "start.py"
    script.parent.mkdir()
    text = (
        "from functools import partial\n"
        "from loader.ingest import parallel\n"
        "if __name__ == '__main__':\n"
        "    with parallel.ParallelChecker(partial(int, 1), most_processes=2) as checks:\n"
        "        checks.start()\n"
        "        checks._threads.shutdown()\n"
        "        print(checks.is_ready)\n"
    )
    script.write_text(text)
    # its own folder, not the working directory, is where Python looks: as for a command's script
    done = run([sys.executable, str(script)], hostile, environment)
    assert done.stdout.strip() == "True", done.stderr
    assert imported(hostile) == []


def test_what_a_person_starts_keeps_its_own_settings() -> None:
    assert "PYTHONSAFEPATH" not in os.environ
    with safe_path():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ


def test_a_function_of_ones_own_folder_is_found_when_it_is_named(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    (tmp_path / "my_judges.py").write_text("def passed(outputs):\n    return 1.0\n")
    (tmp_path / "yaml.py").write_text("raise RuntimeError('imported')\n")
    text = (
        "import sys\n"
        "from loader.tools.named import import_named\n"
        "import_named('loader.evaluators:exact_match', '--evaluator')\n"
        "assert '' not in sys.path, 'what is installed needs no other place'\n"
        "print(import_named('my_judges:passed', '--evaluator')({}))\n"
        "import yaml; print(yaml.__name__)\n"
    )
    done = run([sys.executable, "-P", "-c", text], tmp_path, environment)
    assert done.stdout.split() == ["1.0", "yaml"], done.stderr
