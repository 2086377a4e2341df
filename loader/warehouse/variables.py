"""The dbt vars as they hold here: the project's, the team's over them, an option's over both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import yaml

from ..tools.metric_names import resolve
from .project import default_variables
from .seeds import check_team_folder, read_seed
from .vars_file import read_vars_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_METRICS: Final = ("primary_metric", "pass_metric")
"""Vars that name a metric."""
_OPTION: Final = "--vars"


def project_variables() -> dict[str, Any]:
    """Return the vars of `dbt_project.yml`, those of the team's `vars.yml` over them.

    Raises:
        ConfigurationError: the team's folder has a fault; names them all.

    """
    return {**default_variables(), **team_variables()}


def keeps_contents(*, asked: bool) -> bool:
    """Whether inputs and outputs are kept: an option asks for it, or the var keep_contents."""
    return asked or project_variables().get("keep_contents") is True


def team_variables() -> dict[str, Any]:
    """Return the vars that the team's `vars.yml` sets; none where there is no such file.

    Raises:
        ConfigurationError: as `project_variables`.

    """
    found = read_vars_file()
    if found.faults:
        check_team_folder()
    return _resolved(found.values)


def with_team_variables(arguments: Sequence[str]) -> list[str]:
    """Return dbt's arguments with the team's vars in one `--vars`; those given go first.

    Raises:
        ConfigurationError: as `project_variables`.

    """
    rest: list[str] = []
    given: dict[str, Any] = {}
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, has_value, value = argument.partition("=")
        if name != _OPTION or not (has_value or waiting):
            rest.append(argument)
            continue
        told = _mapping(value if has_value else waiting[0])
        if told is None:  # dbt says what is wrong with it
            return list(arguments)
        waiting = waiting if has_value else waiting[1:]
        given = told  # of several, dbt takes the last
    merged = {**team_variables(), **_resolved(given)}
    if merged == given:
        return list(arguments)
    return [*rest, _OPTION, yaml.safe_dump(merged, default_flow_style=True, width=math.inf)]


def _mapping(text: str) -> dict[str, Any] | None:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) else None


def _resolved(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return vars with the names of metrics as the marts have them."""
    if not any(variables.get(name) for name in _METRICS):
        return dict(variables)
    known = {row["metric"] for row in read_seed("metrics")}
    return {
        name: resolve(value, known) if name in _METRICS and isinstance(value, str) else value
        for name, value in variables.items()
    }
