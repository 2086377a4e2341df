"""Real PostgreSQL servers for the tests: the embedded one, and Debian's where installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import programs
from loader.errors import WarehouseUnavailable
from loader.warehouse import embedded as server
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
_DEBIAN = Path("/usr/lib/postgresql/15/bin")
# nothing here has to outlive a crash of the machine
_SPEED = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_RUN = "EVALMART_TEST_RUN"
"""Where the processes of one run find what they share."""
_MEMORY, _DISK = Path("/dev/shm"), Path("/tmp")  # noqa: S108  a socket's name must be short
_ROOM = 4 * 1024**3
"""Bytes that memory must have free for the servers of a run."""
_PREFIX = "evalmart-"
_LOCK = "run.lock"
"""Held by the first process of a run until it ends, however it ends."""


def available() -> list[str]:
    """Name the servers these tests can run on: the newest supported, and the oldest."""
    if os.environ.get("EVALMART_TEST_SERVERS") == "newest":
        return ["18"]
    is_oldest_here = (_DEBIAN / "initdb").exists() or programs.are_demanded()
    return ["18", *(["15"] if is_oldest_here else [])]


def begin_run() -> None:
    """Make the folder of a run; in the first of its processes, before the others start.

    Servers of runs that were killed are stopped first.
    """
    for place in (_MEMORY, _DISK):
        for folder in place.glob(f"{_PREFIX}*"):
            _sweep(folder)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_place()))
    folder.chmod(0o755)
    new = folder / f"{_LOCK}.new"
    lock = os.open(new, os.O_CREAT | os.O_RDWR, 0o600)  # closed by the end of the process
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(folder / _LOCK)  # nobody finds it free
    os.environ[_RUN] = str(folder)
    os.environ["EVALMART_PARSED"] = str(folder / "parsed")  # importing its name imports dbt


def run_folder() -> Path:
    """Return where the processes of this run keep what is gone with it."""
    return Path(os.environ[_RUN])


def _place() -> Path:
    """Return where a run keeps its databases: in memory, where there is room.

    A database for a test is some three hundred files, which cost a disk's file system five
    times as much as one in memory; and a build need not wait for what others write.
    """
    try:
        room = os.statvfs(_MEMORY)
    except OSError:
        return _DISK  # no such system
    is_usable = os.access(_MEMORY, os.W_OK) and room.f_bavail * room.f_frsize >= _ROOM
    return _MEMORY if is_usable else _DISK


def end_run() -> None:
    """Stop what the run has started, and remove its folder."""
    _remove(Path(os.environ.pop(_RUN)))


def _sweep(folder: Path) -> None:
    """Remove the folder of a run that was killed; leave any other."""
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for pid_file in _pid_files(folder):
                # the number of a server that is gone may be somebody else's by now
                if not is_up(pid_file):
                    pid_file.unlink()
            _remove(folder)
    except OSError:
        return  # alive, another user's, or of no run


def _pid_files(folder: Path) -> list[Path]:
    found = []
    for directory, below, names in os.walk(folder):
        if "postmaster.pid" in names:
            found.append(Path(directory, "postmaster.pid"))
            below.clear()
    return found


def is_up(pid_file: Path) -> bool:
    """Whether the process of a `postmaster.pid` is the server of its folder."""
    try:
        process = pid_file.read_text(encoding="utf-8").split()[0]
        return Path(f"/proc/{process}/cwd").readlink() == pid_file.parent.resolve()
    except (OSError, IndexError):
        return False


def _remove(folder: Path) -> None:
    """Stop every server whose data is in a folder, and remove the folder."""
    for pid_file in _pid_files(folder):
        try:
            server.stop(pid_file.parent)
        except (WarehouseUnavailable, OSError) as error:
            warnings.warn(f"{pid_file.parent}: {error}", stacklevel=2)
    shutil.rmtree(folder, ignore_errors=True)


def shared(name: str) -> str:
    """Return the connection string of the run's server of a version; the first caller starts it."""
    folder = run_folder()
    said = folder / f"{name}.conninfo"
    with _alone(f"{name}.lock"):
        if not said.exists():
            (folder / name).mkdir(mode=0o755, exist_ok=True)
            said.write_text(_SERVERS[name](folder / name), encoding="utf-8")
    return said.read_text(encoding="utf-8")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keep the other processes of the run out."""
    with (run_folder() / name).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def template(conninfo: str, name: str, fill: Callable[[str], object]) -> str:
    """Return the name of a database to clone, which the first caller of the run fills.

    Args:
        conninfo: of a server of the run.
        name: of the template.
        fill: called with the connection string of the empty database.
    """
    place = str(conninfo_to_dict(conninfo)["host"]).replace("/", "-")
    with (
        _alone(f"{place}-{name}.lock"),
        psycopg.connect(conninfo, autocommit=True) as connection,
    ):
        query = "select datistemplate from pg_database where datname = %s"
        found = connection.execute(query, (name,)).fetchone()
        if found is None or not found[0]:  # a fill that failed leaves an unmarked one
            drop = sql.SQL("drop database if exists {} with (force)")
            connection.execute(drop.format(sql.Identifier(name)))
            create = sql.SQL("create database {} template template0 encoding 'UTF8'")
            connection.execute(create.format(sql.Identifier(name)))
            fill(make_conninfo(conninfo, dbname=name))
            mark = sql.SQL("alter database {} is_template true")
            connection.execute(mark.format(sql.Identifier(name)))
    return name


@cache
def raw_template(conninfo: str) -> str:
    """Return the name of a database with the raw schema, to clone on a server of the run."""

    def fill(url: str) -> None:
        with connect(url) as connection:
            migrate(connection)

    return template(conninfo, "raw", fill)


def migrated(conninfo: str) -> fresh_database:
    """Return a database with the raw schema, to be entered; dropped on exit."""
    return fresh_database(conninfo, raw_template(conninfo))


def _start_embedded(directory: Path) -> str:
    conninfo = server.start(directory / "data")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name, value in _SPEED.items():
            connection.execute(f"alter system set {name} = {value}".encode())
        connection.execute("select pg_reload_conf()")
    return conninfo


def _as_owner() -> list[str]:
    return [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]


def start_debian(
    directory: Path,
    listen: str = "''",
    port: int = 5432,
    prepare: Callable[[Path], object] = lambda data: data,
) -> str:
    """Start Debian's server in a directory; return how to connect by its socket.

    Args:
        directory: an empty one.
        listen: addresses; none, if not given.
        port: of those, and in the socket's name.
        prepare: called with the data directory before the server starts.
    """
    data = directory / "data"
    if _as_owner():
        shutil.chown(directory, "postgres")
    initdb = [str(_DEBIAN / "initdb"), "-A", "trust", "-U", "postgres", "-D", str(data)]
    if not (data / "PG_VERSION").exists():  # of a start that failed
        subprocess.run([*_as_owner(), *initdb], check=True, capture_output=True)
    prepare(data)
    settings = [f"-c {name}={value}" for name, value in _SPEED.items()]
    options = " ".join([f"-h {listen} -p {port}", f"-k {directory}", "-c jit=off", *settings])
    control = [*_as_owner(), str(_DEBIAN / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*control, "-l", str(directory / "log"), "-o", options, "start"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return f"host='{directory}' port={port} user=postgres dbname=postgres"


_SERVERS: dict[str, Callable[[Path], str]] = {"18": _start_embedded, "15": start_debian}


@contextmanager
def own(name: str) -> Iterator[str]:
    """Start a server of a version for one test alone, whose roles are nobody else's."""
    with short_directory() as directory:
        try:
            yield _SERVERS[name](directory)
        finally:
            server.stop(directory / "data")


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory of the run whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(dir=run_folder()))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class fresh_database:  # noqa: N801  used as a context manager
    """Create a database on a server, and drop it on exit; for fixtures of any scope."""

    def __init__(self, conninfo: str, template: str = "template0") -> None:
        """Choose a name; nothing is created yet. It begins as a copy of the template."""
        self.conninfo = conninfo
        self.template = template
        self.name = f"test_{uuid.uuid4().hex}"

    def __enter__(self) -> str:
        """Create the database and return its connection string."""
        # as files: written to the log page by page, a copy costs the server twice as much
        self._execute(
            sql.SQL("create database {} template {} encoding 'UTF8' strategy file_copy").format(
                sql.Identifier(self.name), sql.Identifier(self.template)
            )
        )
        return make_conninfo(self.conninfo, dbname=self.name)

    def __exit__(self, *_: object) -> None:
        """Drop it, with whoever is still connected."""
        self._execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(self.name)))

    def _execute(self, statement: sql.Composed) -> None:
        try:
            _door(self.conninfo).execute(statement)
        except psycopg.OperationalError:
            door = _DOORS.get(self.conninfo)
            if door is None or not door.broken:
                raise
            _DOORS.pop(self.conninfo).close()
            _door(self.conninfo).execute(statement)


_DOORS: dict[str, psycopg.Connection] = {}
"""A connection of this process to each server: most of a new one is the server's start of it."""


def _door(conninfo: str) -> psycopg.Connection:
    if conninfo not in _DOORS or _DOORS[conninfo].closed:
        _DOORS[conninfo] = psycopg.connect(conninfo, autocommit=True)
    return _DOORS[conninfo]


def leave() -> None:
    """Close what this process holds open for as long as it lives."""
    while _DOORS:
        _DOORS.popitem()[1].close()
