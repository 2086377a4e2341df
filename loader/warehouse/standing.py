"""Whether the marts are already what a build would make of them.

They are made of raw rows, the text of the project, seeds and vars, and of nothing else: no model
asks what time it is. A build of everything that ended well leaves a stamp of what it was made
of, beside the marts; any build that begins takes it away. So a stamp that says what there is
now says that a build would change nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg import sql

from ..tools.sql_files import read_sql
from .project import project_directory
from .project_files import add_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .connection import Connection

STAMP: Final = "EVALMART_STAMP"
"""The environment variable by which a build is told what it is made of."""
IS_FORCED: Final = "is_forced"
"""In what it is told: it is to look at everything for itself."""
_WITH_A_VALUE: Final = frozenset({"--vars", "--threads", "--project-dir", "--log-level"})
_ALONE: Final = frozenset({"build", "--quiet", "-q"})
_ASK_FOR_MORE: Final = ("DBT_FULL_REFRESH", "DBT_EMPTY", "DBT_SELECT", "DBT_EXCLUDE")
_ENV_VAR: Final = re.compile(r"env_var\(\s*['\"](\w+)")
# Where dbt writes, and how much: no part of what it makes.
_UNRELATED: Final = frozenset(
    {
        "DBT_TARGET_PATH",
        "DBT_LOG_PATH",
        "DBT_PROFILES_DIR",
        "DBT_LOG_LEVEL",
        "DBT_LOG_LEVEL_FILE",
        "DBT_WRITE_JSON",
    }
)


class Standing(NamedTuple):
    """A build after which nothing has changed."""

    load_id: int
    """The latest load that it read; 0 if there was none."""
    built_at: datetime
    """When it ended, UTC."""
    warned: int
    """Tests that warned."""


def inputs_of(arguments: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Return the hash of all that a build depends on beside raw rows.

    Args:
        arguments: of dbt, the team's vars among them.
        variables: the environment that dbt is given.

    Returns:
        None where the arguments ask for something else than a plain build of everything.

    """
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        name, has_value, _ = word.partition("=")
        if name in _WITH_A_VALUE:
            if not has_value:
                del waiting[:1]
        elif word not in _ALONE:
            return None
    if any(variables.get(name) for name in _ASK_FOR_MORE):
        return None
    project = project_directory()
    told = [word for word in arguments if word not in {*_ALONE, str(project)}]
    versions = [version("dbt-core"), version("dbt-postgres")]
    digest = hashlib.sha256(json.dumps([versions, told]).encode())
    try:
        profile = (Path(variables["DBT_PROFILES_DIR"]) / "profiles.yml").read_bytes()
        add_files(digest, project, variables.get("EVALMART_SEEDS"))
    except OSError:
        return None  # dbt says what is wrong
    digest.update(profile)
    # by whatever name a profile of one's own calls schema or target; the server's is where the
    # stamp is, and a password is nobody's business
    asked = {*_ENV_VAR.findall(profile.decode("utf-8", "replace"))}
    asked = {name for name in asked if not name.startswith("PG") and "PASS" not in name.upper()}
    named = {
        name: variables.get(name)
        for name in asked | {name for name in variables if name.startswith("DBT_")}
        if name not in _UNRELATED
    }
    digest.update(json.dumps(sorted(named.items())).encode())
    return digest.hexdigest()


def stamp_of(connection: Connection, inputs: str) -> dict[str, object] | None:
    """Return what a build that begins now is made of; None where that cannot be seen.

    Args:
        connection: to a migrated warehouse.
        inputs: as `inputs_of` says.

    """
    try:
        with connection.transaction():
            row = connection.execute(read_sql(__name__, "raw_state")).fetchone()
    except psycopg.Error:
        return None
    return {"inputs": inputs, "raw": row[0], "load_id": row[1]} if row else None


def standing(connection: Connection, stamp: Mapping[str, object]) -> Standing | None:
    """Return the build after which nothing has changed; None if a build has something to do.

    Args:
        connection: to the warehouse.
        stamp: what a build is made of now.

    """
    query = on_ledger("standing")
    try:
        with connection.transaction():
            row = connection.execute(query, {name: stamp[name] for name in ("inputs", "raw")})
            found = row.fetchone()
    except psycopg.Error:
        return None
    return Standing(int(str(stamp["load_id"])), *found) if found else None  # type: ignore[arg-type]


def waiting(connection: Connection) -> int:
    """Return how many loads changed something since the marts were built.

    0 as well where none were built, or where the role may not see it.
    """
    try:
        with connection.transaction():
            row = connection.execute(on_ledger("waiting")).fetchone()
    except psycopg.Error:
        return 0
    return int(str(row[0])) if row else 0


def on_ledger(name: str) -> sql.Composed:
    """Return the statement of that name on the ledger of builds."""
    staging = f"{os.environ.get('EVALMART_SCHEMA') or 'evals'}_staging"
    tables = ("build_stamps", "built_relations", "builds")
    names = {table: sql.Identifier(staging, table) for table in tables}
    return sql.SQL(read_sql(__name__, name)).format(**names)
