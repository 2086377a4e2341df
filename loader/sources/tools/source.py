"""Files of one tool as a source of records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from loader.errors import InvalidRecord
from loader.sources import ArmPlan, Rejection, SourceRow, SummaryScore
from loader.sources.tools import FileBroken, Note, Planned, Rejected, Run, Said, Whole
from loader.sources.tools.identity import GROUP, UNVERSIONED, Identity
from loader.tools.counts import counted

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterator, Sequence

    from loader.sources.digests import FileRead
    from loader.sources.mapping import Mapping
    from loader.sources.tools import Importer
    from loader.sources.tools.opened import ToolFile

_MOST_NAMED: Final = 100
_MOST_TOLD: Final = 20
_MOST_ARMS: Final = 6
_ARM: Final = ("experiment_id", GROUP, "extension_version")
_Arm = tuple[str, str, str]

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
        supplied: collections.abc.Mapping[str, str],
        mapping: Mapping,
    ) -> None:
        """Take files that the importer recognised; none is read yet.

        Args:
            files: of the tool.
            importer: of the tool.
            supplied: fields that options fill, with their values.
            mapping: `--map`, over the names that the importer tells.

        """
        self.name = importer.about.kind
        self.never_waits = True
        self._files = files
        self._importer = importer
        self._supplied = supplied
        self._mapping = mapping
        self._files_read: list[FileRead] = []
        self._told: list[str] = []
        self._plans: list[ArmPlan] = []
        self._wholes: list[SummaryScore] = []
        self._said: list[tuple[dict[str, object], Said]] = []
        self._unversioned = 0
        self.position = 0
        self.total_bytes = sum(file.byte_count for file in files)

    def reference(self) -> collections.abc.Mapping[str, object]:
        """Name the files."""
        named: dict[str, object] = {
            "files": [file.path for file in self._files[:_MOST_NAMED]],
            "format": self.name,
        }
        if len(self._files) > _MOST_NAMED:
            named["file_count"] = len(self._files)
        if self._mapping.entries:
            named["mapping"] = [entry.text for entry in self._mapping.entries[:_MOST_NAMED]]
        return named

    def files_read(self) -> Sequence[FileRead]:
        """Return, once read, what was in each file."""
        return self._files_read

    def rows(self) -> Iterator[SourceRow]:
        """Yield a row for every run of every file.

        Raises:
            ConfigurationError: a file cannot be opened.

        """
        for kept in (self._files_read, self._told, self._plans, self._wholes, self._said):
            kept.clear()
        self._unversioned = self.position = 0
        for file in self._files:
            self._files_read.append(file.digest())
            yield from self._rows_of(file)
            self.position += file.byte_count

    def _rows_of(self, file: ToolFile) -> Iterator[SourceRow]:
        identity = Identity(self._mapping, self._supplied, file.path)
        arms: Counter[_Arm] = Counter()
        rejected = file.not_numbers = 0
        beside: list[Planned | Whole] = []
        notes: list[str] = []
        try:
            for item in self._importer.runs(file):
                if isinstance(item, Planned | Whole):
                    beside.append(item)
                elif isinstance(item, Note):
                    notes.append(item.text)
                elif isinstance(item, Said):
                    self._said.append((self._identified(identity, item.run), item))
                else:
                    row = self._row(file.path, identity, item, arms)
                    rejected += row.rejection is not None
                    yield row
        except FileBroken as broken:
            yield SourceRow(1, file.path, b"", None, broken.rejection)
            self._told.append(f"{file.shown_name}: {self._importer.about.tool}, not read")
            return
        runs = arms.total()
        has_scores = any(isinstance(each, Whole) for each in beside)
        if not runs and not rejected and not notes and not has_scores:
            reason = (
                f"no run is in this {self._importer.about.tool} file; check that it was written"
            )
            yield SourceRow(1, file.path, b"", None, Rejection("empty_file", reason))
        self._keep_beside(identity, beside, arms)
        if file.not_numbers:
            absent = f"{counted(file.not_numbers, 'number')} NaN or infinite, read as absent"
            self._told.append(f"{file.shown_name}: {absent}")
        self._told.append(f"{file.shown_name}: {self._importer.about.tool}, {_arms(arms)}")
        self._told += [f"{file.shown_name}: {note}" for note in notes]

    def _identified(self, identity: Identity, run: Run) -> dict[str, object]:
        return {**identity.record(run.record, run.names), **self._supplied}

    def _row(
        self, origin: str, identity: Identity, item: Run | Rejected, arms: Counter[_Arm]
    ) -> SourceRow:
        if isinstance(item, Rejected):
            return SourceRow(item.number, origin, item.original, None, item.rejection)
        try:
            record = identity.record(item.record, item.names)
        except InvalidRecord as error:
            rejection = Rejection(error.code, error.reason)
            return SourceRow(item.number, origin, _encode(item.record), None, rejection)
        arm = self._arm(record)
        arms[arm] += 1
        self._unversioned += arm[2] == UNVERSIONED
        return SourceRow(item.number, origin, _encode(record), None, None)

    def _arm(self, record: collections.abc.Mapping[str, object]) -> _Arm:
        experiment, group, version = (
            str(record.get(name) or self._supplied.get(name) or "") for name in _ARM
        )
        return experiment, group, version

    def _keep_beside(
        self, identity: Identity, beside: Sequence[Planned | Whole], arms: Counter[_Arm]
    ) -> None:
        for item in beside:
            if isinstance(item, Planned):
                if len(arms) == 1:
                    self._plans.append(ArmPlan(*next(iter(arms)), item.repetitions, item.tasks))
                continue
            arm = self._arm(identity.record(item.record, item.names))
            self._wholes.append(
                SummaryScore(
                    *arm, f"{self.name}:{'/'.join(arm)}:{item.key}", item.key, item.score,
                    None, None, "evaluator", item.recorded_at,
                )
            )  # fmt: skip

    def plans(self) -> Sequence[ArmPlan]:
        """Return how much the arms were to run, as far as files say it."""
        return self._plans

    def summary_scores(self) -> Sequence[SummaryScore]:
        """Return the scores of arms as a whole."""
        return self._wholes

    def said(self) -> Sequence[tuple[collections.abc.Mapping[str, object], Said]]:
        """Return what people said of runs, each with the record of its run."""
        return self._said

    def notes(self) -> Iterator[str]:
        """Say what each file is, how many runs of which arms it has, and what is assumed."""
        yield from self._told[:_MOST_TOLD]
        if len(self._told) > _MOST_TOLD:
            yield f"and {len(self._told) - _MOST_TOLD} more {self._importer.about.tool} files"
        if self._unversioned:
            yield (
                f"{counted(self._unversioned, 'run')} of files that tell no version: "
                f"extension_version is {UNVERSIONED!r}; --extension-version VERSION says it"
            )


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
