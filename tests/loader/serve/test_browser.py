"""Every page in a real browser: nothing fetched from elsewhere, nothing clipped, all usable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

import browser
from loader.serve.app import PAGES
from served import ASKED, OF, RE_SCORED, SAMPLE, TALK, TASK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from browser import Viewer
    from served import Served

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

LOOKED_AT = [
    *((path, asked) for path, asked in ASKED.items() if path in PAGES),
    ("/experiments", {"q": "no such experiment"}),
    ("/experiment", {"id": TALK}),
    ("/experiment", {"id": "one-arm"}),
    ("/experiment", {"id": "no-pairs"}),
    ("/experiment", {"id": "forty-metrics"}),
    ("/experiment", {"id": "nothing <b>at all</b>"}),
    ("/task", {"experiment": SAMPLE, "task": "checkout-api/fix-race-in-retry"}),
    ("/task", {**OF, "task": RE_SCORED}),
    ("/task", {**OF, "task": "\u202egnp.exe"}),
    ("/task", {**OF, "task": "<script>alert(1)</script>"}),
    ("/compare", {}),
]
# text that its box does not show, text over other text, and boxes wider than the page
_GEOMETRY = """
() => {
  const found = [], boxes = [];
  const shown = (node) => node.checkVisibility({ checkVisibilityCSS: true });
  for (const node of document.querySelectorAll("body *")) {
    if (!shown(node) || node.closest(".unseen, .skip, option, svg")) continue;
    const style = getComputedStyle(node);
    const cuts = ["hidden", "clip"].includes(style.overflowX);
    if (cuts && node.scrollWidth > node.clientWidth + 1) found.push("clipped: " + node.outerHTML);
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || boxes.length > 700 || node.closest("pre, select, summary")) continue;
    const range = document.createRange();
    for (const part of node.childNodes) {
      if (part.nodeType !== 3 || !part.textContent.trim()) continue;
      range.selectNodeContents(part);
      for (const box of range.getClientRects()) if (box.width > 1) boxes.push([node, box]);
    }
  }
  boxes.forEach(([node, one], place) => {
    for (const [other, two] of boxes.slice(place + 1)) {
      if (node === other) continue;
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
      if (across > 2 && down > 5) found.push("over: " + node.outerHTML + " " + other.outerHTML);
    }
  });
  return found.map((text) => text.slice(0, 300)).slice(0, 5);
}
"""


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    """Give the browser."""
    with browser.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the script that looks for what some people cannot use."""
    return browser.axe_core(tmp_path_factory.mktemp("axe"))


def test_every_page_is_whole_at_every_width_and_fetches_nothing_from_elsewhere(
    app: Served, viewer: Viewer, axe: Path
) -> None:
    for width, scheme in ((1280, "light"), (390, "dark")):
        with viewer.tab() as tab:
            tab.set_viewport_size({"width": width, "height": 900})
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            heard, requests = _listen(tab)
            for path, asked in LOOKED_AT:
                heard.clear()
                tab.goto(f"{app.url}{path}?{urlencode(asked)}")
                tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                seen, visible = tab.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
                )
                here = f"{width} {path} {asked}"
                assert seen <= visible, here
                assert tab.evaluate(_GEOMETRY) == [], here
                assert tab.evaluate("Boolean(window.ran)") is False
                assert [line for line in heard if "404" not in line] == [], here
            assert len(requests) > len(LOOKED_AT)
            assert [url for url in requests if not url.startswith((app.url, "data:"))] == []
    context = viewer._browser.new_context(bypass_csp=True)  # noqa: SLF001  axe is injected
    try:
        tab = context.new_page()
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for path, asked in LOOKED_AT if scheme == "light" else LOOKED_AT[: len(PAGES)]:
                tab.goto(f"{app.url}{path}?{urlencode(asked)}")
                tab.add_script_tag(path=str(axe))
                rules: list[dict[str, Any]] = tab.evaluate("axe.run()")["violations"]
                serious = [
                    (rule["id"], rule["nodes"][0]["html"][:200])
                    for rule in rules
                    if rule["impact"] in {"serious", "critical"}
                ]
                assert serious == [], f"{scheme} {path} {asked}"
    finally:
        context.close()


def _listen(tab: Page) -> tuple[list[str], list[str]]:
    heard: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    return heard, requests


def test_a_person_finds_a_task_with_the_keyboard_alone(app: Served, viewer: Viewer) -> None:
    with viewer.tab() as tab:
        tab.goto(f"{app.url}/")
        tab.keyboard.press("/")
        tab.keyboard.type(TALK)
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/experiments?q=talk")
        tab.keyboard.press("j")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/experiment?id=talk**")
        tab.get_by_role("link", name="Task by task").press("Enter")
        tab.wait_for_url("**/tasks?**")
        tab.select_option("#show", "worse")
        tab.wait_for_url("**show=worse**")
        count = tab.locator("tbody tr").count()
        assert f"{count} task" in tab.inner_text(".count")
        tab.keyboard.press("/")
        tab.keyboard.type("plain")
        tab.keyboard.press("Enter")
        tab.wait_for_url("**q=plain**")
        assert "show=worse" in tab.url
        assert 0 < tab.locator("tbody tr").count() < count
        tab.get_by_role("link", name="Clear").click()
        tab.wait_for_url(lambda url: "q=" not in url and "show=" not in url)
        assert tab.locator("tbody tr").count() > count
        assert f"experiment={TALK}" in tab.url
        assert tab.get_by_role("link", name="Clear").count() == 0
        tab.get_by_role("link", name="baseline", exact=True).click()
        tab.wait_for_url("**sort=**")
        assert tab.locator("th[aria-sort=descending]").inner_text() == "baseline"


def test_a_page_works_without_script_and_prints(app: Served, viewer: Viewer) -> None:
    context = viewer._browser.new_context(java_script_enabled=False)  # noqa: SLF001  only so
    try:
        tab = context.new_page()
        tab.goto(f"{app.url}/tasks?{urlencode(OF)}")
        tab.fill("#q", TASK)
        tab.get_by_role("button", name="Show").click()
        assert tab.locator("tbody tr").count() == 1
        tab.locator("tbody th a").click()
        assert tab.locator("h1").inner_text() == TASK
        assert tab.pdf().startswith(b"%PDF")
    finally:
        context.close()
