#!/usr/bin/env -S python3 -P
"""What a release is checked by and told with; the release workflow calls it.

python -P scripts/release.py check v0.2.0      every file names the version of that tag
python -P scripts/release.py notes 0.2.0       the changelog's part on it, as markdown
python -P scripts/release.py epoch 0.2.0       the day it gives, as SOURCE_DATE_EPOCH
"""

from __future__ import annotations

import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_HEADING: Final = re.compile(r"^## (\S+)(?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)


class Unreleasable(Exception):  # noqa: N818  said as a sentence, never caught by kind
    """A release that is not to be made, and why."""


def versions(root: Path = ROOT) -> dict[str, str]:
    """Return the version that each file names; of the changelog the latest with a date."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    dbt = (root / "dbt_project.yml").read_text(encoding="utf-8")
    found = re.search(r'^version: "(.+)"$', dbt, re.MULTILINE)
    dated = [name for name, day in _HEADING.findall(_changelog(root)) if day]
    return {
        "pyproject.toml": str(project["project"]["version"]),
        "dbt_project.yml": found[1] if found else "none",
        "CHANGELOG.md": dated[0] if dated else "none",
    }


def check(tag: str, root: Path = ROOT) -> str:
    """Return the version of a tag, which every file has to name.

    Raises:
        Unreleasable: one names another.

    """
    version = tag.removeprefix("v")
    others = {name: found for name, found in versions(root).items() if found != version}
    if version == tag or others:
        told = ", ".join(f"{name} says {found}" for name, found in others.items())
        raise Unreleasable(f"the tag {tag} is not v and a version, or not of these files: {told}")
    return version


def notes(version: str, root: Path = ROOT) -> str:
    """Return what the changelog says of a version, and its rows of the table of schema changes.

    Raises:
        Unreleasable: it says nothing of it.

    """
    text = _changelog(root)
    headings = [*_HEADING.finditer(text), None]
    told = next((each for each in headings if each and each[1] == version), None)
    if told is None:
        raise Unreleasable(f"CHANGELOG.md has no part '## {version} - DATE'")
    after = re.compile(r"^## ", re.MULTILINE).search(text, told.end())
    own = text[told.end() : after.start() if after else len(text)].strip()
    table = text.partition("\n## Schema changes\n")[2].strip().splitlines()
    rows = [line for line in table if line.startswith((f"| {version} |", "| version |", "|---"))]
    return f"{own}\n\n### Schema changes\n\n" + "\n".join(rows) + "\n"


def epoch(version: str, root: Path = ROOT) -> int:
    """Return the seconds since 1970 of the day that the changelog gives a version, UTC.

    Raises:
        Unreleasable: it gives none.

    """
    for name, day in _HEADING.findall(_changelog(root)):
        if name == version and day:
            return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
    raise Unreleasable(f"CHANGELOG.md gives no day of {version}")


def _changelog(root: Path) -> str:
    return (root / "CHANGELOG.md").read_text(encoding="utf-8")


def main() -> int:
    """Do what the arguments say; return the exit code."""
    actions = {"check": check, "notes": notes, "epoch": epoch}
    if len(sys.argv) != 3 or sys.argv[1] not in actions:  # noqa: PLR2004  an action and a version
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        sys.stdout.write(f"{actions[sys.argv[1]](sys.argv[2])}\n")
    except Unreleasable as error:
        sys.stderr.write(f"Error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
