"""What a look at an installation finds."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One part of the installation; passed is None for what is optional and absent."""

    subject: str
    passed: bool | None
    detail: str
    remedy: str = ""
