"""A pooler that has lost its step: it answers each ROLLBACK twice.

PgBouncer was seen to do so when its server was killed: what the server had said of the statement
before arrived after all.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASKED: Final = b"Q\0\0\0\x0dROLLBACK\0"
_DONE: Final = b"C\0\0\0\x0dROLLBACK\0"
_READY: Final = b"Z\0\0\0\x05I"


@contextmanager
def doubling(conninfo: str) -> Iterator[str]:
    """Yield how to connect to a database through it."""
    told = conninfo_to_dict(conninfo)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, told), daemon=True).start()
        yield make_conninfo(
            conninfo, host="127.0.0.1", port=listener.getsockname()[1],
            sslmode="disable", gssencmode="disable",
        )  # fmt: skip


def _accept(listener: socket.socket, told: dict[str, object]) -> None:
    with suppress(OSError):  # closed, at the end
        while True:
            client, _ = listener.accept()
            server = _connected(str(told["host"]), int(str(told.get("port") or 5432)))
            for work in (_ask, _answer):
                threading.Thread(target=work, args=(client, server), daemon=True).start()


def _connected(host: str, port: int) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX)
    server.connect(str(Path(host) / f".s.PGSQL.{port}"))
    return server


def _ask(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError), server:
        while message := client.recv(65536):
            if message == _ASKED:
                client.sendall(_DONE + _DONE + _READY)
            else:
                server.sendall(message)


def _answer(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError), client:
        while message := server.recv(65536):
            client.sendall(message)
