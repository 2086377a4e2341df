"""The comment on a pull request: the verdict, the report in short, and how the gate decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..show import escape
from ..tools.secrets import redact
from . import body, outputs
from .place import SHORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .result import Result

_MARKS: Final = {
    "pass": "✅ pass",
    "blocked": "❌ blocked",
    "inconclusive": "❔ inconclusive",
    "recorded": "✅ recorded",
    "error": "⚠️ not evaluated",
}
_LONGEST: Final = 600


class Parts(NamedTuple):
    """What the comment is made of, beside the verdict."""

    report: str = ""
    """The experiment's report as markdown."""
    gate: str = ""
    """The gate's verdict as markdown."""
    notes: Sequence[str] = ()
    """What else has to be said, a sentence each."""
    is_overruled: bool = True
    """Whether the headline is another than that of the report."""


def comment(result: Result, made_of: Parts | None = None) -> str:
    """Return the body of the comment, at most as long as GitHub takes one.

    Args:
        result: what came of it.
        made_of: the rest.

    """
    report, gate, notes, is_overruled = made_of or Parts()
    parts = [f"## evalmart: {_MARKS[result.verdict]}\n"]
    if is_overruled or not report:
        parts.append(f"**{_line(result.headline)}**\n")
        if result.reasons:
            parts.append(outputs.lines([reason[:_LONGEST] for reason in result.reasons]))
    if result.why_baseline:
        parts.append(f"{_line(_sentence(result.why_baseline))}\n")
    parts += [f"{_line(note)}\n" for note in notes]
    if report:
        parts.append(report)
    if gate:
        parts.append(
            f"<details><summary>How the gate decided</summary>\n\n{gate.strip()}\n\n</details>\n"
        )
    said = f"Commit {result.commit[:SHORT]}, " if result.commit else ""
    parts.append(f"{said}experiment {_line(result.experiment)}.\n")
    return body.fitted(redact("\n".join(parts)))


def _line(text: str) -> str:
    shown = redact(text)
    return escape.markdown(shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")
