"""JSON as other tools write it: with NaN and Infinity, which are not JSON, read as absent."""

from __future__ import annotations

import math
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from ...errors import InvalidRecord
from ...records.json_text import tolerant_decode

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")

_NOT_NUMBERS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|(-?Infinity|-?NaN)\b', re.DOTALL)
_SIGNS: Final = (b"NaN", b"Infinity")
# the largest floating-point number has so many digits before its point; each is looked at once
_DIGITS: Final = sys.float_info.max_10_exp + 1
_MANY_DIGITS: Final = re.compile(rb"(?<![0-9])[0-9]{%d}" % _DIGITS)
_NUMBERS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|([0-9]++)([.eE]?)', re.DOTALL)


def decode(text: bytes, kind: type[T], on_absent: Callable[[int], None] | None = None) -> T:
    """Decode one JSON value into a type; names that the type has not are passed over.

    Args:
        text: UTF-8.
        kind: what `msgspec` decodes into: a Struct, dict, `object`.
        on_absent: told how many numbers were NaN or infinite, if any were.

    Raises:
        InvalidRecord: not JSON, or otherwise than the type says; names the place. Or a number
            is too large to compute with.

    """
    _refuse_huge(text)
    try:
        decoder: msgspec.json.Decoder[T] = _decoder(cast("Hashable", kind))
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if any(sign in text for sign in _SIGNS):
            spared = _NOT_NUMBERS.sub(_null, text)
            if spared != text:
                found = decode(spared, kind)
                if on_absent is not None:
                    on_absent(sum(map(bool, _NOT_NUMBERS.findall(text))))
                return found
        if isinstance(error, msgspec.ValidationError):
            reason = f"not as this tool writes it: {error}"
            raise InvalidRecord("", "unexpected_form", reason) from None
        tolerant_decode(text)  # says what is wrong
        raise InvalidRecord("", "invalid_json", f"not JSON: {error}") from None


def _refuse_huge(text: bytes) -> None:
    """Raise InvalidRecord for a whole number that no float can hold; of others, decoding does."""
    if _MANY_DIGITS.search(text) is None:
        return
    for found in _NUMBERS.finditer(text):
        whole, goes_on = found[1] or b"", found[2]
        is_huge = len(whole) > _DIGITS or (len(whole) == _DIGITS and math.isinf(float(whole)))
        if is_huge and not goes_on:
            reason = f"a number of {len(whole):,} digits is larger than any that can be kept"
            raise InvalidRecord("", "invalid_json", f"{reason}; correct it where it was written")


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401  whatever msgspec takes
    return msgspec.json.Decoder(kind)


def _null(found: re.Match[bytes]) -> bytes:
    return b"null" if found[1] else found[0]
