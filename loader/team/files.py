"""The files of a new team's folder: what the project ships, for a team to make its own."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ConfigurationError
from ..tools.files import cannot_write, whole_file
from ..warehouse.folder import FILES, MAPPING, NAME, POLICY, VARS, team_folder
from ..warehouse.project import project_directory

_VARS_HEAD: Final = """\
# Vars of the dbt project, each with its default. To set one, take the # off its
# line; the next build takes it. An option of one build goes before:
# evalmart build --vars '{alpha: 0.01}'

"""
_MAPPING_TEXT: Final = """\
# How the columns of a results file become the fields of a record; take what fits
# into a file of your own and give it to: evalmart ingest --mapping FILE
# evalmart ingest --guess proposes one. Fields: evalmart schema

task_id: id
experiment_group: variant
model_version: model
scores.accuracy: correct
scores.judge: judge_score_1_to_5
latency_ms: latency_s*1000
cost_usd: cost
recorded_at: timestamp
metadata.*: "*"
scales: {judge: [1, 5]}
groups: {control: [old], treatment: [new]}
defaults: {experiment_id: exp-1, extension_version: 1.2.3}
"""
_ENTRY: Final = re.compile(r"^(\w+:)")


class Made(NamedTuple):
    """What became of the folder's files."""

    folder: Path
    written: list[str]
    kept: list[str]
    """Those that were there, and are as they were."""


def create_folder() -> Made:
    """Write `evalmart/` in the working directory; a file that is there stays.

    Raises:
        ConfigurationError: it cannot be written, or the project lacks a file.

    """
    folder = Path.cwd() / NAME
    written: list[str] = []
    kept: list[str] = []
    for name in FILES:
        (written if write_file(folder, name) else kept).append(name)
    return Made(folder, written, kept)


def write_file(folder: Path, name: str) -> bool:
    """Write one of `FILES` as the project ships it, unless it is there; say whether it was not.

    Raises:
        ConfigurationError: as `create_folder`.

    """
    path = folder / name
    if path.exists():
        return False
    content = _content(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise cannot_write(path, error) from None
    return True


def folder_to_edit() -> Path:
    """Return the team's folder, or where one would be made."""
    return team_folder() or Path.cwd() / NAME


def _content(name: str) -> bytes:
    if name == VARS:
        return (_VARS_HEAD + commented_vars(_shipped("dbt_project.yml").decode())).encode()
    if name == MAPPING:
        return _MAPPING_TEXT.encode()
    return _shipped("policies/default.yml" if name == POLICY else f"seeds/{name}")


def commented_vars(project: str) -> str:
    """Return the vars of a `dbt_project.yml` with their comments, each var commented out."""
    begin = project.index("\n  evalmart:\n", project.index("\nvars:\n")) + len("\n  evalmart:\n")
    end = re.compile(r"^\S", re.MULTILINE).search(project, begin)
    block = textwrap.dedent(project[begin : end.start() if end else None])
    lines = [_ENTRY.sub(r"#\1", line) for line in block.strip().splitlines()]
    return "\n".join(lines).replace("seeds/", "") + "\n"


def _shipped(name: str) -> bytes:
    path = project_directory() / name
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None
