"""Record results from code: checked at once, delivered in the background.

`record` checks a record, keeps it in memory and returns; a thread of the recorder's own
delivers what waits, every few seconds or when enough has come together. What the database
does not take goes to a spool file, which the next recorder or command loads. `flush`
returns when everything recorded before it is in the database or on disk.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, Unpack

import msgspec

from loader.errors import ConfigurationError
from loader.recording.delivery import Delivery
from loader.records.checker import Checker, Defaults
from loader.records.form import decode
from loader.records.json_text import LARGEST_RECORD, decode_object
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

SOURCE: Final = "recorder"
"""The `source` of every run recorded from code."""


class RecordFields(TypedDict, total=False):
    """The fields of one run, as in the contract; those left out come from the recorder."""

    experiment_id: str
    task_id: str
    experiment_group: str
    extension_version: str
    source_run_id: str
    repetition: int
    recorded_at: datetime | str
    model_version: str
    agent_name: str | None
    scores: Mapping[str, float | bool | None]
    accuracy: float | bool | None
    completeness: float | bool | None
    efficiency: float | bool | None
    integration_quality: float | bool | None
    measurements: Mapping[str, float]
    latency_ms: float | None
    tokens_used: int | None
    cost_usd: float | None
    success: bool | None
    error_message: str | None
    dataset_version: str | None
    evaluator_versions: Mapping[str, str]
    baseline_experiment_id: str | None
    metadata: Mapping[str, object]


class Recorder:
    """Records runs of one experiment; a context manager, and safe for many threads.

    Every call of `record` is a run of its own: a second record of the same task is another
    repetition of it, and the marts show their mean. To correct a run, name it: records
    with the same `source_run_id` are successive versions of one run.
    """

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
    ) -> None:
        """Begin to record; neither the database nor the spool is touched yet.

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

        Raises:
            ConfigurationError: the project's seeds cannot be read, or the database's
                address is malformed.

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
        self._checkers = threading.local()
        self._prefix = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._exit_seconds = exit_seconds
        self._is_closed = False
        self._delivery = Delivery(
            source,
            self._vocabulary,
            database_url,
            flush_seconds=flush_seconds,
            flush_records=flush_records,
            queue_records=queue_records,
            exit_seconds=exit_seconds,
        )

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
            ConfigurationError: the recorder is closed.
            WarehouseUnavailable: neither the database nor the disk takes anything, and
                memory is full. The record is not kept.

        """
        run_id, line = self._checked(fields)
        self._delivery.add(line)
        return run_id

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

    @property
    def loaded_count(self) -> int:
        """How many records the database has taken so far."""
        return self._delivery.loaded_count

    @property
    def spooled_count(self) -> int:
        """How many records went to the spool file, whether they were loaded since or not."""
        return self._delivery.spooled_count

    def _checked(self, fields: RecordFields) -> tuple[str, bytes]:
        """Check a record; return its id and its JSON text."""
        if self._is_closed:
            raise ConfigurationError("this recorder is closed; make another one")
        run = dict(fields)
        if not run.get("source_run_id"):
            run["source_run_id"] = f"{self._prefix}-{next(self._numbers)}"
        if run.get("recorded_at") is None:
            run["recorded_at"] = datetime.now(UTC)
        try:
            checker: _OneByOne = self._checkers.checker
        except AttributeError:
            # one a thread: a checker is not for two at once
            checker = self._checkers.checker = _OneByOne(self._vocabulary, self._defaults)
        try:
            text = _encode(run)
            if b"null" in text:
                text = _to_json(run).encode()
            is_sound = checker.is_sound(text)
        except (ValueError, TypeError, RecursionError):
            is_sound = False  # nothing that JSON can hold
        if is_sound:
            # what the recorder says goes without saying until here
            return str(run["source_run_id"]), _encode({**run, **self._given})
        # puts right what can be, or says what is wrong and where
        return str(run["source_run_id"]), _encode(checker.check(_plain(run)))


class _OneByOne(Checker):
    """A checker in a hurry: it makes no row of a record, which waits to be loaded anyway."""

    __slots__ = ()

    def is_sound(self, text: bytes) -> bool:
        """Check one record written as JSON; false if it takes a closer look to tell.

        Raises:
            InvalidRecord: why not.

        """
        if len(text) > LARGEST_RECORD:
            decode_object(text)  # refuses it
        if not text.isascii() or b"\\u00" in text:
            # lengths count in bytes, and NUL is looked for, where a row is made
            admitted = self.admit_json([text])
            return admitted is not None and not admitted.asides
        try:
            record = decode(text)
        except msgspec.DecodeError:
            return False
        self._finish(record, strict=True)
        return True


class AsyncRecorder:
    """A `Recorder` for asyncio: `async with`, and `await` before every call.

    Safe for any number of tasks. `record` does not leave the event loop unless memory is
    full; `flush` and the end wait in a thread.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  Recorder says what they are
        """Take the arguments of `Recorder`."""
        self._recorder = Recorder(**options)

    async def __aenter__(self) -> Self:
        """Return the recorder."""
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
        if self._recorder._delivery.is_full:  # noqa: SLF001  two faces of one thing
            return await asyncio.to_thread(self._recorder.record, **fields)
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


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


# msgspec writes NaN as null, a guess that the check could not see through; so what may hold
# one takes the slower way, which refuses it
_encode: Final = msgspec.json.Encoder().encode
_to_json: Final = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_text
).encode


def _plain(value: Any) -> Any:  # noqa: ANN401  any field of a record
    """Return nested fields with plain numbers, so that the check can name what is wrong."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = getattr(value, "item", None)
    return item() if callable(item) else value
