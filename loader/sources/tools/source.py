"""Files of one tool as a source of records."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import InvalidRecord, SourceUnavailable
from ...records.bounds import LARGEST_COUNT
from ...records.json_text import LARGEST_RECORD
from ...tools.counts import counted
from .. import ArmPlan, Rejection, ScoreConfig, SourceRow, Statement, SummaryScore
from ..mapping import Mapping
from ..paths import files_reference
from . import (
    Companion,
    Directed,
    FileBroken,
    Noted,
    Planned,
    Rejected,
    Run,
    Said,
    Whole,
)
from .identity import GROUP, UNVERSIONED, Identity
from .shared_runs import RunArms, refuse_left
from .wholes import Wholes, score_id, utc_time

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Collection, Iterator, Sequence

    from ..digests import FileRead
    from . import Importer
    from .opened import ToolFile

_MOST_TOLD: Final = 20
_MOST_NOTES: Final = 200
_MOST_ARMS: Final = 6
_ARM: Final = ("experiment_id", GROUP, "extension_version")
_Arm = tuple[str, str, str]
_Beside = Planned | Whole | Directed | Companion
"""What a file has beside its runs."""

_CONTENTS: Final = ("inputs", "outputs", "reference_outputs")
_NOTHING_SAID: Final = Mapping()
_NOTHING_SUPPLIED: Final = MappingProxyType[str, str]({})

_encode = msgspec.json.Encoder(enc_hook=str).encode


class ToolSource:
    """The runs of some files of one tool, one file after the other.

    Attributes:
        name: the importer's kind.
        never_waits: whether reading can never wait for someone else: files are on the disk.
        total_bytes: size of the files as stored.

    """

    def __init__(
        self,
        files: Sequence[ToolFile],
        importer: Importer,
        *,
        supplied: collections.abc.Mapping[str, str] = _NOTHING_SUPPLIED,
        mapping: Mapping = _NOTHING_SAID,
        groups: Collection[str] = (),
    ) -> None:
        """Take files that the importer recognised; none is read yet.

        Args:
            files: of the tool.
            importer: of the tool.
            supplied: fields that options fill, with their values.
            mapping: `--map`, over the names that the importer tells.
            groups: the known experiment groups, which a score of a whole arm may name; any
                if there are none.

        """
        self.name = importer.about.kind
        self.never_waits = True
        self._files = files
        self._importer = importer
        self._supplied = supplied
        self._mapping = mapping
        self._groups = groups
        self._begin()
        self.total_bytes = sum(file.byte_count for file in files)

    def _begin(self) -> None:
        self._files_read: list[FileRead] = []
        self._files_told: list[str] = []
        """What each file is."""
        self._told: list[str] = []
        """What is to be known of files beside that: what was left out, what was assumed."""
        self._plans: list[ArmPlan] = []
        self._wholes = Wholes(self._groups)
        self._directions: dict[tuple[str, str], str | None] = {}
        """By experiment and key; None where files say both."""
        self._said: list[Statement] = []
        self._companions: dict[str, tuple[str, int]] = {}
        """By what they are read with: the first file that has no runs of its own, and how many."""
        self._arms: set[_Arm] = set()
        """Those that have runs."""
        self._unversioned = self._without_contents = 0
        self._finished_bytes = 0
        self._current: ToolFile | None = None

    @property
    def position(self) -> int:
        """Bytes read so far, as stored."""
        return self._finished_bytes + (self._current.position if self._current else 0)

    def reference(self) -> collections.abc.Mapping[str, object]:
        """Name the files."""
        return files_reference([file.path for file in self._files], self.name, self._mapping)

    def files_read(self) -> Sequence[FileRead]:
        """Return, once read, what was in each file."""
        return self._files_read

    def rows(self) -> Iterator[SourceRow]:
        """Yield a row for every run of every file, and for every file that gives none.

        Raises:
            ConfigurationError: a file cannot be opened.
            SourceUnavailable: reading fails half-way.

        """
        self._begin()
        with closing(RunArms()) as self._run_arms:
            for file in self._files:
                self._current = file
                try:
                    self._files_read.append(file.digest())
                    yield from self._rows_of(file)
                except OSError as error:
                    raise SourceUnavailable(
                        f"reading {file.shown_name} failed: {error.strerror or error}; "
                        "nothing was loaded"
                    ) from error
                self._current = None
                self._finished_bytes += file.byte_count
        for told in self._wholes.lone(self._arms):
            if isinstance(told, SourceRow):
                yield told
            else:
                self._told.append(told)

    def _rows_of(self, file: ToolFile) -> Iterator[SourceRow]:
        identity = Identity(self._mapping, self._supplied, file.path)
        arms: Counter[_Arm] = Counter()
        rejected = file.not_numbers = 0
        beside: list[_Beside] = []
        broken: Rejection | None = None
        try:
            for item in self._importer.runs(file):
                if isinstance(item, _Beside):
                    beside.append(item)
                elif isinstance(item, Said):
                    self._said += self._statements(identity, item)
                elif isinstance(item, Noted):
                    self._told.append(f"{file.shown_name}: {item.text}")
                else:
                    row = self._row(file.path, identity, item, arms)
                    rejected += row.rejection is not None
                    yield row
        except FileBroken as error:
            broken = error.rejection
        except InvalidRecord as error:
            broken = Rejection(error.code, error.reason)
        self._arms |= arms.keys()
        self._told += (
            f"{path} beside {file.shown_name} cannot be read, and is passed over; check its rights"
            for path in sorted(file.unread)
        )
        tool = self._importer.about.tool
        if broken is not None:
            yield SourceRow(1, file.path, b"", None, broken)
            behind = f"broken off behind {_arms(arms)}" if arms else "not read"
            self._told.append(f"{file.shown_name}: {tool}, {behind}")
            # what is missing is missed only against what was planned
            self._keep_beside(file, identity, beside, arms)
            return
        is_without_runs = not arms and not rejected
        kinds = set(map(type, beside))
        if is_without_runs and kinds <= {Planned}:
            reason = f"no run is in this {tool} file; check that it was written"
            yield SourceRow(1, file.path, b"", None, Rejection("empty_file", reason))
        self._keep_beside(file, identity, beside, arms)
        if file.not_numbers:
            absent = f"{counted(file.not_numbers, 'number')} NaN or infinite, read as absent"
            self._told.append(f"{file.shown_name}: {absent}")
        self._tell(file, arms, rejected, beside)

    def _tell(
        self, file: ToolFile, arms: Counter[_Arm], rejected: int, beside: Sequence[_Beside]
    ) -> None:
        """Say what is in a file; files that are only read with others are told together."""
        companions = [each.of for each in beside if isinstance(each, Companion)]
        if companions and not arms and not rejected and len(companions) == len(beside):
            first, count = self._companions.get(companions[0], (file.shown_name, 0))
            self._companions[companions[0]] = first, count + 1
            return
        told = ", ".join(_found(arms, rejected, beside))
        self._files_told.append(f"{file.shown_name}: {self._importer.about.tool}, {told}")

    def _statements(self, identity: Identity, item: Said) -> Iterator[Statement]:
        """Yield what was said of a run; nothing of one that is rejected, which its row tells."""
        with suppress(InvalidRecord):
            record = identity.record(item.run.record, item.run.names)
            self._refuse_another_arms(item.run, record)
            named = {name: value for name, value in record.items() if name not in _CONTENTS}
            yield Statement(self._files_read[-1], {**named, **self._supplied}, *item[1:])

    def _row(
        self, origin: str, identity: Identity, item: Run | Rejected, arms: Counter[_Arm]
    ) -> SourceRow:
        if isinstance(item, Rejected):
            return SourceRow(item.number, origin, item.original, None, item.rejection)
        try:
            record = identity.record(item.record, item.names)
            text = self._encoded(record)
            arm = self._refuse_another_arms(item, record)
        except InvalidRecord as error:
            rejection = Rejection(error.code, error.reason)
            return SourceRow(item.number, origin, repr(item.record).encode(), None, rejection)
        arms[arm] += 1
        self._unversioned += arm[2] == UNVERSIONED
        return SourceRow(item.number, origin, text, None, None)

    def _refuse_another_arms(self, run: Run, record: dict[str, object]) -> _Arm:
        """Return the arm of a run; raise InvalidRecord where it is one that is elsewhere."""
        refuse_left(run, record)
        arm = self._arm(record)
        self._run_arms.refuse_shared(arm, record.get("source_run_id"))
        return arm

    def _encoded(self, record: dict[str, object]) -> bytes:
        """Return a record as JSON, without inputs and outputs where it is too long with them."""
        try:
            text = _encode(record)
            if len(text) > LARGEST_RECORD:
                text = _encode({name: record[name] for name in record if name not in _CONTENTS})
                self._without_contents += len(text) <= LARGEST_RECORD
        except UnicodeEncodeError:
            reason = "a text of the run, or the name of its file, is no UTF-8; write it as UTF-8"
            raise InvalidRecord("", "invalid_utf8", reason) from None
        return text

    def _arm(self, record: collections.abc.Mapping[str, object]) -> _Arm:
        experiment, group, version = (
            str(record.get(name) or self._supplied.get(name) or "") for name in _ARM
        )
        return experiment, group, version

    def _keep_beside(
        self, file: ToolFile, identity: Identity, beside: Sequence[_Beside], arms: Counter[_Arm]
    ) -> None:
        for item in beside:
            if isinstance(item, Planned):
                planned = self._planned_arm(identity, item, arms)
                if planned is not None:
                    self._plans.append(ArmPlan(*planned, item.repetitions, item.tasks))
            elif isinstance(item, Directed):
                self._keep_direction(identity, item)
            elif isinstance(item, Whole):
                try:
                    whole = self._whole(identity, item)
                except InvalidRecord as error:
                    told = f"{item.key} of a whole arm is left out: {error.reason}"
                    self._told.append(f"{file.shown_name}: {told}")
                    continue
                self._wholes.keep(file.path, whole)

    def _keep_direction(self, identity: Identity, item: Directed) -> None:
        with suppress(InvalidRecord):
            experiment, _, _ = self._arm(identity.record(item.record, item.names))
            direction = "higher" if item.higher_is_better else "lower"
            known = self._directions.setdefault((experiment, item.key), direction)
            if known != direction:
                self._directions[experiment, item.key] = None

    def _whole(self, identity: Identity, item: Whole) -> SummaryScore:
        arm = self._arm(identity.record(item.record, item.names))
        return SummaryScore(
            *arm, score_id(self.name, *arm, item.key), item.key, item.score, None,
            item.comment, "evaluator", utc_time(item.recorded_at), is_kept_alone=True,
        )  # fmt: skip

    def _planned_arm(self, identity: Identity, item: Planned, arms: Counter[_Arm]) -> _Arm | None:
        if item.record is None:
            return next(iter(arms)) if len(arms) == 1 else None
        try:
            return self._arm(identity.record(item.record, item.names or {}))
        except InvalidRecord:
            return None  # no arm that runs can be of

    def plans(self) -> Sequence[ArmPlan]:
        """Return how much the arms were to run, as far as files say it.

        Several files of one arm may tell its tasks again, or others of them, and nothing says
        which: the most that one of them tells was planned at least.
        """
        found: dict[_Arm, ArmPlan] = {}
        for plan in self._plans:
            known = found.setdefault(plan[:3], plan)
            found[plan[:3]] = known._replace(
                planned_repetitions=_most(known.planned_repetitions, plan.planned_repetitions),
                planned_tasks=_most(known.planned_tasks, plan.planned_tasks),
            )
        return [plan for plan in found.values() if plan.planned_repetitions or plan.planned_tasks]

    def summary_scores(self) -> Sequence[SummaryScore]:
        """Return the scores of arms as a whole; the latest, where several files have one."""
        return self._wholes.scores()

    def score_configs(self) -> Sequence[ScoreConfig]:
        """Return which way scores are better, as far as files say it."""
        return [
            ScoreConfig(experiment, key, "continuous", None, None, direction)
            for (experiment, key), direction in self._directions.items()
            if direction is not None
        ]

    def said(self) -> Sequence[Statement]:
        """Return what people said of runs."""
        return self._said

    def notes(self) -> Iterator[str]:
        """Say what each file is, how many runs of which arms it has, and what is assumed."""
        yield from self._files_told[:_MOST_TOLD]
        if len(self._files_told) > _MOST_TOLD:
            yield f"and {len(self._files_told) - _MOST_TOLD} more {self._importer.about.tool} files"
        for of, (first, count) in self._companions.items():
            which = f"{first} and {count - 1:,} more" if count > 1 else first
            yield f"{which}: {self._importer.about.tool}, read with {of}"
        yield from self._told[:_MOST_NOTES]
        if len(self._told) > _MOST_NOTES:
            yield f"and {len(self._told) - _MOST_NOTES:,} more of that kind"
        if self._unversioned:
            yield (
                f"{counted(self._unversioned, 'run')} of files that tell no version: "
                f"extension_version is {UNVERSIONED!r}; --extension-version VERSION says it"
            )
        if self._without_contents:
            yield (
                f"{counted(self._without_contents, 'run')} with inputs and outputs of more than "
                f"{LARGEST_RECORD:,} bytes: loaded without them"
            )
        if self._wholes.twice:
            yield (
                f"{counted(self._wholes.twice, 'score')} of a whole arm told again for the same "
                "arm: the latest counts"
            )


def _most(*counts: int | None) -> int | None:
    """Return the largest of some counts; what no arm can be planned to run is none."""
    said = (count for count in counts if count is not None)
    return max((count for count in said if 0 < count <= LARGEST_COUNT), default=None)


def _found(arms: Counter[_Arm], rejected: int, beside: Sequence[_Beside]) -> Iterator[str]:
    """Say what is in a file: its runs, unless it is there for something else."""
    wholes = sum(isinstance(each, Whole) for each in beside)
    companions = [each.of for each in beside if isinstance(each, Companion)]
    if arms or rejected or not (wholes or companions):
        yield _arms(arms)
    if wholes:
        yield f"{counted(wholes, 'score')} of a whole arm"
    yield from (f"read with {each}" for each in companions)


def _arms(arms: Counter[_Arm]) -> str:
    runs = counted(arms.total(), "run")
    if not arms:
        return runs
    told = [
        f"{count:,} of {group} {version} in {experiment}"
        for (experiment, group, version), count in arms.most_common(_MOST_ARMS)
    ]
    more = f" and {len(arms) - _MOST_ARMS} more arms" if len(arms) > _MOST_ARMS else ""
    return f"{runs}: {', '.join(told)}{more}"
