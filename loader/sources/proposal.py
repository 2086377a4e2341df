"""A proposed mapping: what it fills with what and why, and the file that says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from .mapping import FILE

if TYPE_CHECKING:
    from .values import DecimalMark


@dataclass
class Proposal:
    """What is proposed, each with its reason.

    Attributes:
        entries: target, source, reason.
        scales: score key to the ends of its scale, and the reason.
        defaults: field to its value, and the reason.
        groups: role to experiment groups.
        groups_reason: why these roles.
        missing: cells that say nothing was measured.
        decimal: what stands before decimals, where it is a comma.
        records: name of the list that holds the records of a document.
        columns: those that fill something.
        measures: keys under scores that are measurements.
        left_out: columns that are not wanted.
        notes: what could not be told, or was assumed.

    """

    entries: list[tuple[str, str, str]] = field(default_factory=list)
    scales: dict[str, tuple[float, float, str]] = field(default_factory=dict)
    defaults: dict[str, tuple[str, str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    groups_reason: str = ""
    missing: set[str] = field(default_factory=set)
    decimal: DecimalMark | None = None
    records: str | None = None
    columns: set[str] = field(default_factory=set)
    measures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def targets(self) -> set[str]:
        """The fields that are filled."""
        return {goal for goal, _, _ in self.entries}

    def add(self, goal: str, column: str, reason: str, operations: str = "") -> None:
        """Propose to fill a field from a column."""
        self.columns.add(column)
        name = f"[{column}]" if _is_misread(column) else column
        self.entries.append((goal, f"{name}{operations}", reason))

    def text(self, heading: str) -> str:
        """Return it as a mapping file, each line with its reason."""
        lines = [f"# {_line(heading)}", *(f"# check: {_line(note)}" for note in self.notes)]
        if self.records:
            lines.append(f"records: {_scalar(self.records)}")
        if self.decimal:
            lines.append(f"decimal: {self.decimal}")
        if self.missing:
            lines.append(f"missing: {_flow(sorted(self.missing))}")
        lines += [
            f"{_scalar(goal)}: {_scalar(source)}  # {_line(reason)}"
            for goal, source, reason in self.entries
        ]
        if self.left_out:
            lines.append(f"leave_out: {_flow(self.left_out)}")
        if self.scales:
            lines.append("scales:")
            lines += [
                f"  {_scalar(key)}: [{low:g}, {high:g}]  # {_line(reason)}"
                for key, (low, high, reason) in self.scales.items()
            ]
        if self.measures:
            lines.append(f"measures: {_flow(self.measures)}")
        if self.groups:
            lines.append(f"groups:  # {_line(self.groups_reason)}")
            lines += [f"  {role}: {_flow(names)}" for role, names in self.groups.items()]
        if self.defaults:
            lines.append("defaults:")
            lines += [
                f"  {name}: {_scalar(value)}  # {_line(reason)}"
                for name, (value, reason) in self.defaults.items()
            ]
        return "\n".join(lines) + "\n"


def _is_misread(column: str) -> bool:
    """Return whether a name would be read as an operation."""
    has_sign = any(sign in column for sign in "*/:{}[]+'\"=")
    return has_sign or column == FILE or column != column.strip()


def _scalar(text: str) -> str:
    """Write a text as YAML, in quotes where it needs them."""
    written = yaml.safe_dump(text, allow_unicode=True, width=10**9).removesuffix("\n")
    return written.removesuffix("\n...")


def _flow(names: list[str]) -> str:
    return yaml.safe_dump(
        names, default_flow_style=True, allow_unicode=True, width=10**9
    ).removesuffix("\n")


def _line(reason: str) -> str:
    """Return a reason as a comment can hold it: a line of characters that can be printed."""
    text = " ".join(reason.split())
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
