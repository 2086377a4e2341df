"""The project as dbt parsed it, kept for whatever database.

dbt parses a project anew for another database or schema, because their names are part of
what it makes of it; that takes as long as a small build. Here the project is parsed once for
a database and a schema of nobody, kept by the hash of everything that parsing depends on, and
given to dbt with the names put in. The time of `--as-of` is none of that: only a run reads it.
What cannot be kept that way is left to dbt.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder
from dbt.version import __version__ as dbt_version

from ..tools.files import whole_file
from .project import home_directory, project_directory
from .project_files import add_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDER: Final = "EVALMART_PARSED"
"""The environment variable of the folder they are kept in; `parsed` in evalmart's own, else."""
# Environment variable → what stands for its value in what is kept.
_NOBODY: Final = {"PGDATABASE": "database_of_nobody", "EVALMART_SCHEMA": "schema_of_nobody"}
_USUAL_SCHEMA: Final = "evals"
_SOME_TIME: Final = "2000-01-01T00:00:00+00:00"
# A path of this run, and how much is written; no part of what is parsed.
_UNRELATED: Final = {
    "DBT_TARGET_PATH", "DBT_LOG_PATH", "DBT_PROFILES_DIR", "DBT_EXCLUDE_RESOURCE_TYPES",
    "DBT_LOG_LEVEL_FILE", "DBT_WRITE_JSON", "DBT_SEND_ANONYMOUS_USAGE_STATS",
}  # fmt: skip
# What dbt_project.yml asks of the environment, beside names of dbt's own.
_ASKED: Final = {"EVALMART_SEEDS", "EVALMART_SEMANTIC_LAYER"}
_MOST_KEPT: Final = 8


def manifest(arguments: Sequence[str]) -> Manifest | None:
    """Return the project as parsed, for the database and schema that the environment names.

    Args:
        arguments: of dbt; only `--project-dir` and `--vars` may change what is parsed.

    Returns:
        What dbt takes instead of parsing; None if it has to parse for itself.

    """
    project, variables = _option(arguments, "--project-dir"), _option(arguments, "--vars")
    if project is None or not os.environ.get("PGDATABASE") or not _is_plain(arguments):
        return None
    variables = _at_some_time(variables)
    path = folder() / f"{_key(Path(project), variables)}.msgpack"
    found = _read(path)
    if found is None:
        saved = _parse(project, variables)
        if saved is None:
            return None
        _keep(path, saved)
        found = _made(saved)
    return found


def folder() -> Path:
    """Return where what was made of the project is kept."""
    return Path(os.environ.get(FOLDER) or home_directory() / "dbt" / "parsed")


def _read(path: Path) -> Manifest | None:
    """Read what was kept; None where there is nothing, or nothing that can be read."""
    try:
        found = _made(path.read_bytes())
    except Exception:  # noqa: BLE001  whatever is wrong with it, parsing mends it
        return None
    with suppress(OSError):  # what is used is kept the longest
        path.touch()
    return found


def _made(saved: bytes) -> Manifest:
    decoded = extended_mashumuro_decoder(saved)  # type: ignore[no-untyped-call]
    own = {_NOBODY[name]: value for name, value in _own_names().items()}
    return Manifest.from_dict(_renamed(decoded, own))


def _own_names() -> dict[str, str]:
    """Return the names of database and schema, by environment variable."""
    return {
        "PGDATABASE": os.environ["PGDATABASE"],
        "EVALMART_SCHEMA": os.environ.get("EVALMART_SCHEMA", _USUAL_SCHEMA),
    }


def _at_some_time(variables: str | None) -> str | None:
    """Put one time in the place of that of `--as-of`: models compare with it, no more."""
    try:
        told = json.loads(variables or "")
    except ValueError:
        return variables
    if not isinstance(told, dict) or not told.get("as_of"):
        return variables
    return json.dumps(told | {"as_of": _SOME_TIME}, sort_keys=True)


def _option(arguments: Sequence[str], name: str) -> str | None:
    """Return the value of an option that is given once, as a word of its own."""
    places = [place for place, word in enumerate(arguments) if word == name]
    return arguments[places[0] + 1] if len(places) == 1 else None


def _is_plain(arguments: Sequence[str]) -> bool:
    """Whether profile and options are those that `_key` and `_renamed` know of."""
    unknown = ("--profile", "--target", "-t", "--state", "--defer", "--partial", "--no-partial")
    if any(word.startswith(unknown) or word.startswith("--vars=") for word in arguments):
        return False
    profile = Path(os.environ.get("DBT_PROFILES_DIR", "")) / "profiles.yml"
    example = project_directory() / "profiles.yml.example"
    try:
        return profile.read_bytes() == example.read_bytes()
    except OSError:
        return False


def _key(project: Path, variables: str | None) -> str:
    """Hash everything that parsing depends on."""
    digest = hashlib.sha256()
    named = {
        name: value
        for name, value in os.environ.items()
        if name in _ASKED or (name.startswith("DBT_") and name not in _UNRELATED)
    }
    digest.update(repr((dbt_version, str(project), variables, sorted(named.items()))).encode())
    add_files(digest, project, os.environ.get("EVALMART_SEEDS"))
    return digest.hexdigest()


def _parse(project: str, variables: str | None) -> bytes | None:
    """Have dbt parse the project for nobody's database and schema; None where it cannot."""
    options = ["--project-dir", project, *(["--vars", variables] if variables else [])]
    with tempfile.TemporaryDirectory(prefix="evalmart-") as scratch, _of_nobody():
        command = ["--quiet", "parse", "--no-partial-parse", "--target-path", scratch, *options]
        result = dbtRunner().invoke(command).result
    if not isinstance(result, Manifest):
        return None
    saved: bytes = result.to_msgpack(extended_mashumaro_encoder)
    return saved


@contextmanager
def _of_nobody() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _NOBODY}
    os.environ.update(_NOBODY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _keep(path: Path, saved: bytes) -> None:
    """Keep what was parsed, and the latest few of before; where nothing can be written, not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as stream:
            stream.write(saved)
        kept = sorted(path.parent.glob("*.msgpack"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _renamed(value: Any, own: Mapping[str, str]) -> Any:  # noqa: ANN401  any JSON value
    """Put one's own names in the place of nobody's."""
    if isinstance(value, str):
        for nobody, name in own.items():
            if nobody in value:
                value = value.replace(nobody, name)
        return value
    if isinstance(value, dict):
        return {key: _renamed(item, own) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, own) for item in value]
    return value
