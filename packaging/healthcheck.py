# ruff: noqa: INP001  a script of the image, and no package
"""Whether the command of this container does what it is there for: the image's HEALTHCHECK.

A command that serves (`--listen HOST:PORT`) is asked over HTTP, at a path for which it reads no
mart: a database that is away makes no exporter ill, and a check no load. Any other command is
healthy for as long as it runs; were it asked, Swarm would end every long ingest.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

FIRST_PROCESS: Final = Path("/proc/1/cmdline")
_OPTION: Final = "--listen"
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  asked, not listened on
_SECONDS: Final = 3
_FAULT: Final = 500


def listening(arguments: list[str]) -> tuple[str, int] | None:
    """Return host and port to ask; None where the command serves nothing."""
    address = None
    for place, argument in enumerate(arguments):
        if argument == _OPTION:
            address = "".join(arguments[place + 1 : place + 2])
        elif argument.startswith(f"{_OPTION}="):
            address = argument.removeprefix(f"{_OPTION}=")
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return _EVERYWHERE.get(host, host), int(port)


def main() -> int:
    """Ask; return 0 for healthy and 1 for not, and say why."""
    address = listening(FIRST_PROCESS.read_text(encoding="utf-8").split("\0"))
    if address is None:
        return 0
    connection = HTTPConnection(*address, timeout=_SECONDS)
    try:
        connection.request("GET", "/favicon.ico")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"nothing answers at {address[0]}:{address[1]}: {error}\n")
        return 1
    finally:
        connection.close()
    sys.stdout.write(f"{address[0]}:{address[1]} answers {status}\n")
    return int(status >= _FAULT)


if __name__ == "__main__":
    sys.exit(main())
