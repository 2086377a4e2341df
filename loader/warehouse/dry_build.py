"""A build of every model on an empty database that is gone afterwards, for what only a build finds.

Seeds go in, every model is made and every data test runs, with the vars and seeds of the
team's folder: what a seed breaks, a var makes of the SQL, or a model does with both is found
before there is a result.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..errors import WarehouseUnavailable
from ..tools.extras import EXTRAS, is_installed, remedy
from ..tools.isolated import module_command
from ..tools.notices import Gravity, Notice
from ..tools.secrets import redact
from . import temporary
from .connection import connect
from .dbt import dbt_environment
from .folder import shown, team_file
from .migrate import migrate
from .passing import passing_server
from .project import home_directory, project_directory
from .variables import with_team_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_BAD: Final = {"error", "fail", "runtime error"}
_MOST_LINES: Final = 12


def dry_build() -> list[Notice]:
    """Build everything on an empty database of its own; return what went wrong, nothing if all is.

    Raises:
        ConfigurationError: the team's folder has a fault.
        WarehouseUnavailable: dbt or the embedded server is not installed, or does not start.

    """
    lacking = [name for name in ("build", "embedded") if not is_installed(name)]
    if lacking:
        what = " and ".join(EXTRAS[name].subject for name in lacking)
        raise WarehouseUnavailable(f"it takes {what}: {remedy(*lacking)}, or say --no-build")
    parsed = home_directory() / "dbt" / "parsed"
    with passing_server() as (url, folder), _home(folder / "home", parsed):
        with connect(url) as connection:
            migrate(connection)
        variables = dbt_environment(url)
        target = folder / "home" / "dbt" / "target"
        command = [
            *module_command("warehouse.dbt_process"), "--quiet", "build",
            "--project-dir", str(project_directory()), *with_team_variables(()),
        ]  # fmt: skip
        done = subprocess.run(  # noqa: S603  our own interpreter; no argument is a user's
            command, env={**variables, "DBT_TARGET_PATH": str(target)}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        if done.returncode == 0:
            return []
        return list(_nodes(target / "run_results.json")) or [_whole(done.stdout)]


@contextmanager
def _home(home: Path, parsed: Path) -> Iterator[None]:
    """Let what a build writes go where it is removed; what was parsed is kept for the next."""
    names = ("EVALMART_HOME", "EVALMART_PARSED", "EVALMART_SCHEMA", "DBT_TARGET_PATH",
             "DBT_LOG_PATH", temporary.PARENT)  # fmt: skip
    before = {name: os.environ.get(name) for name in names}
    home.mkdir()
    os.environ["EVALMART_HOME"] = str(home)
    os.environ.setdefault("EVALMART_PARSED", str(parsed))
    os.environ[temporary.PARENT] = str(os.getpid())
    for name in ("EVALMART_SCHEMA", "DBT_TARGET_PATH", "DBT_LOG_PATH"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _nodes(path: Path) -> Iterator[Notice]:
    """Yield what went wrong node by node; nothing where dbt did not come to run any."""
    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return
    for result in results:
        if result.get("status") in _BAD:
            yield _fault(result)


def _fault(result: Mapping[str, object]) -> Notice:
    identity = str(result.get("unique_id", ""))
    kind, _, name = identity.partition(".evalmart.")
    message = " ".join(redact(str(result.get("message") or "")).split())
    of_team = team_file(f"{name}.csv") if kind == "seed" else None
    return Notice(
        Gravity.FAULT,
        f"the dry build failed at the {kind} {name}: {message}",
        shown(of_team) if of_team else "",
    )


def _whole(output: str) -> Notice:
    lines = [line.strip() for line in redact(output).splitlines() if line.strip()]
    return Notice(Gravity.FAULT, "the dry build failed: " + " ".join(lines[-_MOST_LINES:]))
