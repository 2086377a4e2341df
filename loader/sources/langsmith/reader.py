"""Reading a whole project: run pages and feedback pages at the same time, to the spool.

Run pages follow each other by cursor. Feedback pages go by offset, so as many as the
service counts rows for are asked for at once, and then one by one until a page is
short: F rows cost ⌊F/100⌋ + 1 requests. The service lists the newest first, so rows
written meanwhile push others to later pages. Read in order, such rows come twice; read at
once, they may also be missed, but never without others coming twice: the last page is
always read last. Only then is the feedback read again, in order.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import msgspec

from . import feedback
from .runs import RunQuery, normalised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .client import LangSmith
    from .spool import Spool
    from .wire import RunPage

# Requests for feedback under way at once: enough to hide the network's latency.
FEEDBACK_AT_ONCE = 4
UNREADABLE = (
    "the run has no id, or holds what JSON does not allow, such as half of a surrogate pair "
    "or NaN; correct it in LangSmith"
)


class Reader:
    """Moves one project's runs and feedback into a spool."""

    def __init__(
        self,
        client: LangSmith,
        query: RunQuery,
        spool: Spool,
        position: Callable[[dict[str, object]], str],
        min_created_at: str | None = None,
    ) -> None:
        """Prepare to read.

        Args:
            client: the connection.
            query: the run query of the project.
            spool: where everything goes.
            position: names what a normalised run is a repetition of.
            min_created_at: only feedback created then or later, ISO 8601; all without it.
        """
        self._client = client
        self._query = query
        self._spool = spool
        self._position = position
        self._decode = msgspec.json.Decoder(dict[str, object]).decode
        self._next_offset = 0
        # rows that the service counts: only pages that these fill are asked for ahead
        self._expected = 0 if min_created_at else sum(query.project.feedback_counts.values())
        self._min_created_at = min_created_at
        self._short_page_met = False
        self._at_once = False

    def read(self) -> None:
        """Read everything, or raise and leave the spool unfinished.

        Raises:
            ConfigurationError: LangSmith refuses the request.
            SourceUnavailable: a page could not be had.
        """
        pool = ThreadPoolExecutor(1 + FEEDBACK_AT_ONCE, thread_name_prefix="langsmith")
        runs: set[Future[RunPage]] = set()
        pages: dict[Future[list[msgspec.Raw]], int] = {}

        def ask_for_feedback() -> None:
            while len(pages) < FEEDBACK_AT_ONCE and self._may_ask(under_way=bool(pages)):
                page = pool.submit(self._feedback_page, self._next_offset)
                pages[page] = self._next_offset
                self._at_once = self._at_once or len(pages) > 1
                self._next_offset += feedback.PAGE

        try:
            runs.add(pool.submit(self._query.first))
            ask_for_feedback()
            while runs or pages:
                under_way: list[Future[Any]] = [*runs, *pages]
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done & runs:
                    runs.remove(future)
                    cursor = future.result().cursor
                    if cursor:
                        runs.add(pool.submit(self._query.after, cursor))
                    self.keep_runs(future.result())
                for page in [page for page in pages if page in done]:
                    del pages[page]
                    self.keep_feedback(page.result())
                    ask_for_feedback()
            if self._spool.repeated_feedback and self._at_once:
                self._read_feedback_again()
            self._read_missing_runs()
        except BaseException:
            self._client.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._client.resume()
        self._spool.seal()

    def _may_ask(self, *, under_way: bool) -> bool:
        """Whether another page of feedback is certain to be needed."""
        if self._short_page_met:
            return False
        # the page after the expected ones shows whether there are more: alone
        return self._next_offset + feedback.PAGE <= self._expected or not under_way

    def _feedback_page(self, offset: int) -> list[msgspec.Raw]:
        project_id = self._query.project.id
        return feedback.read_page(self._client, project_id, offset, self._min_created_at)

    def _read_feedback_again(self) -> None:
        """Read every page of feedback in order, so that nothing can be missed."""
        repeated = self._spool.repeated_feedback
        offset = 0
        size = feedback.PAGE
        while size == feedback.PAGE:
            page = self._feedback_page(offset)
            self.keep_feedback(page)
            size = len(page)
            offset += feedback.PAGE
        self._spool.repeated_feedback = repeated

    def _read_missing_runs(self) -> None:
        """Read what the service counts and the query's time windows do not hold."""
        repeated = self._spool.repeated_runs
        for page in self._query.missing(self._spool):
            self.keep_runs(page)
        self._spool.repeated_runs = repeated

    def keep_runs(self, page: RunPage) -> None:
        """Put a page of runs into the spool."""
        self._spool.add_runs(self._readable_runs(page))

    def _readable_runs(self, page: RunPage) -> Iterator[tuple[str, dict[str, object]]]:
        """Decode runs one by one; only one page's JSON is in memory."""
        for raw in page.runs:
            try:
                run = normalised(self._decode(raw))
            except (msgspec.MsgspecError, KeyError):
                # without its parts the run cannot be told from its inputs and outputs
                original = b"" if self._query.with_io else bytes(raw)
                self._spool.add_unreadable(UNREADABLE, original)
                continue
            yield self._position(run), run

    def keep_feedback(self, page: list[msgspec.Raw]) -> None:
        """Put a page of feedback into the spool."""
        if len(page) < feedback.PAGE:
            self._short_page_met = True
        self._spool.add_feedback(self.readable_feedback(page))

    def readable_feedback(
        self, page: list[msgspec.Raw]
    ) -> Iterator[tuple[str | None, dict[str, object]]]:
        """Decode the rows of a page, each behind the id of its run; count what is none."""
        for raw in page:
            try:
                row = self._decode(raw)
            except msgspec.MsgspecError:
                row = {}
            if not isinstance(row.get("id"), str):
                self._spool.unreadable_feedback += 1
                continue
            if feedback.is_own(row):
                continue
            run_id = row.get("run_id")
            yield str(run_id) if run_id else None, feedback.compact(row)
