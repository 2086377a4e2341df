"""Checkers that only npm has, for tests; a test skips where npm cannot install them."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def installed(package: str, directory: Path) -> Path:
    """Install a package, given as name@version, into a directory; return where it is."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: apt-get install npm")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory),
         package],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"npm cannot install {package}: {done.stderr[-200:]}")
    return directory / "node_modules" / package.rpartition("@")[0]
