"""What a call costs: prices per million tokens from `seeds/model_prices.csv`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from loader.errors import ConfigurationError
from loader.warehouse.seeds import read_table, seed_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_MILLION: Final = 1_000_000
# A dated snapshot costs what its model costs: gpt-4o-2024-08-06, claude-sonnet-4-20250514.
_SNAPSHOT: Final = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")


class Price(NamedTuple):
    """US dollars per million tokens."""

    input_usd: float
    output_usd: float

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price of one call in US dollars."""
        return (prompt_tokens * self.input_usd + completion_tokens * self.output_usd) / _MILLION


def read_prices(path: Path | None = None) -> Mapping[str, Price]:
    """Read the seed: model → price.

    Raises:
        ConfigurationError: it cannot be read, or a price is no number or negative.

    """
    path = path or seed_path("model_prices")
    prices = {}
    try:
        for row in read_table(path)[1]:
            price = Price(
                float(row["input_usd_per_million_tokens"]),
                float(row["output_usd_per_million_tokens"]),
            )
            if not (price.input_usd >= 0 and price.output_usd >= 0):
                raise ConfigurationError(f"{path}: a price of {row['model']} is negative")
            prices[row["model"]] = price
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return prices


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
