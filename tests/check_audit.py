"""Ask the advisory databases about every dependency of the lock: is it known to be vulnerable?

pip-audit is installed by its own lock, into a folder that goes afterwards. It counts what a
database does not know, or a network does not reach, as free of faults; here it counts as not
audited, which is said. Exit code 1: a known vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_LOCK = _ROOT / "requirements-dev.lock"
_TOOL = _ROOT / "requirements-audit.lock"
_SERVICES = ("pypi", "osv")
_SECONDS = 300


def main() -> int:
    """Audit the lock; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        if not _install(folder):
            sys.stdout.write("skipped: pip-audit could not be fetched\n")
            return 0
        for service in _SERVICES:
            found = _audit(folder, service)
            audited = [one for one in found if "vulns" in one]
            if audited:
                return tell(service, audited, len(found) - len(audited))
    sys.stdout.write("skipped: no database of vulnerabilities can be reached from here\n")
    return 0


def _install(folder: str) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--root-user-action", "ignore", "--require-hashes", "--target", folder]
    done = subprocess.run([*pip, *options, "-r", str(_TOOL)], capture_output=True, check=False)
    return done.returncode == 0


def _audit(folder: str, service: str) -> list[dict[str, Any]]:
    """Return what one service says of each dependency; nothing where it says nothing."""
    answer = Path(folder) / f"{service}.json"
    command = [
        sys.executable, "-P", "-c",
        ("import sys; sys.path.insert(0, sys.argv.pop(1)); "
        "from pip_audit._cli import audit; audit()"),
        folder, "--requirement", str(_LOCK), "--require-hashes", "--disable-pip",
        "--progress-spinner", "off", "--timeout", "10", "--vulnerability-service", service,
        "--format", "json", "--output", str(answer),
    ]  # fmt: skip
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
        read: list[dict[str, Any]] = json.loads(answer.read_text())["dependencies"]
    except (subprocess.TimeoutExpired, OSError, ValueError, KeyError):
        return []
    return read


def tell(service: str, audited: list[dict[str, Any]], unknown: int) -> int:
    """Say what was found; return the exit code."""
    faults = [
        f"{one['name']} {one['version']}: {fault['id']}, mended in "
        f"{', '.join(fault['fix_versions']) or 'no version yet'}"
        for one in audited
        for fault in one["vulns"]
    ]
    sys.stdout.writelines(f"{line}\n" for line in faults)
    rest = f", {unknown} unknown to it" if unknown else ""
    sys.stdout.write(f"{len(audited)} dependencies audited by {service}{rest}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
