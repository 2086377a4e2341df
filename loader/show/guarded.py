"""A stream that another program's output passes through on its way to a terminal.

What dbt prints may quote a row that a constraint refused, and with it whatever a record says.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from ..tools.secrets import redact
from . import escape

if TYPE_CHECKING:
    from typing import TextIO

# the colours that dbt writes; one that hides text is not among them
_COLOUR: Final = re.compile("(\x1b\\[(?:0|3[1-6])m)")


def tell(line: str) -> None:
    """Write a line on standard error, for who waits; of what is no part of the command line."""
    Guarded(sys.stderr).write(f"{line}\n")
    sys.stderr.flush()


class Guarded:
    """Writes what it is given without its effects and secrets; colours stay."""

    def __init__(self, stream: TextIO) -> None:
        """Take the stream that it goes to."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write whole lines, as those of a log are."""
        parts = _COLOUR.split(redact(text))
        self._stream.write(
            "".join(
                part if place % 2 else escape.lines(part.replace("\r\n", "\n"))
                for place, part in enumerate(parts)
            )
        )
        return len(text)

    def __getattr__(self, name: str) -> object:
        """Be the stream in everything else."""
        found: object = getattr(self._stream, name)
        return found
