"""The reports of the sample and of real pairs, from real marts, as a browser lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import browser
from loader.sources.sample import EXPERIMENT_ID
from sample_marts import loader, sample_marts
from servers import SHARED_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
PAIRS = ("gpt5_vs_gemini", "repeated", "same_model_twice")
REAL = {"gpt5_vs_gemini": "gpt5-vs-gemini", "same_model_twice": "same-model"}


@pytest.fixture(scope="module")
def pages(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write the reports of the sample, of its agent, and of the real pairs that are there."""
    files = [SHARED_DATA / f"popularity_{name}.jsonl" for name in PAIRS]
    there = {name: path for name, path in zip(PAIRS, files, strict=True) if path.exists()}
    wanted = [("--experiment", EXPERIMENT_ID), ("--agent", "feature_dev")]
    wanted += [("--experiment", f"popularity-{REAL.get(name, name)}") for name in there]
    directory = tmp_path_factory.mktemp("pages")
    written = {}
    with sample_marts(postgres_server, *there.values()) as url:
        for option, name in wanted:
            path = directory / f"{name}.html"
            loader(url, "report", option, name, "-o", path)
            written[name] = path
    return written


@pytest.fixture(scope="module")
def viewer() -> Iterator[browser.Viewer]:
    with browser.chromium() as viewer:
        yield viewer


def test_every_page_is_laid_out_without_a_fault(
    viewer: browser.Viewer, pages: dict[str, Path], tmp_path: Path
) -> None:
    axe = browser.axe_core(tmp_path)
    for name, path in pages.items():
        for width, scheme, media in (
            (1280, "light", "screen"), (390, "dark", "screen"), (703, "light", "print"),
        ):  # fmt: skip
            seen = viewer.look(path, width, scheme=scheme, media=media)
            assert seen.geometry == [], (name, width)
            assert seen.console == [], (name, width)
            assert seen.requests == [path.as_uri()], (name, width)
            assert seen.width <= seen.visible_width, (name, width)
        assert viewer.look(path, 1280, axe=axe, unfolded=True).violations == [], name
        assert viewer.printed(path) <= 2, name
