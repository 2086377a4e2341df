"""Record results from code: checked at once, delivered in the background.

`record` checks a record, keeps it in memory and returns; a thread of the recorder's own
delivers what waits, every few seconds or when enough has come together. What the database
does not take goes to a spool file, which the next recorder or command loads. `flush`
returns when everything recorded before it is in the database or on disk. What is there
already when a session begins is the affair of `loader.recording.existing`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, Unpack

import msgspec

from ..errors import ConfigurationError
from ..records import checks
from ..records.checker import Checker, Defaults
from ..records.form import ABSENT
from ..records.json_text import refuse_oversized, too_deep
from ..warehouse.seeds import read_vocabulary
from ..warehouse.variables import keeps_contents
from .delivery import Delivery
from .existing import Arm, OnExisting, Session
from .one_by_one import OneByOne
from .values import (
    RecordFields,
    plain,
    to_json,
    to_json_strictly,
    with_metrics,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

__all__ = ["AsyncRecorder", "RecordFields", "Recorder"]
SOURCE: Final = "recorder"
"""The `source` of every run recorded from code."""
_log = logging.getLogger(__name__)


class Recorder:
    """Records runs of one experiment; a context manager, and safe for many threads.

    Every call of `record` is a run of its own: a second record of the same task is another
    repetition of it, and the marts show their mean. To correct a run, name it: records
    with the same `source_run_id` are successive versions of one run.
    """

    _looks_at_once: ClassVar = True

    def __init__(  # noqa: PLR0913  keyword arguments, most of them a record's own fields
        self,
        *,
        experiment_id: str | None = None,
        experiment_group: str | None = None,
        extension_version: str | None = None,
        agent_name: str | None = None,
        model_version: str | None = None,
        dataset_version: str | None = None,
        baseline_experiment_id: str | None = None,
        database_url: str | None = None,
        flush_seconds: float = 2.0,
        flush_records: int = 1_000,
        queue_records: int = 10_000,
        exit_seconds: float = 10.0,
        source: str = SOURCE,
        on_existing: str = OnExisting.ADD,
        as_of_load: int | None = None,
        with_io: bool = False,
        on_record: Callable[[bytes], None] | None = None,
    ) -> None:
        """Begin to record: see what is there, if experiment, group and version are given.

        Of an arm that only records name it is seen at its first record. Records that name
        their run (`source_run_id`) are versions of it, whatever `on_existing` says.

        Args:
            experiment_id: fills the field of records that lack it, as do the next six.
            experiment_group: likewise.
            extension_version: likewise.
            agent_name: likewise.
            model_version: likewise.
            dataset_version: likewise.
            baseline_experiment_id: likewise.
            database_url: which database, as in `loader.warehouse.connection`.
            flush_seconds: deliver at least so often.
            flush_records: deliver as soon as so many wait.
            queue_records: with so many waiting, all go to the spool file.
            exit_seconds: how long leaving the context, the end of the program and SIGTERM
                wait for the database before they turn to the spool file.
            source: the `source` of the runs.
            on_existing: where the arm has runs already, `add` repetitions, which is said;
                `replace` them by new versions; or `refuse` to begin. `add` does not need
                the database.
            as_of_load: what came with later loads is the session's own, not there already:
                for the processes of one session.
            with_io: whether inputs and outputs are kept; else only what tells equal ones,
                unless the var `keep_contents` says so.
            on_record: given the JSON text of each record that was taken.

        Raises:
            ConfigurationError: the project's seeds or vars cannot be read, the database's address
                is malformed, or there are runs and `on_existing` refuses.
            WarehouseUnavailable: the database is away, and `on_existing` is not `add`.

        """
        self._defaults = Defaults(
            experiment_id=experiment_id,
            experiment_group=experiment_group,
            extension_version=extension_version,
            agent_name=agent_name,
            model_version=model_version,
            dataset_version=dataset_version,
            baseline_experiment_id=baseline_experiment_id,
        )
        self._given = self._defaults.given()
        self._vocabulary = read_vocabulary()
        Checker(self._vocabulary, self._defaults)  # refuses settings that no record can have
        checks.refuse_source(source)
        self._checkers = threading.local()
        self._exit_seconds = exit_seconds
        self._is_closed = False
        self._on_record = on_record
        self._delivery = Delivery(
            source,
            self._vocabulary,
            database_url,
            flush_seconds=flush_seconds,
            flush_records=flush_records,
            queue_records=queue_records,
            exit_seconds=exit_seconds,
            keep_contents=keeps_contents(asked=with_io),
        )
        self._session = Session(
            source, self._vocabulary, database_url, OnExisting.of(on_existing), as_of_load
        )
        if self._looks_at_once:
            self._look()

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Deliver what waits and end, whether the block succeeded or not."""
        self.close()

    def record(self, **fields: Unpack[RecordFields]) -> str:
        """Take one run; it is checked now and delivered soon.

        Returns:
            The run's `source_run_id`.

        Raises:
            InvalidRecord: the record breaks the contract; names the field. Nothing is kept.
            ConfigurationError: the recorder is closed, or its arm is refused.
            WarehouseUnavailable: neither the database nor the disk takes anything, and
                memory is full. The record is not kept.

        """
        run_id, line = self._checked(fields)
        self._delivery.add(line)
        self._session.note_recorded(run_id)
        if self._on_record is not None:
            self._on_record(line)
        return run_id

    def prepare(self, **fields: Unpack[RecordFields]) -> RecordFields:
        """Check a run and give it its id, but keep nothing of it.

        Returns:
            The record whole, `source_run_id` and `repetition` included: change what turns
            out otherwise, and hand it to `record`.

        Raises:
            As `record`.

        """
        _, line = self._checked(fields)
        prepared: RecordFields = msgspec.json.decode(line)
        return prepared

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything recorded before this call is safe.

        That is, committed in the database or, if it does not answer in time, written to
        the spool file with fsync.

        Args:
            timeout: seconds to wait for the database; the recorder's `exit_seconds` if
                not given.

        Raises:
            WarehouseUnavailable: neither takes it; the records stay in memory.

        """
        self._delivery.flush(self._exit_seconds if timeout is None else timeout)

    def close(self) -> None:
        """Flush and end; closing twice is fine.

        Raises:
            WarehouseUnavailable: neither the database nor the disk takes what waits.

        """
        if not self._is_closed:
            self._delivery.close()
            self._is_closed = True
            remaining = self._session.remaining()  # of one process among several means nothing
            if remaining and self._session.as_of_load is None:
                _log.warning("%s", remaining)

    @property
    def loaded_count(self) -> int:
        """How many records the database has taken so far."""
        return self._delivery.loaded_count

    @property
    def spooled_count(self) -> int:
        """How many records went to the spool file, whether they were loaded since or not."""
        return self._delivery.spooled_count

    @property
    def replaced_count(self) -> int:
        """How many runs that were there have got new versions so far."""
        return self._session.replaced_count

    @property
    def notes(self) -> list[str]:
        """What was there when the session began, and what it has not replaced; for a person."""
        return self.notes_with(0)

    def notes_with(self, replaced_elsewhere: int) -> list[str]:
        """Return `notes`, counting what other processes of the session have replaced."""
        remaining = self._session.remaining(replaced_elsewhere)
        return [*self._session.notes, *([remaining] if remaining else [])]

    def _look(self) -> None:
        """See what is there of the recorder's own arm, if it has one."""
        given = [self._given.get(name, "") for name in Arm._fields]
        if all(given):
            self._session.begin(Arm(*given))

    def _is_at_hand(self, fields: RecordFields) -> bool:
        """Whether a record needs no look at the database first."""
        if fields.get("source_run_id"):
            return True
        known = {**fields, **self._given}
        return self._session.knows(Arm(*(str(known.get(name)) for name in Arm._fields)))

    def _checked(self, fields: RecordFields) -> tuple[str, bytes]:
        """Check a record; return its id and its JSON text."""
        run = self._completed(fields)
        try:
            checker: OneByOne = self._checkers.checker
        except AttributeError:
            # one a thread: a checker is not for two at once
            checker = self._checkers.checker = OneByOne(self._vocabulary, self._defaults)
        try:
            text = to_json(run)
            if b"null" in text:
                text = to_json_strictly(run).encode()
            is_sound = checker.is_sound(text)
        except (ValueError, TypeError, OverflowError, RecursionError):
            is_sound = False  # nothing that JSON can hold
        run_id = run.get("source_run_id")
        is_named = isinstance(run_id, str) and bool(run_id.strip())
        if is_sound:
            # what the recorder says goes without saying until here
            run |= self._given
            if not is_named:
                run |= self._placed(Arm(*(run[name] for name in Arm._fields)), run)
            line = to_json(run)
            refuse_oversized(line)
            return run["source_run_id"], line
        # puts right what can be, or says what is wrong and where
        try:
            record = checker.check(plain(run))
        except RecursionError:  # under a stack that is deep itself
            raise too_deep() from None
        record.is_id_derived = ABSENT  # it gets one of its own
        if not is_named:
            arm = Arm(record.experiment_id, record.experiment_group, record.extension_version)
            found = {"task_id": record.task_id, "repetition": record.repetition}
            for name, value in self._placed(arm, found).items():
                setattr(record, name, value)
        line = to_json(record)
        checker.require_loadable(line)
        return record.source_run_id, line

    def _completed(self, fields: RecordFields) -> dict[str, Any]:
        """Return the fields with what goes without saying."""
        if self._is_closed:
            raise ConfigurationError("this recorder is closed; make another one")
        run: dict[str, Any] = dict(fields)
        if "metrics" in run:
            with_metrics(run)
        if run.get("recorded_at") is None:
            run["recorded_at"] = datetime.now(UTC)
        return run

    def _placed(self, arm: Arm, run: Mapping[str, Any]) -> dict[str, Any]:
        """Return the id and the repetition of a sound run that names none."""
        run_id, repetition = self._session.place(arm, run["task_id"], run.get("repetition"))
        return {"source_run_id": run_id, "repetition": repetition}


class AsyncRecorder:
    """A `Recorder` for asyncio: `async with`, and `await` before every call.

    Safe for any number of tasks. `record` does not leave the event loop unless memory is
    full or the arm is new; `flush`, the beginning and the end wait in a thread.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  Recorder says what they are
        """Take the arguments of `Recorder`."""
        self._recorder = _Patient(**options)

    async def __aenter__(self) -> Self:
        """See what is there, and return the recorder; raises as `Recorder` does."""
        await asyncio.to_thread(self._recorder._look)  # noqa: SLF001  two faces of one thing
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Deliver what waits and end, even if the task is being cancelled."""
        await self.close()

    async def record(self, **fields: Unpack[RecordFields]) -> str:
        """Take one run, as `Recorder.record`."""
        recorder = self._recorder
        if recorder._delivery.is_full or not recorder._is_at_hand(fields):  # noqa: SLF001
            return await asyncio.to_thread(recorder.record, **fields)
        return self._recorder.record(**fields)

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  of the database
        """Return when everything recorded before this call is safe."""
        await asyncio.to_thread(self._recorder.flush, timeout)

    async def close(self) -> None:
        """Flush and end."""
        closing = asyncio.ensure_future(asyncio.to_thread(self._recorder.close))
        await asyncio.shield(closing)

    @property
    def loaded_count(self) -> int:
        """How many records the database has taken so far."""
        return self._recorder.loaded_count

    @property
    def spooled_count(self) -> int:
        """How many records went to the spool file."""
        return self._recorder.spooled_count

    @property
    def notes(self) -> list[str]:
        """What was there when the session began, and what it has not replaced."""
        return self._recorder.notes


class _Patient(Recorder):
    """A recorder that does not look at the database before it is asked to."""

    _looks_at_once: ClassVar = False
