"""The text of a comment: how long it may be, and whether a stranger's copy of it is harmless.

What evalmart writes has no live name, link or tag of a record in it; every text of a record is
escaped. A comment that comes as an artifact of a fork's run was written by nobody we know: it
is read again by the same rules and refused where anything in it would be live. This module and
`comment` need the standard library alone, so that the job with the token installs nothing.
"""

from __future__ import annotations

import re
from hashlib import sha256
from html import escape as html_escape
from html import unescape
from typing import TYPE_CHECKING, Final

from ..show import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 65_536
"""Characters of a comment on GitHub."""
_ROOM: Final = 1_536
"""For the marker and the lines that are added to the body."""
MOST: Final = LONGEST - _ROOM
_CUT: Final = "*The rest did not fit into a comment: see the page.*"
_OPENING: Final = re.compile(r"<details>", re.IGNORECASE)
_CLOSING: Final = re.compile(r"</details>", re.IGNORECASE)

_BREAK: Final = "&#8203;"
_SUMMARY: Final = re.compile(r"<details><summary>(?P<text>[^<>]*)</summary>")
_KNOWN_ENTITY: Final = re.compile(r"&(?:#8203|lt|gt|amp|quot|#x27|#39);")
_LIVE: Final = re.compile(
    r"@(?=[\w./-])|[a-z][a-z0-9+.-]*:(?=//)|(?:mailto|xmpp):(?=[\w.+-])|www(?=\.)|(?<!&)#(?=\w)|GH(?=-\d)"
    r"|:(?=[\w+-]+:)",
    re.IGNORECASE,
)
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
# as `escape.markdown` has it: an amount of dollars is none
_MATH: Final = re.compile(r"\$(?!\d)")
_RUN: Final = re.compile(r"`+")
_HEADING: Final = re.compile(r"#{1,6} ")


def marker(name: str) -> str:
    """Return the line that a comment of ours begins with: of one evaluation of a repository."""
    return f"<!-- evalmart {sha256(name.encode()).hexdigest()[:16]} -->"


def fitted(text: str, most: int = MOST) -> str:
    """Return markdown of at most so many characters: cut at an end of line, with a sentence.

    What is folded is closed, so that the sentence is seen.
    """
    if len(text) <= most:
        return text
    kept: list[str] = []
    left = most - len(_CUT) - 64
    open_folds = 0
    for line in text.splitlines(keepends=True):
        left -= len(line)
        folds = open_folds + len(_OPENING.findall(line)) - len(_CLOSING.findall(line))
        if left - folds * len("\n</details>\n") < 0:
            break
        kept.append(line)
        open_folds = folds
    return "".join(kept) + "\n</details>\n" * open_folds + f"\n{_CUT}\n"


def faults(text: str) -> Iterator[str]:
    """Yield what would be live in a text that somebody else has written, with its line.

    Allowed are what a report of evalmart is made of: headings, emphasis, lists, tables, code
    within a line, folds. No links, images, mentions, addresses, references, tags, fences, formulas.
    """
    if len(text) > MOST:
        yield f"it has {len(text):,} characters, more than the {MOST:,} of a comment"
        return
    is_html = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            is_html = False
            continue
        for fault in _faults_of_line(line, is_html=is_html):
            yield f"line {number} {fault}"
        if line.lstrip().startswith("<"):
            is_html = True


def _faults_of_line(line: str, *, is_html: bool) -> Iterator[str]:
    stripped = line.strip()
    if escape.terminal(line) != line:
        yield "has a character that does not show as itself"
        return
    if stripped == "</details>":
        return
    if stripped.startswith("<") or is_html:
        found = _SUMMARY.fullmatch(stripped)
        if found is None or is_html:
            yield "has a tag that is not one of ours"
            return
        yield from _live(found.group("text"))
        return
    if line.startswith(("    ", "\t", "```", "~~~")) or line.lstrip().startswith(("```", "~~~")):
        yield "begins a block of code"
        return
    outside = _without_code(line)
    if outside is None:
        yield "has a code span without an end, or one that leaves its cell"
        return
    syntax = _ESCAPED.sub("", outside)
    if re.search(r"[\[\]<>]", syntax.removeprefix(">")) or syntax.startswith(">"):
        yield "has a link, an image, a quotation or a tag"
    yield from _live(outside)


def _live(text: str) -> Iterator[str]:
    rest = _KNOWN_ENTITY.sub("", _ESCAPED.sub("", text))
    if re.search(r"&[#A-Za-z]", rest):
        yield "has a character written as an entity"
    if _MATH.search(rest):
        yield "has a formula, which may link"
    # a backslash takes nothing from a name; the space of no width does
    shown = unescape(_ESCAPED.sub(lambda sign: html_escape(sign.group(1)), text))
    if found := _LIVE.search(shown):
        yield f"has {found.group()!r} where it mentions or links"


def _without_code(line: str) -> str | None:
    """Return a line without its code spans; None where they are not all closed within it."""
    rest: list[str] = []
    place = 0
    while place < len(line):
        char = line[place]
        if char == "\\":
            rest.append(line[place : place + 2])
            place += 2
            continue
        if char != "`":
            rest.append(char)
            place += 1
            continue
        fence = _RUN.match(line, place)
        width = len(fence.group()) if fence else 1
        end = next(
            (run for run in _RUN.finditer(line, place + width) if len(run.group()) == width), None
        )
        if end is None:
            return None
        # a bar ends a cell before code is looked for; a heading has no cells
        if not _HEADING.match(line) and re.search(r"(?<!\\)\|", line[place : end.start()]):
            return None
        rest.append(" ")
        place = end.end()
    return "".join(rest)
