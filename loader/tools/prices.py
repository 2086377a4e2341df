"""What a call costs: prices per million tokens, and the day from which each holds. No I/O."""

from __future__ import annotations

import math
import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MILLION: Final = 1_000_000
# A dated snapshot costs what its model costs: gpt-4o-2024-08-06, claude-sonnet-4-20250514.
_SNAPSHOT: Final = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")


class Price(NamedTuple):
    """US dollars per million tokens."""

    input_usd: float
    output_usd: float
    cached_input_usd: float | None = None
    """Of those of the prompt that came from a cache; None if not known."""
    reasoning_usd: float | None = None
    """Of those of the answer spent on reasoning; None as other output."""

    def cost(
        self,
        prompt_tokens: int,
        completion_tokens: int,
        cached_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> float | None:
        """Return the price of one call in US dollars; None if it cannot be told.

        Args:
            prompt_tokens: all of them.
            completion_tokens: all of them.
            cached_tokens: those of the prompt that came from a cache. Without a price of
                their own `bound` is an upper bound, which is not what the call costs.
            reasoning_tokens: those of the answer spent on reasoning.

        """
        if cached_tokens > prompt_tokens or reasoning_tokens > completion_tokens:
            return None  # counted beside, not among them: nobody knows by which rule
        if cached_tokens and self.cached_input_usd is None:
            return None
        reasoning_usd = self.output_usd if self.reasoning_usd is None else self.reasoning_usd
        return (
            (prompt_tokens - cached_tokens) * self.input_usd
            + cached_tokens * (self.cached_input_usd or 0.0)
            + (completion_tokens - reasoning_tokens) * self.output_usd
            + reasoning_tokens * reasoning_usd
        ) / _MILLION

    def bound(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what a call costs at most, whatever kind its tokens are."""
        of_input = max(self.input_usd, self.cached_input_usd or 0.0)
        of_output = max(self.output_usd, self.reasoning_usd or 0.0)
        return (prompt_tokens * of_input + completion_tokens * of_output) / _MILLION


class PriceList:
    """What models cost, and since when."""

    def __init__(self, rows: Iterable[Mapping[str, str]], named: str) -> None:
        """Read the rows of a seed `model_prices`.

        Args:
            rows: each by the names of its columns.
            named: the file, as messages name it.

        Raises:
            ConfigurationError: a column is missing, a cell is no number, negative or no date,
                or two rows say what a model costs from the same day on.

        """
        self.named = named
        self._found: dict[str, dict[date, Price]] = {}
        for number, row in enumerate(rows, start=2):
            try:
                begin = date.fromisoformat(row.get("valid_from") or "0001-01-01")
                known, price = self._found.setdefault(row["model"], {}), _price(row)
            except (KeyError, ValueError) as error:
                said = f"lacks the column {error}" if isinstance(error, KeyError) else str(error)
                raise ConfigurationError(f"{named}, line {number}: {said}") from None
            if known.setdefault(begin, price) is not price:
                raise ConfigurationError(
                    f"{named}, line {number}: {row['model']} has another price from the same day on"
                )
        self.on = lru_cache(maxsize=400)(self._on)

    def _on(self, day: date) -> Mapping[str, Price]:
        """Return the prices that hold on a day, by model."""
        held = {
            model: max((begin for begin in prices if begin <= day), default=None)
            for model, prices in self._found.items()
        }
        return {model: self._found[model][begin] for model, begin in held.items() if begin}


def _price(row: Mapping[str, str]) -> Price:
    """Read a row of the seed.

    Raises:
        KeyError: it lacks a column that it must have.
        ValueError: a price is none.

    """
    price = Price(
        float(row["input_usd_per_million_tokens"]),
        float(row["output_usd_per_million_tokens"]),
        *(
            float(text) if text else None
            for text in (
                row.get("cached_input_usd_per_million_tokens"),
                row.get("reasoning_usd_per_million_tokens"),
            )
        ),
    )
    if not all(usd is None or 0 <= usd < math.inf for usd in price):
        raise ValueError(f"a price of {row['model']} is negative or no number")
    return price


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """Find the price of a model; None if the seed does not list it.

    A name also matches without its provider (`openai/gpt-4o`) and without the date of its
    snapshot.
    """
    bare = model.rpartition("/")[2]
    for name in (model, bare, _SNAPSHOT.sub("", model), _SNAPSHOT.sub("", bare)):
        if name in prices:
            return prices[name]
    return None
