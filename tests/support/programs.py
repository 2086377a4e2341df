"""Programs that tests drive and pip does not bring: Chromium, npm, Prometheus."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

DEMAND = "EVALMART_DEMAND_PROGRAMS"
"""Set by .ci/run, which installs them: what is missing fails there instead of being skipped."""


def are_demanded() -> bool:
    """Whether what is missing fails."""
    return bool(os.environ.get(DEMAND))


def program(*names: str, package: str) -> str:
    """Return the path of the first of these programs that is installed."""
    path = next((path for name in names if (path := shutil.which(name))), None)
    return path or missing(f"no {names[0]} here: apt-get install {package}")


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where every program is demanded."""
    if are_demanded():
        pytest.fail(reason)
    pytest.skip(reason)
