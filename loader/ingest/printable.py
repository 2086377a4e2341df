"""Text as PostgreSQL can hold it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text as PostgreSQL can hold it; keys and file names may hold anything."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
