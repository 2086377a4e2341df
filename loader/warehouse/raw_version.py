"""At which version the raw schema of a database is, told to whoever connects.

The ledger of migrations is for who may read raw; who reads marts alone may not. So `init` also
says the version where everybody may look, in the comment of the schema, and every connection
is refused that finds a later one there than this program has migrations for: what it would
read and write means something else by then.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from psycopg import sql

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .connection import Connection

MIGRATIONS: Final = resources.files(__name__.rpartition(".")[0]) / "migrations"
_COMMENT: Final = "raw schema of evalmart, version {}"
_FOUND: Final = re.compile(re.escape(_COMMENT).replace(r"\{\}", r"(\d{1,9})"))


@cache
def known_version() -> int:
    """Return the latest version that this program can bring a database to."""
    names = (entry.name for entry in MIGRATIONS.iterdir())
    return max(int(name[:4]) for name in names if name.endswith(".sql") and name[:4].isdigit())


def refuse_newer(version: int) -> None:
    """Check that this program knows a version.

    Raises:
        ConfigurationError: it is of a later program.

    """
    if version > known_version():
        raise ConfigurationError(
            f"this database is at version {version}, this evalmart knows {known_version()}: "
            "upgrade evalmart"
        )


def refuse_said(comment: object) -> None:
    """Check the comment of the raw schema, None where there is none; another's says nothing.

    Raises:
        ConfigurationError: it names a version of a later program.

    """
    found = _FOUND.fullmatch(comment) if isinstance(comment, str) else None
    if found is not None:
        refuse_newer(int(found[1]))


def say(connection: Connection, version: int) -> None:
    """Say in the schema's comment at which version it is, where that is not what it says."""
    told = _COMMENT.format(version)
    row = connection.execute(
        "select obj_description('raw_evals'::regnamespace, 'pg_namespace')"
    ).fetchone()
    if row is None or row[0] != told:
        connection.execute(sql.SQL("comment on schema raw_evals is {}").format(sql.Literal(told)))
