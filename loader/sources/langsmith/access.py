"""Endpoints, keys and workspaces: what is asked of whom, and why it may be refused."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

REGIONS: Final[Mapping[str, str]] = {
    "https://api.smith.langchain.com": "US",
    "https://eu.api.smith.langchain.com": "EU",
    "https://apac.api.smith.langchain.com": "APAC",
    "https://aws.api.smith.langchain.com": "US on AWS",
}
"""Endpoint of each region of the cloud service; accounts, data and keys are of one region."""
NEEDS_WORKSPACE: Final = "org_scoped_key_requires_workspace"
"""What the service says of a key that is of no single workspace."""
Kind = Literal["personal", "service", ""]
_KINDS: Final[Mapping[str, Kind]] = {"lsv2_pt_": "personal", "lsv2_sk_": "service"}


class Access(NamedTuple):
    """With what the service is asked; never the key itself."""

    endpoint: str
    has_key: bool
    key_kind: Kind
    """Of a key that says it in its first letters, as keys of the service do."""
    has_workspace: bool

    @property
    def place(self) -> str:
        """Name the endpoint, and its region."""
        region = region_of(self.endpoint)
        return f"{self.endpoint} ({region})" if region else self.endpoint


def region_of(endpoint: str) -> str | None:
    """Return the region of an endpoint of the cloud service; None for any other."""
    parts = urlsplit(endpoint)
    return REGIONS.get(f"https://{parts.hostname}")


def elsewhere(endpoint: str) -> str:
    """Say which other endpoints there are, in a sentence."""
    own = region_of(endpoint)
    others = ", ".join(f"{url} ({name})" for url, name in REGIONS.items() if name != own)
    return f"A key holds in one region only; LANGSMITH_ENDPOINT of the others: {others}."


def kind_of(key: str | None) -> Kind:
    """Tell a personal key from a service key."""
    return _KINDS.get((key or "")[: len("lsv2_pt_")], "")


def key_variable() -> str | None:
    """Name the variable that the API key comes from; None when neither is set."""
    for name in ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"):
        if os.environ.get(name, "").strip():
            return name
    return None


def refusal(status: int, access: Access, body: bytes, detail: str) -> str:
    """Say why a request was refused, and what to do.

    Args:
        status: 401 or 403.
        access: what it was made with.
        body: of the answer.
        detail: what the service said, as it is to be quoted.

    """
    if status == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(access, detail)
    if NEEDS_WORKSPACE.encode() in body and not access.has_workspace:
        why = (
            "the key is of a whole organisation. Set LANGSMITH_WORKSPACE_ID, which is not set, to "
            "the id of the workspace."
        )
    elif access.has_workspace:
        why = (
            "LANGSMITH_WORKSPACE_ID names a workspace it may not read, or the key lacks the right "
            f"to read, or is of another region. {elsewhere(access.endpoint)}"
        )
    else:
        of_many = "a service key" if access.key_kind == "service" else "a key"
        why = (
            f"{of_many} of an organisation or of several workspaces needs LANGSMITH_WORKSPACE_ID, "
            "which is not set; or the key lacks the right to read, or is of another region. "
            f"{elsewhere(access.endpoint)}"
        )
    return f"LangSmith at {access.place} refuses access (403): {why}{detail}"


def _unauthorized(access: Access, detail: str) -> str:
    variable = key_variable()
    if not access.has_key:
        return (
            f"LangSmith at {access.place} refuses the request (401): no API key is set. Set "
            f"LANGSMITH_API_KEY to a key of that endpoint's region.{detail}"
        )
    named = f"the key in {variable}" if variable else "the key of the SDK's profile"
    return (
        f"LangSmith at {access.place} refuses the request (401): {named} is not valid there; it "
        f"may have expired, or be of another region. {elsewhere(access.endpoint)}{detail}"
    )
