"""PgBouncer in transaction mode before a server of the run, as hostile as it may be."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import programs
import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 20


@contextmanager
def pooler(conninfo: str) -> Iterator[str]:
    """Start PgBouncer before a server; yield how to connect through it, to the same database.

    Each transaction goes to another of three sessions of the server, so that what one leaves
    behind in a session is met by all the others.
    """
    program = programs.program("pgbouncer", "/usr/sbin/pgbouncer", package="pgbouncer")
    told = conninfo_to_dict(conninfo)
    with servers.short_directory() as directory:
        port = _free_port()
        user = str(told["user"])
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            "[databases]\n"
            f"* = host={told['host']} port={told.get('port', 5432)} user={user}\n"
            "[pgbouncer]\n"
            f"listen_port = {port}\n"
            "listen_addr = 127.0.0.1\n"
            f"unix_socket_dir = {directory}\n"
            "auth_type = any\n"
            "pool_mode = transaction\n"
            "default_pool_size = 3\n"
            "min_pool_size = 3\n"
            "max_client_conn = 200\n"
            "server_round_robin = 1\n"
            "server_reset_query = select 1\n"
            f"logfile = {directory}/log\n"
            f"pidfile = {directory}/pid\n"
            "query_wait_timeout = 120\n",
            encoding="utf-8",
        )
        command = [program, str(settings)]
        if not os.geteuid():
            # it refuses to run as root, and others may not see the socket
            owner = Path(str(told["host"]), f".s.PGSQL.{told.get('port', 5432)}").owner()
            shutil.chown(directory, owner)
            command = [program, "-u", owner, str(settings)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = make_conninfo(conninfo, host=str(directory), port=port, user=user)
        try:
            _wait_until_it_answers(url)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=_SECONDS)


def _wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            with psycopg.connect(url):
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
