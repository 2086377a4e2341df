"""A proposal of what a file's columns mean, with a reason for each, from a look at a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..records.bounds import LONGEST_IDENTIFIER
from ..records.checks import FIELDS
from .advice import FIELD_NAMES, control_place, meaning, rank
from .binding import file_name
from .guess_scores import guess_scores
from .guess_values import fits
from .mapping import FILE
from .proposal import Proposal
from .targets import target

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .probe import Column, Sample

_MOST_GROUPS: Final = 20
_MOST_NAMED: Final = 8
NO_SCALES: Final[Mapping[str, tuple[float, float]]] = {}
UNVERSIONED: Final = "unversioned"
"""The version where nobody says one."""


def guess(
    sample: Sample,
    *,
    said: Collection[str] = (),
    used: Collection[str] = (),
    known_groups: Collection[str] = (),
    known_scales: Mapping[str, tuple[float, float]] = NO_SCALES,
) -> Proposal:
    """Propose what the columns of a sample mean.

    Args:
        sample: of the files.
        said: fields that options or entries give already.
        used: columns that entries name already.
        known_groups: experiment groups that are declared.
        known_scales: score keys whose scale is declared, and its ends.

    """
    proposal = _Guess(sample, said, used, known_groups).proposal
    for key, (low, high, _) in list(proposal.scales.items()):
        declared = known_scales.get(key)
        if declared and declared[0] <= low and high <= declared[1]:
            del proposal.scales[key]
    return proposal


class _Guess:
    """One guess under way."""

    def __init__(
        self,
        sample: Sample,
        said: Collection[str],
        used: Collection[str],
        known_groups: Collection[str],
    ) -> None:
        self.proposal = Proposal(decimal=sample.decimal, records=sample.records)
        self._sample = sample
        self._known_groups = known_groups
        own = {name: each for name, each in sample.columns.items() if target(name) is not None}
        self._taken = {*said, *own}
        self._left = {
            name: each
            for name, each in sample.columns.items()
            if name not in used and name not in own
        }
        self._candidates = self._named()
        for name, column in own.items():
            self._look_at_own(name, column)
        self._group()
        self._task()
        self._fields()
        self._tokens()
        guess_scores(self.proposal, self._left)
        self._rest()
        self._defaults()
        self._gaps()
        if sample.ambiguous is not None:
            self.proposal.notes.append(
                f"{sample.ambiguous} can be read in two ways: say decimal: comma or point"
            )

    def _gaps(self) -> None:
        """Have words among numbers be gaps, in every column; say where they may mean something."""
        columns = self._sample.columns.values()
        for column in columns:
            self.proposal.missing |= column.gaps
        for word in sorted(self.proposal.missing):
            others = [each.name for each in columns if word in each.distinct]
            if others:
                self.proposal.notes.append(
                    f"{word} is a gap among numbers, and so is absent in {', '.join(others)} too"
                )

    def _named(self) -> dict[str, list[Column]]:
        """Return the columns that could be each field by their names, the likeliest first."""
        found: dict[str, list[Column]] = {}
        for name, column in self._left.items():
            goal = meaning(name)
            if goal is not None and goal not in self._taken and column.filled:
                found.setdefault(goal, []).append(column)
        for columns in found.values():
            columns.sort(key=lambda column: rank(column.name))
        return found

    def _look_at_own(self, name: str, column: Column) -> None:
        """Look for scales and roles in what is a field already."""
        if FIELDS[name.partition(".")[0]][0] == "scores":
            guess_scores(self.proposal, {name: column}, is_own=True)
        elif name == "experiment_group":
            self._roles(list(column.distinct))

    def _group(self) -> None:
        if "experiment_group" in self._taken:
            return
        several = self._few("experiment_group", 2)
        arms = several or self._few("experiment_group", 1)
        models = self._few("model_version", 2)
        files = self._sample.files
        if arms and (several or (len(files) == 1 and not models)):
            count = len(arms[0].distinct)
            del self._left[arms[0].name]
            self._add_group(arms[0], f"its name, and {count} {'arms' if count > 1 else 'arm'}")
        elif len(files) > 1:
            self.proposal.entries.append(("experiment_group", FILE, "one file an arm, by its name"))
            self._roles([file_name(path) for path in files])
        elif models:
            # the model stays what it is, too
            count = len(models[0].distinct)
            self._add_group(models[0], f"nothing else tells arms apart: {count} models")
        else:
            self.proposal.notes.append(
                "no column says the arm (experiment_group): give --experiment-group NAME"
            )

    def _few(self, goal: str, least: int) -> list[Column]:
        """Return the columns for a field that have few values, and at least that many."""
        return [
            column
            for column in self._candidates.get(goal, ())
            if least <= len(column.distinct) <= _MOST_GROUPS
        ]

    def _add_group(self, column: Column, reason: str) -> None:
        self.proposal.add("experiment_group", column.name, reason)
        self._roles(list(column.distinct))

    def _roles(self, names: Sequence[str]) -> None:
        """Say which arm is the control, by its name."""
        proposal = self.proposal
        if not names or set(names) <= set(self._known_groups):
            return
        places = {
            place: name for name in reversed(names) if (place := control_place(name)) is not None
        }
        if not places and len(names) == 1:
            proposal.groups = {"treatment": list(names)}
            proposal.groups_reason = "its name is none of a control's"
            return
        control = places[min(places)] if places else names[0]
        if places:
            proposal.groups_reason = f"{control} is the control by its name"
        else:
            proposal.groups_reason = f"no name is a control's: {control} stands first"
            proposal.notes.append(f"{control} is taken as the control because it stands first")
        others = [name for name in names if name != control]
        proposal.groups = {"control": [control], **({"treatment": others} if others else {})}

    def _task(self) -> None:
        """Find what says which task a run is of: what the arms share."""
        if "task_id" in self._taken:
            return
        columns = self._candidates.get("task_id", [])
        asked = self._candidates.get("inputs", [])
        has_arms = "experiment_group" in self.proposal.targets and len(self._sample.files) == 1
        named = [column for column in columns if not (column.is_unique and has_arms)]
        shared = [column for column in asked if _is_short(column) and not column.is_unique]
        if named:
            told = "what the arms share" if has_arms else "by its name"
            self._take("task_id", named[0], f"names the task: {told}")
        elif shared:
            # it stays the input, too
            reason = "the same question is the same task in every arm"
            self.proposal.add("task_id", shared[0].name, reason)
            if columns and "source_run_id" not in self._taken:
                self._take("source_run_id", columns[0], "no two rows share one")
        elif columns:
            self._take("task_id", columns[0], "by its name")
            self.proposal.notes.append(
                f"no two rows share a {columns[0].name}: the arms will have no task in common"
            )
        else:
            self.proposal.notes.append(
                "no column says the task: add task_id: COLUMN to the mapping"
            )

    def _take(self, goal: str, column: Column, reason: str) -> None:
        del self._left[column.name]
        self.proposal.add(goal, column.name, reason)

    def _fields(self) -> None:
        """Propose whatever else has the name of a field and holds what that wants."""
        for goal in FIELD_NAMES:
            if goal in ("experiment_group", "task_id"):
                continue
            for column in self._candidates.get(goal, ()):
                is_free = column.name in self._left and goal not in self.proposal.targets
                if is_free and fits(self.proposal, goal, column):
                    del self._left[column.name]

    def _tokens(self) -> None:
        """Sum up tokens where only their kinds are told."""
        if "tokens_used" in self._taken | self.proposal.targets:
            return
        sources = {goal: source for goal, source, _ in self.proposal.entries}
        sources |= {name: name for name in self._sample.columns if target(name) is not None}
        parts = [sources.get(kind) for kind in ("prompt_tokens", "completion_tokens")]
        if all(parts):
            total = "+".join(part for part in parts if part)
            reason = "what went in and what came out"
            self.proposal.entries.append(("tokens_used", total, reason))

    def _rest(self) -> None:
        rest = [name for name in self._left if name not in self.proposal.columns]
        if rest:
            more = ", …" if len(rest) > _MOST_NAMED else ""
            reason = f"kept as they are: {', '.join(rest[:_MOST_NAMED])}{more}"
            self.proposal.entries.append(("metadata.*", "*", reason))

    def _defaults(self) -> None:
        filled = self._taken | self.proposal.targets
        files = self._sample.files
        if "experiment_id" not in filled:
            name = Path(files[0]).resolve().parent.name if len(files) > 1 else file_name(files[0])
            name = "imported" if name in ("", "-") else name
            self.proposal.defaults["experiment_id"] = (name, "no column says the experiment")
        if "extension_version" not in filled:
            reason = "no column says the version of what was evaluated"
            self.proposal.defaults["extension_version"] = (UNVERSIONED, reason)


def _is_short(column: Column) -> bool:
    return all(len(text.encode()) <= LONGEST_IDENTIFIER for text in column.distinct)
