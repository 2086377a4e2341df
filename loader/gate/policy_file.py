"""A policy read from YAML and checked key by key; every refusal says what to write instead."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import yaml

from ..errors import ConfigurationError, close_names
from ..tools import yaml_fault
from ..tools.metric_names import SHORT_NAMES
from ..tools.notices import Gravity, Notice, placed
from ..warehouse.folder import POLICY, team_file
from ..warehouse.project import project_directory
from .policy import VERSION, JudgePolicy, MetricPolicy, Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PART: Final = "block, review or ignore"
_SEVERITY: Final = "low, medium, high, critical or never"
_MARGIN: Final = "a number from 0 to 1, or null for the margin of the seed metrics"
# Key → (what it takes, an example); `metrics.*` and `floors.*` stand for any metric's name.
_EXPECTED: Final[Mapping[str, tuple[str, str]]] = {
    "version": (f"{VERSION}, the version of this format", f"version: {VERSION}"),
    "require": ("improvement or non_inferiority", "require: improvement"),
    "metrics": ("a mapping of metric names", "metrics: {accuracy: {margin: 0.03}}"),
    "metrics.*": ("a mapping with margin, required, or neither", "accuracy: {margin: 0.03}"),
    "metrics.*.margin": (_MARGIN, "margin: 0.03"),
    "metrics.*.non_inferiority_margin": (_MARGIN, "non_inferiority_margin: 0.03"),
    "metrics.*.required": ("true or false", "required: true"),
    "floors": ("a mapping of metric names to bars", "floors: {accuracy: 0.7}"),
    "floors.*": ("a number", "accuracy: 0.7"),
    "minimum_pairs": ("a whole number, 0 or more", "minimum_pairs: 30"),
    "minimum_coverage": ("a number from 0 to 1", "minimum_coverage: 0.95"),
    "planned_repetitions": ("a whole number, 0 for no plan", "planned_repetitions: 5"),
    "inconclusive": ("exit5, block or pass", "inconclusive: block"),
    "on_not_worse": ("pass or review", "on_not_worse: pass"),
    "peeking": ("true or false", "peeking: true"),
    "kept_level": ("a number between 0 and 1, or null for the marts' own", "kept_level: 0.1"),
    "inference": ("tasks_like_these or these_tasks", "inference: tasks_like_these"),
    "judge": ("latest or all", "judge: all"),
    "candidates": ("each or holm", "candidates: holm"),
    "judge_correction": (
        "raw, corrected or corrected_where_labelled",
        "judge_correction: corrected",
    ),
    "judges": ("a mapping of metric names", "judges: {accuracy: {min_labels: 50}}"),
    "judges.*": (
        "a mapping with min_labels, min_kappa, max_bias_between_arms",
        "accuracy: {min_labels: 50, min_kappa: 0.6, max_bias_between_arms: 0.03}",
    ),
    "judges.*.min_labels": ("a whole number, 0 or more", "min_labels: 50"),
    "judges.*.min_kappa": ("a number from 0 to 1, or null", "min_kappa: 0.6"),
    "judges.*.max_bias_between_arms": (
        "a number from 0 to 1, or null",
        "max_bias_between_arms: 0.03",
    ),
    "segments": ("a mapping with agent, category, split", "segments: {agent: block}"),
    "segments.agent": (_PART, "agent: block"),
    "segments.category": (_PART, "category: review"),
    "segments.split": (_PART, "split: ignore"),
    "critical_tasks": (
        "a list of task ids, patterns such as billing-*, or metadata.critical",
        "critical_tasks: [refund-7, billing-*, metadata.critical]",
    ),
    "regression_block": (_SEVERITY, "regression_block: high"),
    "regression_review": (_SEVERITY, "regression_review: medium"),
}
_NAMED: Final = ("metrics", "floors", "judges")
_WITH_KEYS: Final = (*_NAMED, "segments")
_MOVED: Final = ("latest", "all")


class PolicyFault(ConfigurationError):  # noqa: N818  reads as what happened
    """One key of a policy is wrong; `path` leads to it from the top."""

    def __init__(self, origin: str, path: tuple[str, ...], sentence: str) -> None:
        """Keep the parts; the message is all of them."""
        super().__init__(f"{origin}: {sentence}")
        self.path = path
        self.sentence = sentence


def default_path() -> Path:
    """Return the policy of the team's folder, else the project's own."""
    return team_file(POLICY) or project_directory() / "policies" / "default.yml"


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy from a YAML file.

    Args:
        path: the file; that of `default_path` if not given.

    Raises:
        ConfigurationError: the file cannot be read, is no YAML, or a key of it is unknown or
            has a value it does not take; names file, key, what was found and what to write.
    """
    file = path or default_path()
    _, document = _document(file, is_named=path is not None)
    return parse_policy(document, str(file))


def policy_faults(path: Path, shown: str) -> list[Notice]:
    """Return everything that is wrong with a policy's file, each with its line.

    Args:
        path: of the file.
        shown: how messages name it.
    """
    try:
        text, document = _document(path, is_named=True, shown=shown)
    except ConfigurationError as error:
        return placed([str(error)], shown)
    found: list[Notice] = []
    root = yaml.compose(text, Loader=_Loader)
    while True:
        try:
            parse_policy(document, shown)
        except PolicyFault as fault:
            name = ".".join(fault.path)
            sentence = fault.sentence.removeprefix(name).lstrip(": ")
            found.append(Notice(Gravity.FAULT, sentence, shown, _line(root, fault.path), name))
            _without(document, fault.path)  # on to the next
        except ConfigurationError as error:
            return [*found, *placed([str(error)], shown)]
        else:
            return found


def key_lines(path: Path) -> Callable[[tuple[str, ...]], int | None]:
    """Return what tells the line of a key of a policy's file that can be read."""
    root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    return lambda names: _line(root, names)


def _line(node: yaml.Node | None, names: tuple[str, ...]) -> int | None:
    """Return the line of a key, or of what is nearest above it."""
    line = None
    for name in names:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((key, value) for key, value in pairs if str(key.value) == name), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line or 1


def _without(document: object, path: tuple[str, ...]) -> None:
    """Take a key out of a document; a version that is missing is put in."""
    if path == ("version",) and isinstance(document, dict):
        document["version"] = VERSION
        return
    for name in path[:-1]:
        document = document[name] if isinstance(document, dict) else None
    if isinstance(document, dict):
        # a key that is no text was named by its text
        for key in [key for key in document if str(key) == path[-1]]:
            del document[key]


def _document(file: Path, *, is_named: bool, shown: str = "") -> tuple[str, object]:
    """Read a file as YAML; raises as `read_policy` does."""
    name = shown or str(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        remedy = "give another file to --policy" if is_named else "restore it from the repository"
        raise ConfigurationError(f"cannot read {name}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name} is not UTF-8 text: {error.reason}") from None
    try:
        return text, yaml.load(text, Loader=_Loader)  # noqa: S506  derived from SafeLoader
    except yaml.YAMLError as error:
        where, problem = yaml_fault.told(error)
        raise ConfigurationError(f"{name}{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise ConfigurationError(f"{name} is nested too deeply for a policy") from None


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
    _check_meaning(document, origin)
    try:
        return msgspec.convert(document, Policy).normal()
    except msgspec.ValidationError as error:
        path = _path(str(error), document)
        if path is None:
            raise ConfigurationError(f"{origin}: {error}") from None
        raise _wrong_value(path, _value(document, path), origin) from None


def recorded_policy(document: Mapping[str, Any]) -> Policy:
    """Return a policy as the ledger has it, those of earlier versions of this program too.

    Raises:
        ConfigurationError: this program cannot read it.
    """
    plain = dict(document)
    if plain.get("candidates") in _MOVED:
        plain["judge"] = plain.pop("candidates")
    # a policy of before there were segments, splits and critical tasks did not ask for them
    asked = plain.get("segments", {"agent": "ignore", "category": "ignore"})
    plain["segments"] = {"split": "ignore", **asked}
    plain.setdefault("critical_tasks", [])
    return parse_policy(plain, "the recorded policy")


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
            raise PolicyFault(origin, here, f"{'.'.join(here)} is no text; write the key in quotes")
        if "*" not in known and key not in known:
            near = close_names(key, known, most=1)
            hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(sorted(known))
            raise PolicyFault(origin, here, f"{'.'.join(here)} is no key of a policy; {hint}")
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong_value(here, value, origin)
        if isinstance(value, dict) and here[0] in _WITH_KEYS and _generic(here) != "floors.*":
            _check_keys(value, here, origin)
    if not path and "version" not in mapping:
        raise PolicyFault(origin, ("version",), f"version is missing; write version: {VERSION}")


def _check_meaning(document: Mapping[str, Any], origin: str) -> None:
    """Refuse what is written in two ways at once, or by a key that has moved."""
    if document.get("candidates") in _MOVED:
        found = document["candidates"]
        raise PolicyFault(
            origin, ("candidates",),
            f'candidates: found "{found}", which versions to judge is now said by '
            f"judge; write  judge: {found}  (candidates: each or holm says how several are tested)",
        )  # fmt: skip
    for section in _NAMED:
        named = document.get(section)
        if not isinstance(named, dict):
            continue
        for short, whole in SHORT_NAMES.items():
            if short in named and whole in named:
                raise PolicyFault(
                    origin,
                    (section, short),
                    f"{section}.{short} and {section}.{whole} are one metric; keep one",
                )
        for name, asked in named.items():
            if isinstance(asked, dict) and {"margin", "non_inferiority_margin"} <= asked.keys():
                raise PolicyFault(
                    origin,
                    (section, name, "non_inferiority_margin"),
                    f"{section}.{name}: margin and non_inferiority_margin are two names "
                    "of one thing; keep margin",
                )


def _wrong_value(path: tuple[str, ...], value: object, origin: str) -> PolicyFault:
    expected, example = _EXPECTED[_generic(path)]
    return PolicyFault(
        origin,
        path,
        f"{'.'.join(path)}: found {_shown(value)}, expected {expected}; "
        f"write for example  {example}",
    )


def _generic(path: tuple[str, ...]) -> str:
    """Return a path as `_EXPECTED` has it: a metric's name becomes `*`."""
    return ".".join(
        "*" if place == 1 and path[0] in _NAMED else name for place, name in enumerate(path)
    )


def _path(message: str, document: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the key that msgspec complains of; it writes a metric's name as `[...]`."""
    _, found, place = message.partition(" - at `$.")
    if not found:
        return None
    names = place.rstrip("`").split("[", 1)[0].split(".")
    section = names[0]
    if section in _NAMED and "[...]" in place:
        name = _offending(section, document[section])
        names = [section, name, *place.rstrip("`").split("[...]", 1)[1].split(".")[1:]]
    return tuple(names)


def _offending(section: str, named: Mapping[str, object]) -> str:
    """Return the first metric whose value is not one a policy takes."""
    kinds: dict[str, Any] = {"metrics": MetricPolicy, "judges": JudgePolicy}
    kind = kinds.get(section, float)
    for name, value in named.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return name
    raise AssertionError(named)


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
