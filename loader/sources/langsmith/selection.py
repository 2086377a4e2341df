"""Which experiments to read: named ones, or every one on a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...evaluators.evaluation import load_evaluators
from ...records.checker import Defaults
from .client import LangSmith
from .experiment import LangSmithSource, Wishes
from .names import parse_keys
from .projects import find_dataset, list_projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ...tools.prices import PriceList
    from .known import Known


@dataclass(frozen=True)
class Selection:
    """What a user asks of LangSmith; `evaluators` are written `module:function`."""

    projects: Sequence[str] = ()
    dataset: str | None = None
    all_experiments: bool = False
    since: datetime | None = None
    """Of `all_experiments`, when they began; else when the runs did, as `until`."""
    until: datetime | None = None
    is_full: bool = False
    is_sync: bool = False
    evaluators: Sequence[str] = ()
    with_io: bool = False
    defaults: Defaults = field(default_factory=Defaults)
    keys: Mapping[str, str] = field(default_factory=dict)
    prices: PriceList | None = None
    declared: frozenset[str] = frozenset()
    """Keys whose scale the team or an option says."""
    scored: frozenset[str] = frozenset()
    """Keys that the team lists as metrics."""


def select_sources(
    selection: Selection, client: LangSmith | None = None, known: Known | None = None
) -> list[LangSmithSource]:
    """Make a source, so a load, for every experiment selected; oldest first.

    Only `all_experiments` asks LangSmith anything here.

    Raises:
        ConfigurationError: options that do not go together, an evaluator that cannot be
            imported, an unknown dataset, a refused key.
        SourceUnavailable: LangSmith does not answer.
    """
    _check(selection)
    evaluators = tuple(load_evaluators(selection.evaluators))
    wishes = Wishes(
        selection.defaults,
        selection.dataset,
        evaluators,
        selection.with_io,
        selection.keys,
        selection.prices,
        selection.declared,
        selection.scored,
        is_full=selection.is_full,
        is_sync=selection.is_sync,
    )
    parse_keys(selection.keys)
    client = client or LangSmith()
    if not selection.all_experiments:
        wishes = replace(wishes, since=selection.since, until=selection.until)
        return [
            LangSmithSource(client, project, wishes, known=known) for project in selection.projects
        ]
    dataset = find_dataset(client, str(selection.dataset))
    experiments = list(list_projects(client, dataset.id, selection.since))
    if not experiments:
        since = f" since {selection.since:%Y-%m-%d}" if selection.since else ""
        raise ConfigurationError(f"dataset {dataset.name!r} has no experiments{since}")
    return [
        LangSmithSource(client, project, wishes, dataset, known)
        for project in reversed(experiments)
    ]


def _check(selection: Selection) -> None:
    """Raise for options that do not go together."""
    is_window = selection.until or (selection.since and not selection.all_experiments)
    if selection.all_experiments and (not selection.dataset or selection.projects):
        raise ConfigurationError("--all-experiments needs --dataset, and takes no --project")
    if selection.all_experiments and selection.until:
        raise ConfigurationError(
            "--until goes with --project; with --all-experiments --since says which experiments"
        )
    if not selection.all_experiments and not selection.projects:
        raise ConfigurationError("name a --project, or a --dataset with --all-experiments")
    if is_window and (selection.is_full or selection.is_sync):
        raise ConfigurationError(
            "--full and --sync read everything; leave out --since, --until and --last"
        )
    if selection.since and selection.until and selection.since >= selection.until:
        raise ConfigurationError("--since is not before --until: no run can have begun then")
