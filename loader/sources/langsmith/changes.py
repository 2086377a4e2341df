"""Reading of a project only what can have changed since its last whole reading.

Runs come newest first, until a page holds none that is not known and the service counts as
many as that makes. Runs that were not finished, that have new feedback, or whose number
moved are asked for by id. Feedback comes newest first too, until a page is known and the
service's counts and means are those of what is known and new. Whatever does not add up is
no change that can be told: then the project is read in full.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from . import feedback
from .books import Look, Tally, agree, lies_between
from .projects import find_project
from .reader import Reader
from .times import moment
from .wire import identified

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from .known import Known
    from .known_spool import KnownSpool
    from .projects import Project
    from .record import Mapper
    from .runs import RunQuery
    from .spool import Spool
    from .wire import RunPage

# The clocks of whoever evaluates, of the service and of this machine may differ.
MARGIN = timedelta(days=1)
# A run that gets another number moves those after it: they are asked for together, and none
# that is read then moves further ones unless its task was changed meanwhile.
_ROUNDS = 3


class DoubtError(Exception):
    """What was read does not add up; the message says what."""


class Changes:
    """Moves what changed of one project into a spool that holds what is known of it."""

    def __init__(
        self, query: RunQuery, spool: Spool, mapper: Mapper, known_spool: KnownSpool, known: Known
    ) -> None:
        """Prepare to read; nothing is asked yet."""
        self._query = query
        self._client = query.client
        self._spool = spool
        self._known_spool = known_spool
        self._known = known
        self._reader = Reader(query.client, query, spool, mapper.position)
        self._later: Project | None = None
        self._has_new_summary = False

    def read(self, look: Look, at: str) -> Look:
        """Read what changed since a look; return what is to be remembered now.

        Args:
            look: the last whole reading.
            at: when this one began, ISO 8601, UTC.

        Raises:
            DoubtError: it does not add up.
            ConfigurationError: LangSmith refuses the request.
            SourceUnavailable: LangSmith does not answer.
        """
        for page in self._query.by_ids(list(look.pending)) if look.pending else ():
            self._reader.keep_runs(page)
        gone = len(look.pending) - self._spool.count()
        self._read_runs(look, gone)
        further = self._spool.count() - len(look.pending)
        now = msgspec.structs.replace(
            look,
            at=at,
            runs=look.runs + further,
            run_count=look.count_with(further),
            tokens=self._tokens(look),
            pending=self._spool.pending(),
        )
        self._read_feedback_of(
            [run for run in look.pending if run not in now.pending and self._spool.has(run)]
        )
        now.feedback, now.feedback_stats = self._read_feedback(look)
        scored = self._with_new_feedback()
        self._fetch(look.experiments, scored)
        if not all(map(self._spool.has, scored)):
            raise DoubtError("a run that has new feedback is not there")
        self.renumber(look.experiments)
        # rows are asked for by run and by time: what came twice says nothing here
        self._spool.repeated_runs = self._spool.repeated_feedback = 0
        return now

    def renumber(self, experiments: Sequence[str] | None) -> None:
        """Read the known runs whose number is another now, with the feedback kept of them."""
        asked: set[str] = set()
        for _ in range(_ROUNDS):
            moved = [run for run in self._known_spool.renumbered() if run not in asked]
            if not moved:
                return
            asked.update(moved)
            self._fetch(experiments, moved)

    # ---- runs ----

    def _read_runs(self, look: Look, gone: int) -> None:
        """Read pages until nothing can have been missed."""
        page = self._query.first()
        while True:
            has_new = self._keep_new(page, look)
            if not has_new and self._runs_add_up(look, gone):
                return
            if page.cursor is None:
                break
            page = self._query.after(page.cursor)
        if not self._runs_add_up(look, gone):
            raise DoubtError("the service counts other runs than were found")

    def _keep_new(self, page: RunPage, look: Look) -> bool:
        """Keep the runs of a page that are not known; say whether there are any."""
        ids = [identified(raw).id for raw in page.runs]
        known = self._known_spool.known([run_id for run_id in ids if run_id])
        known.update(look.pending)
        new = [raw for raw, run_id in zip(page.runs, ids, strict=True) if run_id not in known]
        self._reader.keep_runs(page._replace(runs=new))
        return bool(new)

    def _runs_add_up(self, look: Look, gone: int) -> bool:
        """Whether the service counts the runs that are known and found, and their tokens.

        Raises:
            DoubtError: it counts fewer, so that some were deleted, or others as many.
        """
        count = look.count_with(self._spool.count() - len(look.pending))
        project = self._query.project
        if count is None or project.run_count is None:
            raise DoubtError("the service does not count the runs")
        if project.run_count < count and self._later is None:
            self._ask_again()
        later = self._later or project
        if not lies_between(count, project.run_count, later.run_count):
            if count > (later.run_count or 0) or gone < 0:
                raise DoubtError("the service counts fewer runs than before")
            return False
        tokens = self._tokens(look)
        if tokens is not None and not lies_between(
            tokens, project.total_tokens, later.total_tokens
        ):
            raise DoubtError("the service counts other tokens than the runs have")
        return True

    def _tokens(self, look: Look) -> int | None:
        if look.tokens is None:
            return None
        return look.tokens + self._spool.tokens() - sum(look.pending.values())

    def _ask_again(self) -> Project:
        """Ask for the project's counts once more: it is being written to."""
        self._later = find_project(self._client, self._query.project.id)
        return self._later

    # ---- feedback ----

    def _read_feedback(self, look: Look) -> tuple[dict[str, Tally], dict[str, object]]:
        """Read the newest rows until nothing can have been missed; return the new books."""
        since = (self._earliest(look) - MARGIN).isoformat()
        size = offset = 0
        while True:
            page = feedback.read_page(self._client, self._query.project.id, offset, since)
            size, offset = len(page), offset + feedback.PAGE
            has_new = self._keep_new_feedback(page, look)
            is_last = size < feedback.PAGE
            if has_new and not is_last:
                continue
            tallies = self._tallies(look)
            for project in (self._query.project, self._later):
                if project and self._feedback_adds_up(look, project, tallies):
                    return tallies, project.feedback_stats
            if is_last:
                break
        if self._later is None:
            later = self._ask_again()
            if self._feedback_adds_up(look, later, tallies):
                return tallies, later.feedback_stats
        raise DoubtError("the service counts other feedback than was found")

    def _read_feedback_of(self, finished: Sequence[str]) -> None:
        """Read the rows of runs that were not finished before: none of them is kept."""
        for start in range(0, len(finished), feedback.RUNS_AT_ONCE):
            ids = finished[start : start + feedback.RUNS_AT_ONCE]
            size, offset = feedback.PAGE, 0
            while size == feedback.PAGE:
                page = feedback.read_page(self._client, self._query.project.id, offset, run_ids=ids)
                self._reader.keep_feedback(page)
                size, offset = len(page), offset + feedback.PAGE

    def _earliest(self, look: Look) -> datetime:
        """Return the time before which no feedback can be new."""
        looked = moment(look.at)
        oldest = self._spool.oldest()
        times = [time for time in (looked, oldest) if time is not None]
        if looked is None:
            raise DoubtError("the last reading has no time")
        return min(times)

    def _keep_new_feedback(self, page: list[msgspec.Raw], look: Look) -> bool:
        """Keep the rows of a page that are not known as they are; say whether there are any."""
        rows = list(self._reader.readable_feedback(page))
        known = self._known_spool.feedback([str(row.get("id")) for _, row in rows])
        summary = {row.get("id"): row for row in self._spool.feedback(None)}
        on_known = self._known_spool.known({run_id for run_id, _ in rows if run_id})
        new = []
        for run_id, row in rows:
            row_id = str(row.get("id"))
            if run_id is None:
                is_new = summary.get(row_id) != row
                self._has_new_summary |= is_new
            elif row_id in known:
                is_new = known[row_id][0] != row.get("modified_at")
            elif run_id in on_known:
                is_new = True
            else:
                # of a run that is new, was not finished, or is no root run
                is_new = run_id not in look.pending and self._spool.has(run_id)
                is_new = is_new or str(row.get("created_at")) > look.at
            if is_new:
                new.append((run_id, row))
        self._spool.add_feedback(new)
        return bool(new)

    def _tallies(self, look: Look) -> dict[str, Tally]:
        """Return the last tallies with what came since and without what it replaces."""
        tallies = deepcopy(look.feedback)
        for run_id, row_id, key, score, created_at in self._spool.feedback_rows():
            if run_id in look.pending and created_at <= look.at:
                continue
            for _, old_key, old in self._known_spool.feedback([row_id]).values():
                tallies.setdefault(old_key, Tally()).add(old, -1)
            tallies.setdefault(key, Tally()).add(score)
        return {key: tally for key, tally in tallies.items() if tally.rows}

    def _feedback_adds_up(self, look: Look, project: Project, tallies: dict[str, Tally]) -> bool:
        """Whether the service says of the feedback what is known and found."""
        said = project.feedback_stats
        if said == look.feedback_stats and tallies == look.feedback:
            return True
        return (
            agree(look.feedback_stats, look.feedback)
            and agree(said, tallies)
            and (self._has_new_summary or said.get("session") == look.feedback_stats.get("session"))
        )

    # ---- runs by id ----

    def _with_new_feedback(self) -> list[str]:
        """Return the known runs that have a row which is new or was changed.

        Raises:
            DoubtError: one of them could not be loaded, so that its other rows are not kept.
        """
        on_runs = {row[0] for row in self._spool.feedback_rows() if not self._spool.has(row[0])}
        found = self._known_spool.known(on_runs)
        if found & self._known_spool.known(on_runs, rejected=True):
            raise DoubtError("a run that could not be loaded has new feedback")
        return sorted(found)

    def _fetch(self, experiments: Sequence[str] | None, ids: Sequence[str]) -> None:
        """Read known runs anew, with the feedback that is kept of them beside what is new."""
        if not ids:
            return
        project_id = self._query.project.id
        for page in self._query.by_ids(ids, self._known_spool.earliest(ids)):
            self._reader.keep_runs(page)
        self._spool.fill_feedback(
            (run_id, row)
            for run_id, rows in self._known.feedback(project_id, experiments, ids)
            for row in rows
        )
