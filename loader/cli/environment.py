"""Variables of the environment that fill options which are not given.

An option counts before its variable, and an empty variable is none. What came from the
environment is said on standard error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from ..records.defaults import Defaults
from .say import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

C = TypeVar("C", bound=click.Command)

VARIABLES: Final[Mapping[str, str]] = {
    "experiment_id": "EXPERIMENT_ID",
    "experiment_group": "EXPERIMENT_GROUP",
    "extension_version": "EXTENSION_VERSION",
    "agent_name": "AGENT_NAME",
    "model_version": "MODEL_VERSION",
    "model": "MODEL_VERSION",
}
"""Parameter of a command → the variable that fills it."""
PROJECT_VARIABLES: Final = ("LANGSMITH_PROJECT", "LANGCHAIN_PROJECT")
"""The first that is set counts, as for the SDK."""


def takes_environment(command: C) -> C:
    """Let the variables fill a command's options, and its help say so."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name in VARIABLES:
            parameter.envvar = VARIABLES[parameter.name]
            parameter.show_envvar = True
    return command


def from_environment() -> dict[str, str]:
    """Return what the environment filled of the command that runs: parameter → value."""
    context = click.get_current_context()
    return {
        name: context.params[name]
        for name in VARIABLES
        if context.get_parameter_source(name) is ParameterSource.ENVIRONMENT
    }


def project_of_environment() -> dict[str, str]:
    """Return the LangSmith project that the environment names, by its variable."""
    for variable in PROJECT_VARIABLES:
        if project := os.environ.get(variable, "").strip():
            return {variable: project}
    return {}


def with_environment(
    stated: Mapping[str, str], project: Mapping[str, str], *, is_one_experiment: bool
) -> Defaults:
    """Return what is said of every record of a load: by options, else by the environment.

    What the environment says is weaker than a record. One line on standard error tells it.

    Args:
        stated: by options and the like, field → value.
        project: that the environment named, by its variable.
        is_one_experiment: whether what is loaded may be called by one name.

    """
    weak = {name: value for name, value in from_environment().items() if name not in stated}
    notes = []
    if not is_one_experiment and "experiment_id" in weak:
        del weak["experiment_id"]
        notes.append("EXPERIMENT_ID is of one experiment and not used for several")
    say_environment({**project, **weak}, notes)
    everything: dict[str, Any] = {**weak, **stated}
    return Defaults(**everything, weak=frozenset(weak))


def say_environment(filled: Mapping[str, str], notes: Sequence[str] = ()) -> None:
    """Say in one line on standard error what the environment filled, if anything.

    Args:
        filled: parameter, or variable, → value.
        notes: what else is to be said of it.

    """
    told = " ".join(f"{VARIABLES.get(name, name)}={value}" for name, value in filled.items())
    said = [f"from the environment: {told}"] if told else []
    if said or notes:
        say("; ".join([*said, *notes]), err=True)
