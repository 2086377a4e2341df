"""Names for tasks whose file numbers them, or does not name them: by what they ask."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

_LONGEST: Final = 80
_LOOKED_AT: Final = 4 * _LONGEST
_DIGEST_BYTES: Final = 5

_canonical: Final = msgspec.json.Encoder(enc_hook=str, order="sorted").encode


def in_short(text: str, longest: int = _LONGEST) -> str:
    """Return a text in one line, cut where it is longer than so many characters."""
    line = " ".join(text[:_LOOKED_AT].split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def digest(content: object) -> str:
    """Return ten hexadecimal digits that are the same for equal JSON, however it is ordered."""
    return blake2b(_canonical(content), digest_size=_DIGEST_BYTES).hexdigest()


def task_name(text: str, content: object) -> str:
    """Name a task: for people by the beginning of a text, exactly by what it asks.

    Two files name a task alike if it asks the same in both, wherever it stands in them.

    Args:
        text: a description, or the question.
        content: JSON of what makes it another task if it changes.

    """
    return f"{in_short(text)} #{digest(content)}"
