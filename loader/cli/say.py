"""What a command says beside its tables: safe for a terminal, without a secret.

Names and errors come from records, files and servers. No other module of the command line
prints text of its own making.
"""

from __future__ import annotations

import click

from ..show import escape
from ..tools.secrets import redact, without_known


def say(text: object = "", *, err: bool = False) -> None:
    """Print one or several lines.

    Args:
        text: what to say; a line feed in it ends a line.
        err: on standard error, where progress, warnings and errors go.
    """
    told = redact(str(text)) if err else without_known(str(text))
    click.echo(escape.lines(told), err=err)


def say_order(text: str) -> None:
    """Print what orders a pipeline something, such as an annotation; escaped by who made it."""
    click.echo(redact(text))


def say_json(value: object, indent: int = 0) -> None:
    """Print a value for a program."""
    import msgspec  # not for --help

    text = msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()
    click.echo(escape.json_text(text))
