"""How often something failed or said nothing over many runs, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .results import Evaluation

_SHOWN_ERRORS: Final = 3
_LONGEST_SHOWN: Final = 100
_TIMES: Final = "\u00d7"


@dataclass(slots=True)
class Failures:
    """How often one kind of thing failed, and why.

    Attributes:
        attempts: how often it was tried.
        failed: how often it failed.
        empty: how often it gave neither a score nor a label, and did not fail.
        errors: the commonest errors, shortened, and how often each.
        remarks: what was said in place of a score, likewise.

    """

    attempts: int = 0
    failed: int = 0
    empty: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)

    def note(self, error: str | None) -> None:
        """Count one attempt; without secrets in its error, None if it went well."""
        self.attempts += 1
        if error is not None:
            self.failed += 1
            self.errors[_short(error)] += 1

    def note_results(
        self, results: Sequence[Evaluation], redact: Callable[[str], str] = str
    ) -> None:
        """Count what an evaluator said of one run."""
        error = next((result.error for result in results if result.error), None)
        self.note(redact(error) if error else None)
        if error is None and all(result.is_empty for result in results):
            self.empty += 1
            comment = next((result.comment for result in results if result.comment), None)
            self.remarks[_short(redact(comment)) if comment else "no score"] += 1

    @property
    def is_all(self) -> bool:
        """Whether nothing ever came of it."""
        return 0 < self.attempts == self.failed + self.empty

    def commonest(self) -> list[str]:
        """Return a line for each of the commonest errors: how often, and what."""
        return _lines(self.errors)

    def reasons(self) -> list[str]:
        """Return a line for each of the commonest reasons why there is no score."""
        return _lines(self.errors + self.remarks)


def _lines(counted: Counter[str]) -> list[str]:
    lines = [f"{count:,} {_TIMES} {text}" for text, count in counted.most_common(_SHOWN_ERRORS)]
    others = len(counted) - len(lines)
    return [*lines, *([f"and {others:,} other errors"] if others else [])]


def _short(text: str) -> str:
    line = text.strip().partition("\n")[0]
    return f"{line[: _LONGEST_SHOWN - 1]}…" if len(line) > _LONGEST_SHOWN else line
