"""Units: those that a mapping may name, and those that the name of a column carries."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, NamedTuple


class Unit(NamedTuple):
    """A unit of measurement."""

    name: str
    """As a mapping writes it behind a colon."""
    quantity: str
    size: Decimal | None
    """In milliseconds, US dollars or parts of one; None where no fixed number tells."""


_UNITS: Final = (
    Unit("ns", "time", Decimal("0.000001")),
    Unit("us", "time", Decimal("0.001")),
    Unit("ms", "time", Decimal(1)),
    Unit("s", "time", Decimal(1000)),
    Unit("min", "time", Decimal(60_000)),
    Unit("h", "time", Decimal(3_600_000)),
    Unit("usd", "money", Decimal(1)),
    Unit("cents", "money", Decimal("0.01")),
    Unit("percent", "share", Decimal("0.01")),
    *(Unit(name, "money", None) for name in ("eur", "gbp", "jpy", "cny", "chf", "inr")),
)
UNITS: Final = {unit.name: unit for unit in _UNITS if unit.size is not None}
_WORDS: Final = {
    **{unit.name: unit for unit in _UNITS},
    **{
        word: next(unit for unit in _UNITS if unit.name == name)
        for name, words in {
            "ns": "nsec nanos nanoseconds",
            "us": "usec µs μs micros microseconds",
            "ms": "msec msecs millis milliseconds",
            "s": "sec secs seconds",
            "min": "mins minutes",
            "h": "hrs hours",
            "usd": "dollar dollars",
            "cents": "cent",
            "percent": "pct perc percentage %",
            "eur": "euro euros €",
        }.items()
        for word in words.split()
    },
}
# also something else: a minimum, a version's letter
_ONLY_LAST: Final = {"s", "h"}
_NEVER: Final = {"min", "us"}
_TOKENS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zµμ]+|\d+|[%€]")


def tokens(name: str) -> list[str]:
    """Return the words of a name, lower case: `latencyMs`, `Latency (ms)` → latency, ms."""
    return [token.lower() for token in _TOKENS.findall(name)]


def unit_named(word: str) -> Unit | None:
    """Return the unit that a mapping names."""
    unit = _WORDS.get(word.lower())
    return unit if unit and unit.size is not None else None


def unit_of(name: str) -> Unit | None:
    """Return the unit that the name of a column or a field carries, None if none.

    Its last word counts first: `latency_s`, `durationSec`, `Cost (cents)`, `pct_correct`.
    """
    words = tokens(name)
    for place, word in enumerate(reversed(words)):
        if word in _NEVER and not (word == "us" and place == 0 and len(words) > 1):
            continue
        if word in _ONLY_LAST and (place or len(words) == 1):
            continue
        if word in _WORDS:
            return _WORDS[word]
    return None


def without_unit(name: str) -> str:
    """Return the words of a name that are no unit, joined by underscores."""
    unit = unit_of(name)
    return "_".join(word for word in tokens(name) if unit is None or _WORDS.get(word) != unit)
