"""Where a pipeline runs, and for which commit: GitHub, GitLab, CircleCI, or the clone alone.

What the service says in the environment goes before what the clone says: on GitHub a pull
request's job has a merge of it checked out, whose commit nobody ever sees again.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .git import Clone

SHORT: Final = 12
"""Characters of a commit's id that name an experiment."""
_LONGEST_NAME: Final = 60
_COMMIT: Final = re.compile(r"[0-9a-fA-F]{7,64}")
_ODD: Final = re.compile(r"[^A-Za-z0-9._]+")
_REQUEST: Final = re.compile(r"pr-\d+")
_LARGEST_EVENT: Final = 64 << 20
_PULL: Final = re.compile(r"/(?:pull|merge_requests|pull-requests)/(\d+)/?\Z")


class Service(StrEnum):
    """Who runs the pipeline."""

    GITHUB = "github"
    GITLAB = "gitlab"
    CIRCLECI = "circleci"
    PLAIN = "plain"


class Said(NamedTuple):
    """What options say, before anybody else; empty where they do not."""

    commit: str = ""
    branch: str = ""
    main: str = ""
    number: str = ""
    experiment: str = ""


class Place(NamedTuple):
    """Where the pipeline is."""

    service: Service
    commit: str
    """The full id, as far as it is known; of a pull request its head, not its merge."""
    branch: str
    """Empty where nobody says one."""
    main: str
    """The branch that pull requests go to."""
    number: str
    """Of the pull or merge request; empty where it is none."""
    base: str
    """The commit that the service says the request is based on; may be empty."""
    is_fork: bool
    """Whether the change comes from another repository."""
    named: str = ""
    """The experiment that an option named."""

    @property
    def is_main(self) -> bool:
        """Whether this is the main branch itself."""
        return not self.number and self.branch == self.main

    @property
    def experiment(self) -> str:
        """The experiment that the results of this commit belong to."""
        if self.named:
            return self.named
        return f"{self._what()}-{self.commit[:SHORT]}"

    def _what(self) -> str:
        if self.number:
            return f"pr-{self.number}"
        name = safe_name(self.branch or "commit")
        # results of no branch may pass for those of the main one, or of a request
        is_taken = not self.is_main and name == safe_name(self.main)
        return f"branch-{name}" if is_taken or _REQUEST.fullmatch(name) else name


def safe_name(branch: str) -> str:
    """Return the name of a branch without what an id, a file or a shell would take amiss."""
    return _ODD.sub("-", branch).strip("-.")[:_LONGEST_NAME] or "branch"


def main_experiment(main: str, commit: str) -> str:
    """Return the experiment that a commit of the main branch has."""
    return f"{safe_name(main)}-{commit[:SHORT]}"


def find(environment: Mapping[str, str], clone: Clone, said: Said) -> Place:
    """Return where the pipeline is.

    Args:
        environment: variables of the process.
        clone: of the working directory.
        said: by options.

    Raises:
        ConfigurationError: nobody says which commit it is, or an option is no commit or number.

    """
    told = _told(environment)
    commit = said.commit or told.commit
    if said.commit and not _COMMIT.fullmatch(commit):
        commit = clone.commit(said.commit)
        if not commit:
            raise ConfigurationError(
                f"--commit: {said.commit!r} is no commit of this clone; give its id"
            )
    commit = (commit or clone.commit("HEAD")).lower()
    if not commit and not said.experiment:
        raise ConfigurationError(
            "no commit is known: this is no clone with a commit, and no variable of GitHub, "
            "GitLab or CircleCI names one; give --commit ID, or --experiment ID"
        )
    number = said.number or told.number
    if not re.fullmatch(r"\d{0,12}", number):
        raise ConfigurationError(
            f"--pull-request: {number!r} is no number; give that of the request"
        )
    branch = said.branch or told.branch or clone.branch()
    return told._replace(
        commit=clone.commit(commit) or commit,
        branch=branch,
        main=said.main or told.main or clone.default_branch() or _usual(clone),
        number=number,
        named=said.experiment,
    )


def _usual(clone: Clone) -> str:
    """Return the name that a main branch has where nobody says it."""
    return "main" if clone.tip("main") or not clone.tip("master") else "master"


def _told(environment: Mapping[str, str]) -> Place:
    """Return what the service says."""
    if environment.get("GITHUB_ACTIONS") == "true" or environment.get("GITHUB_EVENT_PATH"):
        return _github(environment)
    if environment.get("GITLAB_CI") == "true":
        return _gitlab(environment)
    if environment.get("CIRCLECI") == "true":
        return _circleci(environment)
    return Place(Service.PLAIN, "", "", "", "", "", is_fork=False)


def event(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the event that started a workflow of GitHub; empty where there is none.

    Raises:
        ConfigurationError: GITHUB_EVENT_PATH names a file that is no event.

    """
    named = environment.get("GITHUB_EVENT_PATH")
    if not named:
        return {}
    try:
        with Path(named).open("rb") as file:
            found = json.loads(file.read(_LARGEST_EVENT))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"GITHUB_EVENT_PATH: {named} is no event: {error}") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"GITHUB_EVENT_PATH: {named} is no event: it holds no object")
    return found


def part(value: object, *names: str) -> str:
    """Return a text or number inside of objects; empty where it is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _github(environment: Mapping[str, str]) -> Place:
    told = event(environment)
    pull = told.get("pull_request")
    main = part(told, "repository", "default_branch")
    ref = environment.get("GITHUB_REF", "")
    if isinstance(pull, dict):
        repositories = (part(pull, side, "repo", "full_name") for side in ("head", "base"))
        return Place(
            Service.GITHUB,
            commit=part(pull, "head", "sha"),
            branch=part(pull, "head", "ref"),
            main=main or part(pull, "base", "ref"),
            number=part(pull, "number"),
            base=part(pull, "base", "sha"),
            is_fork=len({*repositories}) > 1,
        )
    return Place(
        Service.GITHUB,
        commit=environment.get("GITHUB_SHA", ""),
        branch=ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else "",
        main=main,
        number="",
        base="",
        is_fork=False,
    )


def _gitlab(environment: Mapping[str, str]) -> Place:
    get = environment.get
    sides = {get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), get("CI_MERGE_REQUEST_PROJECT_ID")}
    # of a merged result the commit is a merge that nobody sees again
    head = get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "") or get("CI_COMMIT_SHA", "")
    return Place(
        Service.GITLAB,
        commit=head,
        branch=get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "") or get("CI_COMMIT_BRANCH", ""),
        main=get("CI_DEFAULT_BRANCH", ""),
        number=get("CI_MERGE_REQUEST_IID", ""),
        base=get("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""),
        is_fork=len(sides) > 1,
    )


def _circleci(environment: Mapping[str, str]) -> Place:
    get = environment.get
    found = _PULL.search(get("CIRCLE_PULL_REQUEST", ""))
    return Place(
        Service.CIRCLECI,
        commit=get("CIRCLE_SHA1", ""),
        branch="" if get("CIRCLE_BRANCH", "").startswith("pull/") else get("CIRCLE_BRANCH", ""),
        main="",
        number=found.group(1) if found else "",
        base="",
        is_fork=bool(get("CIRCLE_PR_REPONAME")),
    )
