"""`--control` and `--treatment` of `ingest`, and what to do about groups that nobody declared."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from ..errors import ConfigurationError, InvalidRecord
from .say import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..ingest.summary import LoadSummary
    from ..records.vocabulary import Vocabulary

P = ParamSpec("P")
R = TypeVar("R")
_MOST_SHOWN = 8


def group_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add `--control` and `--treatment`, given to the command as `controls`, `treatments`."""
    for role, told in (("treatment", "a candidate"), ("control", "what others are compared with")):
        function = click.option(
            f"--{role}",
            f"{role}s",
            metavar="GROUP",
            multiple=True,
            help=f"A group that is {told} in the experiments of this load, declared or not; "
            "repeatable.",
        )(function)
    return function


def roles_of(controls: Sequence[str], treatments: Sequence[str]) -> dict[str, str]:
    """Return the role of each group that an option names.

    Raises:
        ConfigurationError: a name is in both roles, or cannot be a group; names them all.

    """
    from ..records import checks  # keep --help quick

    faults = [
        f"{name!r} is both --control and --treatment; keep one"
        for name in sorted({*controls} & {*treatments})
    ]
    for name in (*controls, *treatments):
        try:
            checks.repair({"experiment_group": name})
        except InvalidRecord as error:
            faults.append(error.reason)
        if not name.strip():
            faults.append("--control and --treatment take the name of a group")
    if faults:
        raise ConfigurationError("\n  ".join(faults))
    return {
        **dict.fromkeys(controls, "control"),
        **dict.fromkeys(treatments, "treatment"),
    }


def with_groups(vocabulary: Vocabulary, roles: dict[str, str]) -> Vocabulary:
    """Return a vocabulary in which the groups that options name are known."""
    return replace(vocabulary, groups=vocabulary.groups | roles.keys())


def say_unknown_groups(summary: LoadSummary) -> None:
    """Say every group that nobody declared, and the commands that make them known."""
    found = summary.unknown_groups
    if not found:
        return
    counted = ", ".join(f"{name} ({count:,})" for name, count in found[:_MOST_SHOWN])
    rest = len(found) - _MOST_SHOWN
    more = f" and {rest:,} more: is that the right column?" if rest > 0 else ""
    noun = "group is" if len(found) == 1 else "groups are"
    say(f"{len(found)} {noun} not known: {counted}{more}", err=True)
    say("to make them known, check the roles, then ingest again:", err=True)
    guessed = [(shlex.quote(name), _role(name)) for name, _ in found[:_MOST_SHOWN]]
    for name, role in guessed:
        say(f"  evalmart declare group {name} --role {role}", err=True)
    options = " ".join(f"--{role} {name}" for name, role in guessed)
    say(f"or, for these experiments alone, ingest with: {options}", err=True)


def _role(name: str) -> str:
    from ..sources.advice import control_place  # keep --help quick

    return "treatment" if control_place(name) is None else "control"
