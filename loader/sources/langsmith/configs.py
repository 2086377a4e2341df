"""What LangSmith says of feedback keys: `GET /feedback-configs`, scale, direction, categories."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import ScoreConfig
from ..values import finite
from .answers import Answer
from .client import LangSmith, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PAGE = 100
# As many keys as one request may name.
KEYS = 50
KINDS = ("continuous", "categorical", "freeform")
# A key may read runs and no configs; an older server has no such route.
_NOT_SAID = (400, 403, 404, 405, 410, 422, 501)


class KeyConfig(NamedTuple):
    """What is said of one key."""

    kind: str
    """One of `KINDS`."""
    low: float | None = None
    """End of its scale; None where none is named."""
    high: float | None = None
    direction: str | None = None
    """`higher` or `lower`; None where it is not said."""
    categories: tuple[tuple[float, str | None], ...] = ()
    """Value and label of each, in order."""

    @property
    def scale(self) -> list[float] | None:
        """Return both ends; None unless the key is continuous and both are named."""
        if self.kind != "continuous" or self.low is None or self.high is None:
            return None
        return [self.low, self.high]

    def category(self, number: float | bool) -> str:
        """Name the category that a number stands for; one without a label by its number."""
        for value, label in self.categories:
            if value == number and label:
                return label
        if isinstance(number, bool):
            return str(number).lower()
        return str(int(number)) if float(number).is_integer() else str(number)


@dataclass(frozen=True)
class Configs:
    """What is said of the keys of a project."""

    by_key: Mapping[str, KeyConfig] = field(default_factory=dict)
    senseless: Sequence[str] = ()
    """What is said of a key and cannot be, in words."""
    refusal: int | None = None
    """Status with which the service says nothing of any key."""

    def fingerprint(self, keys: Iterable[str]) -> str:
        """Return what tells whether some keys mean what they meant."""
        told = [(key, self.by_key.get(key)) for key in sorted(set(keys))]
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()

    def of_experiments(self, experiments: Iterable[str]) -> list[ScoreConfig]:
        """Return what is said, for each of some experiments."""
        return [
            ScoreConfig(
                experiment,
                key,
                config.kind,
                config.low,
                config.high,
                config.direction,
                config.categories,
            )
            for experiment in experiments
            for key, config in sorted(self.by_key.items())
        ]


class Explanations:
    """Asks what keys mean, each once."""

    def __init__(self, client: LangSmith) -> None:
        """Ask nothing yet."""
        self._client = client
        self._asked: set[str] = set()
        self._found: dict[str, KeyConfig] = {}
        self._senseless: list[str] = []
        self._refusal: int | None = None

    def of(self, keys: Iterable[str]) -> Configs:
        """Return what is said of these keys and those before.

        One request for up to fifty keys. For more, the first hundred configs of the workspace
        are looked at, which mostly are all; then one for every fifty that are left.

        Args:
            keys: those that feedback has; without any that is new, nothing is asked.

        Raises:
            SourceUnavailable: LangSmith does not answer. Scales that are there now and not
                the next time would make other results of the same runs.
        """
        wanted = sorted(set(keys) - self._asked)
        self._asked.update(wanted)
        if len(wanted) > KEYS:
            page = _page(self._client, (), 0)
            self._take(page, wanted)
            is_all = isinstance(page, int) or len(page) < PAGE
            wanted = [] if is_all else [key for key in wanted if key not in self._found]
        for start in range(0, len(wanted), KEYS):
            if self._refusal is None:
                self._take(_rows(self._client, wanted[start : start + KEYS]), wanted)
        return Configs(dict(self._found), tuple(self._senseless), self._refusal)

    def _take(self, rows: list[dict[str, object]] | int, wanted: Sequence[str]) -> None:
        if isinstance(rows, int):
            self._refusal = rows
            return
        for row in rows:
            key = row.get("feedback_key")
            if isinstance(key, str) and key in wanted and key not in self._found:
                config = _read(key, row, self._senseless)
                if config is not None:
                    self._found[key] = config


def _rows(client: LangSmith, keys: Sequence[str]) -> list[dict[str, object]] | int:
    """Return the configs of some keys, or the status that refused them."""
    rows: list[dict[str, object]] = []
    while True:
        page = _page(client, keys, len(rows))
        if isinstance(page, int):
            return page
        rows += page
        if len(page) < PAGE:  # more come only from a server that heeds no keys
            return rows


def _page(client: LangSmith, keys: Sequence[str], offset: int) -> list[dict[str, object]] | int:
    query = [*(("key", key) for key in keys), ("limit", str(PAGE)), ("offset", str(offset))]
    page = client.ask(
        "GET", "/feedback-configs", list[dict[str, object]], Parameters(query), _NOT_SAID
    )
    return page.status if isinstance(page, Answer) else page


def _read(key: str, row: Mapping[str, object], senseless: list[str]) -> KeyConfig | None:
    """Read one config; what makes no sense is named and left out."""
    said = row.get("feedback_config")
    said = said if isinstance(said, dict) else {}
    kind = said.get("type")
    if kind not in KINDS:
        senseless.append(f"{key} is of a type {kind!r}")
        return None
    lower = row.get("is_lower_score_better")
    direction = {True: "lower", False: "higher"}.get(lower) if isinstance(lower, bool) else None
    low, high = finite(said.get("min")), finite(said.get("max"))
    if kind != "continuous":
        low = high = None
    if low is not None and high is not None and low >= high:
        senseless.append(f"{key} is on {low:g} to {high:g}")
        low = high = None
    categories = said.get("categories") if kind == "categorical" else None
    return KeyConfig(
        str(kind),
        low,
        high,
        direction,
        tuple(_categories(categories if isinstance(categories, list) else [])),
    )


def _categories(rows: Iterable[object]) -> Iterable[tuple[float, str | None]]:
    for row in rows:
        value = finite(row.get("value")) if isinstance(row, dict) else None
        if isinstance(row, dict) and value is not None:
            label = row.get("label")
            yield value, label if isinstance(label, str) and label.strip() else None
