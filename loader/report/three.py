"""The three numbers that matter of a comparison: what got better, what it costs, how sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.metric_page import kind_of_values
from ..show.render import NULL, named_p
from ..show.wording import improvement_of
from .charts import BETTER, WORSE
from .forest import reading_of, style_of
from .grids import count_of, number_of, text_of, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record

_PRICES: Final = ("cost", "latency", "tokens")
"""Kinds of metric that a gain may cost, the dearest first."""


class Number(NamedTuple):
    """One of the three."""

    title: str
    value: str
    note: str
    style: str = ""


def three(summary: Record, rows: Sequence[Record]) -> list[Number]:
    """Return the three numbers; none where nothing is compared.

    Args:
        summary: of `experiment_summaries`.
        rows: its rows of `experiment_metric_comparisons` that have a say, the deciding first.
    """
    metric = text_of(summary, "primary_metric")
    deciding = next((row for row in rows if text_of(row, "metric") == metric), None)
    if deciding is None or improvement_of(deciding).value is None:
        return []
    return [_gain(deciding, rows), _price(deciding, rows), _sureness(deciding)]


def _gain(deciding: Record, rows: Sequence[Record]) -> Number:
    better = [row for row in (deciding, *rows) if reading_of(row) == BETTER]
    if better:
        return Number("What got better", *_number(better[0]))
    value, note, _ = _number(deciding)
    return Number("What got better", "nothing shown", f"{value} {note}")


def _price(deciding: Record, rows: Sequence[Record]) -> Number:
    """Return what got worse; without it what the candidate takes in money or time."""
    worse = [row for row in (deciding, *rows) if reading_of(row) == WORSE]
    if worse:
        return Number("What it costs", *_number(max(worse, key=_loss)))
    prices = [
        row for kind in _PRICES for row in rows
        if row["kind"] == kind and row is not deciding and improvement_of(row).value is not None
    ]  # fmt: skip
    if not prices:
        return Number("What it costs", "nothing shown", "neither cost nor latency is compared")
    value, note, style = _number(prices[0])
    if style:
        return Number("What it costs", value, note, style)
    return Number("What it costs", "nothing shown", f"{value} {note}")


def _sureness(deciding: Record) -> Number:
    p_value = number_of(deciding, "p_value")
    shown = improvement_of(deciding)
    pairs = count_of(deciding, "n_pairs")
    ends = shown.interval()
    value = "no interval" if ends == NULL else f"{ends} {shown.unit}".rstrip()
    parts = [
        f"95 % interval of {text_of(deciding, 'metric')}",
        "no p" if p_value is None else named_p(p_value),
        f"{pairs:,} {'pair' if pairs == 1 else 'pairs'} of tasks",
    ]
    return Number("How sure", value, ", ".join(parts))


def _number(row: Record) -> tuple[str, str, str]:
    """Return an improvement, what it is of, and its class."""
    shown, kind = improvement_of(row), kind_of_values(row)
    text = shown.text()
    if shown.unit == "%" and shown.value is not None:
        text = f"{text} saved" if shown.value >= 0 else f"{text.removeprefix('-')} more"
    means = [told(number_of(row, f"{arm}_mean"), kind) for arm in ("baseline", "candidate")]
    return text, f"{text_of(row, 'metric')}, {' → '.join(means)}", style_of(row)


def _loss(row: Record) -> float:
    """Return how large a loss is in units of its margin."""
    shown = improvement_of(row)
    return -(shown.value or 0.0) / (shown.margin or 1.0)
