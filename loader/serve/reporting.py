"""The report of an experiment, made by a process of its own: its charts want much memory."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess  # the program is this one
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

from ..errors import WarehouseUnavailable
from ..tools.package import PACKAGE

_SECONDS: Final = 120
_SCRIPT: Final = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_ONE_AT_A_TIME: Final = threading.Semaphore(1)


def report_of(experiment_id: str, database_url: str | None) -> str:
    """Return the report of an experiment as one page.

    Raises:
        WarehouseUnavailable: it could not be made; says what the process said.
    """
    environment = {**os.environ, **({"DATABASE_URL": database_url} if database_url else {})}
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        command = [
            sys.executable, "-P", "-m", PACKAGE, "report", f"--experiment={experiment_id}",
            f"--output={path}",
        ]  # fmt: skip
        try:
            done = subprocess.run(  # noqa: S603  no shell, and the id is behind a `=`
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WarehouseUnavailable(f"the report took more than {_SECONDS} s") from None
        if done.returncode:
            raise WarehouseUnavailable(f"the report was not made: {done.stderr.strip()}")
        return path.read_text(encoding="utf-8")


def policy_of(page: str) -> str:
    """Return the content security policy of a report: what it brings along, and nothing else."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _SCRIPT.findall(page)
    )
    scripts = f"; script-src {hashes}" if hashes else ""
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'{scripts}"
    )
