"""The check of one record at a time, before it is acknowledged."""

from __future__ import annotations

import msgspec

from ..records.checker import Checker
from ..records.form import decode, encode, is_from_outside
from ..records.json_text import decode_object, may_be_deep
from ..records.scales import UNDECLARED


class OneByOne(Checker):
    """The checker of the load to come: what it admits here, it admits there."""

    __slots__ = ()

    def is_sound(self, text: bytes) -> bool:
        """Check one record written as JSON; false if it takes a closer look to tell.

        Raises:
            InvalidRecord: why not.

        """
        if not text.isascii() or b"\\u00" in text or may_be_deep(text, [text]):
            # lengths count in bytes, and NUL is looked for, where a row is made
            admitted = self.admit_json([text])
            return admitted is not None and all(
                reason == UNDECLARED for _, reason in admitted.asides
            )
        # what is left of `admit_json` where one record is at hand, and no row is wanted
        try:
            record = decode(text)
        except msgspec.DecodeError:
            return False
        if not is_from_outside(record) or text.count(b":") != encode(record).count(b":"):
            return False
        self._finish(record, strict=True)
        return True

    def require_loadable(self, text: bytes) -> None:
        """Refuse what the load would: the record as it is written, whole.

        Raises:
            InvalidRecord: why not.

        """
        if self.admit_json([text]) is None:
            self.admit(decode_object(text))
