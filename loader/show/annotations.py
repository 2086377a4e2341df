"""Findings as GitHub shows them beside the lines of a file: workflow commands, one a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..tools.notices import Gravity
from .escape import terminal

if TYPE_CHECKING:
    from ..tools.notices import Notice

_COMMANDS: Final = {
    Gravity.FAULT: "error", Gravity.WARNING: "warning", Gravity.NOTE: "notice",
}  # fmt: skip
_DATA: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY: Final = {**_DATA, ":": "%3A", ",": "%2C"}


def annotation(notice: Notice) -> str:
    """Return one finding as a workflow command, with nothing in it that could begin another.

    The file is named from the top of the workspace, as GitHub wants it, where it lies in it.
    """
    properties = []
    if notice.file:
        properties.append(f"file={_escaped(_from_workspace(notice.file), _PROPERTY)}")
        if notice.line:
            properties.append(f"line={notice.line}")
    if notice.field:
        properties.append(f"title={_escaped(notice.field, _PROPERTY)}")
    head = f"{_COMMANDS[notice.gravity]} {','.join(properties)}".strip()
    return f"::{head}::{_escaped(notice.sentence, _DATA)}"


def _escaped(text: str, special: dict[str, str]) -> str:
    plain = "\n".join(terminal(line) for line in text.splitlines())
    return "".join(special.get(character, character) for character in plain)


def _from_workspace(file: str) -> str:
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return file
    whole = Path(file).absolute()
    top = Path(workspace).absolute()
    return str(whole.relative_to(top)) if whole.is_relative_to(top) else file
