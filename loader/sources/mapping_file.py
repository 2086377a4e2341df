"""A mapping as a file that people keep: YAML, its faults told by line.

map: {task_id: id, scores.judge: judge_1_to_5}   what `--map` says, one a line
leave_out: [column]
scales: {judge: [1, 5]}
measures: [turns]
defaults: {experiment_id: exp-1}
groups: {control: [old], treatment: [new]}
decimal: comma
missing: [NA]
records: runs
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import yaml

from ..errors import ConfigurationError, close_names, nearest
from ..records.checker import Defaults
from ..records.checks import FIELDS
from ..tools import yaml_fault
from .mapping import LEFT_OUT, Mapping, parse_all
from .values import DECIMAL_MARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROLES: Final = ("control", "treatment")
_DEFAULTS: Final = frozenset(field.name for field in fields(Defaults))


class _Fault(Exception):  # noqa: N818  told, not raised to anybody
    """One thing that is wrong, and where."""

    def __init__(self, node: yaml.Node, reason: str) -> None:
        super().__init__(reason)
        self.line = node.start_mark.line + 1


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        ConfigurationError: it cannot be read, or something in it is wrong; names each line.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}; check --mapping") from None
    return parse_mapping(text, str(path))


def parse_mapping(text: str, name: str) -> Mapping:
    """Read the text of a mapping file, `name` for messages; raises as `read_mapping` does."""
    found = Mapping()
    entries: list[tuple[str, str, str]] = []
    faults: list[str] = []
    for key, node in _top(text, name):
        try:
            if key.value == "leave_out":
                entries += [(f"{name}, line {_line(node)}", LEFT_OUT, each) for each in _list(node)]
            elif key.value in _SECTIONS:
                found = _SECTIONS[key.value](node).over(found)
            else:
                entries += _entries(key, node, name)
        except _Fault as fault:
            faults.append(f"{name}, line {fault.line}: {fault}")
    try:
        found = parse_all(entries).over(found)
    except ConfigurationError as error:
        faults.append(str(error))
    if faults:
        raise ConfigurationError("\n".join(faults))
    return found


def _top(text: str, name: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return what stands at the top of the file; raises ConfigurationError if nothing can."""
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        return [] if root is None else list(_pairs(root))
    except yaml.YAMLError as error:
        place, problem = yaml_fault.told(error)
        raise ConfigurationError(
            f"{name}{place}: not YAML: {problem}; put such text in quotes"
        ) from None
    except _Fault as fault:
        raise ConfigurationError(f"{name}, line {fault.line}: {fault}") from None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _pairs(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise _Fault(node, "write `name: value`, one a line")
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Fault(key, "a name is wanted here")
        if key.value in seen:
            raise _Fault(key, f"{key.value} stands twice; keep one of them")
        seen.add(key.value)
        yield key, value


def _entries(
    key: yaml.ScalarNode, value: yaml.Node, name: str, prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield place, target and source of an entry, or of those nested in it."""
    goal = f"{prefix}{key.value}"
    known = ("leave_out", *_SECTIONS)
    if not prefix and goal.partition(".")[0] not in FIELDS and close_names(goal, known):
        raise _Fault(key, f"{goal} is unknown{nearest(goal, known)}")
    if isinstance(value, yaml.MappingNode):
        for inner, node in _pairs(value):
            yield from _entries(inner, node, name, f"{goal}.")
        return
    if not isinstance(value, yaml.ScalarNode):
        raise _Fault(value, f"{goal} is a list; write one column")
    if value.tag != "tag:yaml.org,2002:str":
        raise _Fault(
            value,
            f"{goal}: {value.value or 'nothing'} is no column and no constant; write "
            f'"\'{value.value}\'" for the constant, "[{value.value}]" for the column',
        )
    yield f"{name}, line {_line(key)}", goal, value.value


def _list(node: yaml.Node) -> list[str]:
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for each in nodes:
        if not isinstance(each, yaml.ScalarNode):
            raise _Fault(each, "write a list of names, such as [a, b]")
    return [each.value for each in nodes]


def _scales(node: yaml.Node) -> Mapping:
    scales: dict[str, tuple[float, float]] = {}
    for key, value in _pairs(node):
        try:
            low, high = map(float, _list(value))
        except ValueError:
            raise _Fault(key, f"{key.value}: write its lowest and highest value, [1, 5]") from None
        if not low < high:
            raise _Fault(key, f"{key.value}: {low:g} is not below {high:g}; write [low, high]")
        scales[key.value] = (low, high)
    return Mapping(scales=scales)


def _measures(node: yaml.Node) -> Mapping:
    return Mapping(measures=frozenset(_list(node)))


def _defaults(node: yaml.Node) -> Mapping:
    found: dict[str, str] = {}
    for key, value in _pairs(node):
        if key.value not in _DEFAULTS:
            known = ", ".join(sorted(_DEFAULTS))
            raise _Fault(
                key, f"{key.value} has no default{nearest(key.value, _DEFAULTS)}; {known} may"
            )
        if not isinstance(value, yaml.ScalarNode) or not value.value:
            raise _Fault(value, f"{key.value}: write one value")
        found[key.value] = value.value
    return Mapping(defaults=found)


def _groups(node: yaml.Node) -> Mapping:
    groups: dict[str, str] = {}
    for key, value in _pairs(node):
        if key.value not in ROLES:
            raise _Fault(key, f"{key.value} is no role; roles are {' and '.join(ROLES)}")
        for group in _list(value):
            if groups.setdefault(group, key.value) != key.value:
                raise _Fault(value, f"{group} cannot be both {' and '.join(ROLES)}")
    return Mapping(groups=groups)


def _decimal(node: yaml.Node) -> Mapping:
    for mark in DECIMAL_MARKS:
        if _list(node) == [mark]:
            return Mapping(decimal=mark)
    raise _Fault(node, f"decimal is {' or '.join(DECIMAL_MARKS)}")


def _missing(node: yaml.Node) -> Mapping:
    return Mapping(missing=frozenset(_list(node)))


def _records(node: yaml.Node) -> Mapping:
    [*names] = _list(node)
    if len(names) != 1 or not all(names[0].split(".")):
        raise _Fault(node, "records names one list, dots for nesting")
    return Mapping(records=names[0])


_SECTIONS: Final[dict[str, Callable[[yaml.Node], Mapping]]] = {
    "scales": _scales,
    "measures": _measures,
    "defaults": _defaults,
    "groups": _groups,
    "decimal": _decimal,
    "missing": _missing,
    "records": _records,
}
