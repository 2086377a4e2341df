"""Examine an installation and say, for each part, whether it works and what to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from ..errors import LoaderError
from ..tools import extras
from ..tools.finding import Finding
from ..tools.package import FOLDER
from ..tools.sql_files import read_sql
from ..tools.version import __version__
from . import migrate
from .connection import connect, is_embedded
from .folder import FILES, team_folder
from .grants import current_role, may_read, remedy
from .project import project_directory
from .seeds import check_team_folder
from .temporary import LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .connection import Connection

_PYTHON = (3, 11)
_ROLES = ("evals_loader", "evals_gate", "evals_analyst")
# from there on dbt-core 1.11 cannot even be imported
_NEW_PYTHON: Final = (3, 14)
# Package → what versions that were tried begin with, and the extra that brings it.
_TRIED: Final = {
    "psycopg": ("3.", ""),
    "dbt-core": ("1.12." if sys.version_info >= _NEW_PYTHON else "1.11.", "build"),
    "dbt-postgres": ("1.11.", "build"),
}


def examine(database_url: str | None = None) -> list[Finding]:
    """Return a finding for every part; raises nothing that an installation can get wrong."""
    return [*examine_program(), _folder(), *examine_server(database_url)]


def examine_program() -> list[Finding]:
    """Return a finding for Python, each package that matters, and the dbt project."""
    return [_python(), _package(), *_packages(), *_extras(), _project()]


def examine_server(database_url: str | None = None) -> list[Finding]:
    """Return a finding for each part of a server; changes nothing there.

    Args:
        database_url: see `loader.warehouse.connection.connection_string`.
    """
    findings: list[Finding] = []
    try:
        with connect(database_url, any_version=True) as connection:
            connection.read_only = True
            findings += _warehouse(connection, embedded=is_embedded(database_url))
    except LoaderError as error:
        findings.append(Finding("server", passed=False, detail=str(error)))
    return findings


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    passed = sys.version_info >= _PYTHON
    return Finding("Python", passed, found, "" if passed else "install Python 3.11 or newer")


def _package() -> Finding:
    return Finding("evalmart", passed=True, detail=f"{__version__}, in {FOLDER}")


def _packages() -> Iterator[Finding]:
    for name, (expected, extra) in _TRIED.items():
        remedy = f"tried with {expected}x: {extras.remedy(*([extra] if extra else []))}"
        found = extras.version_of(name)
        if found is None:
            if not extra:
                yield Finding(name, passed=False, detail="not installed", remedy=remedy)
            continue  # an extra that is missing is told as one
        passed = found.startswith(expected)
        yield Finding(name, passed, found, "" if passed else remedy)


def _extras() -> Iterator[Finding]:
    """Name the extras that are here, and those that are not, which may be as it should."""
    absent = [name for name in extras.EXTRAS if not extras.is_installed(name)]
    here = [name for name in extras.EXTRAS if name not in absent]
    yield Finding("extras", passed=True, detail=", ".join(here) or "none")
    if absent:
        told = [f"{name} ({extras.EXTRAS[name].purpose})" for name in absent]
        yield Finding("extras left out", None, ", ".join(told), extras.remedy(*absent))


def _project() -> Finding:
    try:
        return Finding("dbt project", passed=True, detail=str(project_directory()))
    except LoaderError as error:
        return Finding("dbt project", passed=False, detail=str(error))


def _folder() -> Finding:
    try:
        folder = team_folder()
        check_team_folder()
    except LoaderError as error:
        return Finding("team's folder", passed=False, detail=str(error), remedy="correct the file")
    if folder is None:
        remedy = "groups, metrics and policy of your own: evalmart init --here"
        return Finding("team's folder", None, "none: the project's own seeds and policy", remedy)
    found = [name for name in FILES if (folder / name).is_file()]
    return Finding("team's folder", passed=True, detail=f"{folder} ({', '.join(found) or 'empty'})")


def _warehouse(connection: Connection, *, embedded: bool) -> Iterator[Finding]:
    info = connection.info
    number = info.server_version
    where = "embedded" if embedded else f"{info.user} at {info.host}:{info.port}/{info.dbname}"
    passed = number >= migrate.OLDEST_SERVER
    yield Finding(
        "server",
        passed,
        f"PostgreSQL {number // 10_000}.{number % 10_000}{_flavour(connection)}, {where}",
        "" if passed else "evalmart needs PostgreSQL 15 or newer",
    )
    if not embedded:
        yield from _way(connection)
    replica = connection.execute("select pg_is_in_recovery()").fetchone()
    if replica is not None and replica[0]:
        yield Finding("replica", None, "it only reads: load, build and gate elsewhere")
    at, expected = migrate.current_version(connection), migrate.migrations()[-1].version
    yield Finding(
        "schema raw_evals",
        at == expected,
        f"version {at} of {expected}",
        "" if at == expected else "upgrade evalmart" if at > expected else "run: evalmart init",
    )
    yield from _rights(connection)
    if at == expected:
        yield from _rows(connection)
    for role in _ROLES if at else ():  # what makes the schema makes them
        row = connection.execute("select from pg_roles where rolname = %s", [role]).fetchone()
        yield Finding(
            f"role {role}",
            None if row is None else True,
            "missing" if row is None else "present",
            f"{remedy(f'create role {role} nologin')} Then run: evalmart init"
            if row is None
            else "",
        )
    marts = connection.execute(
        "select to_regclass(%s) is not null",
        [f"{os.environ.get('EVALMART_SCHEMA', 'evals')}.experiment_summaries"],
    ).fetchone()
    built = marts is not None and bool(marts[0])
    yield Finding(
        "marts",
        True if built else None,
        "built" if built else "not built yet",
        "" if built else "run: evalmart build",
    )


# Role that a provider's servers have → whose they are.
_FLAVOURS = {
    "rds_superuser": "Amazon RDS or Aurora",
    "cloudsqlsuperuser": "Google Cloud SQL",
    "azure_pg_admin": "Azure Flexible Server",
    "supabase_admin": "Supabase",
    "neon_superuser": "Neon",
}


def _flavour(connection: Connection) -> str:
    row = connection.execute(
        "select rolname::text from pg_roles where rolname = any(%s) limit 1", [list(_FLAVOURS)]
    ).fetchone()
    return f" ({_FLAVOURS[str(row[0])]})" if row else ""


def _way(connection: Connection) -> Iterator[Finding]:
    """Say what lies between here and the server: encryption, a pooler."""
    info = connection.info
    mode = info.get_parameters().get("sslmode", "prefer")
    advice = "add sslmode=verify-full and sslrootcert=FILE to the URL (docs/postgresql.md)"
    if connection.pgconn.ssl_in_use:
        is_checked = mode == "verify-full"
        told = "encrypted" if is_checked else f"encrypted, and anybody's: sslmode is {mode}"
        yield Finding("TLS", True if is_checked else None, told, "" if is_checked else advice)
    elif not info.host.startswith("/"):
        yield Finding("TLS", None, "not encrypted", advice)
    if connection.prepare_threshold is None:
        told = "in transaction mode: every transaction may have another session"
        yield Finding("pooler", passed=True, detail=told)


def _rights(connection: Connection) -> Iterator[Finding]:
    """Say what this role may do, and which statements would let it do the rest."""
    marts = os.environ.get("EVALMART_SCHEMA") or "evals"
    layers = [f"{marts}{layer}" for layer in LAYERS]
    row = connection.execute(
        """
        select
            has_database_privilege(current_database(), 'create')
            or (
                select count(*) = cardinality(%(layers)s::text[])
                from pg_namespace
                where
                    nspname = any(%(layers)s)
                    and has_schema_privilege(oid, 'create')
            ),
            has_database_privilege(current_database(), 'temporary'),
            coalesce(
                has_any_column_privilege(
                    to_regclass('raw_evals.evaluation_runs'), 'insert'
                ),
                true
            ),
            quote_ident(current_database())
        """,
        {"layers": layers},
    ).fetchone()
    may_create, may_keep, may_load, database = row if row is not None else (False, False, False, "")
    may_build = may_create and may_keep
    able = [name for name, may in (("load", may_load), ("build", may_build)) if may]
    yield Finding(
        "rights",
        bool(may_load),
        f"{connection.info.user} may {' and '.join(able) or 'do nothing here'}",
        "" if may_load else "grant evals_loader to this user, or connect as the owner",
    )
    if not may_build:
        lacking = [
            name for name, may in (("create", may_create), ("temporary", may_keep)) if not may
        ]
        role = current_role(connection)
        yield Finding(
            "rights to build",
            None,
            f"{' and '.join(lacking)} on the database; only who builds needs them",
            remedy(f"grant {', '.join(lacking)} on database {database} to {role}"),
        )


_MOST_TOLD = 3


def _rows(connection: Connection) -> Iterator[Finding]:
    """Hold the rows of raw against what the ledger says of every load."""
    if not all(may_read(connection, table) for table in ("evaluation_runs", "loads")):
        return
    differing = connection.execute(read_sql(__name__, "compare_rows")).fetchall()
    told = [
        f"load {load} ({source}) has {found} rows in raw, not {wanted}"
        for load, source, found, wanted in differing[:_MOST_TOLD]
    ]
    rest = len(differing) - len(told)
    if rest:
        told.append(f"and {rest:,} more")
    yield Finding(
        "rows of loads",
        not differing,
        "; ".join(told) or "all that the ledger says",
        "restore raw_evals from a backup, or load the files again; "
        "then run: evalmart build --full-refresh"
        if differing
        else "",
    )
    deleted = connection.execute(
        "select count(*), sum((source_ref ->> 'versions')::bigint), max(finished_at)::date"
        " from raw_evals.loads where source = 'deletion' having count(*) > 0"
    ).fetchone()
    if deleted is not None:
        times, rows, last = deleted
        yield Finding(
            "deleted by hand",
            None,
            f"rows: {rows:,}, entries: {times:,}, the last of {last}; load_history has them",
            "take back with withdraw, erase with purge",
        )
