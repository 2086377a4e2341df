"""Which experiments to read: named ones, or every one on a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader.errors import ConfigurationError
from loader.evaluators.evaluation import load_evaluators
from loader.records.checker import Defaults
from loader.sources.langsmith.client import LangSmith
from loader.sources.langsmith.experiment import LangSmithSource, Wishes
from loader.sources.langsmith.names import parse_keys
from loader.sources.langsmith.projects import find_dataset, list_projects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from loader.tools.prices import PriceList


@dataclass(frozen=True)
class Selection:
    """What a user asks of LangSmith; `evaluators` are written `module:function`."""

    projects: Sequence[str] = ()
    dataset: str | None = None
    all_experiments: bool = False
    since: datetime | None = None
    evaluators: Sequence[str] = ()
    with_io: bool = False
    defaults: Defaults = field(default_factory=Defaults)
    keys: Mapping[str, str] = field(default_factory=dict)
    prices: PriceList | None = None


def select_sources(selection: Selection, client: LangSmith | None = None) -> list[LangSmithSource]:
    """Make a source, so a load, for every experiment selected; oldest first.

    Only `all_experiments` asks LangSmith anything here.

    Raises:
        ConfigurationError: options that do not go together, an evaluator that cannot be
            imported, an unknown dataset, a refused key.
        SourceUnavailable: LangSmith does not answer.
    """
    if selection.all_experiments and (not selection.dataset or selection.projects):
        raise ConfigurationError("--all-experiments needs --dataset, and takes no --project")
    if selection.since and not selection.all_experiments:
        raise ConfigurationError("--since goes with --all-experiments")
    if not selection.all_experiments and not selection.projects:
        raise ConfigurationError("name a --project, or a --dataset with --all-experiments")
    evaluators = tuple(load_evaluators(selection.evaluators))
    wishes = Wishes(
        selection.defaults, selection.dataset, evaluators, selection.with_io, selection.keys,
        selection.prices,
    )  # fmt: skip
    parse_keys(selection.keys)
    client = client or LangSmith()
    if not selection.all_experiments:
        return [LangSmithSource(client, project, wishes) for project in selection.projects]
    dataset = find_dataset(client, str(selection.dataset))
    experiments = list(list_projects(client, dataset.id, selection.since))
    if not experiments:
        since = f" since {selection.since:%Y-%m-%d}" if selection.since else ""
        raise ConfigurationError(f"dataset {dataset.name!r} has no experiments{since}")
    return [LangSmithSource(client, project, wishes, dataset) for project in reversed(experiments)]
