"""Every statement that a role must not run, made from the catalogue of a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

REFUSALS: Final = ("42501", "23001")
"""insufficient_privilege, and restrict_violation of our own guards."""
_NOT_GRANTED: Final = "01007"
"""A warning: a grant by who may do something, but not hand it on."""
_RAW: Final = "raw_evals"
_MARTS: Final = "evals"
_READABLE: Final = {
    "nobody": (),
    "evals_analyst": (_MARTS,),
    "evals_gate": (_MARTS,),
    "evals_loader": (_RAW,),
}
_READABLE_TABLES: Final = {
    "evals_gate": (
        "schema_version", "loads", "load_experiments", "gate_decisions", "gate_calibrations",
    ),
}  # fmt: skip
_APPENDABLE: Final = {
    "evals_gate": ("gate_decisions", "gate_calibrations"),
    "evals_loader": (
        "agent_baselines", "annotations", "arm_plans", "contents", "deliveries",
        "evaluation_runs", "experiment_group_roles", "load_experiments", "loaded_files", "loads",
        "rejected_rows", "score_configs", "summary_scores", "withdrawals",
    ),
}  # fmt: skip
"""Of raw; a table that nobody thought of is appended to by nobody."""
_MODES: Final = (
    "row share", "row exclusive", "share update exclusive", "share", "share row exclusive",
    "exclusive", "access exclusive",
)  # fmt: skip


class Relation(NamedTuple):
    """A table or view of ours."""

    schema: str
    name: str
    is_table: bool
    columns: Sequence[str]
    written: Sequence[str]
    """Columns that somebody who may could change; some views have none."""
    stamped: Sequence[str]
    """Columns that the server fills with the time."""


def relations(owner: Connection[Any]) -> list[Relation]:
    """Return every table and view of the warehouse."""
    rows = owner.execute(
        """
        select
            namespaces.nspname,
            tables.relname,
            tables.relkind in ('r', 'p'),
            array_agg(quote_ident(columns.attname) order by columns.attnum),
            coalesce(
                array_agg(quote_ident(columns.attname) order by columns.attnum) filter (
                    where pg_column_is_updatable(tables.oid, columns.attnum, false)
                ),
                '{}'
            ),
            coalesce(
                array_agg(quote_ident(columns.attname)) filter (
                    where columns.atthasdef and columns.atttypid = 'timestamptz'::regtype
                ),
                '{}'
            )
        from pg_class as tables
        inner join pg_namespace as namespaces on tables.relnamespace = namespaces.oid
        inner join pg_attribute as columns on tables.oid = columns.attrelid
        where
            (namespaces.nspname = 'raw_evals' or namespaces.nspname like 'evals%')
            and tables.relkind in ('r', 'p', 'v', 'm')
            and columns.attnum > 0
            and not columns.attisdropped
        group by 1, 2, 3
        order by 1, 2
        """
    ).fetchall()
    return [Relation(*row) for row in rows]


def statements(owner: Connection[Any], role: str, login: str) -> Iterator[str]:
    """Yield what a login with a role must not run; `nobody` is a login without any."""
    for relation in relations(owner):
        yield from _of_relation(relation, role, login)
    yield from _of_routines(owner)
    yield from _of_sequences(owner, role)
    yield from _of_schemas(owner, login)
    yield from _of_server(owner, login)


def _of_relation(relation: Relation, role: str, login: str) -> Iterator[str]:
    schema, name, is_table, columns, written, stamped = relation
    target = f'{schema}."{name}"'
    first = columns[0]
    is_raw = schema == _RAW
    may_read = schema in _READABLE[role] and name != "load_turn"
    may_read |= is_raw and name in _READABLE_TABLES.get(role, ())
    may_append = is_raw and name in _APPENDABLE.get(role, ())
    kind = "table" if is_table else "view"
    if not may_read:
        yield f"select from {target} limit 0"
        yield f"copy (select {first} from {target} limit 0) to stdout"
        yield f"lock table {target} in access share mode"
    if may_append:
        for column in stamped:
            draw = "select raw_evals.draw_load_id(); " if role == "evals_loader" else ""
            yield f"{draw}insert into {target} ({column}) select now() where false"
    elif written:
        yield f"insert into {target} ({written[0]}) select null where false"
    for column in written:
        yield f"update {target} set {column} = null where false"
    if written:
        yield f"delete from {target} where false"
    yield f"alter {kind} {target} rename to gone"
    yield f"alter {kind} {target} owner to {login}"
    yield f"alter {kind} {target} set schema public"
    yield f"drop {kind} {target}"
    yield f"grant all on {target} to {login}"
    yield f"comment on {kind} {target} is 'mine'"
    yield f"create rule mine as on insert to {target} do instead nothing"
    for mode in _MODES:
        yield f"lock table {target} in {mode} mode nowait"
    if is_table:
        yield f"select from {target} limit 0 for update"
        yield f"truncate {target}"
        yield f"alter table {target} add column mine text"
        yield f"alter table {target} disable trigger all"
        yield f"alter table {target} enable row level security"
        yield f"create index on {target} ({first})"
        yield (
            f"create trigger mine after insert on {target}"
            " for each row execute function suppress_redundant_updates_trigger()"
        )
        yield f"create table public.mine_{name} () inherits ({target})"


def _of_routines(owner: Connection[Any]) -> Iterator[str]:
    rows = owner.execute(
        """
        select format('%I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)),
            prokind = 'p'
        from pg_proc as p
        inner join pg_namespace as n on p.pronamespace = n.oid
        where (nspname = 'raw_evals' or nspname like 'evals%')
            and (nspname = 'raw_evals' or proname < 'c')
        """
    ).fetchall()
    for signature, is_procedure in rows:
        kind = "procedure" if is_procedure else "function"
        yield f"drop {kind} {signature}"
        yield f"alter {kind} {signature} reset all"
        if is_procedure:
            yield f"call {signature}"


def _of_sequences(owner: Connection[Any], role: str) -> Iterator[str]:
    rows = owner.execute(
        "select schemaname || '.' || sequencename from pg_sequences where schemaname like '%evals%'"
    ).fetchall()
    for (name,) in rows:
        yield f"select setval('{name}', 1)"
        yield f"alter sequence {name} restart with 1"
        yield f"drop sequence {name}"
        if role != "evals_loader" or name != "raw_evals.annotation_ids":
            yield f"select nextval('{name}')"
        if role != "evals_loader":
            yield f"select last_value from {name}"
            yield "select raw_evals.draw_load_id()"


def _of_schemas(owner: Connection[Any], login: str) -> Iterator[str]:
    rows = owner.execute(
        "select nspname from pg_namespace where nspname = 'raw_evals' or nspname like 'evals%'"
    ).fetchall()
    for (name,) in rows:
        yield f"create table {name}.mine ()"
        yield f"create view {name}.mine as select 1 as one"
        yield f"create function {name}.mine() returns integer language sql as 'select 1'"
        yield f"create sequence {name}.mine"
        yield f"alter schema {name} rename to gone"
        yield f"alter schema {name} owner to {login}"
        yield f"drop schema {name} cascade"
        yield f"grant create on schema {name} to {login}"


def _of_server(owner: Connection[Any], login: str) -> Iterator[str]:
    database, pid, user = owner.info.dbname, owner.info.backend_pid, owner.info.user
    yield "create schema mine"
    yield f'drop database "{database}"'
    yield f'alter database "{database}" set search_path to mine'
    yield f'grant all on database "{database}" to {login}'
    yield "set session_replication_role to replica"
    yield f"set role {user}"
    yield f"set session authorization {user}"
    yield f"alter role {login} superuser"
    yield f"grant {user} to {login}"
    for role in ("evals_loader", "evals_analyst", "evals_gate"):
        yield f"grant {role} to {login} with admin option"
        yield f"alter role {role} login"
        yield f"drop role {role}"
    yield "create role mine"
    yield f"select pg_terminate_backend({pid})"
    yield f"select pg_cancel_backend({pid})"
    yield "alter system set work_mem to '1MB'"
    yield "select pg_read_file('postgresql.conf')"
    yield "copy (select 1) to program 'true'"


def succeeded(connection: Connection[Any], statement: str) -> str | None:
    """Run a statement that must be refused; return how it was not, else None. Undoes it."""
    notices: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        notices.append(diagnostic.sqlstate or "")

    connection.add_notice_handler(note)
    connection.autocommit = statement.startswith(("drop database", "alter system"))
    try:
        connection.execute(statement.encode())
    except psycopg.Error as error:
        refused = error.sqlstate in REFUSALS
        return None if refused else f"{statement}: {error.sqlstate} {error}"
    finally:
        connection.rollback()
        connection.autocommit = False
        connection.remove_notice_handler(note)
    return None if _NOT_GRANTED in notices else f"{statement}: done"
