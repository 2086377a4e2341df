"""Numbers of things, as a sentence has them."""

from __future__ import annotations


def counted(count: int, what: str) -> str:
    """Return a count with its noun, in the plural unless it is one: `2 scores of people`."""
    noun, _, rest = what.partition(" ")
    return f"{count:,} {noun if count == 1 else f'{noun}s'}{rest and f' {rest}'}"
