"""The charts of a report, as Vega-Lite specifications.

A chart takes numbers as they stand in the marts and only places them; binning and thinning
are drawing, done at the resolution of the picture. What a colour says is said by a shape or
dash as well.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from ..show.render import printable
from .drawing import Chart, draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .drawing import Json

BETTER: Final = "better"
WORSE: Final = "worse"
UNCLEAR: Final = "unclear"
_BINS: Final = 28
_POINTS: Final = 500
_LABEL: Final = 24
_TICKS: Final = 6
# Names of series that are longer together stand below each other.
_LEGEND: Final = 28
# Where the largest value is so many times the smallest, a logarithmic axis shows both.
_WIDE_RANGE: Final = 12.0
_THOUSAND: Final = 1000
_ARMS: Final = ("baseline", "candidate")
_COLOURS: Final = ("var(--baseline)", "var(--candidate)", "var(--third)", "var(--fourth)")
_DASHES: Final = ((5, 3), (1, 0), (2, 2), (8, 2))


class Version(NamedTuple):
    """One point of a trend."""

    version: str
    group: str
    value: float
    alert: str | None = None
    """The severity, where this version got worse."""
    low: float | None = None
    high: float | None = None
    """The ends of the mean's interval, where it has one."""


def differences(values: Sequence[float], unit: str, alternative: str) -> Chart:
    """Draw one difference per task, sorted: an area below and above zero.

    Args:
        values: signed so that positive is better; thinned to what the width can show.
        unit: of the values.
        alternative: what the chart shows, in words.
    """
    ordered = sorted(values)
    count = len(ordered)
    shown: Sequence[int] = range(count)
    if count > _POINTS:
        shown = sorted({place * (count - 1) // (_POINTS - 1) for place in range(_POINTS)})
    rows = [{"task": place, "value": ordered[place]} for place in shown]
    rows.append({"task": count, "value": ordered[-1]})
    step = _whole_step(count / _TICKS)
    ticks = list(range(0, count + 1, step))
    areas = [
        {
            "transform": [{"calculate": calculation, "as": "part"}],
            "mark": {"type": "area", "interpolate": "step-after", "color": "var(--quiet)",
                     "opacity": opacity},
            "encoding": {
                "x": {"field": "task", "type": "quantitative", "title": "tasks, worst first",
                      "axis": {"grid": False, "format": ",d", "values": ticks},
                      "scale": {"domain": [0, count], "nice": False}},
                "y": {"field": "part", "type": "quantitative", "title": unit},
            },
        }
        for calculation, opacity in (("min(datum.value, 0)", 0.9), ("max(datum.value, 0)", 0.45))
    ]  # fmt: skip
    spec: Json = {"height": 190, "data": {"values": rows}, "layer": areas}
    return draw(spec, alternative, narrow=True)


def distributions(arms: Sequence[Sequence[float]], unit: str, alternative: str) -> Chart:
    """Draw how many tasks of each arm fall where, as two outlines.

    Args:
        arms: values of the baseline and of the candidate; at least one value in all.
        unit: of the values.
        alternative: what the chart shows, in words.
    """
    everything = [value for values in arms for value in values]
    low, high = min(everything), max(everything)
    is_logarithmic = low > 0 and high / low > _WIDE_RANGE
    edges = _edges(low, high, is_logarithmic=is_logarithmic)
    counts = [_counts(values, edges) for values in arms]
    most = max(map(max, counts))
    rows = [
        {"arm": arm, "edge": edge, "tasks": tasks}
        for arm, of_arm in zip(_ARMS, counts, strict=True)
        for edge, tasks in zip(edges, [*of_arm, 0], strict=True)
    ]
    scale: Json = {"type": "log" if is_logarithmic else "linear", "nice": False, "zero": False}
    scale["domain"] = [edges[0], edges[-1]]
    encoding: Json = {
        "x": {"field": "edge", "type": "quantitative", "scale": scale,
              "title": unit + (", logarithmic" if is_logarithmic else ""),
              "axis": {"grid": False, "tickCount": 4, "labelOverlap": "greedy",
                       # letters of a reader's browser may be wider than those measured here
                       "labelSeparation": 14,
                       "format": "~s" if high >= _THOUSAND else "~f"}},
        "y": {"field": "tasks", "type": "quantitative", "title": "tasks", "stack": None,
              "axis": {"format": ",d", "values": list(range(0, most + 1, _whole_step(most / 4)))}},
        "color": _by_series("arm", _ARMS, _COLOURS),
    }  # fmt: skip
    return draw(
        {
            "height": 170,
            "data": {"values": rows},
            "encoding": encoding,
            "layer": [
                {"mark": {"type": "area", "interpolate": "step-after", "opacity": 0.16}},
                {
                    "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
                    "encoding": {"strokeDash": _by_series("arm", _ARMS, _DASHES)},
                },
            ],
        },
        alternative,
    )


def trend(versions: Sequence[Version], unit: str, alternative: str) -> Chart:
    """Draw a mean over versions with its interval, a line per group, worse versions marked.

    Args:
        versions: in the order in which versions are drawn, from left to right.
        unit: of the values; none where their name says it.
        alternative: what the chart shows, in words.
    """
    order = list(dict.fromkeys(_short(point.version) for point in versions))
    groups = sorted({_short(point.group) for point in versions})
    rows = [
        {
            "version": _short(point.version),
            "group": _short(point.group),
            "value": point.value,
            "alert": point.alert,
            "low": point.low,
            "high": point.high,
        }
        for point in versions
    ]
    encoding: Json = {
        "x": {"field": "version", "type": "ordinal", "sort": order, "title": None,
              "scale": {"type": "point", "padding": 0.5},
              "axis": {"labelAngle": -35, "labelOverlap": True}},
        "y": {"field": "value", "type": "quantitative", "title": unit or None,
              "scale": {"zero": False, "padding": 8}, "axis": {"tickCount": 5}},
    }  # fmt: skip
    by_group: Json = {
        "color": _by_series("group", groups, _COLOURS),
        "strokeDash": _by_series("group", groups, _DASHES),
    }
    return draw(
        {
            "height": 150,
            "data": {"values": rows},
            "encoding": encoding,
            "layer": [
                {
                    "transform": [{"filter": "datum.low != null && datum.high != null"}],
                    "mark": {"type": "rule", "strokeWidth": 5, "opacity": 0.3},
                    "encoding": {
                        "y": {"field": "low", "type": "quantitative"},
                        "y2": {"field": "high"},
                        "color": by_group["color"],
                    },
                },
                {"mark": {"type": "line", "strokeWidth": 2}, "encoding": by_group},
                {
                    "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
                    "encoding": {"color": by_group["color"]},
                },
                {
                    "transform": [{"filter": "datum.alert != null"}],
                    "mark": {"type": "point", "shape": "circle", "size": 260, "filled": False,
                             "strokeWidth": 2, "color": "var(--bad)", "opacity": 1},
                },
            ],
        },
        alternative,
    )  # fmt: skip


def _whole_step(least: float) -> int:
    """Return the least of 1, 2, 5 times a power of ten that is at least this."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= least:
                return step * power
        power *= 10


def _by_series(field: str, names: Sequence[str], values: Sequence[object]) -> Json:
    """Give each series its colour or dash."""
    chosen = [values[place % len(values)] for place in range(len(names))]
    scale = {"domain": list(names), "range": chosen}
    columns = 1 if sum(map(len, names)) > _LEGEND else 0
    return {"field": field, "type": "nominal", "scale": scale, "legend": {"columns": columns}}


def _edges(low: float, high: float, *, is_logarithmic: bool) -> list[float]:
    """Return the edges of bins that cover low to high, evenly wide as drawn."""
    if low == high:
        spread = abs(low) * 0.05 or 1.0
        return [low - spread, low + spread]
    if is_logarithmic:
        step = (math.log(high) - math.log(low)) / _BINS
        inner = [low * math.exp(step * place) for place in range(1, _BINS)]
    else:
        inner = [low + (high - low) / _BINS * place for place in range(1, _BINS)]
    return [low, *inner, high]


def _counts(values: Iterable[float], edges: Sequence[float]) -> list[int]:
    """Count values by bin; the last bin holds its upper edge too."""
    counts = [0] * (len(edges) - 1)
    place = 0
    for value in sorted(values):
        while place < len(counts) - 1 and value >= edges[place + 1]:
            place += 1
        counts[place] += 1
    return counts


def _short(text: str) -> str:
    """Return a label that a picture has room for; tables have it whole."""
    shown, room = "", _LABEL
    for char in printable(text):
        room -= 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if room < 0:
            return f"{shown}…"
        shown += char
    return shown
