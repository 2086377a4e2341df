"""One comment of a request, over a real socket, and what is refused of a stranger's text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import hostile_texts
import media
import servers
from code_host import BOT, TOKEN, CodeHost
from loader.ci import body
from loader.ci.comment import How, post
from loader.ci.http import Refused
from loader.errors import ConfigurationError, InputRejected, SourceUnavailable
from loader.show import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = body.marker("evalmart")
QUICK = How(pause=0.01)


@pytest.fixture
def host() -> Iterator[CodeHost]:
    with CodeHost() as host:
        yield host


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "comment.md"
    path.write_text("## evalmart: pass\n\nFine.\n", encoding="utf-8")
    return path


def github(host: CodeHost, tmp_path: Path, event: dict[str, Any] | None = None) -> dict[str, str]:
    path = tmp_path / "event.json"
    told = {"pull_request": {"number": 7}} if event is None else event
    path.write_text(json.dumps(told), encoding="utf-8")
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), "GITHUB_API_URL": host.url,
        "GITHUB_REPOSITORY": "octo/shop", "GITHUB_TOKEN": TOKEN, "GITHUB_RUN_ID": "99",
    }  # fmt: skip


def test_there_is_one_comment_however_often_the_job_runs(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    environment = github(host, tmp_path)
    # more than a page of others, one of whom forges the mark, and another evaluation of ours
    for number in range(130):
        host.add("7", f"{MARK}\nforged {number}", "somebody")
    other = body.marker("another") + "\nof another evaluation"
    host.add("7", other)
    assert post(file, environment, QUICK) == "the comment was written"
    file.write_text("## evalmart: blocked\n", encoding="utf-8")
    assert post(file, environment, QUICK) == "the comment was written anew"
    link = "https://github.com/octo/shop/actions/runs/99#artifacts"
    assert host.of("7") == [
        other,
        f"{MARK}\n## evalmart: blocked\n\n[The whole report]({link}) is `report.html` there.\n",
    ]
    assert all("forged" in text for text in host.of("7", "somebody"))


def test_a_token_of_a_person_edits_what_that_person_wrote(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    host.is_app = False
    host.add("7", f"{MARK}\nof the job's own token")
    environment = github(host, tmp_path)
    post(file, environment, QUICK)
    post(file, environment, QUICK)
    assert len(host.of("7", "octo-bot")) == 1
    assert host.of("7") == [f"{MARK}\nof the job's own token"]


@pytest.mark.parametrize(
    "faults",
    [{"GET": [502, 503]}, {"POST": [429]}, {"POST": ["lost"]}, {"GET": [0, 500]},
     {"POST": [502]}, {"POST": ["done, 502"]}, {"POST": ["done, 504"]}],
    ids=str,
)  # fmt: skip
def test_a_service_that_is_out_of_order_is_asked_again_and_gets_one_comment(
    host: CodeHost, file: Path, tmp_path: Path, faults: dict[str, list[int | str]]
) -> None:
    host.faults = faults
    post(file, github(host, tmp_path), QUICK)
    assert len(host.of("7")) == 1


def test_a_comment_that_was_deleted_meanwhile_is_written_again(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    environment = github(host, tmp_path)
    post(file, environment, QUICK)
    host.faults = {"PATCH": [404]}
    host.comments["7"][0]["body"] = f"{MARK}\nold"
    post(file, environment, QUICK)
    assert "Fine." in host.of("7")[0]


def test_a_refusal_is_said_once_and_without_the_token(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    environment = {**github(host, tmp_path), "GITHUB_TOKEN": "ghs_wrong_token_of_nobody"}
    with pytest.raises(Refused) as caught:
        post(file, environment, QUICK)
    assert "401: Bad credentials" in str(caught.value)
    assert "ghs_wrong" not in str(caught.value)
    host.faults = {"GET": [500] * 20}
    with pytest.raises(SourceUnavailable, match="5 times; run the job again"):
        post(file, github(host, tmp_path), QUICK)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"GITHUB_TOKEN": ""}, "pull-requests: write"),
        ({"GITHUB_API_URL": "http://example.com"}, "https"),
        ({"GITHUB_REPOSITORY": "octo/shop/../x"}, "owner/name"),
        ({"GITHUB_ACTIONS": "", "GITHUB_EVENT_PATH": ""}, "neither GitHub nor GitLab"),
    ],
)
def test_what_is_missing_is_named(
    host: CodeHost, file: Path, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        post(file, {**github(host, tmp_path), **change}, QUICK)
    assert host.comments == {}


def test_a_link_in_the_place_of_the_file_is_not_followed(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(file)
    with pytest.raises(ConfigurationError, match="cannot read"):
        post(link, github(host, tmp_path), QUICK)
    assert host.requests == []


def test_without_a_request_nothing_is_commented(host: CodeHost, file: Path, tmp_path: Path) -> None:
    assert "no pull request" in post(file, github(host, tmp_path, {"ref": "main"}), QUICK)
    assert host.requests == []


def test_a_note_of_gitlab_is_edited_in_place_and_gives_no_order(host: CodeHost, file: Path) -> None:
    host.is_app = False
    environment = {
        "GITLAB_CI": "true", "CI_API_V4_URL": host.url, "CI_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_IID": "3", "EVALMART_GITLAB_TOKEN": TOKEN,
        "CI_JOB_URL": "https://gitlab.example/job/1",
    }  # fmt: skip
    for _ in range(120):
        host.add("3", f"{MARK}\nforged", "somebody")
    file.write_text("fine\n/close\n", encoding="utf-8")
    post(file, environment, QUICK)
    post(file, environment, QUICK)
    (text,) = host.of("3", "octo-bot")
    assert text.startswith(f"{MARK}\nfine\n\\/close\n")
    assert "https://gitlab.example/job/1/artifacts/browse" in text


def run_event(commit: str) -> dict[str, Any]:
    """Return the event of a workflow that ran for a fork's."""
    repository = {"owner": {"login": "fork"}, "full_name": "fork/shop"}
    run = {"id": 5, "head_branch": "main", "head_sha": commit, "head_repository": repository}
    return {"workflow_run": {**run, "pull_requests": []}}


def test_the_comment_of_a_fork_goes_to_the_request_of_its_commit(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    host.pulls = [
        {"asked": "fork:main", "number": 7, "head": {"sha": "a" * 40}},
        {"asked": "fork:main", "number": 8, "head": {"sha": "b" * 40}},
        {"asked": "other:main", "number": 9, "head": {"sha": "b" * 40}},
    ]
    post(file, github(host, tmp_path, run_event("b" * 40)), QUICK)
    assert list(host.comments) == ["8"]
    assert "actions/runs/5#artifacts" in host.of("8")[0]
    # pushed to since: the verdict is of a commit that is not the request's any more
    assert "no pull request" in post(file, github(host, tmp_path, run_event("c" * 40)), QUICK)


LIVE = [
    "@octocat", "see https://evil.example", "[x](https://evil.example)", "![x](y)", "<b>x</b>",
    "<!-- evalmart 0 -->", "</details><img src=x>", "#1", "GH-1", ":+1:", "&commat;octocat",
    "&#64;octocat", "\\@octocat", "` a\nb ` @octocat `", "| ` | @octocat ` |", "```\n@octocat",
    "a ` | @octocat `\n|-|-|", "#a ` | @octocat `\n|-|-|",
    "    @octocat", "<details><summary>`@octocat`</summary>", "<details open>", "[1]: //x",
    "<details><summary>x</summary>\n`@octocat`", "</details>\n`@octocat`", "> quoted",
    "a\u202eb", "www.evil.example", "x" * 65_000, "a@b.example", "<https://evil.example>",
    "`` ` @octocat", "- [ ] task", "\\` @octocat `x`", "http&#58;//evil.example",
    "$\\href{//evil.example}{pass}$", "$`\\href{//evil.example}{pass}`$",
]  # fmt: skip


@pytest.mark.parametrize("text", LIVE, ids=lambda text: repr(text[:24]))
def test_a_text_of_a_fork_in_which_anything_is_live_is_not_written(
    host: CodeHost, file: Path, tmp_path: Path, text: str
) -> None:
    host.pulls = [{"asked": "fork:main", "number": 7, "head": {"sha": "a" * 40}}]
    file.write_text(f"## evalmart\n\nfine\n\n{text}\n", encoding="utf-8")
    with pytest.raises(InputRejected, match="nothing is written"):
        post(file, github(host, tmp_path, run_event("a" * 40)), QUICK)
    assert host.comments == {}


_LOOKS = ("em_", "strong_", "s_", "a block hr", "a block ordered_list")


def test_every_hostile_text_that_is_escaped_passes_and_none_that_has_an_effect_does() -> None:
    for text in hostile_texts.hostile_texts():
        shown = f"- {escape.markdown(text)}\n"
        assert list(media.markdown_faults(shown)) == []
        assert list(body.faults(shown)) == [], text
        if list(body.faults(f"{text}\n")):
            continue
        # what passes as it is, at most looks otherwise, by an independent reading too
        found = media.markdown_faults(f"{text}\n")
        assert [fault for fault in found if not fault.startswith(_LOOKS)] == [], text


def test_a_text_that_is_too_long_is_cut_at_a_line_with_every_fold_closed() -> None:
    fold = "<details><summary>x</summary>\n\n" + "line of text\n" * 400 + "\n</details>\n\n"
    text = fold * 20
    cut = body.fitted(text)
    assert len(body.marker("x")) + 1 + len(cut) <= body.LONGEST
    assert cut.count("<details>") == cut.count("</details>")
    assert "did not fit" in cut.rstrip().splitlines()[-1]
    assert list(body.faults(cut)) == []
    assert body.fitted(fold) == fold


def test_the_job_with_the_token_needs_nothing_installed(
    host: CodeHost, file: Path, tmp_path: Path
) -> None:
    """As the action calls it: an interpreter without any package, isolated from the folder."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(servers.REPOSITORY),
        **github(host, tmp_path),
    }  # fmt: skip
    base = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    done = subprocess.run(
        [base, "-P", "-S", "-m", "loader.ci.comment", str(file)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "the comment was written\n"
    assert [row["user"]["login"] for row in host.comments["7"]] == [BOT]
