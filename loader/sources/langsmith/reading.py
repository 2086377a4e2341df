"""How a project is read: whole, in a window of time, or only what changed; and what is gone.

A run that the warehouse knows keeps its place in the count of repetitions, whether it is read
now or not, whether the service still has it or not: numbers do not depend on how a project is
read. Only a run that is withdrawn gives its place up.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from ...tools.counts import counted
from ...tools.version import __version__
from .. import Standing
from . import books
from .changes import MARGIN, Changes, DoubtError
from .configs import Explanations
from .known_spool import KnownSpool, MissingRun
from .projects import RETENTION_DAYS, find_project
from .reader import Reader
from .times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .experiment import Wishes
    from .known import Known, KnownLook
    from .record import Mapper
    from .runs import RunQuery
    from .spool import Spool

MOST_PENDING = 1000
"""Runs that are not finished, remembered by name: with more, the next reading is whole."""
MOST_EXPERIMENTS = 100
_NAMED = 3
_NOT_OF_SHAPE = ("evaluators", "is_full", "is_sync", "since", "until")
"""Wishes that decide what is read, not what becomes of it; evaluators always read in full."""


class Reading:
    """One reading of a project into a spool."""

    def __init__(
        self, query: RunQuery, spool: Spool, mapper: Mapper, wishes: Wishes, known: Known | None
    ) -> None:
        """Prepare to read.

        Args:
            query: the run query of the project.
            spool: where everything goes.
            mapper: names what a run is a repetition of.
            wishes: what a user asks for.
            known: what the warehouse knows of projects; None reads in full, and remembers
                nothing.
        """
        self._query = query
        self._project = query.project
        self._spool = spool
        self._mapper = mapper
        self._wishes = wishes
        self._known = known
        self._known_spool = KnownSpool(spool)
        self._base: KnownLook | None = None
        self._look: books.Look | None = None
        self.explanations = Explanations(query.client)
        """Says what keys mean."""
        self.deleted: list[MissingRun] = []
        """Known runs that the service deleted, by start."""
        self.expired: list[MissingRun] = []
        """Known runs that are past what the service keeps."""
        self.facts: dict[str, object] = {}
        """For the ledger: how it was read, and what the next reading goes on from."""
        self.notes: list[str] = []
        self.standing: Standing | None = None
        """What was known and not read again; None if nothing was."""
        self.has_news = False
        """Whether a reading of changes found the project otherwise, be it without a new run."""

    def unread(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Yield the tasks of runs that are known and not read, each with how many they are."""
        return self._known_spool.unread()

    @property
    def knows_runs(self) -> bool:
        """Whether the warehouse has runs of the project."""
        return self._known_spool.count() > 0

    def read(self) -> None:
        """Read everything that is asked for, or raise and leave the spool unfinished.

        Raises:
            ConfigurationError: LangSmith refuses the request.
            SourceUnavailable: LangSmith does not answer.
        """
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        wishes, known = self._wishes, self._known
        position = self._mapper.position
        client = self._query.client
        if known is None:
            Reader(client, self._query, self._spool, position, self._created_after()).read()
            return
        self._base = known.look(self._project.id)
        if wishes.since or wishes.until:
            self._read_window(known)
        elif not self._read_changes(known, at):
            self._read_whole(known, at)
            return
        runs = self._known_spool.count(unread=True)
        if self._base and runs:
            self.standing = Standing(self._base.load_id, runs)

    def _created_after(self) -> str | None:
        """Return the time before which no feedback is on runs of the window."""
        since = self._wishes.since
        return (since - MARGIN).isoformat() if since else None

    def _read_window(self, known: Known) -> None:
        """Read the runs that began in the window, and renumber those known around it."""
        wishes = self._wishes
        self.facts["window"] = {
            name: bound.isoformat()
            for name, bound in (("since", wishes.since), ("until", wishes.until))
            if bound
        }
        self._fill(known, None)
        position, after = self._mapper.position, self._created_after()
        Reader(self._query.client, self._query, self._spool, position, after).read()
        self._changes(known).renumber(None)

    def _read_changes(self, known: Known, at: str) -> bool:
        """Read only what changed, if that can be told; say whether it could."""
        look = books.kept(self._base.reference) if self._base else None
        why = self._why_whole(look)
        if why is None and look is not None and self._base is not None:
            self._fill(known, look.experiments)
            self._keep_summary(self._base.reference)
            try:
                now = self._changes(known).read(look, at)
            except DoubtError as doubt:
                why = str(doubt)
                self._spool.clear()
                self._known_spool.clear()
            else:
                self._spool.seal()
                self._remember(now)
                self.has_news = now.differs(look)
                self.facts["reading"] = "changes"
                self._tell_rejected()
                return True
        if self._base is not None:
            self.facts["read_in_full_because"] = why
        return False

    def _why_whole(self, look: books.Look | None) -> str | None:
        """Say why only a whole reading will do; None if it need not be one."""
        wishes = self._wishes
        reasons = {
            "it was asked for": wishes.is_full or wishes.is_sync,
            "evaluators are applied to every run": wishes.evaluators,
            "the experiment does not say which version of the dataset it ran on": (
                wishes.dataset and not self._project.metadata.get("dataset_version")
            ),
            "the last reading was not whole": look is None,
            "runs were withdrawn or removed since, or rejected ones are not kept": self._base
            and self._base.is_disturbed,
            "options, declared scales or what the project says of itself changed": (
                look and look.shape != self._shape()
            ),
        }
        why = next((reason for reason, holds in reasons.items() if holds), None)
        if why is None and look and look.meaning != self._meaning(look.keys):
            return "LangSmith says something else of what its keys mean"
        return why

    def _meaning(self, keys: Sequence[str]) -> str:
        """Return a fingerprint of what the service says of some keys."""
        return self.explanations.of(keys).fingerprint(keys)

    def _read_whole(self, known: Known, at: str) -> None:
        """Read every run and every feedback row."""
        self.facts["reading"] = "full"
        self._fill(known, None)
        Reader(self._query.client, self._query, self._spool, self._mapper.position).read()
        self._find_gone()
        if self._wishes.is_sync:
            self._known_spool.forget(self.deleted)
        project = self._project
        tallies = books.tallied(self._spool.scored())
        read, tokens = self._spool.count("read"), self._spool.tokens()
        rows = sum(tally.rows for tally in tallies.values())
        if read > (project.run_count or 0) or rows > sum(project.feedback_counts.values()):
            # it is being written to, or the service counts late
            project = find_project(self._query.client, project.id)
        adds_up = books.lies_between(read, self._project.run_count, project.run_count)
        look = books.Look(
            at=at,
            shape=self._shape(),
            experiments=[],
            pending=self._spool.pending(),
            runs=read,
            run_count=read if adds_up else self._project.run_count,
            tokens=tokens
            if books.lies_between(tokens, self._project.total_tokens, project.total_tokens)
            else None,
            feedback=tallies,
            feedback_stats=project.feedback_stats,
            keys=[],
            meaning="",
        )
        if self._spool.count() == read:
            self._remember(look)

    def _remember(self, look: books.Look) -> None:
        """Let the ledger keep a look, unless it is too large for that."""
        look.experiments = sorted({*look.experiments, *self._spool.experiments()})
        look.keys = sorted({*look.keys, *self._spool.keys()})
        look.meaning = self._meaning(look.keys)
        if len(look.pending) <= MOST_PENDING and len(look.experiments) <= MOST_EXPERIMENTS:
            self.facts["look"] = msgspec.to_builtins(look)

    def _fill(self, known: Known, experiments: list[str] | None) -> None:
        self._known_spool.fill(known.runs(self._project.id, experiments))
        self._known_spool.fill_rejected(known.rejected(self._project.id))

    def _keep_summary(self, reference: Mapping[str, object]) -> None:
        """Keep the feedback on the experiment itself that was told before."""
        told = reference.get("summary_feedback")
        if isinstance(told, list):
            self._spool.add_feedback((None, row) for row in told if isinstance(row, dict))

    def _changes(self, known: Known) -> Changes:
        return Changes(self._query, self._spool, self._mapper, self._known_spool, known)

    def _shape(self) -> str:
        """Return a fingerprint of all that decides what becomes of a run."""
        project, wishes = self._project, self._wishes
        parts = (
            __version__,
            self._known.rules if self._known else "",
            self._query.client.endpoint,
            self._mapper.web_address,
            (project.name, project.metadata, project.dataset_id, project.workspace_id),
            {
                each.name: getattr(wishes, each.name)
                for each in fields(wishes)
                if each.name not in _NOT_OF_SHAPE
            },
        )
        text = msgspec.json.encode(parts, enc_hook=repr, order="deterministic")
        return hashlib.sha256(text).hexdigest()

    # ---- what is gone ----

    def _find_gone(self) -> None:
        """Tell the known runs that the service deleted from those that it no longer keeps."""
        missing = self._known_spool.missing()
        lost = [run for run in missing if not self._is_past_retention(run)]
        found: set[str] = set()
        unreadable = self._spool.count("read") - self._spool.count()
        if lost and unreadable:
            # each of them may be one that cannot be decoded, and so has no name
            self.notes.append(
                f"What was deleted cannot be told: {counted(unreadable, 'run')} not readable."
            )
            lost = []
        if lost:
            # asked for by name: a page may have passed one over
            ids = list(dict.fromkeys(run.id for run in lost))
            reader = Reader(self._query.client, self._query, self._spool, self._mapper.position)
            for page in self._query.by_ids(ids, moment(lost[0].started_at)):
                reader.keep_runs(page)
            found = {run_id for run_id in ids if self._spool.has(run_id)}
        self.deleted = [run for run in lost if run.id not in found]
        self.expired = [run for run in missing if self._is_past_retention(run)]
        self._tell_gone()

    def _is_past_retention(self, run: MissingRun) -> bool:
        """Whether the service may no longer keep a run that began then.

        Beyond the shortest time, a run counts as kept only where an older one is.
        """
        began = moment(run.started_at)
        if began is None:
            return True
        age = datetime.now(UTC) - began + MARGIN
        if age < timedelta(days=min(RETENTION_DAYS.values())):
            return False
        oldest = self._spool.oldest()
        days = RETENTION_DAYS.get(self._project.trace_tier or "", 0)
        return age >= timedelta(days=days) or oldest is None or oldest > began

    def _tell_gone(self) -> None:
        if self.deleted:
            ids = list(dict.fromkeys(run.id for run in self.deleted))
            named = ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
            self.facts["deleted_runs"] = len(ids)
            what = (
                "withdrawn here"
                if self._wishes.is_sync
                else "here every one still counts; --sync withdraws"
            )
            self.notes.append(
                f"Deleted in LangSmith: {counted(len(ids), 'run')} ({named}); {what}."
            )
        if self.expired:
            count = len({run.id for run in self.expired})
            self.facts["runs_no_longer_kept"] = count
            self.notes.append(
                f"No longer kept by LangSmith: {counted(count, 'run')}; here nothing is lost."
            )

    def _tell_rejected(self) -> None:
        rejected = self._known_spool.count(rejected=True)
        if rejected:
            self.notes.append(
                f"Rejected before, and unchanged: {counted(rejected, 'run')}; --full reads all."
            )

    def gone(self) -> dict[str, list[str]]:
        """Return the ids of the runs that were deleted, by experiment."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for run in self.deleted:
            found[run.experiment_id].append(run.id)
        return dict(found)
