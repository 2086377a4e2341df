"""Every error the loader raises on purpose.

LoaderError
├── ConfigurationError      an option, a file of the project or the environment is wrong
│   └── UnknownName         what a person names is not in the marts; says the nearest names
├── InvalidRecord           one record breaks the contract; names the field
├── InputRejected           nothing loadable, or `--strict` and something was rejected
├── NothingToJudge          there is no result yet that a verdict could be about
├── NoRoom                  a disk is full; the same command completes when it is not
├── SourceUnavailable       the place results come from does not answer as it should
└── WarehouseUnavailable    PostgreSQL cannot be reached or used

Messages say what is wrong and what to do, and never contain a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


UNEXPECTED: Final = 70
"""The exit code of what nobody expected: `EX_SOFTWARE` of sysexits.h."""


class LoaderError(Exception):
    """Base of every error the loader raises on purpose."""


class ConfigurationError(LoaderError):
    """An option, a file of the project or the environment is wrong."""


class UnknownName(ConfigurationError):  # noqa: N818  as the rest of them are named
    """What a person names is not in the marts; says the nearest names, or where it went."""


class InvalidRecord(LoaderError):  # noqa: N818  the contract names it so
    """One record breaks the contract.

    Attributes:
        field: the offending field, dotted for nesting (`scores.accuracy`).
        code: a stable reason code (`missing_field`, `wrong_type`, …).
        reason: a sentence that names the field and the remedy.
        value: what was found there, where a load counts it.

    """

    def __init__(self, field: str, code: str, reason: str, *, value: str = "") -> None:
        """Keep the parts; the message is the reason."""
        super().__init__(reason)
        self.field = field
        self.code = code
        self.reason = reason
        self.value = value


class NoRoom(LoaderError):  # noqa: N818  reads as what happened
    """A disk is full, or what one may use of it; nothing was half written."""


class CountsFromZero(InvalidRecord):
    """A record has the repetition 0: what it belongs to counts from 0, not from 1."""


class InputRejected(LoaderError):  # noqa: N818  reads as what happened
    """Nothing could be loaded, or `--strict` met a rejected record."""


class NothingToJudge(LoaderError):  # noqa: N818  reads as what happened
    """There is no result yet that a verdict could be about."""


class SourceUnavailable(LoaderError):  # noqa: N818  the architecture names it so
    """The place results come from does not answer as it should."""


class WarehouseUnavailable(LoaderError):  # noqa: N818  the architecture names it so
    """PostgreSQL cannot be reached or used."""


def close_names(name: str, names: Iterable[str], most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the names most like one that was asked for, whatever their case; the nearest first."""
    import difflib  # only who mistypes waits for it

    by_folded: dict[str, list[str]] = {}
    for each in dict.fromkeys(names):
        by_folded.setdefault(each.casefold(), []).append(each)
    found = difflib.get_close_matches(name.casefold(), list(by_folded), most, cutoff)
    return [each for folded in found for each in by_folded[folded]][:most]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean …?)`, or nothing when no name is near."""
    found = close_names(name, names)
    return f" (did you mean {', '.join(found)}?)" if found else ""
