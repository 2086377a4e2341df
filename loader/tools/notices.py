"""What a look at a team's files finds: where, how grave, and what to do."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Gravity(StrEnum):
    """How grave it is."""

    FAULT = "fault"
    """Nothing goes on with it."""
    WARNING = "warning"
    """Legal, and hardly what was meant."""
    NOTE = "note"
    """Worth knowing."""


class Notice(NamedTuple):
    """One thing that was found."""

    gravity: Gravity
    sentence: str
    """What is wrong and what to do."""
    file: str = ""
    """As a person in the working directory would write it; empty: of no file."""
    line: int | None = None
    """From 1."""
    field: str = ""

    def text(self) -> str:
        """Return it as one sentence: file, line, field, what is wrong."""
        line = f"line {self.line}" if self.line else ""
        place = ", ".join(part for part in (self.file, line, self.field) if part)
        return f"{place}: {self.sentence}" if place else self.sentence


def placed(faults: Iterable[str], file: str) -> list[Notice]:
    """Return faults of a file that were told as texts: `FILE, line 3, direction: is 'up'; …`."""
    form = re.compile(
        re.escape(file) + r"(?:, line (?P<line>\d+))?(?:, (?P<field>[^:]*))?: (?P<said>.*)",
        re.DOTALL,
    )
    found = []
    for fault in faults:
        match = form.fullmatch(fault)
        if match is None:
            found.append(Notice(Gravity.FAULT, fault, file))
            continue
        line = match["line"]
        place = int(line) if line else None
        found.append(Notice(Gravity.FAULT, match["said"], file, place, match["field"] or ""))
    return found
