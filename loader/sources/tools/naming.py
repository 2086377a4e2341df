"""What names a task that has no id, and what `--map` may refer to."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_KNOWN: Final = 1000
_LONGEST_NAME: Final = 200
_LONGEST_KEPT: Final = 1000
_MOST_LISTED: Final = 50
_DIGEST_CHARS: Final = 16

_encode = msgspec.json.Encoder(order="sorted", enc_hook=str).encode


def named_by_content(kind: str, content: object) -> str:
    """Return the id of a task that has none: the same wherever its content is the same.

    Args:
        kind: what the content is: input, question.
        content: any JSON; the order of members does not matter.

    """
    text = content.strip().encode() if isinstance(content, str) else _encode(content)
    return f"{kind}-{sha256(text).hexdigest()[:_DIGEST_CHARS]}"


class Names:
    """Makes `Run.names`: one object for all runs of a file that have the same values."""

    def __init__(self, file_name: str) -> None:
        """Take the name of the file, which is a name of every run."""
        self._file_name = file_name
        self._known: dict[tuple[tuple[str, object], ...], Mapping[str, object]] = {}

    def of(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """Return the names of a run; what is None, long, or no text or number is left out."""
        kept = tuple(
            (name, value)
            for name, value in values.items()
            if isinstance(value, int | float)
            or (isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME)
        )
        found = self._known.get(kept)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[kept] = {**dict(kept), "file": self._file_name}
        return found


def below(name: str, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return values under dotted names: `below("metadata", {"team": 1})` has `metadata.team`."""
    return {f"{name}.{key}": value for key, value in (values or {}).items()}


def worth_keeping(values: Mapping[str, Any] | None, besides: Iterable[str] = ()) -> dict[str, Any]:
    """Return what of a tool's metadata is small enough to be kept with a record.

    Args:
        values: as the tool has them.
        besides: names of what is kept elsewhere.

    """
    without = {*besides}
    return {
        name: value
        for name, value in (values or {}).items()
        if name not in without and _is_small(value)
    }


def _is_small(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= _MOST_LISTED and all(map(_is_plain, value))
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) or (
        isinstance(value, str) and 0 < len(value) <= _LONGEST_KEPT
    )
