"""What a change is compared with: results of the main branch, by the history of the clone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..tools.counts import counted
from .place import SHORT, main_experiment, safe_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .git import Clone
    from .place import Place

_DEEPEN = (
    "this clone is shallow: fetch the whole history (actions/checkout: fetch-depth: 0; GitLab: "
    "GIT_DEPTH: 0) to find the right baseline"
)


class Baseline(NamedTuple):
    """The experiment that a change is compared with, and how it was found."""

    experiment: str
    """Empty: there is none."""
    why: str
    """A sentence for people."""
    hint: str = ""
    """What would find a better one; empty where nothing would."""


def prefix(place: Place) -> str:
    """Return what the experiments of the main branch begin with."""
    return f"{safe_name(place.main)}-"


def choose(place: Place, clone: Clone, experiments: Sequence[str]) -> Baseline:
    """Choose among the experiments of the main branch that have results.

    The commit that both branches have in common, else the nearest before it that has results,
    else the latest results of the main branch.

    Args:
        place: where the pipeline is.
        clone: of the working directory.
        experiments: those that there are, the latest first.

    """
    of_commit = _by_commit(place, experiments)
    if not of_commit:
        return Baseline(
            "",
            f"no baseline yet: run evalmart ci on {place.main} once, with this database or with "
            "its results as --baseline-file, then run this job again",
        )
    base, told = _base(place, clone)
    is_shallow = clone.is_shallow()
    hint = _DEEPEN if is_shallow else clone.obstacle()
    if base:
        own = of_commit.get(base[:SHORT])
        if own is not None:
            return Baseline(own, f"compared with {told}")
        for distance, commit in enumerate(clone.past(base)):
            found = of_commit.get(commit[:SHORT])
            if found is not None:
                return Baseline(
                    found,
                    f"{told} has no results; using {commit[:SHORT]}, "
                    f"{counted(distance, 'commit')} before it",
                )
    latest = next(iter(of_commit.values()))
    why = (
        f"neither {told} nor a commit before it has results"
        if base
        else f"the commit that this one has in common with {place.main} is not known"
    )
    shallow = ", as far as this shallow clone goes" if is_shallow else ""
    return Baseline(latest, f"{why}{shallow}; using {latest}, the latest of {place.main}", hint)


def _by_commit(place: Place, experiments: Sequence[str]) -> Mapping[str, str]:
    """Return commit → experiment, the latest first, without the change's own."""
    beginning = prefix(place)
    found: dict[str, str] = {}
    for experiment in experiments:
        commit = experiment.removeprefix(beginning)
        if len(commit) == SHORT and experiment != place.experiment:
            is_commit = all(char in "0123456789abcdef" for char in commit)
            if is_commit and main_experiment(place.main, commit) == experiment:
                found.setdefault(commit, experiment)
    return found


def _base(place: Place, clone: Clone) -> tuple[str, str]:
    """Return the commit to compare with and what it is called; empty where none is known."""
    tip = clone.tip(place.main)
    head = clone.commit(place.commit) or clone.commit("HEAD")
    common = clone.merge_base(head, tip) if head and tip else ""
    if common and common != clone.commit(place.commit):
        return common, f"the merge base {common[:SHORT]}"
    if place.base:
        return place.base, f"the base {place.base[:SHORT]} of the request"
    return (common, f"the merge base {common[:SHORT]}") if common else ("", "")
