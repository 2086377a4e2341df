"""What a seed's file may hold, as the project's own YAML beside it says; one place for each rule.

dbt reads the same YAML for its tests: what is refused here, with its line, would fail a build.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..tools.own_yaml import read_own_yaml
from .project import project_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER: Final = re.compile(r"[+-]?\d+")


class Rule(NamedTuple):
    """What a column takes."""

    column: str
    type: str = "text"
    is_required: bool = False
    values: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def fault(self, value: str) -> str | None:
        """Say what is wrong with a cell; None if nothing is."""
        if not value:
            return "is empty; give it a value" if self.is_required else None
        wanted = self._wanted(value)
        if wanted:
            return f"is {value!r}; write {wanted}"
        is_number = self.type in {"integer", "numeric"}
        return self._out_of_range(float(value), value) if is_number else None

    def _wanted(self, value: str) -> str | None:
        """Say what to write instead; None where the cell is of the right form."""
        if self.values:
            return None if value in self.values else _either(self.values)
        if self.type == "date":
            return None if _is_date(value) else "a day such as 2026-01-31"
        if self.type == "integer":
            return None if _INTEGER.fullmatch(value) else "a whole number"
        if self.type == "numeric":
            return None if _NUMBER.fullmatch(value) else "a number such as 0.05"
        return "it without its NUL byte" if "\0" in value else None

    def _out_of_range(self, number: float, value: str) -> str | None:
        if self.minimum is not None and number < self.minimum:
            return f"is {value}; at least {self.minimum:g}"
        if self.maximum is not None and number > self.maximum:
            return f"is {value}; at most {self.maximum:g}"
        return None


class SeedRules(NamedTuple):
    """What a seed takes: its columns in their order, and what no two rows share."""

    columns: tuple[Rule, ...]
    keys: tuple[tuple[str, ...], ...]

    @property
    def header(self) -> list[str]:
        """Return the names of the columns."""
        return [rule.column for rule in self.columns]


def seed_rules(name: str) -> SeedRules:
    """Return the rules of a seed.

    Raises:
        ConfigurationError: the project's own file of it, or its YAML, is missing.

    """
    return _seed_rules(project_directory() / "seeds", name)


@cache
def _seed_rules(seeds: Path, name: str) -> SeedRules:
    path = seeds / f"{name}.csv"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except OSError:
        raise ConfigurationError(f"{path} is missing; restore it from the repository") from None
    node = _properties(seeds).get(name)
    if node is None:
        raise ConfigurationError(f"no YAML in {seeds} describes the seed {name}; restore it")
    types = node.get("config", {}).get("column_types", {})
    said = {column["name"]: _rules(column) for column in node.get("columns", [])}
    rules, keys = [], []
    for column in header:
        told = said.get(column, {})
        rules.append(Rule(
            column,
            str(types.get(column, "text")),
            bool(told.get("required")),
            tuple(told.get("values", ())),
            told.get("minimum"),
            told.get("maximum"),
        ))  # fmt: skip
        if told.get("unique"):
            keys.append((column,))
    whole = dict(map(_test, node.get("data_tests", [])))
    if "unique_key" in whole:
        keys.append(tuple(whole["unique_key"]["columns"]))
    return SeedRules(tuple(rules), tuple(keys))


@cache
def _properties(seeds: Path) -> dict[str, dict[str, Any]]:
    """Return what the YAML beside the seeds says of each."""
    documents = map(read_own_yaml, seeds.glob("*.yml"))
    return {node["name"]: node for document in documents for node in document.get("seeds", [])}


def _rules(column: dict[str, Any]) -> dict[str, Any]:
    """Return what the YAML of a column says of its values."""
    rules: dict[str, Any] = column.get("config", {}).get("meta", {}).get("rules", {})
    return rules


def _test(test: str | dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if isinstance(test, str):
        return test, {}
    [(name, told)] = test.items()
    return name, told.get("arguments", told)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _either(values: Sequence[str]) -> str:
    *others, last = values
    return f"{', '.join(others)} or {last}" if others else last
