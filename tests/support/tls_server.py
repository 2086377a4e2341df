"""PostgreSQL over TCP with a certificate of an authority made for one test, and passwords."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import programs
import servers

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "localhost"
_BIN = Path("/usr/lib/postgresql/15/bin")


class TlsServer(NamedTuple):
    """A server that takes nobody without TLS and a password."""

    port: int
    authority: Path
    """Who signed the server's certificate."""
    stranger: Path
    """An authority that did not."""
    inside: str
    """How a superuser connects, by the socket."""


@contextmanager
def tls_server() -> Iterator[TlsServer]:
    """Start Debian's PostgreSQL 15, whose build knows TLS; the embedded one's does not."""
    openssl = programs.program("openssl", "/usr/bin/openssl", package="openssl")
    programs.program("initdb", str(_BIN / "initdb"), package="postgresql-15")
    with servers.short_directory() as directory:
        for name in ("authority", "stranger"):
            _openssl(
                openssl, directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            )  # fmt: skip
        _openssl(
            openssl, directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={HOST}",
            "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "server.key", "-out", "server.csr",
        )  # fmt: skip
        _openssl(
            openssl, directory, "x509", "-req", "-in", "server.csr", "-days", "2",
            "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
            "-copy_extensions", "copy", "-out", "server.pem",
        )  # fmt: skip
        port = _free_port()
        try:
            inside = servers.start_debian(directory, HOST, port, _demand_tls)
            yield TlsServer(port, directory / "authority.pem", directory / "stranger.pem", inside)
        finally:
            servers.server.stop(directory / "data")


def _demand_tls(data: Path) -> None:
    for name in ("server.key", "server.pem"):
        shutil.copyfile(data.parent / name, data / name)
        (data / name).chmod(0o600)
        shutil.chown(data / name, data.owner())
    (data / "pg_hba.conf").write_text(
        "local all postgres trust\n"
        "hostssl all all 127.0.0.1/32 scram-sha-256\n"
        "hostssl all all ::1/128 scram-sha-256\n"
    )
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n")


def _openssl(program: str, directory: Path, *arguments: str) -> None:
    subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
