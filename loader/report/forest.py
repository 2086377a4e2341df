"""The forest plot: one line per metric or segment, placed in per cent of the plot's width.

A template draws it, so that names are text of the page, which wraps, and only the plot is a
picture. Numbers stand as the marts have them; a place is drawing. Metrics of different units
share one axis by being drawn in units of their margin: what is still accepted as a loss is
the same line for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import NULL
from ..show.wording import finding, improvement_of, say
from .charts import BETTER, UNCLEAR, WORSE
from .grids import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.pages import Record
    from ..show.wording import Improvement

READINGS: Final = {"better": BETTER, "worse": WORSE, "harmed": WORSE}
"""Finding → what a picture says."""
_STYLES: Final = {BETTER: "good", WORSE: "bad", UNCLEAR: ""}
# The axis goes to at least so many margins to either side, and to no more.
_LEAST, _MOST = 2.0, 4.0
_ROOM: Final = 1.06
_STEPS: Final = (1, 2, 5, 10)


class Strip(NamedTuple):
    """One line; places are per cent of the width, None where there is nothing to draw."""

    label: str
    say: str
    margin: str
    improvement: str
    interval: str
    finding: str
    reading: str
    style: str
    at: float | None
    low: float | None
    high: float | None
    margin_at: float | None
    is_cut_low: bool
    """Whether the interval goes on beyond the axis."""
    is_cut_high: bool


class Tick(NamedTuple):
    """A labelled place of the axis."""

    at: float
    text: str
    anchor: str
    """Of the text: start, middle or end."""


class Forest(NamedTuple):
    """The plot as a template draws it."""

    caption: str
    names: str
    """The heading of the labels."""
    strips: Sequence[Strip]
    ticks: Sequence[Tick]
    alternative: str
    note: str
    has_say: bool


def of_metrics(rows: Sequence[Record], caption: str) -> Forest:
    """Return metrics in units of their margins, in the order given."""
    shown = [improvement_of(row) for row in rows]
    scales = [one.margin if one.margin and one.is_known else None for one in shown]
    extent = _extent(shown, scales)
    return Forest(
        caption,
        "metric",
        [_strip(*line, "metric", extent) for line in zip(rows, shown, scales, strict=True)],
        [
            Tick(_across(-1.0, extent), "accepted loss", "end"),
            Tick(_across(0.0, extent), "no change", "start"),
        ],
        _in_words(rows, "metric"),
        (
            "Right of “no change” is better. Every metric is drawn in units of its own margin, "
            "so that the accepted loss is one line; an arrow says that an interval goes on. "
            "Coloured triangles are changes that are shown; a grey dot is none. Improvements "
            "are points of scores and per cent saved of latency, tokens and cost."
        ),
        has_say=True,
    )


def of_segments(rows: Sequence[Record], caption: str) -> Forest | None:
    """Return segments of one metric in its own unit; None where none has a number."""
    shown = [improvement_of(row) for row in rows]
    ends = [abs(end) for one in shown for end in (one.value, one.low, one.high) if end is not None]
    extent = _ROOM * max(ends, default=0.0)
    if not extent:
        return None
    scales: list[float | None] = [1.0] * len(rows)
    unit = next((one.unit for one in shown if one.unit), "")
    step = _nice(0.8 * extent)
    ticks = [
        Tick(_across(value, extent), f"{value:+.3g} {unit}".rstrip() if value else "0", "middle")
        for value in (-step, 0.0, step)
    ]
    return Forest(
        caption,
        "segment",
        [_strip(*line, "label", extent) for line in zip(rows, shown, scales, strict=True)],
        ticks,
        _in_words(rows, "label"),
        "Right of 0 is better; the dashed red line is the accepted loss.",
        has_say=False,
    )


def reading_of(row: Record) -> str:
    """Return what a picture says of a row: better, worse, or unclear."""
    return READINGS.get(str(row.get("finding")), UNCLEAR)


def style_of(row: Record) -> str:
    """Return the class of a number that is shown to have changed; of any other none."""
    return _STYLES[reading_of(row)]


def _strip(
    row: Record, shown: Improvement, scale: float | None, label: str, extent: float
) -> Strip:
    reading = reading_of(row)
    at = low = high = margin = None
    is_cut_low = is_cut_high = False
    if scale is not None and shown.value is not None:
        # beyond the axis there is only the arrow
        at = _across(shown.value / scale, extent) if abs(shown.value / scale) <= extent else None
        if shown.low is not None and shown.high is not None:
            low, high = (_across(end / scale, extent) for end in (shown.low, shown.high))
            is_cut_low = shown.low / scale < -extent
            is_cut_high = shown.high / scale > extent
        else:
            is_cut_low = shown.value / scale < -extent
            is_cut_high = shown.value / scale > extent
        margin = _across(-shown.margin / scale, extent) if shown.margin else None
    return Strip(
        str(text_of(row, label)),
        say(row),
        "" if shown.accepted() == NULL else f"margin {shown.accepted()}",
        shown.text(),
        shown.interval(),
        finding(row),
        reading,
        _STYLES[reading],
        at,
        low,
        high,
        margin,
        is_cut_low,
        is_cut_high,
    )


def _extent(shown: Sequence[Improvement], scales: Sequence[float | None]) -> float:
    """Return how many margins the axis has to go to either side."""
    ends = [
        abs(end / scale)
        for one, scale in zip(shown, scales, strict=True)
        if scale
        for end in (one.value, one.low, one.high)
        if end is not None
    ]
    return min(_MOST, max(_LEAST, _ROOM * max(ends, default=0.0)))


def _across(value: float, extent: float) -> float:
    """Return the place of a value, per cent of the width, kept within it."""
    return round(50 + 50 * max(-1.0, min(1.0, value / extent)), 2)


def _nice(most: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is no more than this."""
    power = 10.0 ** int(f"{most:e}".partition("e")[2])
    return max(step * power for step in _STEPS if step * power <= most)


def _in_words(rows: Sequence[Record], label: str) -> str:
    """Say what a forest plot shows."""
    parts = []
    for reading in (BETTER, WORSE, UNCLEAR):
        labels = [str(text_of(row, label))[:60] for row in rows if reading_of(row) == reading]
        if labels:
            parts.append(f"{reading}: {', '.join(labels)}")
    return f"Forest plot. {'; '.join(parts)}."
