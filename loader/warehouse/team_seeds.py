"""A folder of seeds for dbt: the team's files where there are some, else the project's."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError
from ..tools.files import whole_file
from .folder import SEEDS, team_file, team_folder
from .project import home_directory, project_directory
from .seeds import check_team_folder, seed_text

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE: Final = "EVALMART_SEEDS"
"""The environment variable that `seed-paths` in `dbt_project.yml` takes."""


def compose() -> Path | None:
    """Return the folder of seeds that dbt is to read; None for the project's own.

    It is one for each team's folder, and a file of it is written only when it changed: dbt
    parses anew what did.

    Raises:
        ConfigurationError: the team's folder has a fault, or nothing can be written.

    """
    folder = team_folder()
    check_team_folder()
    theirs = [name for name in SEEDS if team_file(f"{name}.csv")]
    if folder is None or not theirs:
        return None
    own = project_directory() / "seeds"
    files = {path.name: path.read_bytes() for path in own.glob("*.csv")}
    files |= {f"{name}.csv": seed_text(name).encode() for name in theirs}
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    target = home_directory() / "seeds" / key
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(target / name, content)
        for path in target.glob("*.csv"):
            if path.name not in files:
                path.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the seeds for dbt to {target}: {error.strerror}; "
            "set EVALMART_HOME to a folder that can be written"
        ) from None
    return target


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    with whole_file(path) as stream:
        stream.write(content)
