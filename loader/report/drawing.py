"""The one way from a Vega-Lite specification to inline SVG: `vl-convert`, without a browser.

Colours are CSS variables, so that one picture serves light, dark and print. No identifier
is defined inside a picture: several of them share a page.
"""

from __future__ import annotations

import re
from threading import Thread
from typing import TYPE_CHECKING, Final, NamedTuple

from ..tools.extras import needed

with needed("report"):
    from markupsafe import Markup

if TYPE_CHECKING:
    from types import ModuleType

Json = dict[str, object]

WIDTH: Final = 300
"""Of a small picture without its axis, in pixels: three stand side by side, one on a phone."""
WIDE: Final = 1_080
_VERSION: Final = "5.20"
_INK: Final = dict.fromkeys(
    ("labelColor", "titleColor", "tickColor", "domainColor"), "var(--quiet)"
)
_CONFIG: Final[Json] = {
    "aria": False,
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        **_INK,
        "gridColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        # labels come short: cutting one here may split a character in two and fail
        "labelLimit": 0,
    },
    # above its axis, level: never across the labels
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0,
              "titleY": -8, "titleBaseline": "bottom"},
    "legend": {
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "labelLimit": 0,
        "orient": "top",
        "offset": 22,
        "title": None,
        "symbolStrokeWidth": 2,
        "symbolType": "stroke",
    },
}  # fmt: skip
_ROUNDED: Final = re.compile(r"(-?\d+\.\d{2})\d+")
# What the renderer says to assistive technology about parts of a picture; the page names
# the picture as a whole, and its parts have no names of their own.
_PART: Final = re.compile(r"<(?:g|path)\b[^<>]*>")
_SAID: Final = re.compile(r' (?:role|class|aria-[a-z]+|pointer-events)="[^"]*"')
_DRAWN: Final = re.compile(r'<[a-z]+ [^<>]*?(?:\bd|transform)="[^"]*"')
_SIZE: Final = re.compile(r'^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>')


class Chart(NamedTuple):
    """A picture, and what it shows in words for who cannot see it."""

    svg: Markup
    alternative: str
    narrow: Markup | None = None
    """The same for a small screen, where the picture is too wide for one."""


def warm_up() -> None:
    """Start the renderer in the background; it takes about a second, once a process."""
    renderer = _renderer()
    spec: Json = {"data": {"values": [{}]}, "mark": "point"}
    Thread(target=renderer.vegalite_to_svg, args=(spec, _VERSION), daemon=True).start()


def draw(spec: Json, alternative: str, *, narrow: bool = False) -> Chart:
    """Draw a specification; with `narrow` over the whole page, and once more for a phone.

    A picture is never enlarged or shrunk by much: its text has the size of the page's.
    """
    if narrow:
        return Chart(_drawn(spec, WIDE), alternative, _drawn(spec, WIDTH))
    return Chart(_drawn(spec, WIDTH), alternative)


def _drawn(spec: Json, width: int) -> Markup:
    drawn: str = _renderer().vegalite_to_svg(
        {
            "padding": {"left": 14, "right": 10, "top": 6, "bottom": 4},
            "width": width,
            "autosize": {"type": "pad"},
            "config": _CONFIG,
            **spec,
        },
        _VERSION,
    )
    plain = _PART.sub(lambda tag: _SAID.sub("", tag[0]), drawn)
    rounded = _DRAWN.sub(lambda tag: _ROUNDED.sub(r"\1", tag[0]), plain)
    size = _SIZE.match(rounded)
    if size is None:
        raise ValueError("the renderer's output does not begin with an svg element")
    width_drawn, height = size.groups()
    head = (
        f'<svg viewBox="0 0 {width_drawn} {height}" style="max-width:{width_drawn}px"'
        ' focusable="false">'
    )
    return Markup(head + rounded[size.end() :])  # noqa: S704  drawn and escaped by the renderer


def _renderer() -> ModuleType:
    with needed("report"):
        import vl_convert
    return vl_convert
