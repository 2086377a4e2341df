"""Checkers that only PyPI has and no lock of the project holds, for tests."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import programs

if TYPE_CHECKING:
    from pathlib import Path


def installed(package: str, directory: Path) -> Path:
    """Install a package, given as name==version, into a directory; return the directory.

    Its programs are in `bin` of it, its modules in itself.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--root-user-action", "ignore", "--only-binary", ":all:", "--target", str(directory),
         package],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        programs.missing(f"pip cannot install {package}: {done.stderr[-200:]}")
    return directory
