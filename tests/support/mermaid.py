"""Diagrams in Markdown, drawn by Mermaid in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import npm_tools

if TYPE_CHECKING:
    from pathlib import Path

_MERMAID = "mermaid@11"
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PAGE = """<!doctype html><meta charset="utf-8"><title>diagrams</title>
{diagrams}
<script src="{script}"></script>
<script>
mermaid.initialize({{startOnLoad: false}});
mermaid.run().then(() => console.log("drawn"), error => console.log("failed: " + error.message));
</script>
"""


def diagrams(markdown: str) -> list[str]:
    """Return the text of every diagram."""
    return _DIAGRAM.findall(markdown)


def page(texts: list[str], directory: Path) -> Path:
    """Write a page that draws diagrams and says `drawn` on the console, or what failed."""
    script = npm_tools.installed(_MERMAID, directory) / "dist" / "mermaid.min.js"
    shown = "\n".join(
        f'<pre class="mermaid">{text.replace("&", "&amp;").replace("<", "&lt;")}</pre>'
        for text in texts
    )
    path = directory / "diagrams.html"
    path.write_text(_PAGE.format(diagrams=shown, script=script.as_uri()), encoding="utf-8")
    return path
