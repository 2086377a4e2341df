"""Checkers that only npm has, for tests."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import programs

if TYPE_CHECKING:
    from pathlib import Path


def installed(package: str, directory: Path) -> Path:
    """Install a package, given as name@version, into a directory; return where it is."""
    npm = programs.program("npm", package="npm")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory),
         package],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        programs.missing(f"npm cannot install {package}: {done.stderr[-200:]}")
    return directory / "node_modules" / package.rpartition("@")[0]
