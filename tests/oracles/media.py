"""What each medium would do with a text, read by parsers that are none of this project's."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from base64 import b64encode
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_ZERO_WIDTH: Final = "\u200b"
# beyond Unicode's categories: what shows nothing
_BLANK: Final = {*"\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"}
_MOST_MARKS: Final = 8
_ORDER: Final = re.compile(r"^\s*::|##(vso|teamcity)?\[")
_LIVE: Final = re.compile(
    r"@\w|(https?|ftp)://|www\.|(mailto|xmpp):(?!\u200b)|#\d|\bgh-\d|:[\w+-]+:", re.IGNORECASE
)
_MARKS: Final = {"text", "softbreak", "strong_open", "strong_close", "code_inline"}
_BLOCKS: Final = {
    "paragraph", "heading", "inline", "list_item", "bullet_list", "table", "thead", "tbody", "tr",
    "th", "td", "fence",
}  # fmt: skip
# the report's own
_OWN_HTML: Final = re.compile(r"^(?:<details><summary>[^<>]*</summary>|</details>)$", re.MULTILINE)
_TAGS: Final = {
    "html", "head", "meta", "link", "title", "style", "body", "a", "header", "p", "h1", "h2", "h3",
    "h4", "h5", "nav", "ul", "ol", "li", "main", "article", "section", "span", "dl", "div", "dt",
    "dd", "details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "bdi",
    "figure", "figcaption", "pre", "code", "svg", "g", "path", "text", "rect", "defs", "clippath",
    "tspan", "line", "circle", "polygon", "use", "symbol", "clipPath", "desc", "image", "strong",
    "small",
}  # fmt: skip


def terminal_faults(text: str) -> Iterator[str]:
    """Yield what would have an effect on a terminal or on the log of a build."""
    for number, line in enumerate(text.split("\n"), start=1):
        marks = 0
        for place, char in enumerate(line):
            category = unicodedata.category(char)
            marks = marks + 1 if category == "Mn" else 0
            is_joined = char == "\u200d" and _is_emoji(line[place - 1]) and place > 0
            is_joined = is_joined or (
                char == "\ufe0f" and unicodedata.category(line[place - 1])[0] in "SPN"
            )
            is_fault = category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or char in _BLANK
            is_fault = is_fault or 0xFE00 <= ord(char) <= 0xFE0F or 0xE0000 <= ord(char) <= 0xE0FFF
            if (is_fault and not is_joined) or marks > _MOST_MARKS:
                yield f"line {number}: {char!r} in {line!r}"
        if _ORDER.search(line):
            yield f"line {number}: an order to a log in {line!r}"


def _is_emoji(char: str) -> bool:
    return unicodedata.category(char) in {"So", "Sk"} or char == "\ufe0f"


def markdown_faults(text: str, trusted: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what GitHub would mention, link, embed, format, or take for structure."""
    for caption in _OWN_HTML.findall(text):
        if found := _LIVE.search(unescape(caption)):
            yield f"live: {found.group()!r} in {caption!r}"
    plain = _OWN_HTML.sub("\n", text)
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for token in parser.parse(plain):
        kind = re.sub("_(open|close)$", "", token.type)
        if kind not in _BLOCKS:
            yield f"a block {token.type}: {token.content[:80]!r}"
        for child in token.children or ():
            yield from _inline_faults(child, trusted)


def _inline_faults(token: Token, trusted: tuple[str, ...]) -> Iterator[str]:
    if token.type == "text":
        if found := _LIVE.search(token.content):
            yield f"live: {found.group()!r} in {token.content!r}"
    elif token.type == "link_open" and trusted:
        if not str(token.attrs["href"]).startswith(trusted):
            yield f"a link to {token.attrs['href']}"
    elif token.type not in _MARKS | ({"link_close"} if trusted else set()):
        yield f"{token.type}: {token.content!r} {token.attrs}"


def markdown_cells(text: str) -> list[list[str]]:
    """Return the cells of every table row, as a reader sees them."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            parts = [child.content for child in token.children or ()]
            rows[-1].append("".join(parts).replace(_ZERO_WIDTH, ""))
    return rows


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.faults.append(f"a tag {tag}")
        for name, value in attrs:
            if name.startswith("on") or (name in {"src", "srcdoc", "action"}):
                self.faults.append(f"an attribute {name} of {tag}: {value!r}")
            if name.endswith("href") and not re.match(r"#|https?://|data:,$", value or ""):
                self.faults.append(f"an address: {value!r}")
            self.texts.append(value or "")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment {data!r}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def html_faults(text: str) -> Iterator[str]:
    """Yield what a page has that its templates do not."""
    page = _Page()
    page.feed(_without_own_script(text))
    page.close()
    yield from page.faults
    for told in page.texts:
        yield from (fault for fault in terminal_faults(told) if "an order" not in fault)


def _without_own_script(text: str) -> str:
    """Take the script away whose hash the page's policy names; any other stays."""
    for script in re.findall(r"<script>(.*?)</script>", text, re.DOTALL):
        digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
        if f"script-src 'sha256-{digest}'" in text:
            return text.replace(f"<script>{script}</script>", "", 1)
    return text


def csv_faults(text: str) -> Iterator[str]:
    """Yield cells that a spreadsheet would compute, and rows of another length."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        if len(row) != len(rows[0]):
            yield f"{len(row)} cells, not {len(rows[0])}: {row!r}"
        for value in row:
            is_number = re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", value)
            if value[:1] in {*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"} - {""} and not is_number:
                yield f"a formula: {value!r}"


def json_faults(text: str) -> Iterator[str]:
    """Yield what would have an effect where JSON is looked at; raise where it is none."""
    json.loads(text)
    yield from (fault for fault in terminal_faults(text) if "an order" not in fault)
