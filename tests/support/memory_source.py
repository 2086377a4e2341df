"""Records that a program has in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from loader.sources import SourceRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_encode = msgspec.json.Encoder(enc_hook=repr).encode


class MemorySource:
    """Fields of records, from any iterable."""

    def __init__(
        self,
        records: Iterable[Mapping[str, object]],
        *,
        name: str = "file",
        reference: Mapping[str, object] | None = None,
    ) -> None:
        """Take the records; nothing is read yet.

        Args:
            records: fields as in the contract.
            name: the `source` of the runs.
            reference: where they come from, for the ledger.

        """
        self.name = name
        self._records = records
        self._reference = reference or {}

    def reference(self) -> Mapping[str, object]:
        """Return what was given."""
        return self._reference

    def rows(self) -> Iterator[SourceRow]:
        """Yield a row for each."""
        for number, fields in enumerate(self._records, 1):
            yield SourceRow(number, "", original_text(fields), dict(fields), None)


def original_text(fields: Mapping[str, object]) -> bytes:
    """Write fields as JSON as well as it goes, to be kept if they are rejected."""
    try:
        return _encode(fields)
    except (TypeError, ValueError, RecursionError):
        return repr(fields).encode(errors="backslashreplace")
