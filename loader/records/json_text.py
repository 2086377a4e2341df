"""JSON as it comes from outside: decoded exactly, or refused with the reason in words.

msgspec decodes; what it refuses is looked at again with the standard library, which is
slower and more tolerant, to find out what was wrong.
"""

from __future__ import annotations

import json
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from ..errors import InvalidRecord
from .bounds import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_RECORD: Final = 4 * 1024 * 1024
"""Bytes of the largest record; bounds the memory a load needs."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def decode_object(text: bytes) -> dict[str, Any]:
    """Decode one JSON object.

    NaN and infinities, which are not JSON but are often written, pass: the check of
    the record names the field that holds them.

    Raises:
        InvalidRecord: the text is too long, not UTF-8, not JSON, nested too deeply, not
            an object, or has the same key twice in one object.

    """
    refuse_oversized(text)
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = tolerant_decode(text)
    else:
        if b"\\u" in text or text.count(b":") != _encode(value).count(b":"):
            tolerant_decode(text)
    return require_object(value)


def may_be_deep(joined: bytes, texts: Sequence[bytes]) -> bool:
    """Tell whether a record of many may be nested too deeply: it opens as many as it nests.

    Args:
        joined: the records in one piece.
        texts: the records.

    """
    opened = joined.count(b"{") + joined.count(b"[")
    if opened - len(texts) < DEEPEST:  # each opens one at least
        return False
    counts = (map(bytes.count, texts, repeat(sign)) for sign in (b"{", b"["))
    return max(map(sum, zip(*counts, strict=True))) > DEEPEST


def require_object(value: object) -> dict[str, Any]:
    """Return the value if it is a JSON object.

    Raises:
        InvalidRecord: it is something else.

    """
    if isinstance(value, dict):
        return value
    kind = type_name(value)
    raise InvalidRecord(
        "", "not_an_object", f"the record is {kind}; write it as a JSON object {{…}}"
    )


def refuse_oversized(text: bytes) -> None:
    """Raise InvalidRecord if the record is longer than the loader takes."""
    if len(text) > LARGEST_RECORD:
        raise InvalidRecord("", "record_too_large", oversized(len(text)))


def oversized(length: int | None = None, largest: int = LARGEST_RECORD) -> str:
    """Say that a record is too long, and what to do."""
    found = f"is {length:,} bytes long" if length else "goes on"
    return (
        f"the record {found}, past the limit of {largest:,} bytes; "
        "keep long texts elsewhere and put a reference to them in metadata"
    )


def tolerant_decode(text: bytes) -> Any:  # noqa: ANN401  any JSON value
    """Decode with the standard library, which tells what is wrong.

    Raises:
        InvalidRecord: not UTF-8, not JSON, nested too deeply, or a key twice.

    """
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(
            "",
            "invalid_utf8",
            f"byte {error.start + 1} of the record (0x{text[error.start]:02x}) is not UTF-8; "
            "save the file as UTF-8",
        ) from None
    try:
        return json.loads(decoded, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        _refuse_json(decoded, error)
    except RecursionError:
        raise too_deep() from None
    except ValueError:
        # the standard library's guard against integers of thousands of digits
        raise InvalidRecord(
            "",
            "number_out_of_range",
            "the record holds an integer of thousands of digits; write it as text",
        ) from None


def too_deep(field: str = "") -> InvalidRecord:
    """Say that a record is nested more deeply than is taken."""
    where = field or "the record"
    return InvalidRecord(
        field,
        "too_deep",
        f"{where} is nested too deeply, past {DEEPEST} levels; flatten {field or 'its metadata'}",
    )


def _refuse_json(text: str, error: json.JSONDecodeError) -> NoReturn:
    if not text.strip():
        reason = "the record is blank; remove it"
    elif text.startswith("\ufeff"):
        reason = "a byte order mark stands inside the file; only its start may have one"
    elif error.pos >= len(text.rstrip()):
        reason = f"the JSON breaks off at character {error.pos + 1}; complete it"
    else:
        what = error.msg.lower().removesuffix(" at")
        reason = (
            f"not JSON: {what} at character {error.pos + 1} "
            f"({text[error.pos : error.pos + 12]!r}); write one JSON object per record"
        )
    raise InvalidRecord("", "invalid_json", reason)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidRecord(
                    key, "duplicate_key", f"the key {shown(key)} stands twice; keep one of them"
                )
            seen.add(key)
    return found


def type_name(value: object) -> str:
    """Name a value's type as JSON does, with its article."""
    if value is None:
        return "null"
    for kind, name in (
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a number"),
        (str, "text"),
        (dict, "an object"),
        (list, "an array"),
    ):
        if isinstance(value, kind):
            return name
    return f"a Python {type(value).__name__}"


_LONGEST_SHOWN: Final = 60


def shown(value: object) -> str:
    """Show a value in a reason: JSON where it can be, never long, printable."""
    if isinstance(value, float | int | str) or value is None:
        text = json.dumps(value[: _LONGEST_SHOWN + 1] if isinstance(value, str) else value)
        return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return type_name(value)
