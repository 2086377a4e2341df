"""Where the dbt project and evalmart's own files are, and the vars of the project."""

from __future__ import annotations

import errno
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..tools.own_yaml import read_own_yaml
from ..tools.package import FOLDER

_INSTALLED: Final = FOLDER.resolve() / "project"
_CLONE: Final = FOLDER.resolve().parent


@cache
def project_directory() -> Path:
    """Return the folder of `dbt_project.yml`.

    `EVALMART_PROJECT_DIR`, else the one that an installed package brings, else the clone that
    this package stands in. A project in the working directory is the caller's own.

    Raises:
        ConfigurationError: there is none.

    """
    named = os.environ.get("EVALMART_PROJECT_DIR")
    folder = Path(named) if named else _INSTALLED if is_installed() else _CLONE
    if (folder / "dbt_project.yml").is_file():
        return folder.resolve()
    raise ConfigurationError(
        f"no dbt_project.yml in {folder}; "
        + ("correct EVALMART_PROJECT_DIR, or unset it" if named else "install evalmart anew")
    )


def is_installed() -> bool:
    """Whether this package was installed, and is no clone's."""
    return (_INSTALLED / "dbt_project.yml").is_file()


def home_directory() -> Path:
    """Return the folder of everything evalmart writes.

    `EVALMART_HOME`, else `.evalmart/` of the working directory; of the clone, in one.
    """
    named = os.environ.get("EVALMART_HOME")
    if named:
        return Path(named).resolve()
    return (Path.cwd() if is_installed() else project_directory()) / ".evalmart"


def writable_folder(folder: Path) -> Path:
    """Return a folder that can be written, made where it is not there.

    Raises:
        ConfigurationError: it cannot be.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise cannot_write(folder, PermissionError(errno.EACCES, "it may only be read"))
    return folder


def cannot_write(folder: Path, error: OSError) -> ConfigurationError:
    """Return the error of a folder of evalmart's own that cannot be written."""
    return ConfigurationError(
        f"cannot write to {folder}: {error.strerror or type(error).__name__}; "
        "set EVALMART_HOME to a folder that can be written"
    )


def default_variables() -> dict[str, Any]:
    """Return the vars of `dbt_project.yml`, without what the team's folder changes."""
    project = read_own_yaml(project_directory() / "dbt_project.yml")
    variables = project.get("vars") or {}
    own = variables.pop("evalmart", {})
    return {**variables, **own}
