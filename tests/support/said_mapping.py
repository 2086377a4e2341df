"""A mapping as a test says it: entries of `--map`."""

from __future__ import annotations

from loader.sources.mapping import Mapping, parse_all


def mapping(*entries: str) -> Mapping:
    """Return what these entries say, each `TARGET=SOURCE`."""
    return parse_all(("--map", *entry.split("=", 1)) for entry in entries)  # type: ignore[misc]
