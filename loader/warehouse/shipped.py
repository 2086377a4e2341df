"""Dashboards, the login they read with and alert rules: what the project ships for others to run.

An installed package carries them beside the dbt project, a clone has them beside it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError
from ..tools.files import cannot_write, whole_file
from .project import project_directory

if TYPE_CHECKING:
    from pathlib import Path

_SHIPPED: Final = (
    "grafana/dashboards", "grafana/provisioning", "grafana/create_reader.sql",
    "prometheus/alerts.yml",
)  # fmt: skip
SERVE: Final = "http://127.0.0.1:8765"
"""Where links to pages lead as shipped: `evalmart serve` by itself."""
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~-]+)*/?")


class Shipped(NamedTuple):
    """What became of the files in the folder that was named."""

    written: list[Path]
    kept: list[Path]
    """Those that were there, and are as they were."""


def write_shipped(directory: Path, *, replace: bool = False, serve_url: str = SERVE) -> Shipped:
    """Write every file below a folder, as `grafana/…` and `prometheus/…`.

    Args:
        directory: made where it is not there.
        replace: also write over files that are there and differ.
        serve_url: where links of dashboards and alerts find `evalmart serve`.

    Raises:
        ConfigurationError: without `replace`, a file is there and differs, and nothing was
            written; or a file cannot be written; or `serve_url` is no address of a page.
        NoRoom: the disk is full.
    """
    if not _ADDRESS.fullmatch(serve_url):
        raise ConfigurationError(
            f"--serve-url takes an address such as https://evals.example.org/evals, not "
            f"{serve_url!r}"
        )
    address = serve_url.rstrip("/").encode()
    files = {
        directory / name: content.replace(SERVE.encode(), address)
        for name, content in _read().items()
    }
    same = [path for path, content in files.items() if _is(path, content)]
    other = [path for path in files if path not in same and path.exists()]
    if other and not replace:
        raise ConfigurationError(
            f"{', '.join(map(str, other))}: there, and not as this version ships it; nothing was "
            "written. Give --replace to write over it, or name another folder"
        )
    written = []
    for path, content in files.items():
        if path in same:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as stream:
                stream.write(content)
        except OSError as error:
            raise cannot_write(path, error) from error
        written.append(path)
    return Shipped(written, same)


def _read() -> dict[str, bytes]:
    """Return the content of every file by its path below the project."""
    project = project_directory()
    found = {}
    for name in _SHIPPED:
        place = project / name
        paths = sorted(path for path in place.rglob("*") if path.is_file())
        for path in paths or [place]:
            try:
                found[path.relative_to(project).as_posix()] = path.read_bytes()
            except OSError as error:
                raise ConfigurationError(
                    f"cannot read {path}: {error.strerror}; install evalmart anew, or correct "
                    "EVALMART_PROJECT_DIR"
                ) from error
    return found


def _is(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
