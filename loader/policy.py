"""The gate's policy: read from YAML, checked key by key, identified by a hash.

A policy says what a candidate must show and what becomes of a case that is not decided.
Two files with the same meaning have the same hash, whatever their layout or comments.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import yaml

from loader.errors import ConfigurationError
from loader.project import project_directory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VERSION: Final = 1


class Requirement(StrEnum):
    """What a candidate must show to pass."""

    IMPROVEMENT = "improvement"
    """The mart's recommendation is deploy."""
    NON_INFERIORITY = "non_inferiority"
    """No guarded metric is worse than its margin allows."""


class Inconclusive(StrEnum):
    """What an inconclusive case does to a pipeline."""

    EXIT5 = "exit5"
    BLOCK = "block"
    PASS = "pass"  # noqa: S105  a verdict, not a password


class Candidates(StrEnum):
    """Which candidate versions of an experiment are judged."""

    LATEST = "latest"
    ALL = "all"


class Severity(StrEnum):
    """How bad a regression against the version before is, as `version_regressions` says it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    NEVER = "never"
    """Of a limit: no regression reaches it."""


class MetricPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one metric.

    Attributes:
        non_inferiority_margin: how much worse is still fine: points of 0…1 for a score, a
            share of the baseline for latency, tokens, cost and measurements; None: the
            margin of `seeds/metrics.csv`.
        required: whether a candidate without values of it is inconclusive.
    """

    non_inferiority_margin: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    required: bool = True


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate must show; the meaning of every key stands in `policies/default.yml`."""

    version: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    require: Requirement = Requirement.IMPROVEMENT
    metrics: dict[str, MetricPolicy] = {}
    minimum_pairs: Annotated[int, msgspec.Meta(ge=0)] = 0
    minimum_coverage: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    inconclusive: Inconclusive = Inconclusive.EXIT5
    peeking: bool = False
    candidates: Candidates = Candidates.LATEST
    regression_block: Severity = Severity.HIGH
    regression_review: Severity = Severity.MEDIUM

    def hash(self) -> str:
        """Return the sha256 of the canonical policy: every key, sorted, as JSON."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def canonical(self) -> dict[str, Any]:
        """Return the policy as JSON types, defaults filled in, 0 and 0.0 the same."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["minimum_coverage"] = float(self.minimum_coverage)
        for metric in plain["metrics"].values():
            if metric["non_inferiority_margin"] is not None:
                metric["non_inferiority_margin"] = float(metric["non_inferiority_margin"])
        return plain


# Key → (what it takes, an example); `metrics.*` stands for any metric's name.
_EXPECTED: Final[Mapping[str, tuple[str, str]]] = {
    "version": (f"{VERSION}, the version of this format", f"version: {VERSION}"),
    "require": ("improvement or non_inferiority", "require: improvement"),
    "metrics": (
        "a mapping of metric names",
        "metrics: {accuracy: {non_inferiority_margin: 0.03}}",
    ),
    "metrics.*": (
        "a mapping with non_inferiority_margin, required, or neither",
        "accuracy: {non_inferiority_margin: 0.03}",
    ),
    "metrics.*.non_inferiority_margin": (
        "a number from 0 to 1, or null for the margin of seeds/metrics.csv",
        "non_inferiority_margin: 0.03",
    ),
    "metrics.*.required": ("true or false", "required: true"),
    "minimum_pairs": ("a whole number, 0 or more", "minimum_pairs: 30"),
    "minimum_coverage": ("a number from 0 to 1", "minimum_coverage: 0.95"),
    "inconclusive": ("exit5, block or pass", "inconclusive: block"),
    "peeking": ("true or false", "peeking: true"),
    "candidates": ("latest or all", "candidates: latest"),
    "regression_block": ("low, medium, high, critical or never", "regression_block: high"),
    "regression_review": ("low, medium, high, critical or never", "regression_review: medium"),
}


def default_path() -> Path:
    """Return where the project keeps its default policy."""
    return project_directory() / "policies" / "default.yml"


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy from a YAML file.

    Args:
        path: the file; the project's `policies/default.yml` if not given.

    Raises:
        ConfigurationError: the file cannot be read, is no YAML, or a key of it is unknown or
            has a value it does not take; names file, key, what was found and what to write.
    """
    file = path or default_path()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        remedy = "give another file to --policy" if path else "restore it from the repository"
        raise ConfigurationError(f"cannot read {file}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8 text: {error.reason}") from None
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  derived from SafeLoader
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigurationError(f"{file}{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigurationError(f"{file} is nested too deeply for a policy") from None
    return parse_policy(document, str(file))


def parse_policy(document: object, origin: str) -> Policy:
    """Check a policy that is already in memory.

    Args:
        document: what YAML or JSON gave.
        origin: the file or ledger entry it came from, for messages.

    Raises:
        ConfigurationError: as `read_policy`.
    """
    if not isinstance(document, dict):
        found = "is empty" if document is None else f"holds {_shown(document)}"
        raise ConfigurationError(
            f"{origin} {found}; expected keys and values, at least version: {VERSION}"
        )
    _check_keys(document, (), origin)
    try:
        return msgspec.convert(document, Policy)
    except msgspec.ValidationError as error:
        path = _path(str(error), document)
        if path is None:
            raise ConfigurationError(f"{origin}: {error}") from None
        raise _wrong_value(path, _value(document, path), origin) from None


def _check_keys(mapping: Mapping[Any, Any], path: tuple[str, ...], origin: str) -> None:
    """Refuse keys no policy has, and numbers no comparison is true of."""
    known = {
        key.rpartition(".")[2]
        for key in _EXPECTED
        if key.count(".") == len(path) and key.startswith(_generic(path))
    }
    for key, value in mapping.items():
        here = (*path, str(key))
        if not isinstance(key, str):
            raise ConfigurationError(
                f"{origin}: {'.'.join(here)} is no text; write the key in quotes"
            )
        if "*" not in known and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(sorted(known))
            raise ConfigurationError(f"{origin}: {'.'.join(here)} is no key of a policy; {hint}")
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong_value(here, value, origin)
        if isinstance(value, dict) and here[0] == "metrics":
            _check_keys(value, here, origin)
    if not path and "version" not in mapping:
        raise ConfigurationError(f"{origin}: version is missing; write version: {VERSION}")


def _wrong_value(path: tuple[str, ...], value: object, origin: str) -> ConfigurationError:
    expected, example = _EXPECTED[_generic(path)]
    return ConfigurationError(
        f"{origin}: {'.'.join(path)}: found {_shown(value)}, expected {expected}; "
        f"write for example  {example}"
    )


def _generic(path: tuple[str, ...]) -> str:
    """Return a path as `_EXPECTED` has it: a metric's name becomes `*`."""
    return ".".join(
        "*" if place == 1 and path[0] == "metrics" else name for place, name in enumerate(path)
    )


def _path(message: str, document: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return the key that msgspec complains of; it writes a metric's name as `[...]`."""
    _, found, place = message.partition(" - at `$.")
    if not found:
        return None
    names = place.rstrip("`").replace("[...]", ".*").split(".")
    metrics = document.get("metrics")
    if "*" in names and isinstance(metrics, dict):
        names[names.index("*")] = _offending_metric(metrics)
    return tuple(names)


def _offending_metric(metrics: Mapping[str, object]) -> str:
    """Return the first metric that is no valid `MetricPolicy`."""
    for name, value in metrics.items():
        try:
            msgspec.convert(value, MetricPolicy)
        except msgspec.ValidationError:
            return name
    raise AssertionError(metrics)


def _value(document: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(document, dict):
            return document
        document = document[name]
    return document


def _shown(value: object) -> str:
    """Return a value as a YAML file would have it, cut to what a message can hold."""
    longest = 60
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping; raise when a key comes a second time."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name} is given twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep=deep)
