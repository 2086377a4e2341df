"""What the check of a record refuses once types are right, and what it fills in."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from ..errors import CountsFromZero, InvalidRecord
from . import bounds, checks, json_text
from .form import ABSENT, Incoming, encode
from .vocabulary import BUILT_IN_METRICS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .form import Labels, RunRecord, Score

_EARLIEST_YEAR: Final = 1970
_LATEST_YEAR: Final = 2199
_EARLIEST: Final = datetime(_EARLIEST_YEAR, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(_LATEST_YEAR + 1, 1, 1, tzinfo=UTC)
_zone_of = attrgetter("tzinfo")
_built_ins_of = attrgetter(*BUILT_IN_METRICS)
_NO_BUILT_INS: Final = {(ABSENT,) * len(BUILT_IN_METRICS)}


def with_text_time(fields: Mapping[str, object]) -> Mapping[str, object]:
    """Return fields whose recorded_at, if it is a datetime, is text."""
    recorded_at = fields.get("recorded_at")
    if isinstance(recorded_at, datetime):
        return {**fields, "recorded_at": recorded_at.isoformat()}
    return fields


def converted(fields: Mapping[str, object]) -> Incoming:
    """Return fields, repaired, as a record; raises InvalidRecord if they cannot be one."""
    try:
        record = msgspec.convert(fields, Incoming)
        encode(record)
    except msgspec.ValidationError as error:
        raise InvalidRecord("", "wrong_type", f"the record is not valid: {error}") from None
    except RecursionError:
        raise json_text.too_deep() from None
    return record


def fill(records: Sequence[Incoming]) -> None:
    """Put fields where they belong, for many at once."""
    for record in records:
        if record.error_message:
            fill_success(record)
    if set(map(_built_ins_of, records)) != _NO_BUILT_INS:
        for record in records:
            merge_built_in(record)


def refuse_feedback() -> NoReturn:
    """Raise InvalidRecord: a file cannot have feedback."""
    raise InvalidRecord(
        "feedback",
        "unknown_field",
        "feedback is kept only from services that collect it; "
        "put scores under scores, and remarks under metadata",
    )


def refuse_group(group: str, known: Collection[str], file: str) -> NoReturn:
    """Raise InvalidRecord: the group is not one of those known, which a file names."""
    raise InvalidRecord(
        "experiment_group",
        "unknown_group",
        f"experiment_group is {json_text.shown(group)}; known are {', '.join(sorted(known))}: "
        f"use one of them, or add a row to {file}",
        value=group,
    )


def refuse_contradiction(name: str, found: object, option: str) -> NoReturn:
    """Raise InvalidRecord: the record says something else than an option."""
    raise InvalidRecord(
        name,
        "contradicts_option",
        f"{name} is {json_text.shown(found)}, but the option says {json_text.shown(option)}; "
        "leave the option out, or load the record on its own",
    )


def refuse_missing(record: RunRecord, name: str) -> NoReturn:
    """Raise InvalidRecord: a required field is absent or empty."""
    if getattr(record, name) is ABSENT:
        option = f"--{name.replace('_', '-')}"
        remedy = "add it" if name == "task_id" else f"add it, or give {option}"
        raise InvalidRecord(name, "missing_field", f"{name} is missing; {remedy}")
    raise InvalidRecord(name, "empty_field", f"{name} is empty; give it a value")


def refuse_zero() -> NoReturn:
    """Raise CountsFromZero: a repetition is 0 where they count from 1."""
    raise CountsFromZero(
        "repetition",
        "number_out_of_range",
        "repetition is 0; count from 1, or give --first-repetition 0 if 0 is the first",
    )


def refuse_taken(key: str, owner: str) -> NoReturn:
    """Raise InvalidRecord: the name of a measurement means something else."""
    raise InvalidRecord(
        f"measurements.{key}",
        "name_taken",
        f"measurements.{key} has the name of {owner}; give the measurement another name",
    )


def merge_built_in(record: Incoming) -> None:
    """Move built-in metrics from the top level to the scores."""
    for name in BUILT_IN_METRICS:
        value: Score = getattr(record, name)
        if value is ABSENT:
            continue
        setattr(record, name, ABSENT)
        if not record.scores:
            record.scores = {}
        other = record.scores.get(name)
        if value is not None and other is not None and value != other:
            raise InvalidRecord(
                name,
                "conflicting_scores",
                f"{name} and scores.{name} say {json_text.shown(value)} and "
                f"{json_text.shown(other)}; keep one of them",
            )
        record.scores[name] = other if value is None else value


def fill_success(record: RunRecord) -> None:
    """Say that a run with an error failed, where it does not say so itself."""
    if record.success is ABSENT or record.success is None:
        record.success = False if record.error_message else None


def derived_run_id(record: RunRecord, labels: Labels) -> str:
    """Name a run by what makes it that run; a second such record is an update."""
    parts = [
        record.task_id,
        labels.experiment_group,
        labels.extension_version,
        record.repetition or 1,
    ]
    encoded = encode(parts)
    if len(encoded) <= bounds.LONGEST_RUN_ID:
        return encoded.decode()
    return f"sha256:{sha256(encoded).hexdigest()}"


def utc(text: object) -> datetime | None:
    """Return an ISO 8601 time in UTC; None if the text is absent or empty.

    Raises:
        InvalidRecord: not a time, or before 1970 or after 2199.
    """
    if text is ABSENT or text == "":
        return None
    if not isinstance(text, str):
        checks.repair({"recorded_at": text})
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise InvalidRecord(
            "recorded_at",
            "invalid_timestamp",
            f"recorded_at is {json_text.shown(text)}; "
            "write ISO 8601, such as 2025-01-31T13:45:00+00:00",
        ) from None
    if moment.tzinfo is not UTC:
        try:
            zoned = moment.tzinfo is not None
            moment = moment.astimezone(UTC) if zoned else moment.replace(tzinfo=UTC)
        except OverflowError:
            # within a day of the year 1 or 9999, which is refused in any zone
            moment = moment.replace(tzinfo=UTC)
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise InvalidRecord(
            "recorded_at",
            "timestamp_out_of_range",
            f"recorded_at is {json_text.shown(text)}; "
            f"times from {_EARLIEST_YEAR} to {_LATEST_YEAR} are kept, correct it",
        )
    return moment


def utc_times(texts: Sequence[object]) -> Sequence[datetime | None]:
    """Return many ISO 8601 times in UTC, as `utc` does one.

    Raises:
        InvalidRecord: one of them is not a time, or before 1970 or after 2199.

    """
    try:
        moments = list(map(datetime.fromisoformat, texts))  # type: ignore[arg-type]
        is_utc = set(map(_zone_of, moments)) == {UTC}
        if is_utc and _EARLIEST <= min(moments) <= max(moments) < _LATEST:
            return moments
    except (ValueError, TypeError):
        pass
    return [utc(text) if text is not None else None for text in texts]
