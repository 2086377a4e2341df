"""The app on a port, until somebody stops it."""

from __future__ import annotations

import os
import socket
import webbrowser
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError
from ..show.escape import lines
from ..show.render import printable
from ..tools.extras import needed, require
from ..tools.secrets import redact
from ..warehouse.connection import connect
from ..warehouse.waiting import VARIABLE

with needed("serve"):
    import uvicorn

if TYPE_CHECKING:
    from collections.abc import Callable

    from .settings import Settings

_PATIENCE_SECONDS: Final = "2"
"""How long a page waits for a build that is under way."""
_MOST_AT_ONCE: Final = 64
_LONGEST_HEADERS: Final = 65_536


def serve(
    settings: Settings,
    database_url: str | None,
    say: Callable[[str], None],
    *,
    is_opened: bool = False,
) -> None:
    """Answer until stopped; Ctrl-C and SIGTERM end it with nothing left open.

    Args:
        settings: how it listens, and who may ask.
        database_url: see `loader.warehouse.connection.connection_string`.
        say: takes lines for a person: where it listens, and what pages do not tell.
        is_opened: whether to open a browser.

    Raises:
        ConfigurationError: the extra is not installed, the port is taken, or the database is of a
            later version.
        WarehouseUnavailable: no server answers.

    """
    require("serve")
    from .app import make_app
    from .database import Warehouse

    os.environ.setdefault(VARIABLE, _PATIENCE_SECONDS)
    with connect(database_url):  # starts the embedded server, before anybody asks
        pass
    listener = _listener(settings)
    app = make_app(settings, Warehouse(database_url), lambda text: say(lines(redact(text))))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        http="h11",
        ws="none",
        limit_concurrency=_MOST_AT_ONCE,
        h11_max_incomplete_event_size=_LONGEST_HEADERS,
        timeout_graceful_shutdown=5,
    )
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}{settings.root_path}/"
    say(f"serving {address} (Ctrl-C ends it)")
    if is_opened:
        webbrowser.open(address)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _listener(settings: Settings) -> socket.socket:
    """Return a socket that listens; raises ConfigurationError where the address is taken."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"cannot listen on {printable(settings.host)}:{settings.port}: {error}; "
            "--port and --host choose another"
        ) from None
