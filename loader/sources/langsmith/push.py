"""What goes back to LangSmith, when it is asked for: metadata of a project, feedback on it.

Nothing else is changed there. What others wrote stays: metadata is read and merged, and
feedback of ours has an id of its own, so that writing again replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from ...errors import ConfigurationError
from .answers import Answer
from .client import Parameters
from .feedback import OWN_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .client import LangSmith

Change = Literal["written", "replaced", "unchanged"]
VERDICT: Final = f"{OWN_PREFIX}verdict"
_NO_WRITING: Final = (403, 404)


def write_metadata(client: LangSmith, project_id: str, entries: Mapping[str, object]) -> Change:
    """Merge entries into a project's metadata; ours of an earlier time go.

    Args:
        client: the connection.
        project_id: the project.
        entries: without the prefix that all of ours have there.

    Raises:
        ConfigurationError: there is no such project, or the key may not write to it.
        SourceUnavailable: LangSmith does not answer.
    """
    found = client.ask("GET", f"/sessions/{project_id}", dict[str, object], missing=(404,))
    if isinstance(found, Answer):
        raise _refused(client, project_id, found.status)
    kept = found.get("extra")
    extra: dict[str, object] = dict(kept) if isinstance(kept, dict) else {}
    there = extra.get("metadata")
    metadata: dict[str, object] = dict(there) if isinstance(there, dict) else {}
    ours = prefixed(entries)
    old = {name: value for name, value in metadata.items() if name.startswith(OWN_PREFIX)}
    if old == ours:
        return "unchanged"
    others = {name: value for name, value in metadata.items() if name not in old}
    body = {"extra": {**extra, "metadata": {**others, **ours}}}
    _write(client, "PATCH", f"/sessions/{project_id}", body, project_id)
    return "replaced" if old else "written"


def prefixed(entries: Mapping[str, object]) -> dict[str, object]:
    """Return entries under the names that they have in a project's metadata."""
    return {f"{OWN_PREFIX}{name}": value for name, value in entries.items()}


def write_feedback(
    client: LangSmith, project_id: str, about: str, value: str, comment: str
) -> Change:
    """Write one feedback row on a project as a whole, or bring the one there up to date.

    Args:
        client: the connection.
        project_id: the project.
        about: what it is about; there is one row for each.
        value: the verdict.
        comment: what there is to say beside it.

    Raises:
        ConfigurationError: there is no such project, or the key may not write to it.
        SourceUnavailable: LangSmith does not answer.
    """
    feedback_id = str(uuid5(NAMESPACE_URL, f"evalmart:{project_id}:{about}"))
    path = f"/feedback/{feedback_id}"
    found = client.ask("GET", path, dict[str, object], missing=(404,))
    said = {"value": value, "comment": comment}
    if isinstance(found, Answer):
        body = {
            "id": feedback_id,
            "key": VERDICT,
            "session_id": project_id,
            "score": None,
            **said,
            "feedback_source": {"type": "api", "metadata": {"evalmart": about}},
        }
        _write(client, "POST", "/feedback", body, project_id)
        return "written"
    if {name: found.get(name) for name in said} == said:
        return "unchanged"
    _write(client, "PATCH", path, said, project_id)
    return "replaced"


def _write(
    client: LangSmith,
    method: Literal["POST", "PATCH"],
    path: str,
    body: Mapping[str, object],
    project_id: str,
) -> None:
    answer = client.ask(method, path, msgspec.Raw, Parameters(body=body), _NO_WRITING)
    if isinstance(answer, Answer):
        raise _refused(client, project_id, answer.status)


def _refused(client: LangSmith, project_id: str, status: int) -> ConfigurationError:
    why = (
        f"has no project {project_id} any more, or the key may not see it (404)"
        if status == _NO_WRITING[1]
        else f"lets this key read but not write to project {project_id} (403): use a key that "
        "may write there"
    )
    return ConfigurationError(f"LangSmith at {client.endpoint} {why}; nothing was changed there")
