"""The command that checks what a team has decided, for CI of the configuration itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..tools.counts import counted
from .say import say, say_json, say_order

if TYPE_CHECKING:
    from ..gate.check import Checked
    from ..tools.notices import Notice

_FAULTS: Final = 2
_COLOURS: Final = {"fault": "red", "warning": "yellow", "note": "blue"}


@click.command()
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Check this policy; else the team's policy.yml, or the project's default.",
)
@click.option(
    "--database-url",
    metavar="URL",
    help="Also look at this server: version, TLS, rights, schemas. Nothing is changed there.",
)
@click.option("--strict", is_flag=True, help="A warning counts as a fault.")
@click.option(
    "--build/--no-build",
    "dry_build",
    default=True,
    help="Build every model on an empty database that is gone afterwards, or do not.",
)
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations beside the lines of a pull request.",
)
@click.pass_context
def check(  # noqa: PLR0913  one parameter per option
    ctx: click.Context,
    *,
    policy_file: Path | None,
    database_url: str | None,
    strict: bool,
    dry_build: bool,
    output: str,
) -> None:
    """Check groups, metrics, vars, mappings and policy before there is any result.

    All faults are told at once, each with file, line, field and what to write; then what is
    legal and hardly meant. Needs no database: the build goes to a server of its own, which is
    gone afterwards, whatever ends this command. Exit codes: 0 no fault, 2 some (with --strict
    a warning is one).

    \b
    Example:
      evalmart check
      evalmart check --strict --format github
      evalmart check --database-url "$DATABASE_URL" --no-build
    """
    from ..gate.check import check as run_check

    found = run_check(policy_file, database_url, dry_build=dry_build)
    _PRINTERS[output](found)
    is_bad = any(notice.gravity == "fault" for notice in found.notices)
    is_bad |= strict and any(notice.gravity == "warning" for notice in found.notices)
    ctx.exit(_FAULTS if is_bad else 0)


def _text(found: Checked) -> None:
    for notice in found.notices:
        mark = click.style(notice.gravity, fg=_COLOURS[notice.gravity])
        click.echo(f"{mark}  ", nl=False)
        say(notice.text())
    say(_summary(found))


def _json(found: Checked) -> None:
    say_json(
        {
            "findings": [_plain(notice) for notice in found.notices],
            "looked_at": found.looked_at,
        },
        indent=2,
    )


def _plain(notice: Notice) -> dict[str, object]:
    return {
        "gravity": str(notice.gravity),
        "file": notice.file or None,
        "line": notice.line,
        "field": notice.field or None,
        "sentence": notice.sentence,
    }


def _github(found: Checked) -> None:
    from ..show.annotations import annotation

    for notice in found.notices:
        say_order(annotation(notice))
    say(_summary(found))


def _summary(found: Checked) -> str:
    counts = [
        counted(count, gravity)
        for gravity in ("fault", "warning", "note")
        if (count := sum(notice.gravity == gravity for notice in found.notices))
    ]
    return f"{', '.join(counts) or 'nothing to say'}; looked at {', '.join(found.looked_at)}"


_PRINTERS: Final = {"text": _text, "json": _json, "github": _github}
