"""What was believed at a time: the marts built from what was loaded up to then.

The same models run once more, in a schema of their own, over the versions of runs that
existed at that time, and only over the experiments that the question is about. So the answer
is what the marts showed then, statistics included, by today's seeds and settings. What
retention has removed since cannot come back. The schema goes with the question: see
`loader.warehouse.temporary` for what becomes of one whose process was killed.
"""

from __future__ import annotations

import json
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from ..errors import ConfigurationError, WarehouseUnavailable
from ..warehouse import dbt, temporary
from ..warehouse.connection import connect
from ..warehouse.project import home_directory
from .states import schema_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

# Experiments that answer a question about one experiment, or about one agent.
_OF_EXPERIMENT = """
create table {experiments} as
select %(name)s::text as experiment_id
union
select baseline_experiment_id
from raw_evals.load_experiments
where experiment_id = %(name)s and baseline_experiment_id is not null
"""
_OF_AGENT = """
create table {experiments} as
select distinct experiment_id
from raw_evals.evaluation_runs
where coalesce(agent_name, 'unknown') = %(name)s
"""


@contextmanager
def believed(
    as_of: datetime | None,
    marts: Sequence[str],
    database_url: str | None,
    *,
    experiment: str | None = None,
    agent: str | None = None,
) -> Iterator[None]:
    """Within it, `loader.marts.reading` reads the marts as of a time; with None, those of now.

    Args:
        as_of: a time with a zone; loads that were finished by then count.
        marts: those to build, with all they rest on.
        database_url: see `loader.warehouse.connection.connection_string`.
        experiment: the experiment that the question is about, or
        agent: the agent.

    Raises:
        ConfigurationError: no project here, or a model failed.
        WarehouseUnavailable: the server fails, or this role may not create a schema.
    """
    if as_of is None:
        yield
        return
    schema = f"{schema_name()}_as_of_{uuid.uuid4().hex[:12]}"
    settings = {
        "EVALMART_SCHEMA": schema,
        "DBT_EXCLUDE_RESOURCE_TYPES": "test unit_test",
        "DBT_TARGET_PATH": str(home_directory() / "dbt" / "as_of"),
        temporary.PARENT: str(os.getpid()),
    }
    with temporary.held(schema, database_url):
        _choose_experiments(schema, database_url, experiment, agent)
        with _environment(settings):
            selected = [f"+{mart}" for mart in marts]
            variables = json.dumps({"as_of": as_of.isoformat()})
            arguments = ("--select", *selected, "--vars", variables)
            if dbt.build(arguments, database_url, quiet=True):
                raise ConfigurationError(f"building the marts as of {as_of} failed")
            try:
                yield
            except ConfigurationError as error:
                raise ConfigurationError(f"as of {as_of.isoformat(' ')}: {error}") from None


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _choose_experiments(
    schema: str, database_url: str | None, experiment: str | None, agent: str | None
) -> None:
    statement = _OF_AGENT if experiment is None else _OF_EXPERIMENT
    experiments = sql.Identifier(f"{schema}_staging", "as_of_experiments")
    try:
        with connect(database_url) as connection:
            connection.execute(
                sql.SQL(statement).format(experiments=experiments),
                {"name": agent if experiment is None else experiment},
            )
            connection.commit()
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError("raw_evals does not exist; run evalmart init") from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"cannot prepare the marts as of a time: {error}") from error
