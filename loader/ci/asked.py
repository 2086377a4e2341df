"""What a pipeline asks for: the options of the command, and whether they go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ..errors import ConfigurationError
from ..gate.policy import OnSegment, Segments
from ..gate.policy_file import read_policy
from . import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..gate.policy import Policy

MAIN: Final = "main"
OWN: Final = "own"
_NOT_AFTER: Final = {
    "--experiment-id": "--experiment ID",
    "--baseline-experiment": "--baseline ID",
    "--database-url": "--database-url URL",
}
"""Options of `ingest` that are this command's to give → what to write before `--` instead."""


class Asked(NamedTuple):
    """What a pipeline asks for."""

    said: place.Said = place.Said()
    baseline: str = ""
    """`main`, `own`, or an experiment; empty: `main`, but on the main branch `own`."""
    baseline_files: Sequence[str] = ()
    ingest: Sequence[str] = ()
    """Arguments of `ingest`; empty loads nothing."""
    adds: bool = False
    """Whether what the experiment has stays."""
    policy: Path | None = None
    segments: Sequence[str] = ()
    """`KIND=WHAT` each, before those of the policy."""
    passes_inconclusive: bool = False
    out: Path = Path("evaluation")
    database_url: str | None = None


def check(asked: Asked) -> None:
    """Raise ConfigurationError for options that do not go together, all at once."""
    faults = [
        f"{option} stands behind --; give {instead} before it"
        for option, instead in _NOT_AFTER.items()
        if any(word == option or word.startswith(f"{option}=") for word in asked.ingest)
    ]
    if asked.baseline_files and asked.baseline == OWN:
        faults.append(
            "--baseline-file brings results of the main branch, --baseline own wants none"
        )
    if faults:
        raise ConfigurationError("; ".join(faults))


def policy_of(asked: Asked) -> Policy:
    """Return the policy with the segments that options give.

    Raises:
        ConfigurationError: the file or an option is wrong; says what to write.

    """
    policy = read_policy(asked.policy)
    given = {kind: what for kind, _, what in (word.partition("=") for word in asked.segments)}
    if not given:
        return policy
    kinds = Segments.__struct_fields__
    if {*given} <= {*kinds} and {*given.values()} <= {*OnSegment}:
        plain = msgspec.to_builtins(policy.segments) | given
        return replace(policy, segments=msgspec.convert(plain, Segments))
    raise ConfigurationError(
        f"--segment: {', '.join(asked.segments)!r} is not KIND=WHAT, with KIND one of "
        f"{', '.join(kinds)} and WHAT {', '.join(OnSegment)}; for example --segment agent=block"
    )
