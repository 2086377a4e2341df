"""Why a record is refused, in words: every field looked at on its own.

`repair` sees only records that the fast check of `loader.records.checker` did not admit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import ConfigurationError, InvalidRecord
from . import bounds
from .json_text import shown, too_deep, type_name
from .vocabulary import BUILT_IN_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind = Literal[
    "text",
    "number",
    "integer",
    "boolean",
    "scores",
    "scales",
    "numbers",
    "texts",
    "labels",
    "object",
    "objects",
    "anything",
]
TOKEN_KINDS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
CONTENTS: Final = ("inputs", "outputs", "reference_outputs")
# Every field of a record, in the order in which faults are reported, and its longest text or
# largest number.
FIELDS: Final[Mapping[str, tuple[Kind, float]]] = {
    "experiment_id": ("text", bounds.LONGEST_IDENTIFIER),
    "task_id": ("text", bounds.LONGEST_IDENTIFIER),
    "experiment_group": ("text", bounds.LONGEST_LABEL),
    "extension_version": ("text", bounds.LONGEST_LABEL),
    "source_run_id": ("text", bounds.LONGEST_RUN_ID),
    "repetition": ("integer", bounds.LARGEST_COUNT),
    "recorded_at": ("text", bounds.LONGEST_NAME),
    "model_version": ("text", bounds.LONGEST_LABEL),
    "agent_name": ("text", bounds.LONGEST_LABEL),
    "scores": ("scores", bounds.LONGEST_NAME),
    **dict.fromkeys(BUILT_IN_METRICS, ("scores", bounds.LONGEST_NAME)),
    "measurements": ("numbers", bounds.LONGEST_NAME),
    "latency_ms": ("number", bounds.LARGEST_LATENCY),
    "tokens_used": ("integer", bounds.LARGEST_TOKENS),
    "cost_usd": ("number", bounds.LARGEST_COST),
    "success": ("boolean", 0),
    "error_message": ("text", 0),
    "dataset_version": ("text", bounds.LONGEST_LABEL),
    "evaluator_versions": ("texts", bounds.LONGEST_NAME),
    "feedback": ("objects", 0),
    "baseline_experiment_id": ("text", bounds.LONGEST_IDENTIFIER),
    "metadata": ("object", 0),
    "score_scales": ("scales", bounds.LONGEST_NAME),
    "comments": ("texts", bounds.LONGEST_NAME),
    "labels": ("labels", bounds.LONGEST_NAME),
    "trace_url": ("text", bounds.LONGEST_URL),
    **dict.fromkeys(TOKEN_KINDS, ("integer", bounds.LARGEST_TOKENS)),
    **dict.fromkeys(CONTENTS, ("anything", 0)),
}
_NOT_NEGATIVE: Final = frozenset({"latency_ms", "tokens_used", "cost_usd", *TOKEN_KINDS})
_LONG_INTEGER: Final = 2**63
REQUIRED: Final = ("experiment_id", "task_id", "experiment_group", "extension_version")


def repair(fields: Mapping[str, Any], set_aside: dict[str, Any] | None = None) -> dict[str, Any]:
    """Say what is wrong with a record's fields, or return them in the form wanted.

    What is put right: null is the same as absent, and a whole number written with a
    decimal point (2450.0, as data frames with gaps write integers) is an integer. A built-in
    metric that is null stays, as any score that is: the run has it, without a value.

    Args:
        fields: of the record.
        set_aside: gets, by its place, what is negative and cannot be, and what is larger than
            is taken; it then counts as absent. None refuses the record.

    Raises:
        InvalidRecord: the first fault, in the order of `FIELDS`.

    """
    for name in fields:
        if name not in FIELDS:
            raise InvalidRecord(
                str(name),
                "unknown_field",
                f"{shown(name)} is no field of a record; put it under metadata, "
                "or a score of your own under scores",
            )
    present = {
        name: fields[name]
        for name in FIELDS
        if fields.get(name) is not None or (name in BUILT_IN_METRICS and name in fields)
    }
    if set_aside is not None:
        set_aside |= _out_of_bounds(present)
    for name, value in present.items():
        kind, limit = FIELDS[name]
        if name in BUILT_IN_METRICS:
            _score(name, value)
        elif kind == "text":
            _text(name, value, limit)
        elif kind == "number":
            number(name, value, limit)
        elif kind == "integer":
            present[name] = _integer(name, value, limit)
        elif kind == "boolean":
            _boolean(name, value)
        else:
            _container(name, value, kind)
    return present


def _out_of_bounds(present: dict[str, Any]) -> dict[str, float]:
    """Take out, and return by their place, the numbers that cannot be or are not taken."""
    found = {
        name: _kept(present.pop(name))
        for name in sorted(present.keys() & _NOT_NEGATIVE)
        if _is_off(present[name], 0, FIELDS[name][1])
    }
    for name in present.keys() & {*BUILT_IN_METRICS}:
        if _is_off(present[name], -bounds.LARGEST_NUMBER, bounds.LARGEST_NUMBER):
            found[f"scores.{name}"] = _kept(present.pop(name))
    for field in ("scores", "measurements"):
        values = present.get(field)
        if not isinstance(values, dict):
            continue
        off = [
            key
            for key, value in values.items()
            if _is_off(value, -bounds.LARGEST_NUMBER, bounds.LARGEST_NUMBER)
        ]
        if off:
            for key in off:
                refuse_name(field, key)
            found |= {f"{field}.{key}": _kept(values[key]) for key in off}
            present[field] = {key: value for key, value in values.items() if key not in off}
    return found


def _kept(value: float) -> float:
    """Return a number that is set aside as it is stored: an integer only where it is short."""
    return value if abs(value) < _LONG_INTEGER else float(value)


def _is_off(value: object, low: float, high: float) -> bool:
    """Whether a value is a number, and outside of what is taken."""
    if type(value) not in (int, float):
        return False
    number: float = value  # type: ignore[assignment]
    return -bounds.LARGEST_FLOAT <= number <= bounds.LARGEST_FLOAT and not low <= number <= high


def _text(name: str, value: Any, limit: float) -> None:  # noqa: ANN401  any JSON value
    if not isinstance(value, str):
        remedy = "put it in quotes" if isinstance(value, int | float) else "write it as text"
        _refuse_type(name, value, "text", remedy)
    for problem in unstorable(value, name):
        raise problem
    if limit:
        refuse_long(name, value, limit)


def refuse_long(name: str, value: str, limit: float) -> None:
    """Raise InvalidRecord if the text is longer than `limit` bytes of UTF-8."""
    length = len(value.encode("utf-8", "surrogatepass"))
    if length > limit:
        raise InvalidRecord(
            name,
            "too_long",
            f"{name} is {length:,} bytes long; at most {limit:,} are kept, shorten it",
        )


def refuse_source(source: str) -> None:
    """Raise ConfigurationError unless the text can name where the runs of a load come from."""
    if not source.strip():
        raise ConfigurationError("the source is empty; name what the runs come from")
    try:
        _text("source", source, bounds.LONGEST_LABEL)
    except InvalidRecord as error:
        raise ConfigurationError(error.reason) from None


def number(
    name: str,
    value: Any,  # noqa: ANN401  any JSON value
    limit: float = bounds.LARGEST_NUMBER,
    *,
    signed: bool = False,
) -> None:
    """Raise InvalidRecord unless the value is a number up to the limit, and not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        remedy = "write it without quotes" if isinstance(value, str) else "write a number"
        _refuse_type(name, value, "a number", remedy)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRecord(
            name,
            "not_finite",
            f"{name} is {'not a number' if math.isnan(value) else 'infinite or past 1.8e308'}; "
            "leave it out if it was not measured",
        )
    if abs(value) > limit:
        side = "under -" if value < 0 else "past "
        _refuse_range(name, value, f"{side}{bounds.shown(limit)}")
    if value < 0 and not signed:
        raise InvalidRecord(
            name,
            "negative_number",
            f"{name} is {shown(value)}; it cannot be negative, leave it out if unknown",
        )


def _integer(name: str, value: Any, limit: float) -> int:  # noqa: ANN401  any JSON value
    number(name, value, limit)
    if value != int(value):
        raise InvalidRecord(
            name, "wrong_type", f"{name} is {shown(value)}; it must be a whole number"
        )
    return int(value)


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        _refuse_type(name, value, "true or false", "write true or false without quotes")


def _container(name: str, value: Any, kind: Kind) -> None:  # noqa: ANN401  any JSON value
    if kind == "objects":
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            _refuse_type(name, value, "an array of objects", "write [{…}, …]")
    elif kind != "anything" and not isinstance(value, dict):
        _refuse_type(name, value, "an object", "write {…}")
    for problem in unstorable(value, name):
        raise problem
    if kind in ("object", "objects", "anything"):
        return
    for key, item in value.items():
        refuse_name(name, key)
        _CHECK_OF_KIND[kind](f"{name}.{key}", item)


def _score(path: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        number(path, value, signed=True)


def scale(path: str, value: Any) -> None:  # noqa: ANN401  any JSON value
    """Raise InvalidRecord unless the value is a scale: [min, max], two numbers that differ."""
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004  its two ends
        _refuse_type(path, value, "[min, max]", "write the scale's two ends, such as [1, 5]")
    for end in value:
        number(path, end, signed=True)
    if not value[0] < value[1]:
        _refuse_range(path, list(value), "its low end first")


def _plain_text(path: str, value: Any) -> None:  # noqa: ANN401  any JSON value
    if not isinstance(value, str):
        _refuse_type(path, value, "text", "put it in quotes")


def _label(path: str, value: Any) -> None:  # noqa: ANN401  any JSON value
    """Raise InvalidRecord unless the value can name a category."""
    _plain_text(path, value)
    if not value.strip():
        raise InvalidRecord(path, "empty_field", f"{path} is empty; leave it out")
    if len(value) > bounds.LONGEST_LABEL:
        raise InvalidRecord(
            path,
            "too_long",
            f"{path} is {len(value):,} characters long; a category has at most "
            f"{bounds.LONGEST_LABEL}, put a remark under comments",
        )


def _signed(path: str, value: Any) -> None:  # noqa: ANN401  any JSON value
    number(path, value, signed=True)


def refuse_name(field: str, key: str) -> None:
    """Raise InvalidRecord unless the key of a score or measurement can name one."""
    if not key.strip():
        raise InvalidRecord(field, "empty_field", f"{field} has a key without a name; name it")
    refuse_long(f"a key of {field}", key, bounds.LONGEST_NAME)


def unstorable(value: object, path: str) -> Iterator[InvalidRecord]:
    """Yield what PostgreSQL or JSON cannot hold inside a value, of a field of a record."""
    waiting = [(path, value, 2)]
    while waiting:
        where, item, depth = waiting.pop()
        if isinstance(item, dict | list | tuple) and depth > bounds.DEEPEST:
            yield too_deep(path)
            return
        if isinstance(item, dict):
            shortened = where if len(where) > bounds.LONGEST_IDENTIFIER else f"{where}."
            for key, inner in item.items():
                yield from _unstorable_key(key, where)
                waiting.append((f"{shortened}{key}", inner, depth + 1))
        elif isinstance(item, list | tuple):
            waiting.extend((where, inner, depth + 1) for inner in item)
        elif isinstance(item, str):
            yield from _unstorable_text(item, where)
        elif isinstance(item, float) and not math.isfinite(item):
            yield InvalidRecord(
                where, "not_finite", f"{where} is not a finite number; write null, or leave it out"
            )
        elif item is not None and not isinstance(item, int | float):
            yield InvalidRecord(
                where, "wrong_type", f"{where} holds {type_name(item)}; use JSON types only"
            )


def _unstorable_key(key: object, where: str) -> Iterator[InvalidRecord]:
    if isinstance(key, str):
        yield from _unstorable_text(key, f"a key of {where}")
    else:
        yield InvalidRecord(
            where, "wrong_type", f"{where} has the key {shown(key)}; keys must be text"
        )


def _unstorable_text(text: str, where: str) -> Iterator[InvalidRecord]:
    if "\0" in text:
        yield InvalidRecord(
            where, "nul_character", f"{where} holds a NUL character (\\u0000); remove it"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        yield InvalidRecord(
            where,
            "invalid_unicode",
            f"{where} holds half of a surrogate pair "
            f"(\\u{ord(text[error.start]):04x}) at character {error.start + 1}; "
            "write the whole character",
        )


def _refuse_type(name: str, value: object, wanted: str, remedy: str) -> None:
    raise InvalidRecord(
        name, "wrong_type", f"{name} is {type_name(value)} where {wanted} is wanted; {remedy}"
    )


def _refuse_range(name: str, value: object, limit: str) -> None:
    raise InvalidRecord(
        name, "number_out_of_range", f"{name} is {shown(value)}, {limit}; correct it"
    )


_CHECK_OF_KIND: Final[Mapping[Kind, Callable[[str, Any], None]]] = {
    "scores": _score,
    "scales": scale,
    "numbers": _signed,
    "texts": _plain_text,
    "labels": _label,
}
