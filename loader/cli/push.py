"""`push`: the verdict of an experiment, written back to LangSmith."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from .options import database_option
from .say import say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..report.pushed import Message
    from ..sources.langsmith import LangSmith

_PROJECT, _FEEDBACK = "project", "feedback"


@click.command()
@click.option("--experiment", metavar="ID", required=True, help="The experiment.")
@click.option("--candidate-group", metavar="G", help="Only candidates of this group.")
@click.option("--candidate-version", metavar="V", help="Only this candidate version.")
@click.option(
    "--to",
    "places",
    type=click.Choice([_PROJECT, _FEEDBACK]),
    multiple=True,
    default=(_PROJECT,),
    show_default=True,
    help="The project's metadata, or feedback on the project as a whole; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be written; ask LangSmith nothing.")
@database_option
def push(  # noqa: PLR0913  one parameter per option
    *,
    experiment: str,
    candidate_group: str | None,
    candidate_version: str | None,
    places: tuple[str, ...],
    dry_run: bool,
    database_url: str | None,
) -> None:
    """Write verdict, p-values and margins of an experiment to its projects in LangSmith.

    Only to projects that the candidate's runs were loaded from, and only what the marts say
    now. Metadata gets keys that begin with `evalmart_`, beside what is there; feedback is one
    row `evalmart_verdict`, which ingest leaves alone. Writing again replaces what was written.

    \b
    Example:
      evalmart push --experiment exp-2025-01-001 --dry-run
      evalmart push --experiment exp-2025-01-001 --to project --to feedback
    """
    from ..report.pushed import messages
    from ..warehouse.connection import connect

    with connect(database_url) as connection:
        found = messages(connection, experiment, candidate_group, candidate_version)
    if _PROJECT in places:
        _refuse_two_of_a_project(found)
    if dry_run:
        for message in found:
            say_json(_shown(message, places), indent=2)
        say("dry run, nothing written", err=True)
        return
    from ..sources.langsmith import LangSmith  # the SDK is slow to import

    client = LangSmith()
    for message in found:
        _refuse_other_endpoint(client, message)
    for message in found:
        _write(client, message, places)


def _shown(message: Message, places: Sequence[str]) -> dict[str, object]:
    from ..sources.langsmith.push import VERDICT, prefixed

    shown: dict[str, object] = {
        "project": message.origin.project,
        "project_id": message.origin.project_id,
    }
    if _PROJECT in places:
        shown["metadata"] = prefixed(message.entries)
    if _FEEDBACK in places:
        shown["feedback"] = {
            "key": VERDICT, "value": message.verdict, "comment": message.comment,
        }  # fmt: skip
    return shown


def _write(client: LangSmith, message: Message, places: Sequence[str]) -> None:
    from ..sources.langsmith.push import VERDICT, write_feedback, write_metadata

    origin = message.origin
    where = f"project {origin.project} ({origin.project_id}) at {client.endpoint}"
    if _PROJECT in places:
        change = write_metadata(client, origin.project_id, message.entries)
        names = f"{len(message.entries)} keys of metadata"
        say(f"{where}: {VERDICT} = {message.verdict} and what it rests on, {names}: {change}")
    if _FEEDBACK in places:
        change = write_feedback(
            client, origin.project_id, message.about, message.verdict, message.comment
        )
        say(f"{where}: feedback {VERDICT} = {message.verdict}: {change}")


def _refuse_two_of_a_project(found: Sequence[Message]) -> None:
    """Raise where two verdicts would stand under the same keys of one project."""
    for origin, count in Counter(each.origin for each in found).items():
        if count > 1:
            here = ", ".join(each.about for each in found if each.origin == origin)
            raise ConfigurationError(
                f"project {origin.project} holds the runs of several candidates ({here}): name "
                "one with --candidate-group and --candidate-version, or use --to feedback"
            )


def _refuse_other_endpoint(client: LangSmith, message: Message) -> None:
    """Raise where the key leads to another LangSmith than the runs came from."""
    read_at = message.origin.endpoint
    if read_at and read_at.rstrip("/") != client.endpoint.rstrip("/"):
        raise ConfigurationError(
            f"project {message.origin.project} was read at {read_at}, and LANGSMITH_ENDPOINT "
            f"leads to {client.endpoint}; nothing was written"
        )
