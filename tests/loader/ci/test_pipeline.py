"""`evalmart ci` as GitHub would run it: real clones, event files, a warehouse, and a fork."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

import media
import servers
from code_host import TOKEN, CodeHost
from loader.ci import body
from loader.warehouse import embedded as server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.newest_server

PAGE = (servers.REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")


class Job(NamedTuple):
    """What a job did and left behind."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    verdict: dict[str, Any]
    comment: str
    out: Path

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith("::")]


class Pipeline:
    """A repository with an origin, and jobs on it as GitHub starts them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.origin = folder / "origin.git"
        self.work = folder / "work"
        self.jobs = 0
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.work))
        git(self.work, "checkout", "--quiet", "-b", "main")

    def commit(self, text: str) -> str:
        """Commit a change and push it; return the commit."""
        (self.work / "agent.txt").write_text(text, encoding="utf-8")
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", text)
        git(self.work, "push", "--quiet", "origin", "HEAD")
        return git(self.work, "rev-parse", "HEAD")

    def results(self, lift: float, tasks: int = 40) -> Path:
        """Write results as a team's own code would: they name neither arm nor experiment."""
        path = self.folder / f"results-{lift}-{tasks}.jsonl"
        noise = random.Random(f"{lift}")  # noqa: S311  no secret
        lines = [
            {
                "task_id": f"t-{task}",
                "scores": {
                    "accuracy": min(1.0, 0.3 + task % 7 / 20 + lift + noise.uniform(-0.04, 0.04))
                },
                "latency_ms": 900 + task,
            }
            for task in range(tasks)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    def on_main(self, commit: str, *arguments: str, **more: str) -> Job:
        event = {"ref": "refs/heads/main", "after": commit}
        return self.run(event, commit, "refs/heads/main", *arguments, **more)

    def on_request(self, head: str, base: str, *arguments: str, **more: str) -> Job:
        """Run a job of a pull request, whose commit is GitHub's merge and not its head."""
        owner = "fork" if more.pop("fork", "") else "octo"
        event = {
            "pull_request": {
                "number": 7,
                "head": {"sha": head, "ref": "better", "repo": {"full_name": f"{owner}/shop"}},
                "base": {"sha": base, "ref": "main", "repo": {"full_name": "octo/shop"}},
            }
        }
        return self.run(event, "f" * 40, "refs/pull/7/merge", *arguments, **more)

    def run(self, event: dict[str, Any], sha: str, ref: str, *arguments: str, **more: str) -> Job:
        self.jobs += 1
        place = self.folder / f"job-{self.jobs}"
        clone = place / "clone"
        place.mkdir()
        depth = [f"--depth={more.pop('depth')}"] if "depth" in more else []
        git(place, "clone", "--quiet", *depth, f"file://{self.origin}", str(clone))
        told = {**event, "repository": {"default_branch": "main", "full_name": "octo/shop"}}
        (place / "event.json").write_text(json.dumps(told), encoding="utf-8")
        environment = {
            **self.environment,
            "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(place / "event.json"),
            "GITHUB_SHA": sha, "GITHUB_REF": ref, "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_OUTPUT": str(place / "outputs"),
            "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
            **more,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-P", "-m", "loader", "ci", *arguments],
            cwd=clone, env=environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        out = clone / "evaluation"
        log = done.stdout + done.stderr
        assert (out / "verdict.json").is_file(), log
        return Job(
            done.returncode, log, outputs_of(place / "outputs"),
            (place / "summary.md").read_text(encoding="utf-8"),
            json.loads((out / "verdict.json").read_text(encoding="utf-8")),
            (out / "comment.md").read_text(encoding="utf-8"), out,
        )  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607  any git
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def outputs_of(path: Path) -> dict[str, str]:
    """Read outputs as GitHub does."""
    found = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2\n", path.read_text(), re.DOTALL | re.MULTILINE)
    return {name: value for name, _, value in found}


def loaded_results(url: str) -> dict[str, tuple[int, int]]:
    """Return experiment → tasks that have a result in the marts, and the runs they are means of."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select experiment_id, count(*), sum(repetitions) from evals.evaluation_results"
            " group by experiment_id"
        ).fetchall()
    return {str(name): (int(tasks), int(runs)) for name, tasks, runs in rows}


@pytest.fixture
def pipeline(postgres_server: str, tmp_path: Path) -> Iterator[tuple[Pipeline, str]]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LANGSMITH_", "GITHUB_", "CI_", "GITLAB_", "PG"))
    }
    with servers.migrated(postgres_server) as url:
        environment = {
            **kept,
            "DATABASE_URL": url,
            "EVALMART_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(servers.REPOSITORY),
        }
        yield Pipeline(tmp_path, environment), url


@pytest.mark.slow
def test_a_pipeline_gives_what_the_page_says_from_the_first_push_to_a_fork(  # noqa: PLR0915  one flow, few builds
    pipeline: tuple[Pipeline, str], tmp_path: Path
) -> None:
    jobs, url = pipeline
    first = jobs.commit("first")
    git(jobs.work, "checkout", "--quiet", "-b", "better")
    head = jobs.commit("better")

    # a pull request before main has any results: one sentence, and no row of reasons
    early = jobs.on_request(head, first, "--", "--file", str(jobs.results(0.12)))
    assert early.code == 5, early.log
    assert early.outputs["verdict"] == "inconclusive"
    assert early.outputs["experiment"] == f"pr-7-{head[:12]}"
    assert early.outputs["baseline"] == early.outputs["improvement"] == ""
    assert early.verdict["headline"].startswith("No baseline yet: run evalmart ci on main once")
    assert early.verdict["reasons"] == []
    assert len(early.annotations) == 1
    assert early.annotations[0].startswith("::warning title=evalmart%3A inconclusive::No baseline")
    assert early.comment.count("No baseline yet") == 1
    assert early.summary == early.comment
    assert "No baseline yet" in PAGE

    # main: nothing to judge, and results that others are compared with
    main = jobs.on_main(first, "--", "--file", str(jobs.results(0.0)))
    assert main.code == 0, main.log
    assert main.outputs == {
        "verdict": "recorded", "experiment": f"main-{first[:12]}", "baseline": "",
        "improvement": "",
    }  # fmt: skip
    told = f"Results of main are kept as main-{first[:12]}; changes are compared with them."
    assert main.annotations == [f"::notice title=evalmart%3A recorded::{told}"]
    kept = (main.out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(kept) == 40

    # the same request again: its results are superseded, and it has a baseline now
    again = jobs.on_request(head, first, "--", "--file", str(jobs.results(0.12)))
    assert again.code == 0, again.log
    assert again.outputs["verdict"] == "pass"
    assert again.outputs["baseline"] == f"main-{first[:12]}"
    assert 10 < float(again.outputs["improvement"]) < 14
    assert f"Compared with the merge base {first[:12]}." in again.comment
    assert "superseded, not averaged" in again.comment
    assert "<details><summary>Scored better (40)</summary>" in again.comment
    assert "### Gate: pass" in again.comment
    assert list(body.faults(again.comment)) == []
    assert list(media.markdown_faults(again.comment)) == []
    assert (again.out / "report.html").stat().st_size > 10_000
    assert again.annotations[0].startswith("::notice title=evalmart%3A pass::More accurate")
    assert again.verdict["improvement_unit"] == "points"

    # a re-run of that job on other tasks and with ids of its own: the earlier runs are gone
    other = jobs.results(0.13, tasks=36)
    lines = [json.loads(line) for line in other.read_text(encoding="utf-8").splitlines()]
    with_ids = [{**line, "source_run_id": f"run-{place}"} for place, line in enumerate(lines)]
    other.write_text("".join(json.dumps(line) + "\n" for line in with_ids), encoding="utf-8")
    rerun = jobs.on_request(head, first, "--", "--file", str(other))
    assert rerun.code in {0, 5}, rerun.log
    assert loaded_results(url)[f"pr-7-{head[:12]}"] == (36, 36)

    # a second push, after main went on without results: another experiment, worse; nothing of
    # the first is in it, and the nearest commit with results is taken
    git(jobs.work, "checkout", "--quiet", "main")
    second = jobs.commit("main goes on")
    git(jobs.work, "checkout", "--quiet", "better")
    git(jobs.work, "merge", "--quiet", "--strategy=ours", "--message=merge", "main")
    worse = jobs.commit("worse")
    strict = tmp_path / "policy.yml"
    strict.write_text("version: 1\nfloors: {accuracy: 0.5}\n", encoding="utf-8")
    pushed = jobs.on_request(
        worse, second, "--policy", str(strict), "--", "--file", str(jobs.results(-0.1))
    )
    assert pushed.code == 1, pushed.log
    assert pushed.outputs["verdict"] == "blocked"
    assert pushed.outputs["experiment"] == f"pr-7-{worse[:12]}"
    assert pushed.verdict["why_baseline"] == (
        f"the merge base {second[:12]} has no results; using {first[:12]}, 1 commit before it"
    )
    assert pushed.annotations[0].startswith("::error title=evalmart%3A blocked::")
    assert len(pushed.annotations) > 1
    results = loaded_results(url)
    assert results[f"pr-7-{worse[:12]}"] == (40, 40)
    assert results[f"pr-7-{head[:12]}"] == (36, 36)

    # a fork: no database, results of main by file, a clone without its history
    with servers.short_directory() as home:
        try:
            fork = jobs.on_request(
                head, first, "--baseline-file", str(main.out / "results.jsonl"),
                "--", "--file", str(jobs.results(0.12)),
                fork="yes", depth="1", DATABASE_URL="", EVALMART_HOME=str(home),
            )  # fmt: skip
        finally:
            server.stop(home / "postgres")
    assert fork.code == 0, fork.log
    assert ", from a fork (github)" in fork.log
    assert fork.outputs["baseline"] == f"main-{first[:12]}"
    assert "shallow" in fork.comment
    numbers = ("improvement", "improvement_low", "improvement_high", "verdict")
    assert [fork.verdict[name] for name in numbers] == [again.verdict[name] for name in numbers]

    # and its comment, by a workflow that has the token and none of the fork's code
    with CodeHost() as host:
        host.pulls = [{"asked": "fork:better", "number": 7, "head": {"sha": head}}]
        run = {
            "id": 5, "head_branch": "better", "head_sha": head,
            "head_repository": {"owner": {"login": "fork"}},
        }  # fmt: skip
        event = tmp_path / "run.json"
        event.write_text(json.dumps({"workflow_run": run}), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-P", "-m", "loader.ci.comment", str(fork.out / "comment.md")],
            env={
                "PATH": os.environ["PATH"], "PYTHONPATH": str(servers.REPOSITORY),
                "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(event),
                "GITHUB_API_URL": host.url, "GITHUB_REPOSITORY": "octo/shop",
                "GITHUB_TOKEN": TOKEN,
            },
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "evalmart: ✅ pass" in host.of("7")[0]
