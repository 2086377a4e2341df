"""The command-line reference, generated from the commands themselves.

Run it to write `docs/commands.md`, or with `--check` to fail when that is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from loader.cli import COMMANDS, cli

PROGRAM = "tests/support/command_reference.py"
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
_WIDTH = 100


def render() -> str:
    """Return the reference as Markdown."""
    parts = [
        "# Commands",
        f"Generated from `evalmart … --help` by `python {PROGRAM}`.",
        _block(cli, "evalmart"),
    ]
    with click.Context(cli, info_name="evalmart") as parent:
        for name in COMMANDS:
            command = cli.get_command(parent, name)
            if command is None:
                raise LookupError(name)
            parts += [f"## {name}", _block(command, name, parent)]
            if isinstance(command, click.Group):
                with click.Context(command, info_name=name, parent=parent) as group:
                    parts += [
                        _block(command.commands[each], each, group)
                        for each in command.list_commands(group)
                    ]
    return "\n\n".join(parts) + "\n"


def _block(command: click.Command, name: str, parent: click.Context | None = None) -> str:
    with click.Context(
        command,
        info_name=name,
        parent=parent,
        max_content_width=_WIDTH,
        help_option_names=cli.context_settings["help_option_names"],
    ) as ctx:
        ctx.terminal_width = _WIDTH
        text = "\n".join(line.rstrip() for line in command.get_help(ctx).splitlines())
    return f"```text\n{text}\n```"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if REFERENCE.read_text(encoding="utf-8") != render():
            sys.exit(f"{REFERENCE} is out of date: run python {PROGRAM}")
    else:
        REFERENCE.write_text(render(), encoding="utf-8")
