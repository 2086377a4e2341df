"""What an address asks for: every parameter typed and bounded, else one sentence says why not."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from ..errors import LoaderError
from ..marts.browsing import Candidate
from ..marts.listing import Listing, Order, Place
from ..tools.tables import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from starlette.datastructures import QueryParams

    from ..marts.listing import Field

_LONGEST: Final = 2_048
"""Characters of a parameter: an id has 512 bytes at most."""
_LONGEST_PLACE: Final = 8_192
_LARGEST: Final = 2**63
_UNSENDABLE: Final = re.compile("[\0\ud800-\udfff]")
_WILD: Final = re.compile(r"([\\%_])")


class Unanswerable(LoaderError):  # noqa: N818  what a person asked
    """An address that asks for something that cannot be; the sentence says what."""


class Asked:
    """The parameters of an address."""

    def __init__(self, parameters: QueryParams) -> None:
        """Take them as they come."""
        self._parameters = parameters

    def text(self, name: str, longest: int = _LONGEST) -> str | None:
        """Return a text; None where there is none, or it is empty."""
        values = self._parameters.getlist(name)
        if len(values) > 1:
            raise Unanswerable(f"The address says {name} more than once.")
        value = values[0] if values else ""
        if len(value) > longest:
            raise Unanswerable(f"{name} is longer than {longest:,} characters.")
        if _UNSENDABLE.search(value):
            raise Unanswerable(f"{name} holds a character that no text has.")
        return value or None

    def name(self, name: str) -> str:
        """Return a text that has to be there."""
        value = self.text(name)
        if value is None:
            raise Unanswerable(f"The address does not say which {name}.")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str | None:
        """Return one of some words; None where there is none."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise Unanswerable(f"{name} is one of: {', '.join(choices)}.")
        return value

    def number(self, name: str) -> int:
        """Return a whole number that has to be there."""
        value = self.name(name)
        if not (value.isascii() and value.isdecimal()) or int(value[:20]) >= _LARGEST:
            raise Unanswerable(f"{name} is a whole number.")
        return int(value)

    def pattern(self, name: str = "q") -> str | None:
        """Return what a search looks for, as `ilike` takes it."""
        value = (self.text(name) or "").strip()
        return "%" + _WILD.sub(r"\\\1", value) + "%" if value else None

    def day(self, name: str, *, is_end: bool = False) -> datetime | None:
        """Return when a day begins, or for an end when the next one does, in UTC."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = date.fromisoformat(value)
            day = found + timedelta(days=1) if is_end else found
        except (ValueError, OverflowError):
            raise Unanswerable(f"{name} is a day such as 2025-01-31.") from None
        return datetime.combine(day, time(), UTC)

    def order(self, listing: Listing, first: Order) -> Order:
        """Return which row comes first: `sort=column`, or `sort=-column` from the largest."""
        value = self.text("sort")
        if value is None:
            return first
        column = value.removeprefix("-")
        if column not in {field.name for field in listing.fields}:
            raise Unanswerable("sort is no column of this table.")
        return Order(column, value.startswith("-"))

    def place(self, name: str, listing: Listing, order: Order) -> Place | None:
        """Return the row that a page begins behind, or ends before."""
        value = self.text(name, _LONGEST_PLACE)
        if value is None:
            return None
        try:
            said = json.loads(value)
        except (ValueError, RecursionError):
            said = None
        if (
            not isinstance(said, list)
            or len(said) != 1 + len(listing.key)
            or not all(isinstance(part, str) for part in said[1:])
            or any(isinstance(part, str) and _UNSENDABLE.search(part) for part in said)
        ):
            raise Unanswerable(f"{name} is no place of this table.")
        return Place(_value(said[0], listing.field(order.column), name), said[1:])

    def named(self, name: str) -> tuple[str, str | None, str | None]:
        """Return an experiment, or as a JSON list it and the group and version of a candidate."""
        value = self.name(name)
        try:
            said = json.loads(value) if value.startswith("[") else None
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, list):
            return value, None, None
        if [type(part) for part in said] != [str, str, str] or _UNSENDABLE.search("".join(said)):
            raise Unanswerable(f"{name} is an experiment, or a list of it, a group and a version.")
        experiment, group, version = said
        return experiment, group, version

    def candidate(self, summaries: Sequence[dict[str, object]]) -> Candidate:
        """Return the candidate that is asked for among those of an experiment, else the first."""
        group, version = self.text("group"), self.text("version")
        for row in summaries:
            if group in (None, row["candidate_group"]) and version in (
                None,
                row["candidate_version"],
            ):
                return Candidate(
                    *(
                        str(row[name])
                        for name in ("experiment_id", "candidate_group", "candidate_version")
                    )
                )
        raise Unanswerable("The experiment has no such candidate.")


def _value(  # noqa: C901  a branch for each kind
    said: object, field: Field, name: str
) -> str | float | bool | None:
    """Return a value of a column as it stands in an address."""
    wrong = Unanswerable(f"{name} is no place of this table.")
    if said is None:
        return None
    if field.kind is Kind.BOOLEAN:
        if isinstance(said, bool):
            return said
        raise wrong
    if field.type == "text":
        if isinstance(said, str):
            return said
        raise wrong
    if field.kind is Kind.TIMESTAMP:
        try:
            return datetime.fromisoformat(str(said)).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            raise wrong from None
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise wrong
    try:
        number = float(said)
    except OverflowError:
        raise wrong from None
    if not math.isfinite(number) or (field.kind is Kind.INTEGER and abs(number) >= _LARGEST):
        raise wrong
    return int(said) if field.kind is Kind.INTEGER else number
