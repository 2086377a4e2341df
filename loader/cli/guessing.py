"""`ingest --guess`: propose a mapping, show what it would store, and ask."""

from __future__ import annotations

import json
import shlex
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..errors import ConfigurationError, InvalidRecord
from ..records.json_text import decode_object
from ..sources.files import FileSource
from ..sources.guess import guess
from ..sources.mapping_file import parse_mapping
from ..sources.paths import STANDARD_INPUT, expand
from ..sources.probe import probe
from ..tools.files import cannot_write, whole_file
from ..warehouse.folder import shown, team_folder
from .say import say

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Sequence

    from ..records.checker import Defaults
    from ..records.vocabulary import Vocabulary
    from ..sources import SourceRow
    from ..sources.files import Format
    from ..sources.mapping import Mapping
    from ..sources.proposal import Proposal
    from .ingest_options import Reading
    from .mapping_options import MappingOptions

_FILE: Final = "evalmart-mapping.yml"
_SHOWN: Final = 3
_SAID: Final = "as said"
_NARROWEST: Final = 30
_LONGEST: Final = 2000
"""Characters of a record that are shown."""


def agreed_mapping(  # noqa: PLR0913  what a guess goes by
    paths: Sequence[str],
    chosen: Format | None,
    options: MappingOptions,
    *,
    given: Defaults,
    vocabulary: Vocabulary,
    stated: Reading,
    roles: collections.abc.Mapping[str, str],
) -> Mapping | None:
    """Propose a mapping of files, write it down, and ask on a terminal whether to load by it.

    Args:
        paths: of the files, as named.
        chosen: format of every file; told from name and content if None.
        options: what was said of columns; a guess adds to it.
        given: what options say of every record.
        vocabulary: the groups and scales that are declared.
        stated: scales and measurements, as options say.
        roles: of groups, likewise.

    Returns:
        The mapping to load by; None where there is nobody to ask, or the answer is no.

    Raises:
        ConfigurationError: there is nothing to guess from, or another mapping file stands where
            this one would be written.

    """
    if chosen in ("baseline", "legacy"):
        raise ConfigurationError(f"--format {chosen} says what its columns are; leave --guess out")
    if options.path is not None:
        raise ConfigurationError(
            "--guess writes a mapping; leave --mapping out, --map may add to it"
        )
    if not paths:
        raise ConfigurationError("--guess looks at files; give --file PATH")
    said = options.mapping()
    files = expand(paths)
    sample = probe(files, chosen, said.decimal, said.records)
    proposal = guess(
        sample,
        said={*given.given(), *(entry.target.name for entry in said.entries if entry.target)},
        used={column for entry in said.entries for column in entry.columns},
        known_groups=vocabulary.groups | roles.keys(),
        known_scales={key: (each.low, each.high) for key, each in vocabulary.scales.items()},
    )
    said_scales = {key: (low, high, _SAID) for key, (low, high) in stated.scales.items()}
    proposal.scales |= said_scales
    proposal.measures = sorted(stated.measures)
    for group, role in roles.items():
        proposal.groups.setdefault(role, []).append(group)
        proposal.groups_reason = _SAID
    for entry in reversed(said.entries):
        goal, _, source = entry.text.partition("=")
        if entry.target is None:
            proposal.left_out += entry.columns
        else:
            proposal.entries.insert(0, (goal, source, _SAID))
    named = ", ".join(files[:_SHOWN])
    text = proposal.text(f"Proposed from the first {sample.rows:,} records of {named}")
    mapping = parse_mapping(text, _FILE)
    _show(proposal)
    _show_records(files, chosen, mapping, given)
    path = _write(text)
    command = _command(paths, chosen, path, given)
    if STANDARD_INPUT not in files and (options.yes or _is_agreed()):
        return mapping
    say(f"look at {shown(path)}, then: {command}")
    return None


def _is_agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Load it so?", err=True)


def _show(proposal: Proposal) -> None:
    lengths = [len(goal) + len(source) for goal, source, _ in proposal.entries]
    width = max(lengths, default=_NARROWEST) + 3
    for goal, source, reason in proposal.entries:
        say(f"  {f'{goal} = {source}':<{width}}  {reason}")
    for key, (low, high, reason) in proposal.scales.items():
        say(f"  {f'scale of {key}: {low:g} to {high:g}':<{width}}  {reason}")
    for role, names in proposal.groups.items():
        say(f"  {f'{role}: ' + ', '.join(names):<{width}}  {proposal.groups_reason}")
    for name, (value, reason) in proposal.defaults.items():
        say(f"  {f'{name} = {value!r}':<{width}}  {reason}")
    for note in proposal.notes:
        say(f"check: {note}", err=True)


def _show_records(
    files: Sequence[str], chosen: Format | None, mapping: Mapping, given: Defaults
) -> None:
    """Print the first records as they would be stored."""
    if STANDARD_INPUT in files:
        return
    defaults = {**mapping.defaults, **given.given()}
    source = FileSource(files[:1], chosen, supplied=defaults.keys(), mapping=mapping)
    say("the first records would be:")
    for row in islice(source.rows(), _SHOWN):
        say(f"  {_as_stored(row, defaults)}")


def _as_stored(row: SourceRow, defaults: dict[str, str]) -> str:
    if row.rejection is not None:
        return f"rejected: {row.rejection.reason}"
    try:
        fields = decode_object(row.original) if row.fields is None else row.fields
    except InvalidRecord as error:
        return f"rejected: {error.reason}"
    text = json.dumps({**defaults, **fields}, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _write(text: str) -> Path:
    """Write the mapping, in the team's folder if there is one; never over another one."""
    path = (team_folder() or Path()) / _FILE
    try:
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ConfigurationError(
                f"{shown(path)} is there already; load by it with --mapping {shown(path)}, "
                "or move it away"
            )
        with whole_file(path) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise cannot_write(shown(path), error) from None
    return path


def _command(paths: Sequence[str], chosen: Format | None, mapping: Path, given: Defaults) -> str:
    words = ["evalmart", "ingest"]
    words += [word for path in paths for word in ("--file", path)]
    words += ["--format", chosen] if chosen else []
    words += ["--mapping", shown(mapping)]
    options = {"agent_name": "agent", "baseline_experiment_id": "baseline-experiment"}
    for name, value in given.given().items():
        words += [f"--{options.get(name, name.replace('_', '-'))}", value]
    return shlex.join(words)
