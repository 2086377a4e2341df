"""Whether LangSmith can be read from here: endpoint, key, workspace, rights, run queries."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import ConfigurationError, LoaderError
from ...tools.extras import version_of
from ...tools.finding import Finding
from .access import key_variable
from .answers import Answer
from .client import LangSmith, Parameters, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

OLDEST_SDK: Final = (0, 14)
_NEXT_MAJOR: Final = (1,)
# A look is not worth a long wait.
_BRISK: Final = Patience(
    attempts=2, first_wait=0.2, longest_wait=1.0, longest_retry_after=5.0, connect_timeout=5.0,
    read_timeout=15.0,
)  # fmt: skip
# What an absent route, or one that this key may not use, answers.
_WITHHELD: Final = (400, 401, 403, 404, 405, 410, 422, 501)
# What is read, and what becomes of an ingest that may not.
_RIGHTS: Final = {
    "datasets": ("/datasets", "--dataset finds none"),
    "feedback-configs": ("/feedback-configs", "scales and directions are the seeds' alone"),
}
_V1_ENDS: Final = "the cloud service ends v1 on 2027-01-31"


def examine() -> list[Finding]:
    """Return a finding for each part; none without the SDK, no request without a key.

    Raises nothing that an installation, or the service, can get wrong.
    """
    found = version_of("langsmith")
    if found is None:
        return []
    findings = [_sdk(found)]
    try:
        client = LangSmith(_BRISK)
    except LoaderError as error:
        return [*findings, Finding("LangSmith endpoint", passed=False, detail=str(error))]
    if not client.access().has_key:
        remedy = "export LANGSMITH_API_KEY to ingest from LangSmith"
        return [*findings, Finding("LangSmith key", None, "not set", remedy)]
    try:
        findings += _reachable(client)
    except LoaderError as error:
        is_refused = isinstance(error, ConfigurationError)
        subject = "LangSmith key" if is_refused else "LangSmith endpoint"
        findings.append(Finding(subject, passed=False, detail=str(error)))
    return findings


def _sdk(found: str) -> Finding:
    numbers = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    passed = OLDEST_SDK <= numbers < _NEXT_MAJOR
    oldest = ".".join(map(str, OLDEST_SDK))
    remedy = "" if passed else f'tested with {oldest} and newer below 1: pip install "langsmith<1"'
    return Finding("LangSmith SDK", passed, found, remedy)


def _reachable(client: LangSmith) -> Iterator[Finding]:
    """Ask what can be asked.

    Raises:
        LoaderError: the service does not answer, or refuses the key.

    """
    access = client.access()
    # asked first: what it refuses is told of the key
    sessions = client.ask(
        "GET", "/sessions", list[dict[str, object]], Parameters([("limit", "1")]), (404,)
    )
    said = client.info().get("version")
    serves = f", version {said}" if said else ""
    yield Finding("LangSmith endpoint", passed=True, detail=f"{access.place}{serves}")
    source = key_variable() or "the SDK's profile"
    kind = f", a {access.key_kind} key" if access.key_kind else ""
    yield Finding("LangSmith key", passed=True, detail=f"valid, from {source}{kind}")
    session = sessions[0] if not isinstance(sessions, Answer) and sessions else {}
    yield _workspace(client, session.get("tenant_id"))
    yield _rights(client)
    if session.get("id"):
        yield _run_queries(client, str(session["id"]))


def _workspace(client: LangSmith, of_a_project: object) -> Finding:
    """Name the workspace that is read."""
    named = client.workspace_id
    workspace = named or (str(of_a_project) if of_a_project else None)
    found = client.ask("GET", "/workspaces", list[dict[str, object]], None, _WITHHELD)
    rows = [] if isinstance(found, Answer) else found
    names = {str(row.get("id")): str(row.get("display_name") or "") for row in rows}
    if workspace is None and len(names) == 1:
        (workspace,) = names
    if workspace is None:
        return Finding("LangSmith workspace", None, "the key's own; it has no project yet")
    title = f" {names[workspace]!r}" if names.get(workspace) else ""
    by = "LANGSMITH_WORKSPACE_ID or the profile" if named else "the key's own"
    if named and names and named not in names:
        listed = ", ".join(f"{identity} {name!r}" for identity, name in names.items())
        return Finding(
            "LangSmith workspace", passed=False,
            detail=f"{workspace} is none that this key may read",
            remedy=f"set LANGSMITH_WORKSPACE_ID to one of {listed}",
        )  # fmt: skip
    return Finding("LangSmith workspace", passed=True, detail=f"{workspace}{title} ({by})")


def _rights(client: LangSmith) -> Finding:
    """Say what the key may read beside projects."""
    able, lacking = ["projects"], []
    for name, (path, loss) in _RIGHTS.items():
        found = client.ask("GET", path, msgspec.Raw, Parameters([("limit", "1")]), _WITHHELD)
        if isinstance(found, Answer):
            lacking.append(f"{name} (status {found.status}): {loss}")
        else:
            able.append(name)
    return Finding(
        "LangSmith rights",
        None if lacking else True,
        f"may read {', '.join(able)}" + (f"; not {'; '.join(lacking)}" if lacking else ""),
        "give the key the right to read them, where the server has them" if lacking else "",
    )


def _run_queries(client: LangSmith, project_id: str) -> Finding:
    """Try both run queries on one project."""
    end = datetime.now(UTC)
    bodies: dict[str, tuple[str, dict[str, object]]] = {
        "v2": (
            "/api/v2/runs/query",
            {
                "project_ids": [project_id], "is_root": True, "page_size": 1, "selects": ["ID"],
                "min_start_time": (end - timedelta(days=1)).isoformat(),
                "max_start_time": end.isoformat(),
            },
        ),
        "v1": (
            "/runs/query",
            {"session": [project_id], "is_root": True, "limit": 1, "select": ["id"]},
        ),
    }  # fmt: skip
    served = [
        name
        for name, (path, body) in bodies.items()
        if not isinstance(
            client.ask("POST", path, msgspec.Raw, Parameters(body=body, kind="runs"), _WITHHELD),
            Answer,
        )
    ]
    if not served:
        return Finding(
            "LangSmith runs", passed=False, detail="neither run query (v2, v1) answers",
            remedy="check that LANGSMITH_ENDPOINT is the API's address, and what the key may read",
        )  # fmt: skip
    told = f"by {' and '.join(served)}" + (f"; {_V1_ENDS}" if served == ["v1"] else "")
    return Finding("LangSmith runs", True if "v2" in served else None, told)
