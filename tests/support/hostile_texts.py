"""Two hundred texts that a record may carry, each with an effect on somebody's medium."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_TERMINAL: Final = (
    "\x1b[2J\x1b[H", "\x1b]0;owned\x07", "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07",
    "\x1b[31mred", "\x1b[8mhidden", "\x1b[1A\x1b[2K", "\x1bPq#0\x1b\\", "\x1bc", "\x9b31m",
    "\x9d0;t\x9c", "\x90q\x9c", "\x08\x08\x08ok", "\rok  done", "a\nb", "a\r\nb", "\v\f", "\x07",
    "\x7f", "\x85next", "\u2028line", "\u2029paragraph", "\x0e\x0fshift", "\x1b[?1049h",
    "\x1b[6n", "\x1b[21t", "\tTab",
)  # fmt: skip
_UNSEEN: Final = (
    "\u202egnp.exe", "\u202dltr", "\u2066a\u2069", "\u2067b", "\u200e", "\u200f", "\u061c",
    "a\u200bb", "a\u200cb", "a\u200db", "\ufeffbom", "a\u2060b", "a\xadb", "\u3164", "\u115f",
    "\u2800", "a\u034fb", "a\ufe0fb", "\U000e0041tag", "\u180e", "z" + "\u0301" * 40,
    "\ue000private", "\ufff9a\ufffab\ufffb", "\U000e0100",
)  # fmt: skip
_MARKDOWN: Final = (
    "@octocat", "@github/security", "a@octocat", "user@example.com", "#1", "octo/repo#1", "GH-1",
    "gh-26", "https://evil.example", "http://evil.example/a_b", "www.evil.example",
    "ftp://evil.example", "mailto:a@b.example", "xmpp:a@b.example", "HTTPS://EVIL.EXAMPLE",
    "[click](https://evil.example)", "![x](https://evil.example/p.png)", "[x][1]",
    "[1]: https://evil.example", "<https://evil.example>", "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>", "</details>", "<!-- ", "-->", "&lt;b&gt;", "&#64;octocat",
    "&commat;octocat", "**bold**", "__bold__", "*a*", "_a_", "~~gone~~", "`code`", "``", "```",
    "~~~", "` | `", "a|b", "\\|", "\\\\|", "\\", "\\@octocat", "# heading", "## two", "> quote",
    "- item", "+ item", "* item", "1. one", "1) one", "---", "===", "***", "___",
    "| a | b |\n| --- | --- |", "    code", "\tcode", "- [ ] task", "[^1]", "[^1]: note", ":+1:",
    ":octocat:", "$\\color{red}x$", "$$x$$", "$`x`$", "> [!WARNING]", "trailing\\", "two  ",
    "a<br>b", "<a href='javascript:alert(1)'>x</a>", "@octocat\n@hubot",
    "owner@0123456789abcdef0123456789abcdef01234567",
)  # fmt: skip
_SHEET: Final = (
    "=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "'=1",
    "''=1", '=HYPERLINK("x")', '"=1', '=1",=2', "=1\r\n=2", "\uff1d1+1", "\uff0b1", "\uff0d1",
    "\uff20a", "-", "+", "=", "@", "a,=1", ";=1",
)  # fmt: skip
_LOG: Final = (
    "::error::owned", "::add-mask::a", "::stop-commands::x", " ::set-output name=a::b",
    "##[error]owned", "##vso[task.setvariable variable=a]b", "##teamcity[buildStatus text='x']",
    "a ##[group]b", "::notice file=a::b", "ok\n::error::owned", "\r::error::owned",
    "##[add-mask]x",
)  # fmt: skip
_PAGE: Final = (
    '"><svg onload=alert(1)>', "' onmouseover='x", "</style><b>", "</title>", "]]>",
    "{{ 7 * 7 }}", "{% raw %}", "${7*7}", "%s%n", "{0}", "\\u003cb\\u003e", "javascript:alert(1)",
    "data:text/html,x", "</pre>", "&amp;lt;", "<bdo dir=rtl>x", 'a" b="c', 'a{b="c"} 1',
    "x} 1\ny", "# HELP a b", "a\\nb", '"', "'", "<!DOCTYPE html>", "<?xml?>",
    "<base href=//evil>",
)  # fmt: skip
_PLAIN: Final = (
    "naïve 評価", "\U0001f469\u200d\U0001f469\u200d\U0001f467", "❤️", "العربية", "R&D, 5 % (a/b)",
    "x" * 200, "1.10.0-rc.1+build", "snake_case_name", "C:\\dir\\x", "a  b", " lead", "50 $",
    "a::b", "C#", "x@y",
)  # fmt: skip


def hostile_texts() -> list[str]:
    """Return them, all different, each shorter than a name may be."""
    found = [*_TERMINAL, *_UNSEEN, *_MARKDOWN, *_SHEET, *_LOG, *_PAGE, *_PLAIN]
    found += [f"{one}{two}" for one, two in product(_TERMINAL[:5], _MARKDOWN[:3])]
    return [text for text in dict.fromkeys(found) if text.strip()]


NAMES: Final = (
    "=exp\x1b[31m|`@octocat <img src=x> https://evil.example #1 \u202e",
    "::error::exp\x9b1m **b** [a](https://evil.example) ##[error]x \u200b",
    "@SUM(1) ```\t~~a~~ </details><script> $x$ :+1: www.evil.example",
)
"""Of an experiment, an agent, a version, a metric: with the effects of many."""


def write_records(path: Path) -> None:
    """Write an experiment for each name; all the texts are its tasks, errors, categories …."""
    texts = hostile_texts()
    with path.open("w", encoding="utf-8") as file:
        for place, name in enumerate(NAMES):
            for number, text in enumerate(texts):
                if number % len(NAMES) != place and number > 30:
                    continue
                for group in ("control", "treatment"):
                    for version in ("1.0.0", f"1.1.0{name}"):
                        if (group, version) == ("control", f"1.1.0{name}"):
                            continue
                        file.write(json.dumps(_record(name, text, number, group, version)) + "\n")


def group_of(role: str) -> str:
    """Return the name of a group."""
    return f"{role} {NAMES[0]}"


def _record(name: str, text: str, number: int, group: str, version: str) -> dict[str, Any]:
    is_better = group == "treatment" and number % 3 != 0
    return {
        "experiment_id": name,
        "task_id": text,
        "experiment_group": group_of(group),
        "extension_version": version,
        "agent_name": f"agent {name}",
        "model_version": f"model {name}",
        "recorded_at": f"2025-01-0{1 + (version != '1.0.0')}T00:00:00Z",
        "scores": {
            "accuracy": 0.9 if is_better else 0.4 + number % 7 / 20,
            f"key {name}": number % 2,
            f"scale {name}": 7,
        },
        "comments": {f"key {name}": text},
        "labels": {f"label {name}": text},
        "evaluator_versions": {f"key {name}": f"{name}{group}"},
        "dataset_version": f"{name}{number % 2 * group}",
        "measurements": {f"measured {name}": number},
        "latency_ms": 10 + number,
        "cost_usd": 0.01,
        "success": None if number % 5 == 0 else is_better,
        "error_message": text if number % 5 == 0 else None,
        "metadata": {"category": text, "url": f"https://evil.example/{number}"},
        "trace_url": f"https://evil.example/{number}",
        "inputs": {"prompt": text},
        "outputs": {"output": text},
    }
