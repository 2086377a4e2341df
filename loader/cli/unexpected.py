"""What becomes of an error that nobody expected: one line, and a file with the details.

The file stands in evalmart's own folder, is readable by its owner alone, and holds no secret:
`loader.tools.secrets` removes them before anything is written.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..show.escape import terminal
from ..tools.package import PACKAGE
from ..tools.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER: Final = "errors"
_LONGEST_LINE: Final = 300


def summary(error: BaseException) -> str:
    """Return an error as one line: its kind, and the first line of what it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    kind = type(error).__name__
    text = redact(f"{kind}: {said}" if said else kind)
    line = terminal(text)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def details(error: BaseException) -> str:
    """Return the traceback of an error, its secrets removed."""
    return redact("".join(traceback.format_exception(error)))


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
        redact("arguments: " + " ".join(arguments)),
        "",
        details(error),
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
        from ..warehouse.project import home_directory

        return [home_directory() / _FOLDER, Path(tempfile.gettempdir())]
    except Exception:  # noqa: BLE001  no project here, or no folder to work in
        return [Path(tempfile.gettempdir())]


def _version() -> str:
    loaded = sys.modules.get(PACKAGE)
    return str(getattr(loaded, "__version__", "unknown"))
