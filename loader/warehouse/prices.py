"""Prices of models as the seed `model_prices` has them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from ..tools.prices import Price, PriceList
from .seeds import read_table, seed_path, seed_shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_price_list(path: Path | None = None) -> PriceList:
    """Read the seed, or another file of its form.

    Raises:
        ConfigurationError: it cannot be read, or has a fault.

    """
    named = str(path) if path else seed_shown("model_prices")
    return PriceList(read_table(path or seed_path("model_prices"))[1], named)


def read_prices(path: Path | None = None, on: date | None = None) -> Mapping[str, Price]:
    """Read what models cost on a day, today in UTC if none is given.

    Raises:
        ConfigurationError: it cannot be read, or has a fault.

    """
    return read_price_list(path).on(on or datetime.now(UTC).date())
