"""Records that could not be delivered: append-only files, loaded exactly once and in order.

What a file looks like is said in `loader.recording.spool_file`. Every batch carries an id by
which the database knows it again, so loading a file twice changes nothing, and a file is
removed only after the commit of its load. `flock` keeps writers and loaders apart: a writer
that finds its file in use or gone begins another, so it never waits.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from ..errors import LoaderError, SourceUnavailable
from ..sources import Rejection, SourceRow
from ..warehouse.project import cannot_write, home_directory
from .spool_file import (
    Batch,
    Header,
    batches,
    framed,
    header_of,
    is_locked,
    is_whole,
    last_of_source,
    next_name,
    read_header,
    sync_directory,
    try_lock,
    unframed,
    waiting_in,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from ..ingest.summary import LoadSummary
    from ..records.vocabulary import Vocabulary
    from ..warehouse.connection import Connection

__all__ = [
    "Header",
    "SpoolWriter",
    "framed",
    "has_older",
    "replay",
    "replay_waiting",
    "spool_directory",
    "target_name",
    "unframed",
    "waiting",
]
_LOCK_NAME: Final = "loading.lock"
_EMBEDDED: Final = "embedded"
_PATIENCE_SECONDS: Final = 1.0
"""How long a loader waits for a writer: appending takes milliseconds."""
_log = logging.getLogger(__name__)


def spool_directory() -> Path:
    """Return the folder of the spool files; it need not exist."""
    return home_directory() / "spool"


def waiting(directory: Path | None = None) -> list[Path]:
    """Return the spool files that wait, the oldest first."""
    return waiting_in(directory or spool_directory())


def has_older(source: str, target: str, directory: Path | None = None) -> bool:
    """Whether something of a source waits for a database, whoever wrote it."""
    for path in waiting(directory):
        header = header_of(path)
        is_ours = header is None or (header.source == source and _leads_to(header.target, target))
        if is_ours and path.exists():
            return True
    return False


def target_name(database_url: str | None = None) -> str:
    """Name the database that an option and the environment lead to; no user, no password."""
    from psycopg.conninfo import conninfo_to_dict  # listing files needs no driver
    from psycopg.pq import Conninfo

    from ..warehouse.connection import connection_string, is_embedded

    if is_embedded(database_url):
        return _EMBEDDED
    values = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val is not None
    }
    values |= {
        name: str(value)
        for name, value in conninfo_to_dict(connection_string(database_url)).items()
    }
    host = values.get("hostaddr") or values.get("host") or ""
    return f"{host}:{values.get('port', '')}/{values.get('dbname') or values.get('user', '')}"


class SpoolWriter:
    """Appends records to a spool file, which it creates when there is something to keep."""

    def __init__(self, header: Header, directory: Path | None = None) -> None:
        """Choose where; nothing is created yet."""
        self._header = header
        self.directory = directory or spool_directory()
        self._lock = threading.RLock()
        self.path: Path | None = None
        """The file that has what was appended last."""

    @property
    def has_waiting(self) -> bool:
        """Whether something appended here is not loaded yet."""
        return self.path is not None and self.path.exists()

    def append(self, records: Sequence[bytes], delivery: str | None = None) -> None:
        """Keep a batch of records behind all that was kept before; then it is on disk.

        Args:
            records: JSON texts without line feeds.
            delivery: the id of the batch, where it may also reach the database otherwise.

        Raises:
            OSError: the disk is full or not writable; nothing was kept.

        """
        batch = Batch(delivery or str(uuid.uuid4()), len(records))
        with self._lock, self._opened() as descriptor:
            size = os.fstat(descriptor).st_size
            try:
                write(descriptor, b"".join(map(framed, (batch.to_line(), *records))))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open and lock the last file of the source, or a new one if that cannot be gone on with.

        A new one is there afterwards only if something was written to it.
        """
        files = waiting_in(self.directory)
        last = last_of_source(files, self._header.source)
        if last is not None:
            try:
                descriptor = os.open(last, os.O_RDWR | os.O_APPEND)
            except OSError:
                pass  # loaded meanwhile, or another user's
            else:
                try:
                    if self._goes_on(descriptor, last):
                        self.path = last
                        yield descriptor
                        return
                finally:
                    os.close(descriptor)
        while True:
            path, descriptor = self._create(files)
            try:
                if not is_locked(descriptor, path):
                    continue
                write(descriptor, framed(self._header.to_json().encode()))
                yield descriptor
                sync_directory(self.directory)
            except OSError:
                with suppress(OSError):
                    path.unlink()  # a full disk has room for names
                raise
            finally:
                os.close(descriptor)
            self.path = path
            return

    def _goes_on(self, descriptor: int, path: Path) -> bool:
        """Whether a file can be appended to: nobody is at it, and it was not torn by a crash."""
        return (
            is_locked(descriptor, path) and is_whole(descriptor) and header_of(path) == self._header
        )

    def _create(self, files: Sequence[Path]) -> tuple[Path, int]:
        # records may be private: nobody else reads them
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / next_name(files, self._header.source)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        return path, os.open(path, flags, mode=0o600)


class SpoolSource:
    """A spool file as a source of runs."""

    never_waits = True

    def __init__(self, path: Path, file: IO[bytes], header: Header, taken: Collection[str]) -> None:
        """Read from an open file, its header already read; pass over batches that were taken."""
        self.name = header.source
        self._path = path
        self._file = file
        self._begin = file.tell()
        self._taken = taken
        self._whole: set[str] = set()

    def reference(self) -> dict[str, object]:
        """Name the file."""
        return {"spool": self._path.name}

    def deliveries(self) -> Collection[str]:
        """Return the ids of the batches that were read whole."""
        return self._whole

    def rows(self) -> Iterator[SourceRow]:
        """Yield every record; a damaged line is rejected, a torn last one passed over.

        Raises:
            SourceUnavailable: the disk fails.

        """
        self._whole.clear()
        batch, left, is_known = Batch("", 0), 0, False
        try:
            self._file.seek(self._begin)
            for number, line in enumerate(self._file, start=2):
                text = unframed(line)
                begun = None if text is None else Batch.of_line(text)
                if begun is not None:
                    batch, left = begun, begun.records
                    is_known = batch.delivery in self._taken or batch.delivery in self._whole
                elif is_known:
                    continue
                elif text is not None:
                    yield SourceRow(number, self._path.name, text, None, None)
                    left -= 1
                    if batch.delivery and not left:
                        self._whole.add(batch.delivery)
                elif line.endswith(b"\n"):
                    reason = "the line does not match its checksum; the disk altered it"
                    rejection = Rejection("checksum_mismatch", reason)
                    yield SourceRow(number, self._path.name, line, None, rejection)
        except OSError as error:
            raise SourceUnavailable(
                f"reading {self._path} failed: {error.strerror}; its records stay there"
            ) from error


def replay(
    connection: Connection,
    vocabulary: Vocabulary,
    target: str,
    directory: Path | None = None,
) -> list[LoadSummary]:
    """Load every waiting file that is meant for this database, the oldest first.

    One process at a time does so: beside another one, this returns at once. Where a file is in
    use, what stands behind it waits for it.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        vocabulary: known groups, evaluators and metrics.
        target: the name of the database, from `target_name`.
        directory: the folder of the files, if not the usual one.

    Raises:
        ConfigurationError: the raw schema is missing, or the folder cannot be written.
        SourceUnavailable: a file cannot be read.
        WarehouseUnavailable: the server fails; what is not loaded stays.

    """
    folder = directory or spool_directory()
    if not waiting(folder):
        return []
    try:
        lock = (folder / _LOCK_NAME).open("a")
    except OSError as error:
        raise cannot_write(folder, error) from None
    with lock:
        if not try_lock(lock.fileno()):
            return []
        return list(_load_waiting(connection, vocabulary, target, folder))


def replay_waiting(database_url: str | None = None) -> int:
    """Load what waits for a database, if anything does and it can be reached.

    Every command begins with this. Returns the number of records read; never raises a
    `LoaderError`: a command that needs the database says itself what is wrong.
    """
    if not waiting():
        return 0
    from ..warehouse.connection import connect  # most commands find nothing waiting
    from ..warehouse.seeds import read_vocabulary

    try:
        target = target_name(database_url)
        with connect(database_url) as connection:
            summaries = replay(connection, read_vocabulary(), target)
    except LoaderError as error:
        _log.info("spooled records wait on: %s", error)
        return 0
    return sum(summary.read for summary in summaries)


def _load_waiting(
    connection: Connection, vocabulary: Vocabulary, target: str, folder: Path
) -> Iterator[LoadSummary]:
    held: set[str] = set()  # sources of which something older is in use
    for path in waiting_in(folder):
        header = header_of(path)
        if header is not None and header.source in held:
            continue
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from None
        with file:
            if is_locked(file.fileno(), path, _PATIENCE_SECONDS):
                summary = _load_file(connection, vocabulary, target, path, file)
                if summary is not None:
                    yield summary
            elif path.exists():
                header = header_of(path)
                if header is None:
                    return
                held.add(header.source)


def _load_file(
    connection: Connection, vocabulary: Vocabulary, target: str, path: Path, file: IO[bytes]
) -> LoadSummary | None:
    header = read_header(file)
    if header is None:
        file.seek(0)
        if not file.readline().endswith(b"\n"):
            path.unlink()  # begun by a writer that never came to acknowledge anything
        else:
            damaged = path.with_suffix(".damaged")
            path.rename(damaged)
            _log.warning("%s is no spool file any more; kept as %s", path.name, damaged)
        return None
    if not _leads_to(header.target, target):
        return None
    summary = _load_once(connection, vocabulary, header, path, file)
    try:
        path.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise cannot_write(path.parent, error) from None
    if summary.rejected:
        _log.warning(
            "%d spooled records were rejected, see raw_evals.rejected_rows of load %s",
            summary.rejected,
            summary.load_id,
        )
    return summary


def _load_once(
    connection: Connection, vocabulary: Vocabulary, header: Header, path: Path, file: IO[bytes]
) -> LoadSummary:
    from ..ingest import deliveries  # writing a spool needs no driver
    from ..ingest.load import load

    begin = file.tell()
    ids = {batch.delivery for batch in batches(file)}
    while True:
        file.seek(begin)
        source = SpoolSource(path, file, header, deliveries.taken(connection, ids))
        try:
            return load(
                connection, source, vocabulary.acknowledged(), keep_contents=header.keep_contents
            )
        except deliveries.AlreadyTaken:
            continue  # a batch that was on its way has arrived meanwhile


def _leads_to(written_for: str, target: str) -> bool:
    """Whether two names are one database: the embedded server also has an address."""
    if written_for == target:
        return True
    if _EMBEDDED not in (written_for, target):
        return False
    from ..warehouse import embedded
    from ..warehouse.connection import embedded_directory

    conninfo = embedded.running(embedded_directory())
    return conninfo is not None and {written_for, target} == {_EMBEDDED, target_name(conninfo)}
