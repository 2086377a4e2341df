"""What a cell or a text of a foreign file says: a number, a truth, a time.

Whatever can be read in two ways is refused with both, never guessed.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, Literal, get_args

from ..errors import InvalidRecord
from ..records.json_text import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

DecimalMark = Literal["point", "comma"]
DECIMAL_MARKS: Final[tuple[DecimalMark, ...]] = get_args(DecimalMark)

_TRUTHS: Final = {
    **dict.fromkeys(("true", "yes", "t", "y"), True),
    **dict.fromkeys(("false", "no", "f", "n"), False),
}
# thousands apart by one sign throughout; spaces that do not break are written too
_GROUPED: Final = {
    mark: re.compile(
        rf"[-+]?[1-9]\d{{0,2}}(?:([{re.escape(sign)} '\u2019\u00a0\u202f])\d{{3}})(?:\1\d{{3}})*"
        rf"(?:{re.escape(point)}\d+)?"
    )
    for mark, sign, point in (("point", ",", "."), ("comma", ".", ","))
}
_WITH_COMMA: Final = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_ONE_GROUP: Final = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")

DATE: Final = re.compile(
    r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})"
    r"(?:(?:\s*,\s*|\s+|T)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?"
    r"\s*(Z|[-+]\d{2}:?\d{2})?"
)
_YEAR_DIGITS: Final = 4
_HOURS: Final = 12
_EPOCHS: Final = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_DAYS_START: Final = datetime(1899, 12, 30, tzinfo=UTC)
"""Day 0 of a spreadsheet: its day 60, 29 February 1900, never was."""
TIME_FORMS: Final = (*_EPOCHS, "excel", "dmy", "mdy", "ymd")


def number(name: str, text: str, mark: DecimalMark | None = None) -> int | float:
    """Read a number.

    Args:
        name: of the field, for the reason.
        text: as written; thousands may be grouped.
        mark: what stands before decimals. None: a point, and a comma that could be either
            is refused.

    Raises:
        InvalidRecord: it is none, or could be two.

    """
    text = text.strip()
    if mark != "comma":
        plain = plain_number(text)
        if plain is not None:
            return plain
    found = _GROUPED[mark or "point"].fullmatch(text)
    if found and not (mark is None and _ONE_GROUP.fullmatch(text)):
        text = text.replace(found[1], "")
        return _exact(text.replace(",", ".") if mark == "comma" else text)
    if mark == "comma":
        return _with_comma(name, text)
    if _WITH_COMMA.fullmatch(text):
        raise InvalidRecord(
            name,
            "ambiguous_number",
            f"{name} is {shown(text)}; say what its comma is: --decimal comma (before decimals) "
            "or --decimal point (between thousands)",
        )
    raise _no_number(name, text)


def mark_of(text: str) -> DecimalMark | Literal["either"] | None:
    """Say what stands before the decimals of a number, by the points and commas in it.

    Returns:
        `either` where its comma could as well stand between thousands; None where it has
        neither sign, or is no number.

    """
    if _ONE_GROUP.fullmatch(text):
        return "either"
    if plain_number(text) is not None or _GROUPED["point"].fullmatch(text):
        return "point" if "." in text or "," in text else None
    is_comma = _WITH_COMMA.fullmatch(text) or _GROUPED["comma"].fullmatch(text)
    return "comma" if is_comma else None


def plain_number(text: str) -> int | float | None:
    """Read a number that is written with a decimal point, None if it is none."""
    # int() and float() also take 1_000
    if "_" in text:
        return None
    for read in (float,) if "." in text else (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return None


def _with_comma(name: str, text: str) -> int | float:
    if "." not in text:
        plain = plain_number(text.replace(",", ".", 1))
        if plain is not None:
            return plain
    elif plain_number(text) is not None:
        raise InvalidRecord(
            name,
            "ambiguous_number",
            f"{name} is {shown(text)}, with a point, and --decimal comma is said; "
            "write decimals alike in all of the file",
        )
    raise _no_number(name, text)


def _exact(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _no_number(name: str, text: str) -> InvalidRecord:
    return InvalidRecord(
        name,
        "wrong_type",
        f"{name} is {shown(text)} where a number is wanted; write it like 1850.5, "
        "or leave the cell empty",
    )


def scaled(value: float, factor: Decimal) -> float:
    """Multiply as on paper: 4.35 times 100 is 435."""
    try:
        product = Decimal(repr(value)) * factor
    except InvalidOperation:
        return math.nan
    is_whole = product.is_finite() and product == product.to_integral_value()
    return int(product) if is_whole else float(product)


def exact_sum(values: Sequence[float]) -> float:
    """Add up as on paper: 0.1 and 0.2 are 0.3."""
    try:
        return scaled(1, sum((Decimal(repr(value)) for value in values), Decimal(0)))
    except InvalidOperation:
        return math.nan


def finite(value: object) -> float | None:
    """Return a number as a float; None for what is none or is larger than any float.

    JSON's whole numbers may have any number of digits; computing with more than 308 raises.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def truth(text: str) -> bool | None:
    """Read true or false, yes or no, t or f, y or n, in any case; None for anything else."""
    return _TRUTHS.get(text.strip().lower())


def boolean(name: str, text: str) -> bool:
    """Read a truth that may also be 1 or 0.

    Raises:
        InvalidRecord: it is neither.

    """
    value = {"1": True, "0": False}.get(text.strip(), truth(text))
    if value is None:
        raise InvalidRecord(
            name,
            "wrong_type",
            f"{name} is {shown(text)}; write true or false, or map its words: "
            f"--map '{name}=COLUMN{{passed:true,failed:false}}'",
        )
    return value


def iso_time(name: str, value: object, form: str | None = None) -> object:
    """Turn a time as it was written into ISO 8601; text without a form passes if it is that.

    Args:
        name: of the field, for the reason.
        value: text, or a number.
        form: one of `TIME_FORMS`.

    Raises:
        InvalidRecord: it is no time of that form, or the form has to be said.

    """
    if form in _EPOCHS or form == "excel":
        return _counted(name, value, form)
    text = value.strip() if isinstance(value, str) else ""
    if form is None and text:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return value
    found = DATE.fullmatch(text)
    if found and form is None and len(found[1]) == _YEAR_DIGITS:
        form = "ymd"
    if found and form:
        return _dated(name, text, found, form)
    if found:
        told = f"say which part is the day: --map {name}=COLUMN:dmy or :mdy"
    elif isinstance(value, int | float) or plain_number(text) is not None:
        told = f"say what it counts: --map {name}=COLUMN:epoch, :epoch_ms or :excel"
    else:
        told = "write ISO 8601, such as 2025-01-31T13:45:00+00:00"
    raise InvalidRecord(name, "invalid_timestamp", f"{name} is {shown(value)}; {told}")


def _counted(name: str, value: object, form: str) -> str:
    """Read seconds, or parts of them, since 1970, or days of a spreadsheet."""
    count = plain_number(value.strip()) if isinstance(value, str) else value
    if isinstance(count, int | float) and not isinstance(count, bool):
        try:
            if form == "excel":
                # whole milliseconds, which is what a spreadsheet can tell
                return (_DAYS_START + timedelta(seconds=round(count * 86_400, 3))).isoformat()
            moment = datetime(1970, 1, 1, tzinfo=UTC)
            microseconds = scaled(count, Decimal(1_000_000 // _EPOCHS[form]))
            return (moment + timedelta(microseconds=microseconds)).isoformat()
        except (OverflowError, ValueError):
            pass
    raise InvalidRecord(
        name, "invalid_timestamp", f"{name} is {shown(value)}, no time that counts as {form}"
    )


def _dated(name: str, text: str, found: re.Match[str], form: str) -> str:
    parts = dict(zip(form, found.groups()[:3], strict=True))
    hour, minute, second, fraction, half, zone = found.groups()[3:]
    try:
        moment = datetime(
            int(parts["y"]) if len(parts["y"]) == _YEAR_DIGITS else 0, int(parts["m"]),
            int(parts["d"]), _hours(int(hour or 0), half), int(minute or 0), int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]), UTC,
        )  # fmt: skip
    except ValueError:
        order = {"d": "day", "m": "month", "y": "year (four digits)"}
        raise InvalidRecord(
            name,
            "invalid_timestamp",
            f"{name} is {shown(text)}, not a date of {', '.join(order[each] for each in form)}",
        ) from None
    written = moment.isoformat().removesuffix("+00:00")
    return written + (zone or "+00:00")


def _hours(hours: int, half: str | None) -> int:
    """Return the hour of the day; past its end where the clock has no such hour."""
    if not half:
        return hours
    if not 1 <= hours <= _HOURS:
        return 24
    return hours % _HOURS + (_HOURS if half.lower() == "pm" else 0)
