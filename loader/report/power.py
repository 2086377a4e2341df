"""The curve of a plan: the chance to see a gain by the number of tasks, for each repetition."""

from __future__ import annotations

import re
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Final

from .drawing import draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .drawing import Chart, Json

_WIDTH: Final = 640
_HEIGHT: Final = 300
# a dash tells what a colour tells
_LINES: Final = (
    ("var(--candidate)", (1, 0)),
    ("var(--baseline)", (6, 3)),
    ("var(--third)", (2, 2)),
    ("var(--fourth)", (9, 2, 2, 2)),
    ("var(--ink)", (1, 4)),
)
_COLOURS: Final = re.compile(r":root \{[^{}]*\}")


def power(
    curves: Mapping[int, Sequence[tuple[int, float]]],
    needed: Mapping[int, int],
    target: float,
    alternative: str,
) -> Chart:
    """Draw the chance by tasks, a line for each repetition, with the power that is asked for.

    Args:
        curves: tasks and the chance, 0 to 1, by repetitions.
        needed: the fewest tasks that reach the power, by repetitions; marked where drawn.
        target: the power, 0 to 1.
        alternative: what the chart shows, in words.
    """
    names = {each: "1 run" if each == 1 else f"{each} runs" for each in sorted(curves)}
    chosen = [_LINES[place % len(_LINES)] for place in range(len(names))]
    rows = [
        {"tasks": tasks, "chance": chance, "runs": names[each]}
        for each in names
        for tasks, chance in curves[each]
    ]
    last = max(row["tasks"] for row in rows)  # type: ignore[type-var]
    marks = [
        {"tasks": tasks, "chance": target, "runs": names[each]}
        for each, tasks in sorted(needed.items())
        if each in names and tasks <= last  # type: ignore[operator]
    ]
    by_runs: Json = {
        "color": _scale(names, [colour for colour, _ in chosen]),
        "strokeDash": _scale(names, [list(dash) for _, dash in chosen]),
    }
    x: Json = {"field": "tasks", "type": "quantitative", "title": "tasks",
               "scale": {"nice": True, "zero": False},
               "axis": {"format": ",d", "tickCount": 6, "grid": False, "labelSeparation": 14,
                        "labelOverlap": True, "labelFlush": False}}  # fmt: skip
    y: Json = {"field": "chance", "type": "quantitative", "title": "chance",
               "scale": {"domain": [0, 1]},
               "axis": {"format": ".0%", "tickCount": 5}}  # fmt: skip
    spec: Json = {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": rows},
        "layer": [
            {
                "data": {"values": [{"chance": target}]},
                "mark": {"type": "rule", "color": "var(--quiet)", "strokeWidth": 1},
                "encoding": {"y": y},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2, "interpolate": "monotone"},
                "encoding": {"x": x, "y": y, **by_runs},
            },
            {
                "data": {"values": marks},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": by_runs["color"]},
            },
            {
                "data": {"values": [{"chance": target, "word": f"asked for: {target:.0%}"}]},
                "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -4,
                         "fontSize": 12, "color": "var(--quiet)", "x": "width"},
                "encoding": {"y": y, "text": {"field": "word"}},
            },
        ],
    }  # fmt: skip
    return draw(spec, alternative)


def standalone(chart: Chart, title: str) -> str:
    """Return a picture as a file of its own, with the report's colours, light and dark.

    Args:
        chart: what is drawn.
        title: its name, escaped here.
    """
    style = resources.files(__package__) / "style.css"
    light, dark = _COLOURS.findall(style.read_text(encoding="utf-8"))[:2]
    head, _, rest = str(chart.svg).partition(">")
    colours = f"{light} @media (prefers-color-scheme: dark) {{ {dark} }}"
    return (
        f'{head} xmlns="http://www.w3.org/2000/svg" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(chart.alternative)}</desc>"
        f"<style>{colours} svg {{ background: var(--paper) }}</style>{rest}\n"
    )


def _scale(names: Mapping[int, str], values: Sequence[object]) -> Json:
    """Give each line its colour or dash, in the order of repetitions."""
    order = list(names.values())
    return {
        "field": "runs",
        "type": "nominal",
        "sort": order,
        "scale": {"domain": order, "range": list(values)},
        "legend": {"columns": 0},
    }
