"""The report as a person meets it: in a real browser, with rows of every kind."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import browser
import report_rows as rows
from loader.errors import ConfigurationError
from loader.report import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loader.report.tasks import Runs

HOSTILE = [
    "<script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 1">',
    "</svg></style></title><svg onload='window.ran = 1'>",
    "{{ 7 * 7 }} {% raw %} ${7*7} javascript:alert(1)",
    "مرحبا بالعالم \u202egnp.exe",
    "🎉👩‍👩‍👧‍👦 emoji",
    "| pipe `tick` **bold** [link](javascript:alert(1)) @everyone",
    "\x1b[31mred\x00\x07 \n new line",
    "long-" + "x" * 10_000,
]
WIDTHS = [1280, 390]
KINDS = ["experiment", "agent", "hostile"]


@pytest.fixture(scope="module")
def viewer() -> Iterator[browser.Viewer]:
    with browser.chromium() as viewer:
        yield viewer


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return browser.axe_core(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a page of each kind; `hostile` has hostile text everywhere."""
    directory = tmp_path_factory.mktemp("pages")
    texts = {
        "experiment": page.render_experiment(rows.experiment(), {}, "html"),
        "agent": page.render_agent(rows.agent(), "html"),
        "hostile": page.render_experiment(*_hostile(), "html"),
    }
    return {name: _written(directory, text, f"{name}.html") for name, text in texts.items()}


def _hostile() -> tuple[rows.Experiment, Runs]:
    """Return an experiment whose every text is hostile."""
    whole = rows.experiment(HOSTILE[0], HOSTILE)
    tasks = [{**task, "agent_name": HOSTILE[1], "winner": HOSTILE[2]} for task in whole.tasks]
    for task, ends in zip(tasks, [(True, False), (False, True)] * 5, strict=False):
        task["baseline_success"], task["candidate_success"] = ends
    summary = {
        **whole.summaries[0],
        "candidate_group": HOSTILE[0],
        "candidate_version": HOSTILE[8],
        "primary_metric": HOSTILE[1],
        "recommendation_reasons": [{"code": "x", "sentence": text} for text in HOSTILE],
        "recommendation_labels": HOSTILE,
        "headline": HOSTILE[2],
        "legacy_recommendation": HOSTILE[3],
    }
    named = {"candidate_group": HOSTILE[0], "candidate_version": HOSTILE[8]}
    metrics = [
        {**rows.comparison(text, 0.05, 0.01, 0.09, flags=HOSTILE[:3], role=text, finding=text,
                           role_note=text), **named}
        for text in HOSTILE
    ]  # fmt: skip
    segments = [
        {**rows.comparison(HOSTILE[1], 0.05, 0.01, 0.09), **named, "segment_kind": text,
         "segment": text}
        for text in HOSTILE
    ]  # fmt: skip
    trends = [
        {**rows.version(HOSTILE[0], text, place, 0.5), "agent_name": HOSTILE[1],
         "metric": HOSTILE[1], "model_version": HOSTILE[2]}
        for place, text in enumerate(HOSTILE)
    ]  # fmt: skip
    alerts = [{**row, "severity": HOSTILE[0], "change_pct": -9.0} for row in trends]
    runs: Runs = {
        task["candidate_result_id"]: [
            {"success": False, "error_message": HOSTILE[0] + HOSTILE[8], "url": url}
            for url in ("javascript:window.ran=1", 'https://x.test/"onclick="window.ran=1', None)
        ]
        for task in tasks
    }
    whole = whole._replace(
        summaries=[summary],
        segment_verdicts=[
            {**summary, "segment_kind": text, "segment": text, "p_worse_bh": 0.01}
            for text in HOSTILE
        ],
        tasks=[{**task, **named} for task in tasks],
        comparisons=metrics,
        segments=segments,
        trends=trends,
        regressions=alerts,
        shown=[rows.shown(HOSTILE)],
    )
    return whole, runs


def _written(directory: Path, text: str, name: str = "report.html") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_from_disk_alone_and_fits(
    viewer: browser.Viewer, pages: dict[str, Path], kind: str, scheme: str
) -> None:
    for width in WIDTHS:
        seen = viewer.look(pages[kind], width, scheme=scheme, unfolded=True)
        assert seen.console == []
        assert seen.requests == [pages[kind].as_uri()]
        assert seen.width <= seen.visible_width == width
        assert seen.geometry == []
        assert not seen.ran


@pytest.mark.parametrize(
    ("kind", "scheme"),
    [*((kind, scheme) for kind in KINDS[:2] for scheme in ("light", "dark")), (KINDS[2], "light")],
)
def test_a_page_has_no_serious_barrier(
    viewer: browser.Viewer, axe: Path, pages: dict[str, Path], *, kind: str, scheme: str
) -> None:
    seen = viewer.look(pages[kind], 1280, scheme=scheme, axe=axe, unfolded=True)
    assert seen.violations == []


def test_hostile_text_is_shown_and_does_not_run(
    viewer: browser.Viewer, axe: Path, pages: dict[str, Path]
) -> None:
    # once with the page's policy switched off: escaping alone has to hold
    for script in (None, axe):
        seen = viewer.look(pages["hostile"], 1280, axe=script, unfolded=True)
        assert not seen.ran
        for text in (HOSTILE[0], HOSTILE[1], HOSTILE[3], "🎉", HOSTILE[6], HOSTILE[8]):
            assert text in seen.text
        assert r"\x1b[31mred\x00\x07 \n new line" in seen.text


class Tags(HTMLParser):
    """Collects the elements of a page, and the addresses they name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "xlink:href"}:
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
            if name == "id":
                self.ids.append(value or "")


def test_a_page_holds_one_script_of_its_own_no_handler_and_no_foreign_address(
    pages: dict[str, Path],
) -> None:
    hostile = pages["hostile"].read_text(encoding="utf-8")
    tags = Tags(hostile)
    assert not tags.names & {"iframe", "object", "embed", "img", "form", "base"}
    (script,) = re.findall(r"<script>(.*?)</script>", hostile, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in hostile
    assert script in pages["agent"].read_text(encoding="utf-8")
    assert tags.handlers == []
    assert len(tags.ids) == len(set(tags.ids))
    foreign = {address for address in tags.addresses if not address.startswith(("#", "data:,"))}
    assert foreign == {'https://x.test/"onclick="window.ran=1'}
    assert "url(" not in hostile
    assert "@import" not in hostile


def test_the_page_shows_every_number_of_its_rows() -> None:
    text = page.render_experiment(rows.experiment(), {}, "html")
    for shown in (
        "Needs review", "completeness may have lost 5.2 points", "+5.8 points", "+4.1 … +7.5",
        "+8.0 %", "+4.0 … +12.0", "20 %", "0.0021", "98.0 %", "worse, its margin not kept",
        "category: review", "-6.0 points", "-12.4 %", "every difference is the same",
    ):  # fmt: skip
        assert shown in text, shown


def _by_caption(text: str) -> list[str]:
    """Return the four tables of named tasks."""
    captions = [
        "<caption><span>Failed in the candidate, ended well in the baseline (2)",
        "<caption><span>Ended well in the candidate, failed in the baseline (2)",
        "<caption><span>Scored worse (",
        "<caption><span>Scored better (",
        "<summary>Every task",
    ]
    places = [text.index(caption) for caption in captions]
    assert places == sorted(places)
    return [text[one:other] for one, other in pairwise(places)]


def test_tasks_that_failed_stand_apart_from_those_that_scored_worse() -> None:
    experiment = rows.experiment(task_ids=[f"task-{place}" for place in range(20)])
    runs: Runs = {
        task["candidate_result_id"]: [
            {"success": False, "error_message": "timed out", "url": "https://smith.test/r/1"}
        ]
        for task in experiment.tasks
        if task["candidate_success"] is False
    }
    text = page.render_experiment(experiment, runs, "html")
    broken, mended, worse, better = _by_caption(text)
    assert set(re.findall(r"task-\d+", mended)) == {"task-7", "task-17"}
    for task in experiment.tasks:
        name, difference = f"<bdi>{task['task_id']}</bdi>", float(str(task["primary_difference"]))
        has_flipped = name in broken or name in mended
        assert (name in worse) is (difference < 0 and not has_flipped)
        assert (name in better) is (difference > 0 and not has_flipped)
    assert {"task-3", "task-13"} <= set(re.findall(r"task-\d+", broken))
    assert broken.count('href="https://smith.test/r/1"') == 2
    assert "timed out" in broken


@pytest.mark.parametrize(
    ("address", "is_linked"),
    [
        ("https://smith.langchain.com/r/1", True),
        ("https://eu.smith.langchain.com/r/1", True),
        ("https://traces.example/r/1", True),
        ("https://own.example:8443/r/1", True),
        ("http://smith.langchain.com/r/1", False),
        ("https://evil.example/smith.langchain.com", False),
        ("https://evilsmith.langchain.com.example/", False),
        ("https://notsmith.langchain.com/", False),
        ("https://smith.langchain.com@evil.example/", False),
        ("https://me:x@smith.langchain.com/", False),
        ("https://[smith.langchain.com/", False),
    ],
)
def test_a_comment_links_only_to_hosts_that_are_known(
    monkeypatch: pytest.MonkeyPatch, address: str, *, is_linked: bool
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "https://own.example:8443/api")
    monkeypatch.setenv("EVALMART_LINK_HOSTS", "other.example, Traces.example")
    experiment = rows.experiment(task_ids=[f"task-{place}" for place in range(20)])
    runs: Runs = {
        task["candidate_result_id"]: [{"success": False, "error_message": None, "url": address}]
        for task in experiment.tasks
    }
    text = page.render_experiment(experiment, runs, "md")
    assert (f"](<{address}>)" in text) is is_linked
    assert (f"`candidate run: {address}`" in text) is not is_linked


def test_who_does_not_say_how_a_run_ended_did_not_fail() -> None:
    unsaid = ((True, None), (None, False), (None, None), (False, False))
    tasks = [
        rows.task(place, f"task-{place}", baseline_success=baseline, candidate_success=candidate)
        for place, (baseline, candidate) in enumerate(unsaid)
    ]
    text = page.render_experiment(rows.experiment()._replace(tasks=tasks), {}, "html")
    assert "Failed in the candidate" not in text
    assert "failed in the baseline (" not in text


def test_marts_that_are_not_built_are_said_to_be_missing() -> None:
    bare = rows.experiment(
        comparisons=None, segments=None, segment_verdicts=None, regressions=None, alerts=None
    )
    text = page.render_experiment(bare, {}, "html")
    assert "experiment_metric_comparisons" in text
    assert "experiment_segment_comparisons" in text
    assert "version_regressions" in text


@pytest.mark.parametrize("output", ["html", "md"])
def test_a_page_opens_with_the_sentence_then_the_reasons_in_their_order(output: str) -> None:
    text = html.unescape(page.render_experiment(rows.experiment(), {}, output)).replace("\\", "")
    (summary,) = rows.experiment().summaries
    parts = [
        "Needs review",
        str(summary["headline"]),
        "What would decide it: about 40 more tasks, to show that it is better.",
        "completeness may have lost 5.2 points; at most 5 are accepted",
        "accuracy is 5.8 points better",
        "category review: Less accurate: -6.0 points (-10.0 to -2.0). (p = 0.003 among all",
        "By accuracy, the candidate won 2",
        "decides",
        "For comparison only: legacy_recommendation, by averages alone, says deploy.",
    ]
    if output == "html":
        # a metric's say stands in the table below the verdict, which the last line ends
        parts[-2:] = parts[:-3:-1]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_metric_whose_better_side_nobody_knows_is_neither_better_nor_worse() -> None:
    unknown = rows.comparison(
        "hallucination_rate", 0.2, 0.1, 0.3, direction="unknown", finding="changed", role="none",
        role_note="direction_unknown",
    )  # fmt: skip
    text = page.render_experiment(rows.experiment(comparisons=[unknown]), {}, "html")
    section = text[text.index("Every metric") : text.index("Task by task")]
    assert "changed by +20.0 points" in section
    assert "no say: which way is better is not known" in section
    assert not re.search(r"class=\"n (good|bad)\"|more than chance|\"(better|worse)\"", section)
    assert "that has a say" not in section


def test_an_experiment_without_a_candidate_has_no_verdict() -> None:
    empty = rows.experiment(
        summaries=[], comparisons=[], segments=[], tasks=[], trends=[], regressions=[], alerts=[]
    )
    assert "No verdict" in page.render_experiment(empty, {}, "html")
    for output in ("html", "md"):
        text = html.unescape(page.render_experiment(empty, {}, output)).replace("\\", "")
        assert "exp has no candidate's result yet: nothing to compare." in text
        assert "evalmart ingest --experiment-id exp --experiment-group GROUP" in text


def test_nothing_in_either_arm_is_shown_as_missing() -> None:
    lone = rows.task(
        0, "lone", primary_difference=None, baseline_primary_value=None,
        baseline_latency_ms=None, candidate_latency_ms=None, baseline_cost_usd=None,
        candidate_cost_usd=None, winner=None, not_comparable_reason="no_baseline_result",
    )  # fmt: skip
    nothing = rows.experiment(
        summaries=[rows.summary(
            total_tasks=0, primary_metric=None, headline="No baseline: nothing to compare with.",
            required_additional_tasks=None, required_note="no_pairs",
            recommendation_reasons=[{"code": "nothing_shared", "sentence": "Nothing is shared."}],
        )],
        tasks=[lone], comparisons=[], segments=[], segment_verdicts=[], trends=[], regressions=[],
        alerts=[], examples={
            (rows.GROUP, rows.VERSION): {"baseline": ["a", "b"], "candidate": ["<c>"]}
        },
    )  # fmt: skip
    text = page.render_experiment(nothing, {}, "html")
    assert "No baseline: nothing to compare with." in text
    assert (
        "What would decide it: tasks that both arms have: their ids have to be the same (the"
        " baseline has a, b; the candidate has &lt;c&gt;); load one"
    ) in text
    assert "Neither latency nor cost was recorded" in text
    assert "the baseline has no result" in text


def test_versions_are_drawn_in_the_order_of_every_group() -> None:
    trends = [
        rows.version(group, number, rank, 0.7)
        for group, numbers in (
            ("baseline", ["1.7.0", "1.10.0"]),
            ("code-chef", ["1.7.0", "1.8.0", "1.9.0", "1.10.0"]),
        )
        for rank, number in enumerate(numbers, 1)
    ]  # fmt: skip
    text = page.render_experiment(rows.experiment(trends=trends), {}, "html")
    chart = text[text.index("<figure>") :]
    order = [chart.index(f">{number}<") for number in ("1.7.0", "1.8.0", "1.9.0", "1.10.0")]
    assert order == sorted(order)


def test_markdown_fits_a_screen_and_folds_the_rest() -> None:
    text = page.render_experiment(
        rows.experiment(task_ids=[f"task-{place}" for place in range(300)]), {}, "md"
    )
    unfolded = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len(re.sub(r"\n{2,}", "\n", unfolded).splitlines()) <= 25
    assert unfolded.index("Needs review") < 20
    assert text.count("<details>") == text.count("</details>") >= 4
    assert len(text) < 30_000


def test_markdown_is_text_whatever_the_names_are() -> None:
    text = page.render_experiment(*_hostile(), "md")
    visible = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>|https://x\.test)", visible)
    assert "](javascript:" not in re.sub(r"\\.", "", visible)
    assert "@everyone" not in re.sub(r"\\.", "", visible) or "`" in text
    assert len(text) < 65_536


def test_a_page_of_5000_tasks_is_small(tmp_path: Path) -> None:
    names = [f"{place:04}-checkout-api/fix-race-in-retry-of-payments" for place in range(5_000)]
    experiment = rows.experiment(task_ids=names)
    text = page.render_experiment(experiment, {}, "html")
    path = _written(tmp_path, text)
    assert path.stat().st_size < 3_000_000
    assert "4999-checkout-api" in text


def test_the_same_rows_give_the_same_page() -> None:
    pages = {page.render_experiment(rows.experiment(), {}, "html") for _ in range(2)}
    assert len(pages) == 1


@pytest.mark.parametrize("path", ["report", "report.pdf", ".html.txt"])
def test_a_file_that_tells_no_format_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="tells no format"):
        page.format_of(path)
