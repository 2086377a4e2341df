r"""A record's canonical bytes: its columns as PostgreSQL's binary COPY takes them, and a hash.

The same bytes are hashed and sent, so what counts as the same content is exactly what
would be stored. JSON has sorted keys; times are UTC. Binary, because the server takes it
30 % faster than text and nothing in it needs escaping (PostgreSQL manual, COPY, File
Formats: every field is its length as a big-endian int32, -1 for null, and its bytes).

A record that does not say `success` has, bit for bit, the opposite hash of the same record
that says true: for that is what such a record was stored as before null was possible, and
`loader.ingest.statements` still knows it again. What came with 0.2 (`EXTRA_COLUMNS`) is hashed
only where a record has any of it, for the same reason, and the labels of its keys only where it
has labels; how its id was made never is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import repeat
from operator import attrgetter, floordiv, sub
from struct import Struct
from struct import error as StructError  # noqa: N812  an exception's name
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from . import bounds, checks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .form import RunRecord

# Common to many records, so they stand together and are packed once.
LABELS: Final = (
    "experiment_id",
    "experiment_group",
    "extension_version",
    "model_version",
    "agent_name",
    "dataset_version",
    "baseline_experiment_id",
)
NARROW_COLUMNS: Final = (
    *LABELS,
    "source_run_id",
    "task_id",
    "repetition",
    "recorded_at",
    "scores",
    "measurements",
    "latency_ms",
    "tokens_used",
    "cost_usd",
    "success",
    "error_message",
    "evaluator_versions",
    "feedback",
    "metadata",
)
EXTRA_COLUMNS: Final = (
    "score_scales",
    "set_aside",
    "comments",
    "trace_url",
    *checks.TOKEN_KINDS,
    *(f"{name}_id" for name in checks.CONTENTS),
    "labels",
    "is_id_derived",
)
COLUMNS: Final = (*NARROW_COLUMNS, *EXTRA_COLUMNS)
COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_pack_length = Struct(">i").pack
_LENGTHS: Final = tuple(map(_pack_length, range(4096)))
# Cut to what a column takes, so that looking up the length checks it.
_OF_IDENTIFIER: Final = _LENGTHS[: bounds.LONGEST_IDENTIFIER + 1]
_OF_RUN_ID: Final = _LENGTHS[: bounds.LONGEST_RUN_ID + 1]
# jsonb's binary form begins with a version, a byte of value 1.
_OF_JSON: Final = tuple(_pack_length(length + 1) + b"\1" for length in range(4096))
_NULL: Final = _pack_length(-1)
_EMPTY_OBJECT: Final = _OF_JSON[2] + b"{}"
_EMPTY_ARRAY: Final = _OF_JSON[2] + b"[]"
_OF_DIGEST: Final = _LENGTHS[16]
_HASH_BYTES: Final = len(_OF_DIGEST) + 16
# without labels and how the id was made, which are hashed apart and never
_NOTHING_EXTRA: Final = _EMPTY_OBJECT + (len(EXTRA_COLUMNS) - 3) * _NULL
_TRUE: Final = _LENGTHS[1] + b"\1"
_FALSE: Final = _LENGTHS[1] + b"\0"
_OPPOSITE: Final = bytes(range(255, -1, -1))
_pack_int4 = Struct(">ii").pack
_pack_int8 = Struct(">iq").pack
_pack_float8 = Struct(">id").pack
_pack_numbers = Struct(">idiqid").pack

_encode = msgspec.json.Encoder(order="sorted").encode
_encode_lines = msgspec.json.Encoder(order="sorted").encode_lines
_fields_of = attrgetter(
    "source_run_id",
    "task_id",
    "repetition",
    "scores",
    "measurements",
    "latency_ms",
    "tokens_used",
    "cost_usd",
    "success",
    "error_message",
    "evaluator_versions",
    "feedback",
    "metadata",
)
_extras_of = attrgetter(
    "score_scales",
    "set_aside",
    "comments",
    "trace_url",
    *checks.TOKEN_KINDS,
    *checks.CONTENTS,
    "labels",
    "is_id_derived",
)
_has_no_content_of_its_own = ((UNSET,) * (len(EXTRA_COLUMNS) - 2)).__eq__
_is_without_extras = ((UNSET,) * len(EXTRA_COLUMNS)).__eq__


def pack_labels(labels: Iterable[str | None]) -> bytes:
    """Return the fields `LABELS` of binary COPY.

    Args:
        labels: their values, in that order; checked, also for their length.

    """
    return b"".join(_long_text(label) if label else _NULL for label in labels)


def copy_rows(
    records: Sequence[RunRecord],
    labels: Iterable[bytes],
    moments: Sequence[datetime | None],
    contents: dict[bytes, bytes] | None = None,
    *,
    is_narrow: bool = False,
) -> tuple[list[bytes], bool]:
    """Return checked records as fields of binary COPY, and whether they are wide.

    Wide rows have the fields `COLUMNS`; rows that are not, the fields `NARROW_COLUMNS`, for
    their records use no other. The field content_hash follows. Column by column, so that
    nearly all of it runs in C.

    Args:
        records: their fields besides labels and recorded_at.
        labels: what `pack_labels` made of the labels of each.
        moments: their recorded_at in UTC.
        contents: gets inputs and outputs by id, as canonical JSON; None keeps none.
        is_narrow: whether `are_narrow` is known of the records.

    Raises:
        InvalidRecord: an identifier is longer than its column takes in UTF-8.

    """
    runs, tasks, repetitions, scores, measurements, *numbers, successes, errors, versions, \
        feedback, metadata = zip(*map(_fields_of, records), strict=True)  # fmt: skip
    before: tuple[Iterable[bytes], ...] = (
        labels,
        *_texts("source_run_id", runs, _OF_RUN_ID),
        *_texts("task_id", tasks, _OF_IDENTIFIER),
        _integers(repetitions),
        _times(moments),
        *_objects(scores),
        *_objects(measurements),
        _numbers(*numbers),
    )
    after = (
        [_long_text(error) if error else _NULL for error in errors]
        if any(errors)
        else repeat(_NULL),
        *_objects(versions),
        [_json(value) if value else _EMPTY_ARRAY for value in feedback]
        if any(feedback)
        else repeat(_EMPTY_ARRAY),
        *_objects(metadata),
    )
    is_narrow = is_narrow or are_narrow(records)
    extras = None if is_narrow else _extras(records, contents)
    categories = None if is_narrow else _categories(records)
    is_all_said = set(map(type, successes)) == {bool}
    if not is_all_said:
        before = (list(_joined(*before)),)  # read twice
    said = [_FALSE if success is False else _TRUE for success in successes]
    rows = list(_joined(*before, said, *after))
    hashes = _hashes(rows, extras, categories)
    if not is_all_said:
        are_said = [type(success) is bool for success in successes]
        said = [one if is_said else _NULL for one, is_said in zip(said, are_said, strict=True)]
        rows = list(_joined(*before, said, *after))
        hashes = [
            one if is_said else one.translate(_OPPOSITE)
            for one, is_said in zip(hashes, are_said, strict=True)
        ]
    if is_narrow:
        return list(_joined(rows, repeat(_OF_DIGEST), hashes)), False
    derived = [_TRUE if record.is_id_derived else _NULL for record in records]
    wide = (extras or repeat(_NOTHING_EXTRA), categories or repeat(_NULL), derived)
    return list(_joined(rows, *wide, repeat(_OF_DIGEST), hashes)), True


def are_narrow(records: Sequence[RunRecord]) -> bool:
    """Tell whether no record has a value in any of `EXTRA_COLUMNS`."""
    return all(map(_is_without_extras, map(_extras_of, records)))


def widened(row: bytes) -> bytes:
    """Return a row that is not wide as one that is."""
    return b"%b%b%b%b" % (row[:-_HASH_BYTES], _NOTHING_EXTRA, 2 * _NULL, row[-_HASH_BYTES:])


def _hashes(
    rows: Iterable[bytes], extras: Sequence[bytes] | None, categories: Sequence[bytes] | None
) -> list[bytes]:
    """Return the first half of the SHA-256 of each."""
    if categories:
        whole = zip(rows, extras or repeat(_NOTHING_EXTRA), categories, strict=False)
        rows = [
            row + extra + category
            if category != _NULL
            else row
            if extra == _NOTHING_EXTRA
            else row + extra
            for row, extra, category in whole
        ]
        extras = None
    if extras:
        rows = [
            row if extra == _NOTHING_EXTRA else row + extra
            for row, extra in zip(rows, extras, strict=True)
        ]
    return [sha256(row).digest()[:16] for row in rows]


def _extras(
    records: Sequence[RunRecord], contents: dict[bytes, bytes] | None
) -> list[bytes] | None:
    """Return the columns from score_scales to reference_outputs_id; None if all are empty."""
    found = [fields[:-2] for fields in map(_extras_of, records)]
    if all(map(_has_no_content_of_its_own, found)):
        return None
    return [
        b"".join(
            (
                _json(scales) if scales else _EMPTY_OBJECT,
                _json(set_aside) if set_aside else _NULL,
                _json(comments) if comments else _NULL,
                _address(trace_url) if trace_url else _NULL,
                *(
                    _NULL if count is None or count is UNSET else _pack_int8(8, count)
                    for count in rest[: len(checks.TOKEN_KINDS)]
                ),
                *(_content(value, contents) for value in rest[len(checks.TOKEN_KINDS) :]),
            )
        )
        for scales, set_aside, comments, trace_url, *rest in found
    ]


def _categories(records: Sequence[RunRecord]) -> list[bytes] | None:
    """Return the column labels; None if it is empty."""
    if not any(record.labels for record in records):
        return None
    return [_json(record.labels) if record.labels else _NULL for record in records]


def _address(text: str) -> bytes:
    checks.refuse_long("trace_url", text, bounds.LONGEST_URL)
    return _long_text(text)


def _content(value: object, contents: dict[bytes, bytes] | None) -> bytes:
    """Return the id of an input or output, which names it whether it is kept or not."""
    if value is None or value is UNSET:
        return _NULL
    encoded = _encode(value)
    content_id = sha256(encoded).digest()[:16]
    if contents is not None:
        contents[content_id] = encoded
    return _OF_DIGEST + content_id


def _joined(*columns: Iterable[bytes]) -> Iterable[bytes]:
    # constants repeat without end; the labels, which come first, do not
    return map(b"".join, zip(*columns, strict=False))


def _texts(
    column: str, texts: Sequence[str], lengths: Sequence[bytes]
) -> tuple[list[bytes], list[bytes]]:
    encoded = list(map(str.encode, texts))
    try:
        return list(map(lengths.__getitem__, map(len, encoded))), encoded
    except IndexError:
        for text in texts:
            checks.refuse_long(column, text, len(lengths) - 1)
        raise


def _integers(values: Sequence[int | None]) -> Iterable[bytes]:
    """Pack 4-byte integers; missing ones are None, or UNSET, or 0."""
    if all(values):
        return map(_pack_int4, repeat(4), values)
    return [_pack_int4(4, value) if value else _NULL for value in values]


def _times(moments: Sequence[datetime | None]) -> Iterable[bytes]:
    """Pack microseconds since 2000."""
    if all(moments):
        since = map(sub, moments, repeat(_EPOCH))
        return map(_pack_int8, repeat(8), map(floordiv, since, repeat(_MICROSECOND)))
    return [
        _pack_int8(8, (moment - _EPOCH) // _MICROSECOND) if moment else _NULL for moment in moments
    ]


def _objects(values: Sequence[Mapping[str, object]]) -> tuple[Iterable[bytes], Iterable[bytes]]:
    """Encode JSON objects; missing ones are UNSET."""
    if not any(values):
        return repeat(_EMPTY_OBJECT), repeat(b"")
    # JSON has no raw line feeds, so lines come apart again
    encoded = _encode_lines([value or {} for value in values]).split(b"\n")
    encoded.pop()
    try:
        return list(map(_OF_JSON.__getitem__, map(len, encoded))), encoded
    except IndexError:
        return [_pack_length(len(text) + 1) + b"\1" for text in encoded], encoded


def _numbers(*columns: Sequence[float | None]) -> Iterable[bytes]:
    """Pack latency, tokens and cost; missing ones are None, or UNSET."""
    eight = repeat(8)
    latencies, tokens, costs = columns
    try:
        return list(map(_pack_numbers, eight, latencies, eight, tokens, eight, costs))
    except StructError:
        packs = (_pack_float8, _pack_int8, _pack_float8)
        return [
            b"".join(
                _NULL if value is None or value is UNSET else pack(8, value)
                for pack, value in zip(packs, values, strict=True)
            )
            for values in zip(*columns, strict=True)
        ]


def _long_text(text: str) -> bytes:
    encoded = text.encode()
    return _pack_length(len(encoded)) + encoded


def _json(value: object) -> bytes:
    encoded = _encode(value)
    try:
        return _OF_JSON[len(encoded)] + encoded
    except IndexError:
        return b"%b\1%b" % (_pack_length(len(encoded) + 1), encoded)
