"""Which commit it is for, and what it is compared with: real clones, real environments."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import hostile_texts
from loader.ci import baseline, outputs, place
from loader.ci.asked import Asked, check, policy_of
from loader.ci.evaluate import Told, evaluate
from loader.ci.git import Clone
from loader.ci.place import Said, Service
from loader.ci.result import Result
from loader.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEAD = "a" * 40
BASE = "b" * 40


def git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{part}": "a@example.com" for role in ("AUTHOR", "COMMITTER")
           for part in ("NAME", "EMAIL")}  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],  # noqa: S607  any git
        env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


class Repository:
    """Main with four commits, a branch from the third, and the origin's word on both."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "repository"
        git(folder, "init", "--quiet", "--initial-branch=main", str(self.path))
        self.main = [self._commit(f"main {number}") for number in range(4)]
        git(self.path, "checkout", "--quiet", "-b", "better", self.main[2])
        self.better = self._commit("better")

    def _commit(self, text: str) -> str:
        git(self.path, "commit", "--quiet", "--allow-empty", "--message", text)
        return git(self.path, "rev-parse", "HEAD")

    def place(self, **more: Any) -> place.Place:  # noqa: ANN401  fields of a place
        at = place.Place(
            Service.PLAIN, self.better, "better", "main", "7", "", is_fork=False
        )  # fmt: skip
        return at._replace(**more)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


def event(folder: Path, value: object) -> str:
    path = folder / "event.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def pull(head: str = "octo/shop") -> dict[str, Any]:
    return {
        "pull_request": {
            "number": 7,
            "head": {"sha": HEAD, "ref": "better", "repo": {"full_name": head}},
            "base": {"sha": BASE, "ref": "release-1", "repo": {"full_name": "octo/shop"}},
        },
        "repository": {"default_branch": "trunk"},
    }


def test_on_github_the_head_of_a_request_counts_and_not_its_merge(tmp_path: Path) -> None:
    environment = {
        "GITHUB_ACTIONS": "true", "GITHUB_SHA": "f" * 40, "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_EVENT_PATH": event(tmp_path, pull()),
    }  # fmt: skip
    found = place.find(environment, Clone(tmp_path), Said())
    assert found == place.Place(
        Service.GITHUB, HEAD, "better", "trunk", "7", BASE, is_fork=False
    )  # fmt: skip
    assert found.experiment == "pr-7-aaaaaaaaaaaa"
    environment["GITHUB_EVENT_PATH"] = event(tmp_path, pull("fork/shop"))
    assert place.find(environment, Clone(tmp_path), Said()).is_fork


@pytest.mark.parametrize(
    ("environment", "experiment", "is_main"),
    [
        ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/main"},
         "main-aaaaaaaaaaaa", True),
        ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/fix/a b"},
         "fix-a-b-aaaaaaaaaaaa", False),
        ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/tags/v1"},
         "commit-aaaaaaaaaaaa", False),
        # no branch may pass for the main one, or for a request
        ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/@main"},
         "branch-main-aaaaaaaaaaaa", False),
        ({"GITHUB_ACTIONS": "true", "GITHUB_SHA": HEAD, "GITHUB_REF": "refs/heads/pr-7"},
         "branch-pr-7-aaaaaaaaaaaa", False),
        ({"GITLAB_CI": "true", "CI_COMMIT_SHA": HEAD, "CI_COMMIT_BRANCH": "main",
          "CI_DEFAULT_BRANCH": "main"}, "main-aaaaaaaaaaaa", True),
        ({"GITLAB_CI": "true", "CI_COMMIT_SHA": "f" * 40, "CI_DEFAULT_BRANCH": "main",
          "CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD,
          "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE}, "pr-12-aaaaaaaaaaaa", False),
        ({"CIRCLECI": "true", "CIRCLE_SHA1": HEAD, "CIRCLE_BRANCH": "pull/9",
          "CIRCLE_PULL_REQUEST": "https://github.com/octo/shop/pull/9"},
         "pr-9-aaaaaaaaaaaa", False),
        ({"CIRCLECI": "true", "CIRCLE_SHA1": HEAD, "CIRCLE_BRANCH": "main"},
         "main-aaaaaaaaaaaa", True),
        ({"CIRCLECI": "true", "CIRCLE_SHA1": HEAD, "CIRCLE_BRANCH": "main-"},
         "branch-main-aaaaaaaaaaaa", False),
    ],
)  # fmt: skip
def test_an_experiment_is_named_by_where_the_pipeline_is(
    tmp_path: Path, environment: Mapping[str, str], experiment: str, is_main: bool
) -> None:
    found = place.find(environment, Clone(tmp_path), Said())
    assert (found.experiment, found.is_main) == (experiment, is_main)


def test_a_clone_says_what_no_service_does_and_options_say_it_first(
    repository: Repository,
) -> None:
    clone = Clone(repository.path)
    found = place.find({}, clone, Said())
    assert (found.commit, found.branch, found.main) == (repository.better, "better", "main")
    said = Said(commit="main", branch="other", main="better", number="3")
    found = place.find({}, clone, said)
    assert found.commit == repository.main[3]
    assert found.experiment == f"pr-3-{repository.main[3][:12]}"
    assert place.find({}, clone, Said(experiment="mine")).experiment == "mine"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (Said(), "no commit is known"),
        (Said(commit="--upload-pack=x"), "--commit"),
        (Said(commit=HEAD, number="7;x"), "--pull-request"),
    ],
)
def test_what_cannot_be_known_is_asked_for_by_name(tmp_path: Path, said: Said, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        place.find({}, Clone(tmp_path), said)


@pytest.mark.parametrize("text", ["[]", "{", ""])
def test_an_event_that_is_none_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "event.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="GITHUB_EVENT_PATH"):
        place.find({"GITHUB_EVENT_PATH": str(path)}, Clone(tmp_path), Said())


def named(*commits: str) -> list[str]:
    return [f"main-{commit[:12]}" for commit in commits]


def test_the_merge_base_is_compared_with_else_the_nearest_before_it(
    repository: Repository,
) -> None:
    clone, at, main = Clone(repository.path), repository.place(), repository.main
    found = baseline.choose(at, clone, named(main[3], main[2], main[0]))
    assert found == (f"main-{main[2][:12]}", f"compared with the merge base {main[2][:12]}", "")
    found = baseline.choose(at, clone, named(main[3], main[0]))
    assert found.experiment == f"main-{main[0][:12]}"
    assert found.why == (
        f"the merge base {main[2][:12]} has no results; using {main[0][:12]}, 2 commits before it"
    )
    found = baseline.choose(at, clone, named(main[3]))
    assert found.experiment == f"main-{main[3][:12]}"
    assert "nor a commit before it has results; using main-" in found.why


def test_without_results_of_main_there_is_one_sentence(repository: Repository) -> None:
    others = ["main-results", "main-0123", f"main-{'g' * 12}", f"maintenance-{'0' * 12}"]
    for there in ([], others):
        found = baseline.choose(repository.place(), Clone(repository.path), there)
        assert found.experiment == ""
        assert found.why.startswith("no baseline yet: run evalmart ci on main once")


def test_a_request_that_was_merged_since_keeps_its_base(repository: Repository) -> None:
    merged = repository.place(commit=repository.main[3], base=repository.main[1])
    found = baseline.choose(merged, Clone(repository.path), named(*reversed(repository.main)))
    assert found.experiment == f"main-{repository.main[1][:12]}"
    assert "the base" in found.why


def test_a_shallow_clone_takes_the_latest_and_says_what_would_be_better(
    repository: Repository, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository.path}", "shallow")
    clone = Clone(tmp_path / "shallow")
    found = baseline.choose(repository.place(), clone, named(repository.main[1]))
    assert found.experiment == f"main-{repository.main[1][:12]}"
    assert "is not known, as far as this shallow clone goes; using main-" in found.why
    assert "fetch-depth: 0" in found.hint


def test_a_clone_that_git_does_not_read_says_what_to_do(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, there = repository.place(base=""), named(repository.main[1])
    found = baseline.choose(at, Clone(tmp_path), there)
    assert found.experiment == f"main-{repository.main[1][:12]}"
    assert "this folder is no clone" in found.hint
    # as in a container whose user is not the owner of the folder
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    found = baseline.choose(at, Clone(repository.path), there)
    assert f"git config --global --add safe.directory {repository.path}" in found.hint
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed here" in baseline.choose(at, Clone(repository.path), there).hint


def test_a_clone_with_a_hostile_configuration_starts_no_program(
    repository: Repository, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", str(repository.path), "own")
    mark = tmp_path / "started"
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand"):
        git(tmp_path / "own", "config", key, f"touch {mark}")
    clone = Clone(tmp_path / "own")
    assert clone.commit("HEAD") == repository.better
    assert clone.past("HEAD")
    assert not mark.exists()


TEXTS = hostile_texts.hostile_texts()


def result(**more: Any) -> Result:  # noqa: ANN401  fields of a result
    plain = Result("blocked", 1, "worse", ["why"], "pr-7-a", "main-b", "because", HEAD)
    return plain._replace(**more)


@pytest.mark.parametrize(
    "text", [*TEXTS, "100 %, a:b\r\n::error::x"], ids=lambda text: repr(text)[:30]
)
def test_no_text_ends_an_order_to_the_log_or_adds_one(text: str) -> None:
    told = outputs.order("error", text, text)
    assert len(told.splitlines()) == 1
    assert told.startswith("::error title=")
    title, _, message = told.removeprefix("::error title=").partition("::")
    assert not re.search(r"[:,\r\n]|%(?!25|0D|0A|3A|2C)", title)
    assert not re.search(r"[\r\n]|%(?!25|0D|0A)", message)


def test_a_verdict_is_annotated_by_its_weight_and_at_most_five_reasons() -> None:
    many = result(reasons=[f"reason {number}" for number in range(20)])
    told = list(outputs.told_in_log(many))
    assert told[0] == "::error title=evalmart%3A blocked::worse"
    assert len(told) == 6
    assert next(iter(outputs.told_in_log(result(verdict="error")))).startswith("::error ")
    (only,) = outputs.told_in_log(result(verdict="pass"))
    assert only.startswith("::notice ")
    assert next(iter(outputs.told_in_log(result(verdict="inconclusive")))).startswith("::warning ")


def test_outputs_hold_whatever_a_value_holds(tmp_path: Path, repository: Repository) -> None:
    hostile = "a\nverdict=pass\nend"
    environment = {"GITHUB_OUTPUT": str(tmp_path / "outputs")}
    at = repository.place(service=Service.GITHUB)
    outputs.leave(at, environment, result(experiment=hostile, improvement=-3.456), tmp_path)
    text = (tmp_path / "outputs").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+)<<(\S+)\n(.*?)\n\2$", text, re.DOTALL | re.MULTILINE)
    assert {name: value for name, _, value in found} == {
        "verdict": "blocked", "experiment": hostile, "baseline": "main-b", "improvement": "-3.46",
    }  # fmt: skip


def test_gitlab_gets_variables_and_a_report_of_quality(
    tmp_path: Path, repository: Repository
) -> None:
    at = repository.place(service=Service.GITLAB)
    outputs.leave(at, {}, result(experiment="a\nB=c"), tmp_path)
    lines = (tmp_path / "evaluation.env").read_text(encoding="utf-8").splitlines()
    assert lines == [
        "EVALMART_VERDICT=blocked", "EVALMART_EXPERIMENT=a\\nB=c", "EVALMART_BASELINE=main-b",
        "EVALMART_IMPROVEMENT=",
    ]  # fmt: skip
    (found,) = json.loads((tmp_path / "codequality.json").read_text(encoding="utf-8"))
    assert found["severity"] == "blocker"
    assert {*found} == {"description", "check_name", "fingerprint", "severity", "location"}
    outputs.leave(at, {}, result(verdict="pass"), tmp_path)
    assert json.loads((tmp_path / "codequality.json").read_text(encoding="utf-8")) == []


def test_options_that_do_not_go_together_are_told_all_at_once() -> None:
    words = ["--experiment-id", "x", "--baseline-experiment=y", "--file", "z"]
    with pytest.raises(ConfigurationError) as caught:
        check(Asked(ingest=words, baseline="own", baseline_files=["x"]))
    for told in ("--experiment ID", "--baseline ID", "--baseline own wants none"):
        assert told in str(caught.value)


@pytest.mark.parametrize("fault", ["the policy", "an option", "a bug"])
def test_whatever_fails_leaves_a_comment_so_that_none_of_before_stands_there(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.chdir(repository.path)
    policy = tmp_path / "policy.yml"
    policy.write_text("version: 1\nflors: {accuracy: 0.5}\n", encoding="utf-8")
    asked = Asked(
        out=tmp_path / "out",
        policy=policy if fault == "the policy" else None,
        segments=["agent=shout"] if fault == "an option" else (),
        database_url="postgresql://127.0.0.1:1/none",
    )
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        raise ZeroDivisionError("ghp_" + "a" * 36)

    with pytest.raises(ZeroDivisionError if fault == "a bug" else ConfigurationError):
        evaluate(asked, {}, Told(tell, told.append), lambda _: 2)
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"] == "error"
    assert verdict["exit_code"] == (70 if fault == "a bug" else 2)
    comment = (tmp_path / "out" / "comment.md").read_text(encoding="utf-8")
    assert comment.startswith("## evalmart: ⚠️ not evaluated")
    expected = {"the policy": "flors", "an option": "agent=shout", "a bug": "nobody expected"}
    assert expected[fault] in comment
    assert "ghp" not in comment


def test_segments_of_options_go_before_those_of_the_policy() -> None:
    found = policy_of(Asked(segments=["agent=block", "split=ignore"])).segments
    assert (found.agent, found.category, found.split) == ("block", "review", "ignore")
    for wrong in ("agent", "agents=block", "agent=stop"):
        with pytest.raises(ConfigurationError, match="for example --segment agent=block"):
            policy_of(Asked(segments=[wrong]))
