"""The documentation of the dbt project as one page: models, columns, tests, metrics, lineage."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from ..errors import UNEXPECTED
from ..tools.extras import require
from ..tools.files import cannot_write, whole_file
from ..tools.isolated import module_command
from .dbt import dbt_environment
from .project import home_directory, project_directory, writable_folder
from .variables import with_team_variables

SEMANTIC_LAYER: Final = "EVALMART_SEMANTIC_LAYER"
"""The environment variable by which `dbt_project.yml` has semantic models and metrics."""
_PAGE: Final = "static_index.html"
# Exit codes of dbt's process that are the contract's own; it says why.
_OF_THE_CONTRACT: Final = {2, 4}


def write_page(path: Path, database_url: str | None = None) -> int:
    """Run `dbt docs generate` and write its one page, which holds all that it shows.

    Types of columns are those that the database has; where nothing was built yet, there are
    none.

    Args:
        path: of the page; a file that is there is replaced, whole or not at all.
        database_url: see `loader.warehouse.connection.connection_string`.

    Returns:
        An exit code of the contract: 0 written, 2 dbt could not be used, 4 the server is gone,
        70 dbt failed. Only with 0 is there a page.

    Raises:
        ConfigurationError: dbt is not installed, no project here, the team's folder has a
            fault, or the page or evalmart's own folder cannot be written.
        WarehouseUnavailable: the server does not answer.
        NoRoom: the disk is full.

    """
    require("build")
    variables = {**dbt_environment(database_url), SEMANTIC_LAYER: "true"}
    log = Path(variables["DBT_LOG_PATH"])
    if log.is_relative_to(home_directory()):
        writable_folder(log)
    with tempfile.TemporaryDirectory(prefix="evalmart-") as scratch:
        command = [
            *module_command("warehouse.dbt_process"),
            "--quiet",
            "docs",
            "generate",
            "--static",
            "--project-dir",
            str(project_directory()),
            *with_team_variables(()),
        ]
        code = subprocess.run(  # noqa: S603  our own interpreter and arguments
            command, env={**variables, "DBT_TARGET_PATH": scratch}, check=False
        ).returncode
        if code:
            return code if code in _OF_THE_CONTRACT else UNEXPECTED
        _write(path, (Path(scratch) / _PAGE).read_bytes())
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        with whole_file(path) as stream:
            stream.write(content)
    except OSError as error:
        raise cannot_write(path, error) from error
