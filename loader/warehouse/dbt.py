"""Run dbt on the same database the loader writes to."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UNEXPECTED, ConfigurationError
from ..tools.extras import require
from ..tools.files import whole_file
from ..tools.isolated import module_command
from . import team_seeds, temporary
from .connection import connect, environment
from .migrate import require_current
from .project import (
    cannot_write,
    home_directory,
    project_directory,
    writable_folder,
)
from .standing import IS_FORCED, STAMP, inputs_of, stamp_of, standing
from .variables import with_team_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .standing import Standing

_BY_A_SIGNAL = 128
# Exit codes of dbt's process that are the contract's own; it says why.
_OF_THE_CONTRACT = {0, 2, 4}


def build(
    arguments: Sequence[str] = (),
    database_url: str | None = None,
    *,
    quiet: bool = False,
    force: bool = False,
    on_standing: Callable[[Standing], None] | None = None,
) -> int:
    """Run `dbt build`; waits for a build of the same database that is under way.

    Where nothing has changed since the last one, nothing is done.

    Args:
        arguments: passed on to dbt as they are.
        database_url: see `loader.warehouse.connection.connection_string`.
        quiet: print only warnings and errors.
        force: build, whether or not anything has changed.
        on_standing: told of the last build, where nothing has changed since.

    Returns:
        An exit code of the contract: 0 done, 2 dbt could not be used as it was asked to, 4 the
        server is full or gone, or another build went on for longer than one waits, or took
        this one over, 70 a model or a test failed (dbt says 1, which here means blocked and
        nothing else); what a shell says of a process that a signal ended.

    Raises:
        ConfigurationError: dbt is not installed, no project here, the team's folder has a
            fault, evalmart's own cannot be written, or the raw schema is not this program's:
            `init` makes it so.
        WarehouseUnavailable: the server does not answer.

    """
    command = [
        *module_command("warehouse.dbt_process"),
        *(["--quiet"] if quiet else []),
        "build",
        "--project-dir",
        str(project_directory()),
        *with_team_variables(arguments),
    ]
    require("build")
    # faults of the team's folder come before any of the server
    variables = dbt_environment(database_url)
    inputs = inputs_of(command[command.index("build") :], variables)
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
        if Path(variables[name]).is_relative_to(home_directory()):
            writable_folder(Path(variables[name]))
    if Path(variables["DBT_TARGET_PATH"]).is_relative_to(home_directory()):
        # for other tools, which look where they have told dbt to write
        variables = {"DBT_WRITE_JSON": "false", **variables}
    with connect(database_url) as connection:
        require_current(connection)
        connection.commit()
        temporary.clear(connection)
        stamp = stamp_of(connection, inputs) if inputs else None
        found = standing(connection, stamp) if stamp and not force else None
    if found is not None:
        if on_standing is not None:
            on_standing(found)
        return 0
    if stamp is not None:
        variables = {**variables, STAMP: json.dumps(stamp | {IS_FORCED: force})}
    code = subprocess.run(  # noqa: S603  our own interpreter; arguments are the user's own
        command, env=variables, check=False
    ).returncode
    if code < 0:
        return _BY_A_SIGNAL - code
    return code if code in _OF_THE_CONTRACT else UNEXPECTED


def dbt_environment(database_url: str | None = None) -> dict[str, str]:
    """Return the environment in which plain `dbt` finds profile and database.

    The password, if there is one, is in it: pass it to a child, never print it.

    Raises:
        ConfigurationError: the team's folder has a fault, or evalmart's own cannot be written.
        WarehouseUnavailable: the server does not answer.

    """
    home = home_directory() / "dbt"
    seeds = team_seeds.compose()
    ours = {"DATABASE_URL", team_seeds.VARIABLE, STAMP}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {
        **inherited,
        **({team_seeds.VARIABLE: str(seeds)} if seeds else {}),
        **environment(database_url),
        "DBT_PROFILES_DIR": str(_profiles_directory(home)),
        # Unit tests prove the models, not the data: they run in the project's own tests.
        "DBT_EXCLUDE_RESOURCE_TYPES": os.environ.get("DBT_EXCLUDE_RESOURCE_TYPES", "unit_test"),
        "DBT_TARGET_PATH": os.environ.get("DBT_TARGET_PATH", str(home / "target")),
        "DBT_LOG_PATH": os.environ.get("DBT_LOG_PATH", str(home / "logs")),
    }


def is_copied_profile(folder: str) -> bool:
    """Whether the profile in a folder is the copy of the example that `dbt_environment` makes."""
    try:
        content = (Path(folder) / "profiles.yml").read_bytes()
        return content == (project_directory() / "profiles.yml.example").read_bytes()
    except OSError:
        return False


def _profiles_directory(home: Path) -> Path:
    """Use the user's profile where there is one, else a copy of the example."""
    if os.environ.get("DBT_PROFILES_DIR"):
        return project_directory() / os.environ["DBT_PROFILES_DIR"]
    if (project_directory() / "profiles.yml").is_file():
        return project_directory()
    example = project_directory() / "profiles.yml.example"
    if not example.is_file():
        raise ConfigurationError(f"{example} is missing; restore it or write a profiles.yml")
    profile, content = home / "profiles.yml", example.read_bytes()
    if not profile.is_file() or profile.read_bytes() != content:
        try:
            with whole_file(writable_folder(home) / profile.name) as stream:
                stream.write(content)
        except OSError as error:
            raise cannot_write(home, error) from None
    return home
