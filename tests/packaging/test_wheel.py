"""The wheel as its user has it: installed anywhere, run in a folder of anybody's."""

from __future__ import annotations

import json
import subprocess
import tarfile
import uuid
import zipfile
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

import installed
import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installed import Installation, Interpreter

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

_EXPERIMENT: Final = "exp-2025-01-001"
_LARGE: Final = 450
"""Records of 20 kB: enough of them that processes beside the first one check them."""
_RECORDS: Final = [
    {"task_id": f"t-{task}", "experiment_group": group, "extension_version": "1.2.3",
     "scores": {"accuracy": score}}
    for task in range(4) for group, score in (("baseline", 0.4), ("code-chef", 0.8))
]  # fmt: skip
# what a folder may have the names of: what the package imports, what it once was called, what
# Python imports of itself
_NAMES: Final = (
    "loader", "click", "yaml", "psycopg", "msgspec", "rich", "dbt", "jinja2", "agate",
    "sitecustomize", "usercustomize", "json", "multiprocessing", "logging",
)  # fmt: skip
_ARM: Final = ("--experiment-group", "baseline", "--extension-version", "1")
_ENDPOINT: Final = f"--endpoint http://127.0.0.1:9 --model m --experiment-id e {' '.join(_ARM)}"
_PROGRAM: Final = """
from evalmart import Recorder

arm = {"experiment_id": "recorded", "experiment_group": "baseline", "extension_version": "1"}
with Recorder(**arm) as recorder:
    recorder.record(task_id="t-1", accuracy=0.5)
"""
_PLUGIN: Final = """
def test_it(evalmart_record):
    evalmart_record(task_id="t-2", accuracy=1)
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with servers.short_directory() as folder:
        yield folder


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return installed.build(place / "wheel")


@pytest.fixture(scope="module")
def interpreter(place: Path) -> Interpreter:
    return installed.interpreter(place)


@pytest.fixture(scope="module")
def everything(place: Path, wheel: Path, interpreter: Interpreter) -> Installation:
    return installed.install(place / "all", wheel, interpreter, ["all"], ["pytest"])


@pytest.fixture(scope="module")
def smallest(place: Path, wheel: Path, interpreter: Interpreter) -> Installation:
    return installed.install(place / "small", wheel, interpreter, [], ["mypy"])


@pytest.fixture(scope="module")
def elsewhere(everything: Installation) -> Iterator[str]:
    """Give the oldest server; where only the newest is wanted, one that the user may reach."""
    if (oldest := servers.available()[-1]) != "18":
        yield servers.shared(oldest)
        return
    folder = everything.work_folder("elsewhere")
    everything.run("evalmart", "init", cwd=folder)
    yield f"host='{folder / '.evalmart' / 'postgres'}' user=postgres dbname=postgres"
    everything.run("evalmart", "stop", cwd=folder)


@pytest.fixture(scope="module")
def owned(elsewhere: str, everything: Installation) -> Iterator[str]:
    """Give a database with the raw schema as its owner, who may make no role and no database."""
    name = f"owner_{uuid.uuid4().hex[:12]}"
    owner = sql.Identifier(name)
    create = sql.SQL("create database {} owner {} encoding 'UTF8' template template0")
    with psycopg.connect(elsewhere, autocommit=True) as admin:
        admin.execute(sql.SQL("create role {} login nosuperuser nocreaterole").format(owner))
        admin.execute(create.format(owner, owner))
        url = make_conninfo(elsewhere, user=name, dbname=name)
        folder = everything.work_folder("owner")
        said = everything.run("evalmart", "init", cwd=folder, DATABASE_URL=url)
        assert "raw_evals is at version" in said
        yield url
        admin.execute(sql.SQL("drop database {} with (force)").format(owner))
        admin.execute(sql.SQL("drop role {}").format(owner))


def write_records(path: Path) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in _RECORDS), encoding="utf-8")


def in_it(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_wheel_of_the_source_distribution_is_the_wheel_of_the_tree(
    tmp_path: Path, wheel: Path
) -> None:
    archive = installed.build(tmp_path / "source", target="sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.glob("evalmart-*")
    again = installed.build(tmp_path / "again", source=tree)
    assert again.name == wheel.name
    assert installed.contents(again) == installed.contents(wheel)


def test_a_wheel_holds_the_project_and_nothing_of_its_tests_and_tools(wheel: Path) -> None:
    names = set(installed.contents(wheel))
    top = {name.partition("/")[0] for name in names}
    assert {name.partition("-")[0] for name in top} == {"evalmart"}
    tracked = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "loader", "models", "macros", "seeds", "functions",
         "policies", "tests/generic", "tests/singular", "dbt_project.yml", "profiles.yml.example",
         "grafana/create_reader.sql", "grafana/dashboards", "grafana/provisioning",
         "prometheus/alerts.yml", "scripts/regressions.sh"],
        cwd=servers.REPOSITORY, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if tracked.returncode:
        pytest.skip("no git here, or no repository")
    wanted = {
        f"evalmart/{name.removeprefix('loader/')}"
        if name.startswith("loader/")
        else f"evalmart/project/{name}"
        for name in tracked.stdout.split()
    }
    assert {name for name in names if ".dist-info/" not in name} == wanted
    with zipfile.ZipFile(wheel) as archive:
        script = archive.getinfo("evalmart/project/scripts/regressions.sh")
    assert script.external_attr >> 16 & 0o111, "pip makes executable what is so in the wheel"


def test_in_a_folder_of_anybodys_everything_works_and_nothing_there_is_imported(
    everything: Installation,
) -> None:
    """On the embedded server, as a user who may write to this folder alone."""
    folder, run = everything.work_folder("hostile"), everything.run
    marks = everything.work_folder("marks")
    attack = f"import pathlib\npathlib.Path({str(marks)!r}, __name__).touch()\nraise ValueError\n"
    for name in _NAMES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(attack)
        (folder / f"{name}.py").write_text(attack)
    for name in ("dbt_project.yml", "profiles.yml", "packages.yml", "selectors.yml"):
        (folder / name).write_text("name: stolen\nprofile: stolen\nmodels: [what, is, this]\n")
    # the team's own folder, with programs beside its files
    said = run("evalmart", "init", "--here", cwd=folder)
    assert "raw_evals is at version" in said
    for name in ("__init__", "cli", "warehouse", "__main__"):
        (folder / "evalmart" / f"{name}.py").write_text(attack)
    before = in_it(folder)

    run("evalmart", "sample", cwd=folder)
    said = run("evalmart", "ingest", "--file", ".evalmart/sample/*.jsonl", cwd=folder)
    assert "· rejected 0 ·" in said
    large = folder / "large.jsonl"
    record = {**_RECORDS[0], "experiment_id": "large", "metadata": {"text": "x" * 20_000}}
    large.write_text("".join(
        json.dumps({**record, "task_id": f"t-{number}"}) + "\n" for number in range(_LARGE)
    ))  # fmt: skip
    assert f"loaded {_LARGE} ·" in run("evalmart", "ingest", "--file", large, cwd=folder)
    run("evalmart", "build", "--quiet", cwd=folder)
    said = run("evalmart", "summary", "--experiment", _EXPERIMENT, cwd=folder)
    assert "code-chef" in said
    run("evalmart", "gate", "--experiment", _EXPERIMENT, cwd=folder)
    for name in ("page.html", "comment.md"):
        run("evalmart", "report", "--experiment", _EXPERIMENT, "-o", name, cwd=folder)
        assert "code-chef" in (folder / name).read_text("utf-8")
    run("evalmart", "metrics", "--textfile", "evalmart.prom", cwd=folder)
    assert "eval_" in (folder / "evalmart.prom").read_text("utf-8")
    run("evalmart", "export", "marts.parquet", cwd=folder)
    said = run("evalmart", "doctor", cwd=folder)
    assert str(everything.package) in said
    assert "left out" not in said

    assert in_it(marks) == set()
    seen = "try:\n    import click\nexcept ValueError:\n    pass\n"
    run("python", "-c", seen, cwd=folder)
    assert in_it(marks) == {"click"}, "a process that looks there would have left its mark"
    made = {".evalmart", "large.jsonl", "page.html", "comment.md", "evalmart.prom"}
    assert in_it(folder) - before == (made | {"marts.parquet"}) - before
    assert in_it(everything.user_home) == set()

    beside = everything.work_folder("beside")
    run("evalmart", "init", cwd=beside)
    assert "nothing is loaded yet" in run("evalmart", "experiments", cwd=beside, code=2)
    named = run("evalmart", "experiments", cwd=beside, EVALMART_HOME=folder / ".evalmart")
    assert _EXPERIMENT in named
    for each in (folder, beside):
        assert "stopped" in run("evalmart", "stop", cwd=each)


def test_on_a_server_elsewhere_its_owner_needs_no_right_to_make_roles(
    everything: Installation, owned: str
) -> None:
    """And a program that records imports no folder of its own that is called as ours once was."""
    folder = everything.work_folder("empty")

    def run(program: str, *arguments: object, code: int = 0) -> str:
        return everything.run(program, *arguments, cwd=folder, code=code, DATABASE_URL=owned)

    write_records(folder / "results.jsonl")
    run("evalmart", "ingest", "--file", "results.jsonl", "--experiment-id", "own")
    (folder / "loader").mkdir()
    (folder / "loader" / "__init__.py").write_text("raise ValueError('not this one')\n")
    (folder / "evalmart").mkdir()
    (folder / "evalmart" / "vars.yml").write_text("{}\n")
    (folder / "program.py").write_text(_PROGRAM)
    (folder / "test_it.py").write_text(_PLUGIN)
    run("python", "program.py")
    said = run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py",
        "--evalmart-experiment", "recorded", "--evalmart-group", "baseline",
        "--evalmart-version", "1",
    )  # fmt: skip
    assert "1 runs recorded in recorded" in said
    run("evalmart", "build", "--quiet")
    assert "own" in run("evalmart", "summary", "--experiment", "own")
    assert "recorded" in run("evalmart", "experiments")
    run("evalmart", "gate", "--experiment", "own", code=5)
    run("evalmart", "report", "--experiment", "own", "-o", "page.html")
    run("evalmart", "metrics", "--textfile", "own.prom")
    run("evalmart", "doctor")
    assert in_it(everything.user_home) == set()


@pytest.mark.parametrize(
    "evaluator",
    ["evalmart.evaluators:exact_match", "loader.evaluators:exact_match", "loader.my:judged"],
)
def test_an_evaluator_is_named_as_installed_as_in_a_clone_or_of_ones_own_folder(
    everything: Installation, owned: str, evaluator: str
) -> None:
    folder = everything.work_folder(evaluator.replace(":", "-"))
    if "my" in evaluator:
        (folder / "loader").mkdir()
        (folder / "loader" / "my.py").write_text("def judged(outputs):\n    return 1.0\n")
    (folder / "target.py").write_text("def answer(inputs):\n    return {'answer': 'yes'}\n")
    task = {"task_id": "t-1", "inputs": {"q": 1}, "expected_output": {"answer": "yes"}}
    (folder / "tasks.jsonl").write_text(json.dumps(task) + "\n")
    everything.run(
        "evalmart", "run", "--tasks", "tasks.jsonl", "--target", "target:answer",
        "--evaluator", evaluator, "--experiment-id", evaluator, *_ARM,
        cwd=folder, DATABASE_URL=owned,
    )  # fmt: skip
    query = "select scores from raw_evals.evaluation_runs where experiment_id = %s"
    with psycopg.connect(owned) as connection:
        rows = connection.execute(query, [evaluator]).fetchall()
    assert [list(scores.values()) for (scores,) in rows] == [[1.0]]


def test_a_program_that_uses_the_package_is_checked_by_its_types(
    smallest: Installation,
) -> None:
    folder = smallest.work_folder("typed")
    (folder / "right.py").write_text(
        "from evalmart import Recorder, __version__\n"
        "recorder: Recorder = Recorder(experiment_id='e')\n"
        "name: str = __version__\n"
    )
    (folder / "wrong.py").write_text("from evalmart import Recorder\nRecorder(experiment_id=1)\n")
    said = smallest.run("python", "-m", "mypy", "--strict", "--cache-dir", "/dev/null",
                        "right.py", "wrong.py", cwd=folder, code=1)  # fmt: skip
    assert "Found 1 error in 1 file" in said
    assert 'wrong.py:2: error: Argument "experiment_id" to "Recorder" has incompatible type' in said


def test_the_public_names_are_all_there(everything: Installation) -> None:
    text = "import evalmart\nfrom evalmart import *\n"
    text += "print([getattr(evalmart, name) for name in evalmart.__all__], evalmart.__version__)"
    said = everything.run("python", "-P", "-c", text, cwd=everything.user_home)
    assert "0.2" in said


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ("build", "build"),
        ("build", "docs -o out.html"),
        ("langsmith", "ingest --project p"),
        ("langsmith", "projects"),
        ("langsmith", "datasets"),
        ("parquet", "ingest --file table.parquet"),
        ("parquet", "export out.parquet"),
        ("metrics", "metrics --textfile out.prom"),
        ("report", "ci --experiment e -- --file tasks.jsonl"),
        ("report", "report --experiment e -o out.html"),
        ("report", "report --experiment e -o out.md"),
        ("run", f"run --tasks tasks.jsonl {_ENDPOINT}"),
    ],
)  # fmt: skip
def test_what_an_extra_is_missing_for_names_it(
    smallest: Installation, owned: str, extra: str, command: str
) -> None:
    folder = smallest.work_folder(uuid.uuid4().hex)
    (folder / "table.parquet").write_bytes(b"PAR1 and so on PAR1")
    (folder / "tasks.jsonl").write_text('{"task_id": "t-1", "inputs": {"q": 1}}\n')
    variables = {"DATABASE_URL": owned, "LANGSMITH_API_KEY": "none", "OPENAI_API_KEY": "none"}
    said = smallest.run("evalmart", *command.split(), cwd=folder, code=2, **variables)
    (line,) = [line for line in said.splitlines() if "not installed" in line]
    assert f"is not installed: pip install 'evalmart[{extra}]'" in line
    assert not list(folder.glob("out.*"))


def test_the_smallest_installation_has_no_server_and_makes_no_folder_for_one(
    smallest: Installation,
) -> None:
    folder = smallest.work_folder("serverless")
    said = smallest.run("evalmart", "init", cwd=folder, code=2)
    assert "pip install 'evalmart[embedded]', or name a PostgreSQL 15 or newer by" in said
    assert in_it(folder) == set()


def test_the_smallest_installation_records_loads_and_reads(
    smallest: Installation, owned: str
) -> None:
    folder = smallest.work_folder("recorder")

    def run(program: str, *arguments: object) -> str:
        return smallest.run(program, *arguments, cwd=folder, DATABASE_URL=owned)

    assert "evalmart" in run("evalmart", "--help")
    write_records(folder / "results.jsonl")
    run("evalmart", "ingest", "--file", "results.jsonl", "--experiment-id", "small")
    (folder / "program.py").write_text(_PROGRAM.replace("recorded", "small too"))
    run("python", "program.py")
    with psycopg.connect(owned) as connection:
        rows = connection.execute(
            "select count(*) from raw_evals.evaluation_runs where experiment_id = any(%s)",
            [["small", "small too"]],
        ).fetchone()
    assert rows == (len(_RECORDS) + 1,)
    said = run("evalmart", "doctor")
    assert "pip install 'evalmart[all]'" in said
