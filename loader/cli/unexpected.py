"""What becomes of an error that nobody expected: one line, and a file with the details.

The file stands in evalmart's own folder, is readable by its owner alone, and holds no secret:
values of environment variables that are secrets by their name, passwords of connection
strings and what an option names as one are removed before anything is written.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence


_FOLDER: Final = "errors"
_LONGEST_LINE: Final = 300
_SECRET_NAME: Final = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|DATABASE_URL", re.IGNORECASE
)
# A shorter value is no secret worth the name, and would be cut out of every other word.
_SHORTEST_SECRET: Final = 8
_SHORTEST_PASSWORD: Final = 3
# the password of a URL, of a keyword string, and what follows a word for a secret
_PATTERNS: Final = (
    re.compile(r"(?P<before>\w://[^\s:/@]*:)(?P<secret>[^\s@]+)(?=@)"),
    re.compile(
        r"(?P<before>\bpassword\s*=\s*)(?P<secret>'(?:[^'\\]|\\.)*'|[^\s'\"&]+)", re.IGNORECASE
    ),
    re.compile(r"(?P<before>\bbearer\s+)(?P<secret>[^\s'\"]+)", re.IGNORECASE),
)


def without_secrets(text: str, arguments: Sequence[str] = ()) -> str:
    """Return a text without what is secret.

    Args:
        text: may quote connection strings, answers of servers, options.
        arguments: those of the command line: a password in one of them, or in `DATABASE_URL`,
            is removed wherever it stands.
    """
    for secret in _secrets(arguments):
        text = text.replace(secret, "***")
    for pattern in _PATTERNS:
        text = pattern.sub(r"\g<before>***", text)
    return text


def _secrets(arguments: Sequence[str]) -> list[str]:
    """Return the values that must not be shown, the longest first."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAME.search(name)
    }
    passwords = {os.environ.get("PGPASSWORD", "")}
    for text in (os.environ.get("DATABASE_URL", ""), *arguments):
        for pattern in _PATTERNS:
            passwords |= {match["secret"].strip("'") for match in pattern.finditer(text)}
    passwords |= {unquote(password) for password in passwords}
    found |= {password for password in passwords if len(password) >= _SHORTEST_PASSWORD}
    return sorted(found, key=len, reverse=True)


def summary(error: BaseException, arguments: Sequence[str] = ()) -> str:
    """Return an error as one line: its kind, and the first line of what it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    kind = type(error).__name__
    text = without_secrets(f"{kind}: {said}" if said else kind, arguments)
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def details(error: BaseException, arguments: Sequence[str] = ()) -> str:
    """Return the traceback of an error, its secrets removed."""
    return without_secrets("".join(traceback.format_exception(error)), arguments)


def keep(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write the details of an error to a file of its own; return it, None if it cannot be.

    Args:
        error: what was raised.
        arguments: those of the command line.
    """
    moment = datetime.now(UTC)
    versions = f"evalmart {_version()}, Python {platform.python_version()}, {platform.platform()}"
    lines = [
        f"{moment.isoformat()}  {versions}",
        without_secrets("arguments: " + " ".join(arguments), arguments),
        "",
        details(error, arguments),
    ]
    name = f"{moment:%Y%m%dT%H%M%S}-{os.getpid()}-"
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # mkstemp: readable by its owner alone from the first moment on
            handle, path = tempfile.mkstemp(".txt", name, folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write("\n".join(lines))
        except OSError:
            continue
        return Path(path)
    return None


def _folders() -> list[Path]:
    """Return where details may be kept, the best place first."""
    # imported here: whatever is wrong with the project must not hide what went wrong before
    try:
        from loader.warehouse.project import home_directory

        return [home_directory() / _FOLDER, Path(tempfile.gettempdir())]
    except Exception:  # noqa: BLE001  no project here, or no folder to work in
        return [Path(tempfile.gettempdir())]


def _version() -> str:
    loaded = sys.modules.get("loader")
    return str(getattr(loaded, "__version__", "unknown"))
