"""One comment of a pull request, edited in place: on GitHub, and on GitLab.

Needs the standard library alone, so that the job with the token installs nothing:

    python -P -m loader.ci.comment evaluation/comment.md
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from ..errors import ConfigurationError, InputRejected, LoaderError, SourceUnavailable
from ..show import escape
from ..tools.secrets import redact, remember
from . import body, place
from .http import Refused, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BOT: Final = "github-actions[bot]"
"""Who a job's own token writes as; it may not ask who it is."""
_MOST_FAULTS: Final = 5
_NO_REQUEST: Final = "this is no pull request, so there is nothing to comment"
# GitLab takes a line that begins so for an order, such as /close
_QUICK_ACTION: Final = re.compile(r"^/", re.MULTILINE)


class How(NamedTuple):
    """How the comment is written."""

    name: str = "evalmart"
    number: str = ""
    """Of the request; empty: the pipeline's."""
    link: str = ""
    """Where the page is; empty: the pipeline's run."""
    is_untrusted: bool = False
    pause: float = 1.0
    """Seconds before a second attempt."""


def post(file: Path, environment: Mapping[str, str], how: How) -> str:
    """Write a file as the one comment of the pipeline's request; return what became of it.

    Args:
        file: markdown, such as `evalmart ci` leaves it.
        environment: variables of the process.
        how: how.

    Raises:
        ConfigurationError: no token, no service, no file.
        InputRejected: the file is a stranger's, and something in it is live.
        SourceUnavailable: the service does not answer, or refuses.

    """
    text = _read(file)
    if environment.get("GITLAB_CI") == "true":
        return _on_gitlab(text, environment, how)
    if environment.get("GITHUB_ACTIONS") == "true" or environment.get("GITHUB_EVENT_PATH"):
        return _on_github(text, environment, how)
    raise ConfigurationError(
        "neither GitHub nor GitLab runs this, so there is no request to comment; the comment is "
        f"in {file}"
    )


def _read(file: Path) -> str:
    try:
        # an archive of a stranger's may hold a link to what this job alone may read
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            data = stream.read(4 * body.LONGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror or error}") from error
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _checked(text: str, *, is_untrusted: bool) -> str:
    if not is_untrusted:
        return body.fitted(text)
    found = list(body.faults(text))
    if found:
        more = f", and {len(found) - _MOST_FAULTS} more" if len(found) > _MOST_FAULTS else ""
        raise InputRejected(
            "the comment was made by code of a fork, and is not as evalmart writes one: "
            f"{'; '.join(found[:_MOST_FAULTS])}{more}; nothing is written"
        )
    return text


def _on_github(text: str, environment: Mapping[str, str], how: How) -> str:
    token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN")
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not token:
        raise ConfigurationError(
            "no token: give the step GITHUB_TOKEN: ${{ github.token }} and the job the permission "
            "pull-requests: write"
        )
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ConfigurationError(f"GITHUB_REPOSITORY is {repository!r}, not owner/name")
    remember(token)
    service = Service(
        environment.get("GITHUB_API_URL") or "https://api.github.com",
        {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        how.pause,
    )
    event = place.event(environment)
    run = event.get("workflow_run")
    is_other = isinstance(run, dict)
    number = how.number or place.part(event, "pull_request", "number")
    if not number and isinstance(run, dict):
        number = _number_of_run(service, repository, run)
    if not number:
        return _NO_REQUEST
    checked = _checked(text, is_untrusted=how.is_untrusted or is_other)
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    run_id = place.part(run, "id") if is_other else environment.get("GITHUB_RUN_ID", "")
    link = how.link or (f"{server}/{repository}/actions/runs/{run_id}#artifacts" if run_id else "")
    whole = _whole(checked, how.name, link)
    comments = f"/repos/{repository}/issues/{_digits(number)}/comments"
    own = _login(service)
    mark = body.marker(how.name)

    def is_ours(each: object) -> bool:
        return place.part(each, "user", "login") == own and _begins(each, mark)

    one = f"/repos/{repository}/issues/comments"
    return _write(service, _Paths(comments, one, "PATCH"), whole, is_ours)


def _on_gitlab(text: str, environment: Mapping[str, str], how: How) -> str:
    token = environment.get("EVALMART_GITLAB_TOKEN")
    number = how.number or environment.get("CI_MERGE_REQUEST_IID", "")
    if not number:
        return _NO_REQUEST
    if not token:
        raise ConfigurationError(
            "no token: set the variable EVALMART_GITLAB_TOKEN to a project access token with the "
            "scope api; a job's own token may not write notes"
        )
    remember(token)
    service = Service(
        environment.get("CI_API_V4_URL") or "https://gitlab.com/api/v4",
        {"PRIVATE-TOKEN": token},
        how.pause,
    )
    checked = _checked(text, is_untrusted=how.is_untrusted)
    job = environment.get("CI_JOB_URL", "")
    link = how.link or (f"{job}/artifacts/browse" if job else "")
    whole = _QUICK_ACTION.sub(r"\\/", _whole(checked, how.name, link))
    project = quote(environment.get("CI_PROJECT_ID", ""), safe="")
    notes = f"/projects/{project}/merge_requests/{_digits(number)}/notes"
    own = place.part(service.ask("GET", "/user").value, "id")
    mark = body.marker(how.name)

    def is_ours(each: object) -> bool:
        return place.part(each, "author", "id") == own and _begins(each, mark)

    return _write(service, _Paths(notes, notes, "PUT"), whole, is_ours)


class _Paths(NamedTuple):
    """Where a service has its comments."""

    every: str
    one: str
    """Without the comment's id."""
    edits: str
    """The method that edits one."""


def _write(service: Service, paths: _Paths, text: str, is_ours: Callable[[object], bool]) -> str:
    """Edit the comment that is ours, the oldest of several, or write one."""
    for attempt in (1, 2):
        found = next((each for each in service.pages(paths.every) if is_ours(each)), None)
        try:
            if found is not None:
                service.ask(
                    paths.edits, f"{paths.one}/{_digits(place.part(found, 'id'))}", {"body": text}
                )
                return "the comment was written anew"
            service.ask("POST", paths.every, {"body": text})
        except Refused as error:
            # deleted since it was found
            if error.status not in {404, 410} or found is None or attempt > 1:
                raise
        except SourceUnavailable:
            # it may have arrived: look again before it is written a second time
            if found is not None or attempt > 1:
                raise
        else:
            return "the comment was written"
    raise SourceUnavailable("the comment is there and cannot be edited; run the job again")


def _whole(text: str, name: str, link: str) -> str:
    page = f"\n[The whole report]({link}) is `report.html` there.\n" if link else ""
    return f"{body.marker(name)}\n{text.rstrip()}\n{page}"


def _begins(each: object, mark: str) -> bool:
    return place.part(each, "body").replace("\r\n", "\n").startswith(f"{mark}\n")


def _login(service: Service) -> str:
    """Return who a token writes as; a job's own may not ask."""
    try:
        return place.part(service.ask("GET", "/user").value, "login") or _BOT
    except Refused as error:
        if error.status in {401, 403, 404}:
            return _BOT
        raise


def _number_of_run(service: Service, repository: str, run: Mapping[str, Any]) -> str:
    """Return the request that another workflow ran for, by its commit; no artifact says it.

    Of a fork GitHub leaves `pull_requests` empty; the branch and its owner are GitHub's word.
    """
    owner = place.part(run, "head_repository", "owner", "login")
    branch, commit = place.part(run, "head_branch"), place.part(run, "head_sha")
    asked = urlencode({"state": "open", "head": f"{owner}:{branch}"})
    for each in service.pages(f"/repos/{repository}/pulls?{asked}"):
        if place.part(each, "head", "sha") == commit:
            return place.part(each, "number")
    return ""


def _digits(text: str) -> str:
    if not re.fullmatch(r"\d{1,20}", text):
        raise ConfigurationError(f"{text!r} is no number of a request or a comment")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Write the comment from a program that has nothing installed; return an exit code."""
    parser = argparse.ArgumentParser(prog="evalmart comment")
    parser.add_argument("file", type=Path)
    parser.add_argument("--name", default="evalmart")
    parser.add_argument("--pull-request", dest="number", default="")
    parser.add_argument("--link", default="")
    parser.add_argument("--untrusted", action="store_true")
    given = parser.parse_args(arguments)
    how = How(given.name, given.number, given.link, given.untrusted)
    try:
        told = post(given.file, os.environ, how)
    except LoaderError as error:
        sys.stderr.write(f"Error: {escape.lines(redact(str(error)))}\n")
        is_wrong = isinstance(error, ConfigurationError)
        return 2 if is_wrong else 3 if isinstance(error, InputRejected) else 4
    sys.stderr.write(f"{escape.lines(told)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
