"""The curve of a plan in a real browser: every label within the picture, none on another."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

import browser
from loader.planning.design import Component, World
from loader.report.power import power, standalone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LABELS = """
() => {
    const box = one => {
        const edges = one.getBoundingClientRect();
        return [edges.left, edges.top, edges.right, edges.bottom];
    };
    return [box(document.querySelector("svg")),
            [...document.querySelectorAll("text")].map(e => [e.textContent, box(e)])];
}
"""


@pytest.fixture(scope="module")
def viewer() -> Iterator[browser.Viewer]:
    with browser.chromium() as one:
        yield one


@pytest.mark.parametrize(
    "case",
    [
        (0.08, 0.08, 0.8, (1, 2, 3, 5, 8)),
        (0.0, 0.02, 0.99, (1, 2)),
        (0.001, 0.0, 0.05, (1,)),
        (60.0, 60.0, 0.9, (1, 2, 3, 5, 8)),
    ],
)
@pytest.mark.parametrize("width", [390, 1280])
def test_no_label_is_clipped_or_on_another(
    viewer: browser.Viewer,
    tmp_path: Path,
    case: tuple[float, float, float, tuple[int, ...]],
    width: int,
) -> None:
    between, within, target, repetitions = case
    deciding = Component(metric="accuracy", margin=0.05, between=between, within=within)
    world = World(deciding)
    needed = {one: world.tasks(0.05, target, one) for one in repetitions}
    last = 2 * needed[1]
    places = sorted({round(10 + (last - 10) * step / 20) for step in range(21)})
    curves = {one: [(n, world.chance(0.05, n, one)) for n in places] for one in repetitions}
    path = tmp_path / "curve.svg"
    chart = power(curves, needed, target, "the chance by tasks")
    path.write_text(standalone(chart, "a <b>name</b> & more"), encoding="utf-8")
    with viewer.tab() as tab:
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(path.as_uri())
        (left, top, right, bottom), labels = tab.evaluate(_LABELS)
    assert right - left > 300
    said = [text for text, _ in labels]
    assert f"asked for: {target:.0%}" in said
    assert [one for one in said if "run" in one] == [
        "1 run" if one == 1 else f"{one} runs" for one in repetitions
    ]
    for text, (west, north, east, south) in labels:
        assert left <= west < east <= right, text
        assert top <= north < south <= bottom, text
    for (one, a), (other, b) in combinations(labels, 2):
        overlap = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        assert min(overlap) <= 1, (one, other)
