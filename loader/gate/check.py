"""What a team has decided, checked before there is a result: files, policy, a dry build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from ..errors import ConfigurationError, LoaderError, WarehouseUnavailable
from ..sources.mapping_file import read_mapping
from ..tools.notices import Gravity, Notice, placed
from ..warehouse.doctor import examine_program, examine_server
from ..warehouse.folder import POLICY, SEEDS, VARS, shown, team_file, team_folder
from ..warehouse.seed_file import read_seed_file
from ..warehouse.vars_file import read_vars_file
from . import surprises
from .policy_file import default_path, key_lines, policy_faults, read_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..tools.finding import Finding

_YAML: Final = {".yml", ".yaml"}


class Checked(NamedTuple):
    """What was found, and what was looked at."""

    notices: list[Notice]
    looked_at: list[str]

    def of(self, gravity: Gravity) -> list[Notice]:
        """Return what is of one gravity."""
        return [notice for notice in self.notices if notice.gravity is gravity]


def check(
    policy: Path | None = None, database_url: str | None = None, *, dry_build: bool = True
) -> Checked:
    """Check everything that can be checked without a result; changes nothing.

    Args:
        policy: another policy than the team's.
        database_url: of a server whose version, rights and schemas are to be looked at; the
            build goes to an empty one that is gone afterwards.
        dry_build: whether to make that build.
    """
    notices: list[Notice] = []
    looked_at: list[str] = []
    notices += _findings(examine_program())
    looked_at.append("the installation")
    try:
        folder = team_folder()
    except ConfigurationError as error:
        return Checked([*notices, Notice(Gravity.FAULT, str(error))], looked_at)
    faults = list(_folder_faults())
    notices += faults
    if folder is None:
        text = "no team's folder here: the project's own seeds and policy are checked"
        notices.append(Notice(Gravity.NOTE, f"{text}; evalmart init --here makes one"))
    else:
        looked_at.append(shown(folder))
        notices += surprises.of_names(folder)
        notices += _mappings(folder, looked_at)
    if not faults:
        notices += surprises.of_seeds()
        notices += _variables()
    notices += _policy(policy or default_path(), are_seeds_right=not faults)
    looked_at.append(shown(policy or default_path()))
    if database_url is not None:
        notices += _findings(examine_server(database_url))
        looked_at.append("the server")
    if dry_build:
        notices += _dry_build(looked_at, is_ready=not faults)
    return Checked(_in_order(notices), looked_at)


def _in_order(notices: list[Notice]) -> list[Notice]:
    """Return the gravest first, a file's together and by line."""
    gravities = list(Gravity)
    files = list(dict.fromkeys(notice.file for notice in notices))
    return sorted(
        notices,
        key=lambda one: (gravities.index(one.gravity), files.index(one.file), one.line or 0),
    )


def _findings(findings: Iterable[Finding]) -> Iterator[Notice]:
    """Turn what `doctor` found wrong into notices; what is optional and absent is a note."""
    for finding in findings:
        if finding.passed is True:
            continue
        gravity = Gravity.FAULT if finding.passed is False else Gravity.NOTE
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        yield Notice(gravity, f"{finding.subject}: {finding.detail}{remedy}")


def _folder_faults() -> Iterator[Notice]:
    for name in SEEDS:
        path = team_file(f"{name}.csv")
        if path is not None:
            yield from placed(read_seed_file(name, path).faults, shown(path))
    path = team_file(VARS)
    if path is not None:
        yield from placed(read_vars_file().faults, shown(path))


def _variables() -> Iterator[Notice]:
    path = team_file(VARS)
    values = read_vars_file().values
    if path is None or not values:
        return
    root = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    lines = {str(key.value): key.start_mark.line + 1 for key, _ in root.value} if root else {}
    yield from surprises.of_variables(values, lines, shown(path))


def _policy(path: Path, *, are_seeds_right: bool) -> Iterator[Notice]:
    found = policy_faults(path, shown(path))
    yield from found
    if not found and are_seeds_right:
        yield from surprises.of_policy(read_policy(path), key_lines(path), shown(path))


def _mappings(folder: Path, looked_at: list[str]) -> Iterator[Notice]:
    """Check every other YAML file: a policy where it has a version, else a mapping."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in _YAML or path.name in {POLICY, VARS}:
            continue
        looked_at.append(shown(path))
        if _is_policy(path):
            yield from _policy(path, are_seeds_right=False)
            continue
        try:
            read_mapping(path)
        except ConfigurationError as error:
            told = str(error).replace(str(path), shown(path)).splitlines()
            yield from placed(told, shown(path))


def _is_policy(path: Path) -> bool:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(document, dict) and "version" in document


def _dry_build(looked_at: list[str], *, is_ready: bool) -> Iterator[Notice]:
    if not is_ready:
        yield Notice(Gravity.NOTE, "no dry build was made: correct the files first")
        return
    from ..warehouse.dry_build import dry_build  # dear, and not for faults of a file

    try:
        yield from dry_build()
        looked_at.append("a build on an empty database")
    except WarehouseUnavailable as error:
        yield Notice(Gravity.WARNING, f"no dry build was made: {error}")
    except LoaderError as error:
        yield Notice(Gravity.FAULT, f"the dry build could not begin: {error}")
