"""Where the dbt project and evalmart's own files are, and the vars of the project."""

from __future__ import annotations

import errno
import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from loader.errors import ConfigurationError


@cache
def project_directory() -> Path:
    """Return the folder of `dbt_project.yml`.

    `EVALMART_PROJECT_DIR`, else the working directory or the nearest of its
    parents that holds one, else the folder this package was installed from.

    Raises:
        ConfigurationError: there is none.

    """
    named = os.environ.get("EVALMART_PROJECT_DIR")
    here = Path.cwd()
    candidates = (
        [Path(named)] if named else [here, *here.parents, Path(__file__).resolve().parents[2]]
    )
    for directory in candidates:
        if (directory / "dbt_project.yml").is_file():
            return directory.resolve()
    raise ConfigurationError(
        f"no dbt_project.yml in {candidates[0]}; run inside the project or set EVALMART_PROJECT_DIR"
    )


def home_directory() -> Path:
    """Return the folder of everything evalmart writes: `EVALMART_HOME` or `.evalmart/`."""
    named = os.environ.get("EVALMART_HOME")
    return Path(named).resolve() if named else project_directory() / ".evalmart"


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
    text = (project_directory() / "dbt_project.yml").read_text(encoding="utf-8")
    variables = (yaml.safe_load(text) or {}).get("vars") or {}
    own = variables.pop("evalmart", {})
    return {**variables, **own}
