"""What dbt says of a run that failed, where it was the server's fault and no model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

# as the server and its library write them; dbt keeps no SQLSTATE
_SIGNS: Final = (
    "No space left on device",
    "Disk quota exceeded",
    # half a page had room
    ": wrote only ",
    "server closed the connection unexpectedly",
    "could not connect to server",
    "connection to server",
    "terminating connection due to",
    "the database system is",
    "SSL connection has been closed",
)


def of_server(result: dbtRunnerResult) -> str | None:
    """Return what a server that is full or gone said; None if a model or a test is at fault."""
    messages = [str(result.exception)] if result.exception else []
    messages += [str(node.message) for node in getattr(result.result, "results", ())]
    lines = [line.strip() for message in messages for line in message.splitlines()]
    return next((line for line in lines if any(sign in line for sign in _SIGNS)), None)
