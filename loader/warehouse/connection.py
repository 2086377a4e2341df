"""Which database, and a connection to it.

`--database-url`, else `DATABASE_URL`, else libpq's own variables, else the
embedded server. A password reaches libpq and child processes, and nothing else.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..errors import ConfigurationError, WarehouseUnavailable
from ..tools import secrets
from ..tools.package import PACKAGE
from . import embedded, raw_version
from .project import home_directory
from .waiting import application_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIBPQ_TARGETS = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGPORT")
_CONNECT_SECONDS = 10
# libpq's words for a certificate that it does not take.
_DISBELIEVED = ("certificate verify failed", "does not match host name", "root certificate file")
_WITH_LIMIT, _NO_LIMIT = 170_000, "; set local transaction_timeout = 0"
# What else a child needs to come in the same way.
_WAYS_IN = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "passfile": "PGPASSFILE",
}
# How values are written as text: a server, a database, a role or PGOPTIONS may have other
# defaults, in which dates are not those this program and the models read.
_FORMS = {
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "timezone": "UTC",
    "lc_numeric": "C",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
}
# Those of them that PgBouncer keeps for each client, by what the server reports.
_KEPT = ["datestyle", "timezone", "standard_conforming_strings"]
Connection = psycopg.Connection[tuple[object, ...]]
_limits: WeakKeyDictionary[Connection, tuple[int, int]] = WeakKeyDictionary()


def embedded_directory() -> Path:
    """Return the data directory of the embedded server."""
    return home_directory() / "postgres"


def is_embedded(database_url: str | None = None) -> bool:
    """Whether neither an option nor the environment names a server."""
    return not (
        database_url
        or os.environ.get("DATABASE_URL")
        or any(os.environ.get(name) for name in _LIBPQ_TARGETS)
    )


def connection_string(database_url: str | None = None) -> str:
    """Return libpq's connection string, starting the embedded server if that is the target.

    Args:
        database_url: a `postgresql://` URL or keyword string; overrides the environment.

    Raises:
        ConfigurationError: the URL is not one libpq understands.
        WarehouseUnavailable: the embedded server does not start.

    """
    if is_embedded(database_url):
        return embedded.start(embedded_directory())
    url = database_url or os.environ.get("DATABASE_URL", "")
    secrets.remember_passwords(url)
    name = "--database-url" if database_url else "DATABASE_URL"
    try:
        values = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # from None: libpq's message repeats the URL, password included
        raise ConfigurationError(
            f"{name} is not a PostgreSQL connection string; "
            "expected postgresql://user@host:5432/database"
        ) from None
    if _is_misread(url, values):
        raise ConfigurationError(
            f"{name} cannot be read in one way only: write @, /, :, ? and # of a user or a "
            "password as %40, %2F, %3A, %3F and %23, or give the password as PGPASSWORD"
        )
    secrets.remember(str(values.get("password") or ""))
    return url


def _is_misread(url: str, values: Mapping[str, object]) -> bool:
    """Whether a part of a password may have been taken for a host, a port or a database."""
    scheme, is_url, rest = url.partition("://")
    if is_url and scheme in {"postgres", "postgresql"}:
        place, _, _ = rest.partition("?")
        authority, _, path = place.partition("/")
        is_in_question = "@" in rest and not {"@", "/"} & set(place)
        if authority.count("@") > 1 or "@" in path or is_in_question:
            return True
    ports = str(values.get("port", "")).replace(",", "")
    database = str(values.get("dbname") or os.environ.get("PGDATABASE", ""))
    return not (ports.isdecimal() or not ports) or "://" in database or "=" in database


def connect(
    database_url: str | None = None,
    *,
    autocommit: bool = False,
    statement_seconds: int = 0,
    lock_seconds: int = 0,
    any_version: bool = False,
) -> Connection:
    """Connect to the warehouse.

    Args:
        database_url: see `connection_string`.
        autocommit: psycopg's autocommit mode.
        statement_seconds: how long a statement may take where `be_patient` is asked for; 0
            for any time.
        lock_seconds: likewise, how long it may wait for a lock.
        any_version: also to a database of a later program, to say that it is.

    Raises:
        ConfigurationError: the URL is malformed, or the database is of a later program.
        WarehouseUnavailable: the server does not answer or refuses.

    """
    target = connection_string(database_url)
    patience = (
        {}
        if "connect_timeout" in conninfo_to_dict(target) or os.environ.get("PGCONNECT_TIMEOUT")
        else {"connect_timeout": _CONNECT_SECONDS}
    )
    conninfo = make_conninfo(target, application_name=application_name(_doing()), **patience)
    try:
        connection = psycopg.connect(conninfo, autocommit=autocommit)
        said = _take_known_forms(connection)
    except psycopg.OperationalError as error:
        raise _unreachable(secrets.redact(str(error).strip())) from None
    if not any_version:
        try:
            raw_version.refuse_said(said)
        except ConfigurationError:
            connection.close()
            raise
    _limits[connection] = statement_seconds, lock_seconds
    return connection


def _unreachable(said: str) -> WarehouseUnavailable:
    """Return why there is no connection, and what to look at."""
    first = said.partition("\n")[0].rstrip()
    if any(sign in first for sign in _DISBELIEVED):
        return WarehouseUnavailable(
            f"the server is not believed to be itself: {first}; sslrootcert has to name the "
            "authority that signed its certificate, and the host has to be called as there"
        )
    return WarehouseUnavailable(
        f"cannot connect to PostgreSQL: {said}\n"
        "check DATABASE_URL or the PG* variables, or unset them to use the embedded server"
    )


def _doing() -> str:
    """Return what this process is at, for those who wait for it: a command, or a program's name."""
    program = Path(sys.argv[0] if sys.argv else "")
    is_ours = program.stem == "evalmart" or program.parts[-2:] == (PACKAGE, "__main__.py")
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    if is_ours and command.replace("-", "").isalpha():
        return command
    return f"in {program.name or 'python'}"


def _take_known_forms(connection: Connection) -> object:
    """Have values written in the forms this program knows, whatever the server's defaults.

    Returns the comment of the raw schema, asked for in the same statement.

    A pooler that gives every transaction another session of the server has a process id of its
    own making. Behind one nothing is left in a session but what it keeps for each client, and
    no statement is prepared.
    """
    # one statement for all; by set_config, because a pooler refuses start-up options
    pid = connection.info.backend_pid
    row = connection.execute(
        "select pg_backend_pid() = %(pid)s::bigint, (select count(set_config(name, value, false))"
        " from unnest(%(names)s::text[], %(values)s::text[]) as forms (name, value)"
        " where pg_backend_pid() = %(pid)s::bigint or name = any(%(kept)s)),"
        " (select obj_description(oid, 'pg_namespace') from pg_catalog.pg_namespace"
        " where nspname = 'raw_evals')",
        {"pid": pid, "names": list(_FORMS), "values": list(_FORMS.values()), "kept": _KEPT},
    ).fetchone()
    if row is not None and not row[0]:
        connection.prepare_threshold = None
        try:
            _require_forms(connection)
        except ConfigurationError:
            connection.close()
            raise
    if not connection.autocommit:
        connection.commit()
    return None if row is None else row[2]


def _require_forms(connection: Connection) -> None:
    """Check what cannot be set for this client alone: the digits of a number.

    Raises:
        ConfigurationError: the database rounds numbers; says which statement mends it.
    """
    row = connection.execute(
        "select current_database() from pg_settings"
        " where name = 'extra_float_digits' and reset_val::integer < 1"
    ).fetchone()
    if row is not None:
        database = sql.Identifier(str(row[0])).as_string()
        raise ConfigurationError(
            "the database rounds numbers, and behind a pooler that cannot be set for one "
            f"connection; as its owner run: alter database {database} set extra_float_digits = 1;"
        )


def be_patient(connection: Connection) -> None:
    """Let no timeout of the server end the transaction that is open, nor a wait in it.

    Takes no snapshot. Only this transaction is meant, so that it may come through a pooler.
    """
    statement, lock = _limits.get(connection, (0, 0))
    connection.execute(
        f"set local statement_timeout = '{statement:d}s';"
        f" set local lock_timeout = '{lock:d}s';"
        " set local idle_in_transaction_session_timeout = 0"
        f"{_NO_LIMIT if connection.info.server_version >= _WITH_LIMIT else ''}".encode()
    )


def environment(database_url: str | None = None) -> Mapping[str, str]:
    """Return the libpq variables that lead a child process to the same database.

    `PGPASSWORD` is among them when the connection has one: pass the mapping to
    a child, never print it whole.
    """
    with connect(database_url) as connection:
        info = connection.info
        variables = {
            "PGHOST": info.host,
            "PGPORT": str(info.port),
            "PGUSER": info.user,
            "PGDATABASE": info.dbname,
        }
        if info.password:
            secrets.remember(info.password)
        if info.password and not _is_of_a_file(database_url):
            variables["PGPASSWORD"] = info.password
        given = info.get_parameters()
        options = _options(connection, given.get("options", ""))
    if options:
        variables["PGOPTIONS"] = options
    for parameter, name in _WAYS_IN.items():
        if parameter in given:
            variables[name] = given[parameter]
    return variables


def _is_of_a_file(database_url: str | None) -> bool:
    """Whether a password can only have come from a password file.

    A child reads that for itself, and at every connection: one may be renewed meanwhile.
    """
    told = conninfo_to_dict(connection_string(database_url))
    named = os.environ.get("PGPASSWORD") or os.environ.get("PGSERVICE")
    return not (named or told.get("password") or told.get("service"))


def _options(connection: Connection, given: str) -> str:
    """Return the PGOPTIONS of a child process: those given, and what the known forms take."""
    rows = connection.execute(
        "select name, reset_val from pg_settings where lower(name) = any(%s)", (list(_FORMS),)
    ).fetchall()
    defaults = {str(name).lower(): str(value).replace(" ", "") for name, value in rows}
    # what models may compare or hash as text; the rest is for reading
    told = {
        name: _FORMS[name].replace(" ", "")
        for name in ("datestyle", "intervalstyle", "extra_float_digits")
    }
    deviating = [name for name, value in told.items() if defaults.get(name) != value]
    ours = " ".join(f"-c {name}={told[name]}" for name in deviating)
    whole = f"{given} {ours}".strip()
    # what a child inherits need not be told
    return "" if whole == os.environ.get("PGOPTIONS", "").strip() else whole
