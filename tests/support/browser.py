"""A real Chromium for the tests, where one is installed, and axe-core beside it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playwright.sync_api import sync_playwright

import npm_tools
import programs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_AXE = "axe-core@4"
_GEOMETRY = Path(__file__).with_name("geometry.js").read_text(encoding="utf-8")


class Seen(NamedTuple):
    """What a browser made of a page."""

    console: list[str]
    requests: list[str]
    width: int
    visible_width: int
    text: str
    ran: bool
    violations: list[str]
    geometry: list[str]
    """Texts that are clipped, leave the page, lie on each other or are too small."""


class Viewer:
    """Opens pages from disk, each in a profile of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextmanager
    def tab(self, *, script: bool = True) -> Iterator[Page]:
        """Give an empty tab in a profile of its own, with or without scripts."""
        context = self._browser.new_context(
            viewport={"width": 1200, "height": 900}, java_script_enabled=script
        )
        try:
            yield context.new_page()
        finally:
            context.close()

    def printed(self, page: Path) -> int:
        """Return how many pages of A4 a page takes."""
        with self.tab() as tab:
            tab.goto(page.as_uri())
            edges = dict.fromkeys(("top", "right", "bottom", "left"), "12mm")
            paper = tab.pdf(format="A4", margin=edges)  # type: ignore[arg-type]
        return len(re.findall(rb"/Type\s*/Page\b", paper))

    def look(  # noqa: PLR0913  how a page may be looked at
        self,
        page: Path,
        width: int,
        *,
        scheme: str = "light",
        axe: Path | None = None,
        unfolded: bool = False,
        media: str = "screen",
    ) -> Seen:
        """Open a page and say what happened; hostile text sets `window.ran` when it runs."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            bypass_csp=axe is not None,
        )
        try:
            tab = context.new_page()
            console: list[str] = []
            requests: list[str] = []
            tab.on("console", lambda message: console.append(message.text))
            tab.on("pageerror", lambda error: console.append(str(error)))
            tab.on("dialog", lambda dialog: (console.append("dialog"), dialog.dismiss()))
            tab.on("request", lambda request: requests.append(request.url))
            tab.emulate_media(media=media)  # type: ignore[arg-type]
            tab.goto(page.as_uri())
            if unfolded:
                tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            width_seen, visible = tab.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            violations: list[str] = []
            if axe is not None:
                tab.add_script_tag(path=str(axe))
                found = tab.evaluate("axe.run()")["violations"]
                violations = [
                    f"{rule['id']}: {rule['nodes'][0]['html'][:200]}"
                    for rule in found
                    if rule["impact"] in {"serious", "critical"}
                ]
            return Seen(
                console,
                requests,
                width_seen,
                visible,
                tab.inner_text("body"),
                tab.evaluate("Boolean(window.ran)"),
                violations,
                tab.evaluate(_GEOMETRY),
            )
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Viewer]:
    """Yield a viewer of the system's Chromium."""
    executable = programs.program(*_NAMES, package="chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(_QUIET))
        try:
            yield Viewer(browser)
        finally:
            browser.close()


def axe_core(directory: Path) -> Path:
    """Install axe-core into a directory and return its script."""
    return npm_tools.installed(_AXE, directory) / "axe.min.js"
