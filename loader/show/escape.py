r"""Text of records on its way to a medium; one function a medium, and no other way there.

Whoever writes a record chooses its text: ids, versions, metrics, errors, labels. On a terminal
it must not move the cursor, hide or turn round what stands beside it, nor speak to the
program that keeps a build's log; in markdown it must not mention, link, embed, format or leave
its cell; in HTML it is text; in a spreadsheet it is no formula; in a metric one line.

What is taken from a text is its effect, never its characters: they are shown as escapes
(`\x1b`, `\u202e`), with a backslash, or with an invisible space that breaks a word.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape as html_escape
from typing import Final

_JOINER: Final = "\u200d"
_AS_EMOJI: Final = "\ufe0f"
_MOST_MARKS: Final = 8
"""Marks on one character, as no script has them: more climb over the lines around."""
# Characters that show nothing though Unicode calls them printable: joiners of graphemes,
# fillers, variation selectors, a blank pattern of Braille.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
_MARKS: Final = re.compile("[\u0300-\u036f\u0483-\u0489\u0e31-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff]")
# what a log of GitHub, Azure or TeamCity takes for an order to itself
_ORDER: Final = re.compile(r"##(?=\w*\[)")
_ORDER_LINE: Final = re.compile(r"\A(\s*):(?=:)")
# every character of JSON beyond ASCII stands in a text, where an escape means the same
_IN_JSON: Final = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U000e0000-\U0010ffff]|(?<=[\u0300-\u036f]{8})[\u0300-\u036f]"
)
LONGEST_LABEL: Final = 128
_BREAK: Final = "&#8203;"
"""A space of no width: the word is read as before, and is no name, link or number any more."""
_MARKDOWN: Final = re.compile(r"[\\`*_\[\]<>|#~]")
_ENTITY: Final = re.compile(r"&(?=[#A-Za-z])")
_MATH: Final = re.compile(r"\$(?!\d)")
_LIVE: Final = re.compile(
    r"(?P<name>@)(?=[\w./-])"  # a mention, an address, a commit of somebody's
    r"|(?P<scheme>[a-z][a-z0-9+.-]*:)(?=//)|(?P<address>mailto:|xmpp:)"
    r"|(?P<www>www)(?=\.)"
    r"|(?P<number>\\\#)(?=\w)"  # an issue's number
    r"|(?P<issue>GH)(?=-\d)"
    r"|(?P<emoji>:)(?=[\w+-]+:)",
    re.IGNORECASE,
)
_LIVE_HTML: Final = re.compile(
    r"@(?=[\w./-])|[a-z][a-z0-9+.-]*:(?=//)|(?:mailto|xmpp):|www(?=\.)|(?<!&)#(?=\w)|GH(?=-\d)"
    r"|:(?=[\w+-]+:)",
    re.IGNORECASE,
)
_BLOCK: Final = re.compile(r"\A(?:[-+](?=\s|\Z)|[-=](?=[-=\s]*\Z)|\d{1,9}(?=[.)](?:\s|\Z)))")
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
FORMULA_PATTERN: Final = f"^{_FORMULA.pattern}"
"""What `spreadsheet` changes, for PostgreSQL's `~`."""


def terminal(text: str) -> str:
    r"""Return text on one line, what would not show as itself as escapes (`\n`, `\x1b`)."""
    if text.isascii() and text.isprintable():
        return _without_orders(text)
    shown = []
    marks = 0
    for place, char in enumerate(text):
        marks = marks + 1 if _MARKS.match(char) else 0
        is_shown = marks <= _MOST_MARKS and (
            _joins(text, place)
            or _varies(text, place)
            or (
                (char.isprintable() or unicodedata.category(char) == "Zs")
                and not _INVISIBLE.match(char)
            )
        )
        shown.append(char if is_shown else char.encode("unicode_escape", "surrogatepass").decode())
    return _without_orders("".join(shown))


def lines(text: str) -> str:
    """Return text for a terminal that may have several lines, each as `terminal` has it."""
    return "\n".join(terminal(line) for line in text.split("\n"))


def markdown(text: str) -> str:
    """Return text that GitHub's markdown shows as it is, on one line and in a table's cell."""
    shown = terminal(text).strip()
    shown = _MARKDOWN.sub(r"\\\g<0>", shown)
    shown = _ENTITY.sub(r"\\&", shown)
    shown = _MATH.sub(r"\\$", shown)
    shown = _LIVE.sub(lambda match: match.group() + _BREAK, shown)
    found = _BLOCK.match(shown)
    if not found:
        return shown
    end = found.end()
    return f"{shown[:end]}\\{shown[end:]}" if found.group()[0].isdigit() else f"\\{shown}"


def markdown_html(text: str) -> str:
    """Return text for inside a tag of markdown, where a backslash is one and `<` begins a tag."""
    shown = html_escape(terminal(text).strip())
    return _LIVE_HTML.sub(lambda match: match.group() + _BREAK, shown)


def html(text: str) -> str:
    """Return text for an HTML page before its `<`, `&` and quotes are escaped; may have lines."""
    return lines(text)


def label(text: str) -> str:
    """Return the value of a metric's label: one line, of bounded length."""
    shown = terminal(text)
    return shown if len(shown) <= LONGEST_LABEL else shown[: LONGEST_LABEL - 1] + "…"


def spreadsheet(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    One that begins with =, +, -, @, a tab or an end of line, or with apostrophes and one of
    these, has an apostrophe more in front: who takes one away from each of those has the text.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def json_text(text: str) -> str:
    r"""Return JSON that means the same, whose controls and invisible characters are escapes."""
    return text if text.isascii() and "\x7f" not in text else _IN_JSON.sub(_as_json, text)


def _as_json(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(
        f"\\u{int.from_bytes(units[place : place + 2]):04x}" for place in range(0, len(units), 2)
    )


def _without_orders(text: str) -> str:
    if "##" in text:
        text = _ORDER.sub(r"##\\", text)
    return _ORDER_LINE.sub(r"\1\\:", text) if "::" in text else text


def _joins(text: str, place: int) -> bool:
    """Tell whether a character joins two emoji to one, as in a family; it hides nothing then."""
    before, after = text[max(place - 1, 0) : place], text[place + 1 : place + 2]
    return (
        text[place] == _JOINER
        and bool(before and after)
        and (before == _AS_EMOJI or unicodedata.category(before) in {"So", "Sk"})
        and unicodedata.category(after) == "So"
    )


def _varies(text: str, place: int) -> bool:
    """Tell whether a character makes the sign before it an emoji."""
    before = text[max(place - 1, 0) : place]
    is_sign = unicodedata.category(before) in {"So", "Sm", "Po", "Nd"} if before else False
    return text[place] == _AS_EMOJI and is_sign
