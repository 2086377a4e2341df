"""The report's layout in a real browser: nothing clipped, nothing on top of anything else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import browser
import report_rows as rows
from loader.report import page
from loader.report.forest import of_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from loader.marts.pages import Record
    from loader.report.tasks import Runs

LONG = "a_metric_of_a_name_that_is_exactly_as_long_as_eighty_characters_can_be_made_no_1"
ARABIC = "جودة الإجابة النهائية للوكيل"
WIDTHS = (1280, 900, 390)
PAPER = 703
"""Of A4 within its margins, in pixels."""


def _long(number: int) -> str:
    """Return a name of 80 characters."""
    end = f"_{number}"
    return LONG[: 80 - len(end)] + end


def _many_metrics() -> str:
    """Forty metrics of every reading, whose names are of 80 characters and from both sides."""
    signs = (1, -1, 0)
    found = ("better", "harmed", "open")
    roles = ("guardrail", "guardrail", "tripwire", "none")
    metrics = [
        rows.comparison("accuracy", 0.0583, 0.041, 0.0752, role="deciding", finding="better")
    ]
    for place in range(39):
        size = 0.02 + place * 0.011
        shift = size * signs[place % 3]
        metrics.append(
            rows.comparison(
                f"{ARABIC} {place}" if place % 5 == 4 else _long(place),
                shift,
                shift - size / 3,
                shift + size / 3,
                finding=found[place % 3],
                role=roles[place % 4],
            )
        )
    return page.render_experiment(rows.experiment(comparisons=metrics), {}, "html")


def _several() -> str:
    """Three candidates of one experiment."""
    whole = rows.experiment()
    versions = ("1.10.0", _long(1), ARABIC)

    def each(records: list[Record]) -> list[Record]:
        return [{**row, "candidate_version": name} for name in versions for row in records]

    return page.render_experiment(
        whole._replace(
            summaries=each(list(whole.summaries)),
            comparisons=each(list(whole.comparisons or [])),
            segments=each(list(whole.segments or [])),
            tasks=each(list(whole.tasks)),
            arms=each(list(whole.arms)),
            segment_verdicts=[],
            examples={},
        ),
        {},
        "html",
    )


def _no_pairs() -> str:
    lone = rows.task(
        0, _long(0), primary_difference=None, baseline_primary_value=None, winner=None,
        baseline_success=None, not_comparable_reason="no_baseline_result",
    )  # fmt: skip
    alone = [rows.comparison("accuracy", 0.0, None, None, n_pairs=0, improvement_pct=None,
                             improvement_low_pct=None, improvement_high_pct=None, finding=None,
                             role="deciding", flags=["no_pairs"])]  # fmt: skip
    return page.render_experiment(
        rows.experiment(
            summaries=[rows.summary(total_tasks=0, headline="Nothing is compared.",
                                    required_additional_tasks=None, required_note="no_pairs")],
            tasks=[lone], comparisons=alone, segments=[], segment_verdicts=[],
        ),
        {},
        "html",
    )  # fmt: skip


def _one_arm() -> str:
    return page.render_experiment(
        rows.experiment(summaries=[], comparisons=[], segments=[], tasks=[], arms=[],
                        shown=[rows.shown(["x", ARABIC])]),
        {},
        "html",
    )  # fmt: skip


def _large() -> str:
    names = [f"{place:04}-checkout-api/fix-race-in-retry-of-payments" for place in range(5_000)]
    runs: Runs = {}
    return page.render_experiment(rows.experiment(task_ids=names), runs, "html")


def _agent() -> str:
    """An agent of forty versions with long names, falls open and over."""
    whole = rows.agent()
    trends = [
        {**rows.version(group, f"{place}.{place}.0-nightly.2025.{place}", place, 0.5 + place / 99),
         "metric": metric}
        for metric in ("accuracy", _long(3), ARABIC, "cost_usd")
        for group in ("baseline", rows.GROUP)
        for place in range(1, 41)
    ]  # fmt: skip
    alerts = [
        {**row, "is_open": is_open} for row in whole.alerts or [] for is_open in (True, False)
    ]
    return page.render_agent(whole._replace(trends=trends, alerts=alerts), "html")


PAGES: Mapping[str, Callable[[], str]] = {
    "usual": lambda: page.render_experiment(
        rows.experiment(task_ids=[f"task-{place}" for place in range(40)]), {}, "html"
    ),
    "one task": lambda: page.render_experiment(rows.experiment(task_ids=["only"]), {}, "html"),
    "one arm": _one_arm,
    "no pairs": _no_pairs,
    "forty metrics": _many_metrics,
    "several candidates": _several,
    "5,000 tasks": _large,
    "agent": _agent,
}


@pytest.fixture(scope="module")
def viewer() -> Iterator[browser.Viewer]:
    with browser.chromium() as viewer:
        yield viewer


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browser.axe_core(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("pages")
    written = {}
    for name, render in PAGES.items():
        written[name] = directory / f"{name}.html"
        written[name].write_text(render(), encoding="utf-8")
    return written


@pytest.mark.parametrize("kind", PAGES)
def test_no_text_is_clipped_or_lies_on_another(
    viewer: browser.Viewer, pages: dict[str, Path], kind: str
) -> None:
    looks = [(width, "screen", folded) for width in WIDTHS for folded in (False, True)]
    for width, media, unfolded in [*looks, (PAPER, "print", False)]:
        seen = viewer.look(pages[kind], width, media=media, unfolded=unfolded)
        place = f"{kind} at {width} px on {media}"
        assert seen.geometry == [], place
        assert seen.console == [], place
        assert seen.requests == [pages[kind].as_uri()], place
        assert seen.width <= seen.visible_width, place


@pytest.mark.parametrize("kind", [kind for kind in PAGES if kind != "5,000 tasks"])
def test_no_page_has_a_serious_barrier(
    viewer: browser.Viewer, axe: Path, pages: dict[str, Path], kind: str
) -> None:
    for width, scheme in ((1280, "light"), (390, "dark")):
        seen = viewer.look(pages[kind], width, scheme=scheme, axe=axe, unfolded=True)
        assert seen.violations == []


def test_a_broken_layout_is_found(viewer: browser.Viewer, tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    path.write_text(
        "<body style='margin:0'><div style='position:absolute;left:0;top:0'>under</div>"
        "<div style='position:absolute;left:9px;top:2px'>over</div>"
        "<p style='margin-top:90px;width:20px;overflow:hidden;white-space:nowrap'>much too long</p>"
        "<p style='position:absolute;top:200px;left:380px;white-space:nowrap'>leaves the page</p>"
        "<svg viewBox='0 0 900 40' style='width:90px'><text x='1' y='20'>tiny</text></svg>"
    )
    found = viewer.look(path, 390).geometry
    for beginning in ("overlap", "clipped", "beyond the page", "too small"):
        assert any(line.startswith(beginning) for line in found), (beginning, found)


@pytest.mark.parametrize("kind", ["usual", "one task", "one arm", "no pairs", "5,000 tasks"])
def test_a_report_prints_on_two_pages(
    viewer: browser.Viewer, pages: dict[str, Path], kind: str
) -> None:
    assert viewer.printed(pages[kind]) <= 2


def test_rows_are_searched_and_sorted_by_the_pages_own_script(
    viewer: browser.Viewer, pages: dict[str, Path]
) -> None:
    with viewer.tab() as tab:
        tab.goto(pages["usual"].as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        table = tab.locator("table.searchable")
        tasks = table.locator("tbody th")
        assert tasks.count() == 40
        tab.get_by_label("Search these rows").fill("TASK-3")
        wanted = [f"task-{place}" for place in (3, *range(30, 40))]
        visible = table.locator("tbody th:visible").all_inner_texts()
        assert sorted(visible) == sorted(wanted)
        tab.get_by_label("Search these rows").fill("")
        differences = table.locator("tbody td:last-child")

        def values() -> list[float]:
            return [float(text.split()[0]) for text in differences.all_inner_texts()]

        for way, is_reversed in (("ascending", False), ("descending", True)):
            heading = table.locator("thead th", has_text="difference")
            heading.get_by_role("button").click()
            assert heading.get_attribute("aria-sort") == way
            assert values() == sorted(values(), reverse=is_reversed)


def test_a_page_without_script_shows_the_same_rows(
    viewer: browser.Viewer, pages: dict[str, Path]
) -> None:
    with viewer.tab(script=False) as tab:
        tab.goto(pages["usual"].as_uri())
        assert tab.locator("table.searchable tbody tr").count() == 40
        assert tab.locator("button, input").count() == 0


def test_metrics_stand_in_the_order_in_which_they_decided(pages: dict[str, Path]) -> None:
    text = pages["usual"].read_text(encoding="utf-8")
    plot = text[text.index("Every metric that has a say") : text.index("without a say")]
    names = ("accuracy", "completeness", "cost_usd", "latency_ms")
    places = [plot.index(f"<bdi>{name}</bdi>") for name in names]
    assert places == sorted(places)
    assert "<bdi>retries</bdi>" not in plot
    assert "1 without a say" in text


def test_the_three_numbers_say_gain_price_and_sureness() -> None:
    metrics = [
        rows.comparison("accuracy", 0.0583, 0.041, 0.0752, role="deciding", finding="better"),
        rows.comparison("latency_ms", 0.1, 0.1, 0.1, kind="latency", finding="harmed",
                        improvement_pct=-109.3, margin_pct=20.0),
    ]  # fmt: skip

    def told(comparisons: list[Record]) -> list[tuple[str, str]]:
        text = page.render_experiment(rows.experiment(comparisons=comparisons), {}, "html")
        return re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?) <small>", text)

    assert told(metrics) == [
        ("What got better", "+5.8 points"),
        ("What it costs", "109.3 % more"),
        ("How sure", "+4.1 … +7.5 points"),
    ]
    open_metrics = [{**row, "finding": "open"} for row in metrics]
    assert [value for _, value in told(open_metrics)][:2] == ["nothing shown"] * 2
    nothing = {"improvement_pct": None, "improvement_low_pct": None, "improvement_high_pct": None}
    assert told([{**metrics[0], **nothing}]) == []


def test_an_agent_opens_with_what_is_open_now_and_tells_each_fall_once() -> None:
    whole = rows.agent()
    (alert,) = whole.alerts or []
    for is_open, sentence in (
        (True, "1 fall is open now: accuracy of feature_dev since 1.9.0 (high)."),
        (False, "Nothing is open now"),
    ):
        text = page.render_agent(whole._replace(alerts=[{**alert, "is_open": is_open}]), "html")
        assert sentence in text
        table = text[text.index("<caption><span>What got worse") : text.index("</table>")]
        # the fall of the level and the step between two versions are one
        assert table.count('<th scope="row">') == 1
        assert "0.0003" in table
    assert "is not told" in page.render_agent(whole._replace(alerts=None), "html")


def test_a_metric_without_a_margin_is_told_and_not_drawn() -> None:
    bare = rows.comparison("accuracy", 0.06, 0.04, 0.08, role="deciding", margin_pct=None)
    (strip,) = of_metrics([bare], "x").strips
    assert (strip.at, strip.low, strip.margin) == (None, None, "")
    assert strip.interval == "+4.0 … +8.0"


def test_what_goes_beyond_the_axis_ends_in_an_arrow() -> None:
    far = rows.comparison("accuracy", -0.9, -0.95, -0.1, finding="harmed")
    near = rows.comparison("efficiency", 0.05, 0.0, 0.1)
    away, here = of_metrics([far, near], "x").strips
    assert (away.at, away.low, away.is_cut_low, away.is_cut_high) == (None, 0.0, True, False)
    # in units of the margin, on an axis of four to either side
    assert (here.at, here.low, here.high) == (62.5, 50.0, 75.0)
    assert not here.is_cut_high
