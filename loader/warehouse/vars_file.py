"""The team's `vars.yml`: the dbt vars that it sets, checked name by name."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import yaml

from ..errors import nearest
from ..tools import yaml_fault
from .folder import VARS, shown, team_file
from .project import default_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


# dbt writes a text into SQL between quotes
_UNFIT: Final = re.compile(r"['\"\\{}\x00-\x1f\x7f]")


class VarsFile(NamedTuple):
    """What the file sets, and what is wrong with it."""

    values: dict[str, Any]
    faults: list[str]
    """Each with file, line and name."""


def read_vars_file() -> VarsFile:
    """Read and check `vars.yml`; empty where the team has none."""
    path = team_file(VARS)
    if path is None:
        return VarsFile({}, [])
    place = shown(path)
    try:
        return _checked(path.read_text(encoding="utf-8-sig"), place)
    except OSError as error:
        said = f": cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        said = ": is not UTF-8 text"
    except yaml.YAMLError as error:
        where, problem = yaml_fault.told(error)
        said = f"{where}: not valid YAML: {problem}"
    return VarsFile({}, [place + said])


def _checked(text: str, place: str) -> VarsFile:
    if all(not line.strip() or line.startswith("#") for line in text.splitlines()):
        return VarsFile({}, [])  # as `init --here` wrote it; YAML is slow to say so
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    values = yaml.safe_load(text)
    if values is None:
        return VarsFile({}, [])
    if not isinstance(root, yaml.MappingNode):
        return VarsFile({}, [f"{place}, line 1: write name: value, a line for each var"])
    faults = [f"{place}, line {line}, {name}: {said}" for line, name, said in _faults(root, values)]
    return VarsFile(values, faults)


def _faults(root: yaml.MappingNode, values: Mapping[str, object]) -> Iterator[tuple[int, str, str]]:
    defaults = default_variables()
    seen: set[str] = set()
    for node, _ in root.value:
        name = str(node.value)
        fault = "is given twice; keep one" if name in seen else _fault(name, values, defaults)
        seen.add(name)
        if fault:
            yield node.start_mark.line + 1, name, fault


def _fault(name: str, values: Mapping[str, object], defaults: Mapping[str, object]) -> str | None:
    """Say what is wrong with a var; None if nothing is."""
    if name not in defaults:
        return f"is no var of this project{nearest(name, defaults)}"
    default, value = defaults[name], values.get(name)
    if isinstance(default, bool):
        wanted, is_right = "true or false", isinstance(value, bool)
    elif isinstance(default, int | float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        wanted, is_right = "a number", is_number and math.isfinite(cast("float", value))
    else:
        wanted, is_right = "a text in quotes", isinstance(value, str)
        if is_right and _UNFIT.search(cast("str", value)):
            return "holds a quote, a brace, a backslash or a control character; leave it out"
    return None if is_right else f"is {value!r}; write {wanted}, such as {default!r}"
