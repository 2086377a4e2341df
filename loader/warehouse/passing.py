"""An embedded server that lives no longer than who asked for it, whatever ends that process.

A process that is killed stops nothing. So another one, in a session of its own, holds the end
of a pipe: when that closes, it stops the server and removes its folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from ..errors import LoaderError
from ..tools.isolated import module_command
from . import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

# nothing there has to outlive a crash
_HASTE: Final = (
    "alter system set fsync = off",
    "alter system set full_page_writes = off",
    "alter system set synchronous_commit = off",
    "select pg_reload_conf()",
)
_PREFIX: Final = "evalmart-passing-"
_PATIENCE_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 1.0
"""A server that was being made when its owner was killed may appear for so long."""


@contextmanager
def passing_server() -> Iterator[tuple[str, Path]]:
    """Give the connection string of an empty database, and a folder; both are gone afterwards.

    Raises:
        ConfigurationError: it is not installed.
        WarehouseUnavailable: it does not start.

    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    folder.chmod(0o755)  # the server of a root runs as somebody else
    keeper = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [*module_command("warehouse.passing"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # what ends a whole group of processes does not end it
    )
    try:
        conninfo = embedded.start(folder / "postgres")
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for statement in _HASTE:
                connection.execute(statement)
        yield conninfo, folder
    finally:
        if keeper.stdin is not None:
            keeper.stdin.close()
        keeper.wait()


def clear(folder: Path) -> None:
    """Stop every server of a folder that `passing_server` made, and remove it."""
    data = folder / "postgres"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    quiet_since = time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + _QUIET_SECONDS):
        with suppress(LoaderError, OSError):
            if embedded.stop(data):
                break
        if embedded.processes(data):
            quiet_since = time.monotonic()
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Wait until the other end of standard input is gone, then clear."""
    folder = Path(sys.argv[1])
    if not folder.name.startswith(_PREFIX):
        return 2
    while os.read(0, 1024):
        pass
    clear(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
