"""What the feedback of a key comes to: a number on a scale, a label, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...records.bounds import LONGEST_LABEL
from ..values import finite
from .configs import Configs

if TYPE_CHECKING:
    from .configs import KeyConfig

Row = Mapping[str, object]


@dataclass(frozen=True)
class Meaning:
    """Of the keys of a project: as the service says, unless the team declared a scale.

    A key that the service calls categorical has a label, and no score unless the team means
    its numbers. Where nobody says what a key is, text in place of a number is a label. Text
    of any other key is none.
    """

    configs: Configs = field(default_factory=Configs)
    declared: frozenset[str] = frozenset()
    """Keys whose scale the team or an option says."""
    scored: frozenset[str] = frozenset()
    """Keys that the team lists as metrics."""

    def score(self, row: Row) -> float | bool | None:
        """Return the number a row stands for: null for a label, a crash, or nothing."""
        if self.is_of_words(str(row.get("key"))):
            return None
        right = _numeric(_correction(row).get("score"))
        if right is not None:
            return right
        return None if row.get("error") else _numeric(row.get("score"))

    def label(self, row: Row) -> str | None:
        """Return the category that a row puts its run into; None for none."""
        right = self._right_label(row)
        if right is not None or row.get("error"):
            return right
        config = self._config(row)
        if config is None:
            text = _text(row.get("value"))
            return None if text is None or self._has_number(row) else text
        return _category(row, config)

    def is_corrected(self, row: Row) -> bool:
        """Whether a person set right what a row says."""
        if row.get("correction") is None:
            return False
        right = _numeric(_correction(row).get("score"))
        return right is not None or self._right_label(row) is not None

    def is_left_out(self, row: Row) -> bool:
        """Whether what a row says in words becomes no label."""
        said = row.get("value")
        is_silent = said is None and not self.is_freeform(str(row.get("key")))
        if is_silent or row.get("error"):
            return False
        has_words = bool(said.strip()) if isinstance(said, str) else isinstance(said, dict | list)
        return (has_words or self.is_freeform(str(row.get("key")))) and self.label(row) is None

    def scale(self, key: str) -> list[float] | None:
        """Return the scale of a key that the service says, where nobody else does."""
        config = self.configs.by_key.get(key)
        return config.scale if config and key not in self.declared else None

    def is_of_words(self, key: str) -> bool:
        """Whether a key has no scores, only labels."""
        config = self.configs.by_key.get(key)
        if config is None or config.kind != "categorical":
            return False
        return key not in self.declared and key not in self.scored

    def is_freeform(self, key: str) -> bool:
        """Whether a key is for remarks."""
        config = self.configs.by_key.get(key)
        return config is not None and config.kind == "freeform"

    def _right_label(self, row: Row) -> str | None:
        """Return the category that a person put in place of a row's.

        Only one that the service knows: evaluators write there what the right answer was.
        """
        said, config = row.get("correction"), self._config(row)
        if said is None or config is None or config.kind != "categorical":
            return None
        text = said if isinstance(said, str) else _correction(row).get("value")
        if any(text == label for _, label in config.categories if label):
            return str(text)
        return _of_number(_correction(row), config)

    def _config(self, row: Row) -> KeyConfig | None:
        return self.configs.by_key.get(str(row.get("key")))

    @staticmethod
    def _has_number(row: Row) -> bool:
        return any(_numeric(said.get("score")) is not None for said in (row, _correction(row)))


def _correction(row: Row) -> Row:
    said = row.get("correction")
    return said if isinstance(said, dict) else {}


def _category(said: Row, config: KeyConfig) -> str | None:
    """Name the category that a value, else a score, stands for."""
    if config.kind != "categorical":
        return None
    text = _text(said.get("value"))
    return _of_number(said, config) if text is None else text


def _of_number(said: Row, config: KeyConfig) -> str | None:
    """Name the category that a number stands for."""
    for name in ("value", "score"):
        number = _numeric(said.get(name))
        if number is not None:
            return _text(config.category(number))
    return None


def _text(value: object) -> str | None:
    """Return a text that can name a category: some words, not an essay."""
    text = value.strip() if isinstance(value, str) else ""
    return text if 0 < len(text) <= LONGEST_LABEL else None


def _numeric(value: object) -> float | bool | None:
    if isinstance(value, bool):
        return value
    return value if isinstance(value, int | float) and finite(value) is not None else None
