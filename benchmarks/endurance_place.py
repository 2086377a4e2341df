"""Where the endurance of the program is tried: a server of its own, direct or through PgBouncer.

The server may be killed and started again, its disk may be a small one, and whatever else runs
does so in children of this process: a fork has everything imported already, so that thousands
of commands can be killed in the time that dozens would take to start.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loader.cli import COMMANDS, main
from loader.warehouse import dbt, embedded
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate
from loader.warehouse.variables import with_team_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
_SHORT = Path("/tmp")  # noqa: S108  a socket's name must be short
_DEBIAN = Path("/usr/lib/postgresql/15/bin")
_PGBOUNCER = Path("/usr/sbin/pgbouncer")
_OWNER = "postgres"
# a killed process loses nothing that the system has: only its crash would
_SETTINGS = {"fsync": "off", "max_connections": "200"}
_POOLER = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr =
unix_socket_dir = {directory}
listen_port = 6432
auth_type = trust
auth_file = {directory}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 60
server_login_retry = 1
ignore_startup_parameters = extra_float_digits,options
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""


class Place:
    """A server of a version, that may be killed; databases of its own, direct or pooled."""

    def __init__(self, directory: Path, version: str, *, pooled: bool = False) -> None:
        """Start it in this directory, whose path is short enough for a socket's name."""
        self.directory = directory
        self.version = version
        self._data = directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._pooler: subprocess.Popen[bytes] | None = None
        self.conninfo = self.start()
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(f"alter system set {name} = {value}".encode())
        self.stop()
        self.conninfo = self.start()
        if pooled:
            try:
                self._start_pooler()
            except psycopg.Error:
                self.close()
                raise

    def start(self) -> str:
        """Start the server; wait for what a killed one is still ending."""
        deadline = time.monotonic() + 120
        while True:
            try:
                if self.version == "15":
                    return self._start_debian()
                conninfo = embedded.start(self._data)
                with psycopg.connect(conninfo, connect_timeout=10):
                    return conninfo
            except Exception:  # what a crash leaves behind takes its time
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop it in good order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None
        else:
            embedded.stop(self._data)

    @property
    def server_pid(self) -> int:
        """The process above all of the server's."""
        return int((self._data / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def kill(self) -> None:
        """Kill the server with SIGKILL, and wait until every process of it is gone."""
        os.kill(self.server_pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=60)
            self._process = None
        deadline = time.monotonic() + 60
        while _servers_in(self._data) and time.monotonic() < deadline:
            time.sleep(0.02)

    def wait_for(self, url: str) -> None:
        """Wait until a database answers, through the pooler if there is one."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(url, connect_timeout=5) as connection:
                    connection.execute("select")
                    return
            except psycopg.Error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self) -> None:
        """Stop everything that was started here."""
        if self._pooler is not None:
            self._pooler.terminate()
            self._pooler.wait(timeout=30)
        with contextlib.suppress(Exception):
            self.stop()

    @contextlib.contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database with the raw schema; give the address that commands are to use."""
        with psycopg.connect(self.conninfo, dbname="postgres", autocommit=True) as connection:
            create = sql.SQL("create database {} encoding 'UTF8' template template0")
            connection.execute(create.format(sql.Identifier(name)))
        with connect(self.direct(name)) as connection:
            migrate(connection)
        try:
            yield self.pooled(name) if self._pooler is not None else self.direct(name)
        finally:
            with (
                contextlib.suppress(psycopg.Error),
                psycopg.connect(self.conninfo, dbname="postgres", autocommit=True) as connection,
            ):
                drop = sql.SQL("drop database if exists {} with (force)")
                connection.execute(drop.format(sql.Identifier(name)))

    def direct(self, name: str) -> str:
        """Return the address of a database that goes around the pooler."""
        return make_conninfo(self.conninfo, dbname=name)

    def pooled(self, name: str) -> str:
        """Return the address of a database that goes through it."""
        user = conninfo_to_dict(self.conninfo)["user"]
        return make_conninfo(host=str(self.directory), port=6432, user=user, dbname=name)

    def _start_debian(self) -> str:
        if self._process is not None and self._process.poll() is not None:
            self._process = None
        as_owner: dict[str, Any] = (
            {} if os.geteuid() else {"user": _OWNER, "group": _OWNER, "extra_groups": []}
        )
        conninfo = f"host='{self.directory}' port=5432 user=postgres dbname=postgres"
        if not (self._data / "PG_VERSION").exists():
            if as_owner:
                shutil.chown(self.directory, _OWNER)
            initdb = [str(_DEBIAN / "initdb"), "-A", "trust", "-U", _OWNER, "-D", str(self._data)]
            subprocess.run(initdb, check=True, capture_output=True, **as_owner)
        if self._process is None:
            options = ["-c", "listen_addresses=", "-k", str(self.directory), "-c", "jit=off"]
            with (self.directory / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(_DEBIAN / "postgres"), "-D", str(self._data), *options],
                    stdout=log, stderr=log, cwd="/", **as_owner,
                )  # fmt: skip
        with psycopg.connect(conninfo, connect_timeout=10):
            return conninfo

    def _start_pooler(self) -> None:
        place = conninfo_to_dict(self.conninfo)
        told = {"host": place["host"], "port": place["port"], "directory": self.directory}
        (self.directory / "pgbouncer.ini").write_text(_POOLER.format(**told))
        (self.directory / "users.txt").write_text(f'"{place["user"]}" ""\n')
        owner = self._data.owner()  # nobody else finds the socket
        options = [] if os.geteuid() else ["-u", owner]
        if options:
            shutil.chown(self.directory, owner)
        self._pooler = subprocess.Popen(
            [str(_PGBOUNCER), "-q", *options, str(self.directory / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.wait_for(self.pooled("postgres"))


@contextlib.contextmanager
def place(version: str, *, pooled: bool = False, directory: Path | None = None) -> Iterator[Place]:
    """Give a server and a folder of evalmart's own; stop it and remove both at the end."""
    with tempfile.TemporaryDirectory(prefix="evalmart-", dir=directory or _SHORT) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as another user
        (folder / "server").mkdir(mode=0o755)
        before = dict(os.environ)
        for variable in ("DATABASE_URL", "PGHOST", "PGDATABASE", "PGPORT", "PGUSER", "PGPASSWORD"):
            os.environ.pop(variable, None)
        os.environ["EVALMART_HOME"] = str(folder / "home")
        os.environ["EVALMART_PROJECT_DIR"] = str(REPOSITORY)
        os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "0"
        os.environ["TMPDIR"] = str(folder / "tmp")
        (folder / "tmp").mkdir()
        usual = tempfile.gettempdir()
        here = Place(folder / "server", version, pooled=pooled)
        tempfile.tempdir = os.environ["TMPDIR"]
        try:
            yield here
        finally:
            here.close()
            tempfile.tempdir = usual
            os.environ.clear()
            os.environ.update(before)


class Ended(NamedTuple):
    """How a child ended."""

    code: int
    """Its exit code; the negative number of the signal that ended it."""
    output: str
    """What it wrote to both streams."""


class Child:
    """A function in a fork of this process, that may be killed."""

    def __init__(self, work: Callable[[], int | None], log: Path) -> None:
        """Start it; what it prints goes to a file."""
        self.log = log
        self.pid = os.fork()
        if self.pid == 0:
            _be_child(work, log)
        self._ended: Ended | None = None

    def kill(self) -> bool:
        """Kill it with SIGKILL; return whether it was still at work."""
        if self.is_over():
            return False
        os.kill(self.pid, signal.SIGKILL)
        return self.wait().code == -signal.SIGKILL

    def is_over(self) -> bool:
        """Whether it has ended by itself."""
        if self._ended is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._end(status)
        return self._ended is not None

    def wait(self, timeout: float = 600.0) -> Ended:
        """Return how it ended; one that hangs is killed, and that is its code."""
        deadline = time.monotonic() + timeout
        while not self.is_over():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.002)
        assert self._ended is not None  # noqa: S101  is_over says so
        return self._ended

    def _end(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self._ended = Ended(code, self.log.read_text(encoding="utf-8", errors="replace"))


def command(*words: str) -> Callable[[], int | None]:
    """Return a command of the command line as the work of a child."""

    def work() -> int | None:
        sys.argv = ["loader", *words]
        main(words)

    return work


def outcome(*words: str) -> int:
    """Run a command in this process; return its exit code."""
    sys.argv = ["loader", *words]
    try:
        main(words)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def build(url: str, *arguments: str) -> Callable[[], int | None]:
    """Return a build as the work of a child: what `loader build` starts a process for."""

    def work() -> int | None:
        dbt_process = import_module("loader.warehouse.dbt_process")
        os.environ.update(dbt.dbt_environment(url))
        project = ["--project-dir", str(REPOSITORY)]
        sys.argv = ["dbt", "--quiet", "build", *project, *with_team_variables(arguments)]
        code: int = dbt_process.main()
        return code

    return work


def import_everything() -> None:
    """Import what children will need, so that no fork has to."""
    modules = {place.partition(":")[0] for place, _ in COMMANDS.values()}
    more = (
        "loader.warehouse.dbt_process", "loader.recording.recorder", "loader.ingest.load",
        "loader.ingest.retention", "loader.ingest.withdrawals", "loader.runner.session",
        "loader.marts.questions", "loader.report.page", "loader.gate.judge",
        "loader.sources.files", "dbt.adapters.postgres",
    )  # fmt: skip
    for name in (*sorted(modules), *more):
        import_module(name, "loader.cli")
    # a child that looks for garbage would touch, and so copy, all of it
    gc.collect()
    gc.freeze()


def rows(
    url: str, query: str, values: Sequence[object] | Mapping[str, object] = ()
) -> list[tuple[Any, ...]]:
    """Ask a database."""
    with connect(url) as connection:
        return connection.execute(query.encode(), values).fetchall()


def write_records(path: Path, records: Sequence[object]) -> Path:
    """Write records as a file of JSON lines."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def _be_child(work: Callable[[], int | None], log: Path) -> None:
    """Do the work and end, as a process of its own would; never returns."""
    code = 70
    try:
        file = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        code = work() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001  its end is told by its code
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _servers_in(data: Path) -> list[int]:
    """Return the processes whose working directory is this data directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == data.resolve():
                found.append(int(entry.name))
    return found
