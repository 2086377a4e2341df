"""Commands around the warehouse itself: init, build, env, doctor, stop."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from .building import say_standing
from .options import database_option
from .say import say

_MARKS: dict[bool | None, str] = {
    True: click.style("ok  ", fg="green"),
    False: click.style("fail", fg="red"),
    None: click.style("note", fg="yellow"),
}


@click.command()
@click.option(
    "--here",
    is_flag=True,
    help="Also write the team's folder evalmart/ in the working directory: groups, metrics, "
    "evaluators' keys, prices, accepted changes, policy and vars. What is there stays.",
)
@database_option
def init(*, here: bool, database_url: str | None) -> None:
    """Create or migrate the schema raw_evals and the roles; safe to repeat.

    \b
    Example:
      evalmart init
      evalmart init --here
    """
    from ..warehouse.connection import connect
    from ..warehouse.migrate import current_version, migrate

    if here:
        _create_folder()
    with connect(database_url) as connection:
        connection.add_notice_handler(
            lambda notice: say(f"{notice.severity}: {notice.message_primary}", err=True)
        )
        applied = migrate(connection)
        version = current_version(connection)
    for name in applied:
        say(f"applied {name}")
    say(f"raw_evals is at version {version}")


def _create_folder() -> None:
    from ..team.files import create_folder
    from ..warehouse.folder import shown, team_folder

    made = create_folder()
    if made.written:
        say(f"wrote {shown(made.folder)}/: {', '.join(made.written)}")
    if made.kept:
        say(f"left alone in {shown(made.folder)}/: {', '.join(made.kept)}")
    used = team_folder()
    if used is not None and used != made.folder.resolve():
        say(f"EVALMART_CONFIG names {used}: that folder is used", err=True)


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option(
    "--force", is_flag=True, help="Build, whether or not anything has changed since the last one."
)
@database_option
@click.argument("dbt_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def build(
    ctx: click.Context, *, force: bool, database_url: str | None, dbt_arguments: tuple[str, ...]
) -> None:
    """Run `dbt build` on the same database; arguments go to dbt as they are.

    Where no load, seed, var or file of the project has changed since a build of everything
    that ended well, nothing is done, and that build is named.

    Data tests run, unit tests do not: they prove the models, not your data.
    Set DBT_EXCLUDE_RESOURCE_TYPES to choose otherwise. Exit codes: 0 done, 70 a
    model or a test failed.

    \b
    Example:
      evalmart build
      evalmart build --select experiment_summaries+ --vars '{test_all: true}'
    """
    from ..errors import UNEXPECTED
    from ..warehouse.dbt import build as run_build

    code = run_build(dbt_arguments, database_url, force=force, on_standing=say_standing)
    if code == UNEXPECTED:
        say("the build failed: dbt says why above, and in its log", err=True)
    ctx.exit(code)


@click.command()
@click.option(
    "--project-dir",
    "is_project",
    is_flag=True,
    help="Print the folder of the dbt project, for packages.yml, and nothing else.",
)
@database_option
def env(*, is_project: bool, database_url: str | None) -> None:
    """Print the variables that lead dbt, psql and Grafana to the same database.

    A password is never printed: give it as PGPASSWORD or in ~/.pgpass. Seeds of the team's
    folder are given to dbt as they are now; the vars of its vars.yml are for --vars.

    \b
    Example:
      eval "$(evalmart env)" && psql
      evalmart env --project-dir
    """
    from ..warehouse.project import project_directory

    if is_project:
        say(project_directory())
        return
    _print_variables(database_url)


def _print_variables(database_url: str | None) -> None:
    from ..warehouse import team_seeds
    from ..warehouse.dbt import dbt_environment, is_copied_profile
    from ..warehouse.folder import VARS, team_folder
    from ..warehouse.variables import team_variables

    variables = dbt_environment(database_url)
    has_password = "PGPASSWORD" in variables
    folder = team_folder()
    say(f"the team's folder: {folder or 'none'}", err=True)
    named = {"DBT_PROFILES_DIR", team_seeds.VARIABLE}
    if Path("profiles.yml").is_file() and is_copied_profile(variables["DBT_PROFILES_DIR"]):
        # a dbt project of the caller's own, which another folder's variables may hide
        named.remove("DBT_PROFILES_DIR")
        say("unset DBT_PROFILES_DIR")
        say("dbt takes the profiles.yml of this folder", err=True)
    for name in sorted(variables):
        if name in named or (name.startswith("PG") and name != "PGPASSWORD"):
            click.echo(f"export {name}={shlex.quote(variables[name])}")
    if folder is not None and team_variables():
        path = shlex.quote(str(folder / VARS))
        say(f'its vars, for plain dbt: dbt build --vars "$(cat {path})"', err=True)
    if has_password:
        say("the password is not printed: export PGPASSWORD yourself", err=True)


@click.command()
@database_option
@click.pass_context
def doctor(ctx: click.Context, database_url: str | None) -> None:
    """Check Python, dbt, server, rights, schema and LangSmith; say what to do.

    Of LangSmith, where a key is set: endpoint and region, key, workspace, rights, run queries.

    \b
    Example:
      evalmart doctor
    """
    from ..sources.langsmith import checkup
    from ..warehouse.doctor import examine

    findings = [*examine(database_url), *checkup.examine()]
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        mark = _MARKS[finding.passed]
        click.echo(f"{mark}  ", nl=False)
        say(f"{finding.subject.ljust(width)}  {finding.detail}")
        if finding.remedy:
            say(f"      {' ' * width}  → {finding.remedy}")
    ctx.exit(2 if any(finding.passed is False for finding in findings) else 0)


@click.command()
def stop() -> None:
    """Stop the embedded server; the next command starts it again.

    \b
    Example:
      evalmart stop
    """
    from ..warehouse.connection import embedded_directory
    from ..warehouse.embedded import stop as stop_server

    was_running = stop_server(embedded_directory())
    say("stopped" if was_running else "no embedded server is running")
