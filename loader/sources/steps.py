"""What is done to a column's value on its way: arithmetic, units, times, words."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError, InvalidRecord, nearest
from ..records.json_text import shown
from .targets import as_number, as_text
from .units import UNITS, Unit, unit_named, unit_of
from .values import TIME_FORMS, iso_time, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .targets import Style, Target

_ONE: Final = Decimal(1)
_NUMERIC: Final = ("number", "integer", "numbers", "scores")
_MOST_TOLD: Final = 10
# a word and its meaning; one with a colon in it stands in quotation marks
_PAIR: Final = re.compile(r"""\s*("[^"]*"|'[^']*'|[^:]*?)\s*:(.*)""", re.DOTALL)


class Scaling(NamedTuple):
    """A number, times another."""

    factor: Decimal
    is_percent: bool = False

    def __call__(self, name: str, value: object, style: Style) -> object:
        """Calculate; raises InvalidRecord where there is no number."""
        return scaled(as_number(name, value, style, is_percent=self.is_percent), self.factor)


class TimeForm(NamedTuple):
    """A time in another form than ISO 8601."""

    form: str

    def __call__(self, name: str, value: object, style: Style) -> object:
        """Turn it into that; raises InvalidRecord where it is none."""
        del style
        return iso_time(name, value, self.form)


class Words(NamedTuple):
    """Words, and what they stand for."""

    meanings: Mapping[str, str]

    def __call__(self, name: str, value: object, style: Style) -> object:
        """Look a word up; raises InvalidRecord where it has no meaning."""
        del style
        word = str(as_text(value)).strip()
        if word not in self.meanings:
            raise InvalidRecord(
                name,
                "unmapped_value",
                f"{name} is {shown(word)}, which its mapping does not name"
                f"{nearest(word, self.meanings)}; it names "
                f"{', '.join(list(self.meanings)[:_MOST_TOLD])}",
            )
        return self.meanings[word]


Step = Scaling | TimeForm | Words
Operation = tuple[str, str]
"""A sign, `*`, `/`, `:` or `{`, and what stands behind it."""


def is_named(word: str) -> bool:
    """Return whether a word behind a colon is a unit, or how a time is written."""
    return word in TIME_FORMS or unit_named(word) is not None


def steps_of(column: str, place: Target, operations: Sequence[Operation]) -> tuple[Step, ...]:
    """Return what operations do to a column on its way to its place.

    Raises:
        ConfigurationError: one of them makes no sense there, or the column's name carries a
            unit that none of them turns into that of the place.

    """
    steps: list[Step] = []
    for sign, said in operations:
        if sign == "{":
            steps.append(_words(said))
        elif sign == ":" and said in TIME_FORMS:
            if place.name != "recorded_at" and place.path[0] != "metadata":
                raise ConfigurationError(f"{place.name} is no time; leave :{said} out")
            steps.append(TimeForm(said))
        elif sign == ":":
            steps.append(_conversion(place, said))
        else:
            factor = Decimal(said)
            if not factor:
                raise ConfigurationError("that makes everything 0; write another number")
            steps.append(Scaling(factor if sign == "*" else _ONE / factor))
    if place.kind in _NUMERIC:
        _refuse_other_unit(column, place, operations)
    return tuple(steps)


def _words(said: str) -> Words:
    meanings: dict[str, str] = {}
    for pair in said.split(","):
        found = _PAIR.fullmatch(pair)
        word, meaning = (
            (part.strip().strip("'\"") for part in found.groups()) if found else ("", "")
        )
        if not word:
            raise ConfigurationError(
                f"{pair.strip() or 'nothing'} stands between braces; write {{word:meaning,…}}"
            )
        meanings[word] = meaning
    return Words(meanings)


def _own_unit(place: Target) -> Unit | None:
    """Return the unit that a place is in: that of its name; for scores, parts of one."""
    own = unit_of(place.path[-1])
    return own or (Unit("parts of one", "share", _ONE) if place.kind == "scores" else None)


def _conversion(place: Target, said: str) -> Scaling:
    unit, own = unit_named(said), _own_unit(place)
    if unit is None or unit.size is None:
        raise ConfigurationError(f"units are {', '.join(UNITS)}")
    if own is None or own.size is None:
        raise ConfigurationError(
            f"{place.name} says no unit; put it into its name, such as {place.name}_{unit.name}"
        )
    if own.quantity != unit.quantity:
        raise ConfigurationError(f"{unit.name} does not become {own.name}")
    return Scaling(unit.size / own.size, is_percent=unit.name == "percent")


def _refuse_other_unit(column: str, place: Target, operations: Sequence[Operation]) -> None:
    """Raise where the column's name has a unit that nothing turns into the place's."""
    carried, own = unit_of(column), _own_unit(place)
    stated = next((unit_named(said) for sign, said in operations if sign == ":"), None)
    if carried is None:
        return
    if stated is not None and stated != carried:
        raise ConfigurationError(
            f"the name of {column} says {carried.name}, not {stated.name}; "
            f"write {place.name}={column}:{carried.name}"
        )
    # of a score the scale may be stated instead: `refuse_percent` looks at the whole mapping
    if own is None or own == carried or operations or place.kind == "scores":
        return
    is_known = carried.size is not None and carried.quantity == own.quantity
    remedy = f":{carried.name}" if is_known else "*FACTOR"
    raise ConfigurationError(
        f"{column} is in {carried.name} and {place.name} in {own.name}; "
        f"write {place.name}={column}{remedy}"
    )
