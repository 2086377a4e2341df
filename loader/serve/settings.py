"""How the app listens, and who may ask it; what would open it to everybody is refused."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Final, NamedTuple

from ..errors import ConfigurationError
from ..show.render import printable
from ..tools import secrets

DEFAULT_PORT: Final = 8765
TOKEN: Final = "EVALMART_SERVE_TOKEN"  # noqa: S105  the name of the variable
SHORTEST_TOKEN: Final = 16
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ROOT_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class Settings(NamedTuple):
    """What the app goes by."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    root_path: str = ""
    """What a proxy puts before every path."""
    auth_header: str | None = None
    """A header that a proxy sets for those whom it has let in."""
    token: str | None = None
    """What whoever asks has to bring."""
    names: tuple[str, ...] = ()
    """Names beside `host` and loopback's that it may be called by."""

    def hosts(self) -> frozenset[str]:
        """Return the names that a request may ask for."""
        return frozenset((*_LOOPBACK, self.host.lower(), *self.names))


def settings(
    host: str,
    port: int,
    root_path: str = "",
    auth_header: str | None = None,
    names: tuple[str, ...] = (),
) -> Settings:
    """Return the settings, checked; the token is that of EVALMART_SERVE_TOKEN.

    Raises:
        ConfigurationError: one is malformed, or others could listen without being asked who
            they are.

    """
    token = os.environ.get(TOKEN) or None
    if token is not None:
        secrets.remember(token)
        if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
            raise ConfigurationError(
                f"{TOKEN} has to be {SHORTEST_TOKEN} printable characters of ASCII or more; "
                "for example: openssl rand -hex 24"
            )
    if auth_header is not None and not _HEADER.fullmatch(auth_header):
        raise ConfigurationError(f"--auth-header takes a header's name, not {auth_header!r}")
    path = root_path.rstrip("/")
    if path and not (_ROOT_PATH.fullmatch(path) and not {".", ".."} & set(path.split("/"))):
        raise ConfigurationError(f"--root-path takes a path such as /evals, not {root_path!r}")
    for name in names:
        if not _HOST.fullmatch(name.lower()):
            raise ConfigurationError(f"--name takes a host's name, not {printable(name)!r}")
    if not is_loopback(host) and token is None and auth_header is None:
        raise ConfigurationError(
            f"{printable(host)} is not loopback, and whoever reaches it could read everything: "
            f"set {TOKEN}, or behind a proxy that asks who it is --auth-header NAME"
        )
    return Settings(host, port, path, auth_header, token, tuple(name.lower() for name in names))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
