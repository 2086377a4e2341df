"""What the clone that a command runs in says of its commits; it is asked, never changed."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECONDS: Final = 60
_MOST_COMMITS: Final = 20_000
# no configuration of a pull request's tree may start a program
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


class Clone:
    """The repository that a folder belongs to; every answer is empty where there is none."""

    def __init__(self, folder: Path) -> None:
        """Take any folder inside."""
        self._folder = folder

    def commit(self, name: str) -> str:
        """Return the full id of the commit that a name stands for, if it is here."""
        if not name or name.startswith("-"):
            return ""
        found = self._ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return found if _COMMIT.fullmatch(found) else ""

    def branch(self) -> str:
        """Return the branch that is checked out; empty where it is a commit alone."""
        return self._ask("symbolic-ref", "--quiet", "--short", "HEAD")

    def default_branch(self) -> str:
        """Return the branch that the origin says is its main one, if it said so."""
        head = self._ask("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        return head.removeprefix("origin/")

    def tip(self, branch: str) -> str:
        """Return the latest commit of a branch: the origin's, else one's own."""
        return self.commit(f"refs/remotes/origin/{branch}") or self.commit(f"refs/heads/{branch}")

    def merge_base(self, one: str, other: str) -> str:
        """Return the latest commit that both have in their past."""
        found = self._ask("merge-base", one, other)
        return found if _COMMIT.fullmatch(found) else ""

    def past(self, commit: str) -> Sequence[str]:
        """Return a commit and those before it, the nearest first, as far as they are here."""
        return self._ask(
            "rev-list", "--topo-order", f"--max-count={_MOST_COMMITS}", commit, "--"
        ).split()

    def is_shallow(self) -> bool:
        """Whether the clone was cut off, so that commits of the past are missing."""
        return self._ask("rev-parse", "--is-shallow-repository") == "true"

    def obstacle(self) -> str:
        """Return why nothing can be asked, with its remedy; empty where git answers."""
        done = self._run("rev-parse", "--git-dir")
        if done is None:
            return "git is not installed here, or does not answer: install it"
        if "dubious ownership" in done.stderr:
            return (
                "git takes this clone for somebody else's, as in a container: run git config "
                f"--global --add safe.directory {self._folder}"
            )
        return "" if done.returncode == 0 else "this folder is no clone: run it in one"

    def _ask(self, *arguments: str) -> str:
        done = self._run(*arguments)
        return done.stdout.strip() if done is not None and done.returncode == 0 else ""

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str] | None:
        try:
            return subprocess.run(  # noqa: S603  git, without a shell
                ["git", *_SAFE, "-C", str(self._folder), *arguments],  # noqa: S607  any git
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_SECONDS,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
