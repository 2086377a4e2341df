"""What an answer of LangSmith means, and what a person can do about it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ...tools.retry_after import seconds_of
from .access import key_variable, refusal

if TYPE_CHECKING:
    from .access import Access

# The other side may answer these differently a moment later.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
# An option or the configuration is wrong; asking again changes nothing.
REFUSED = frozenset({400, 401, 403, 404, 409, 413, 414, 422})
LONGEST_DETAIL = 300


class Answer(NamedTuple):
    """One HTTP answer, its body without the API key."""

    status: int
    content_type: str
    retry_after: str | None
    location: str | None
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether the status says that the body is what was asked for."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Transient(Exception):  # noqa: N818  it reads as what it is
    """Trouble that may pass; never leaves this package."""

    def __init__(
        self, problem: str, wait: float | None = None, *, rate_limited: bool = False
    ) -> None:
        """Keep what happened and how many seconds the other side asks for."""
        super().__init__(problem)
        self.problem = problem
        self.wait = wait
        self.rate_limited = rate_limited

    def advice(self, endpoint: str) -> str:
        """Say what happened and what to do, once patience is at its end."""
        if self.rate_limited:
            asked = (
                f"it asks to wait {self.wait:.0f} s"
                if self.wait is not None
                else "it does not say for how long; a minute is usual"
            )
            return (
                f"LangSmith's rate limit holds at {endpoint} ({self.problem}): {asked}. "
                "Nothing was loaded; run the command again after that."
            )
        keyless = "" if key_variable() else " LANGSMITH_API_KEY is not set either."
        return (
            f"LangSmith at {endpoint} does not answer as it should: {self.problem}. "
            "Check the network and LANGSMITH_ENDPOINT, and run the command again; "
            f"nothing was loaded.{keyless}"
        )


def is_page(answer: Answer) -> bool:
    """Whether a web page came instead of LangSmith's JSON."""
    return "html" in answer.content_type.lower() or answer.body.lstrip()[:1] == b"<"


def raise_for_transient(answer: Answer) -> None:
    """Raise for a status that may pass.

    Raises:
        Transient: with the waiting time where one was given.
    """
    if answer.status in PASSING:
        raise Transient(
            f"status {answer.status}",
            seconds_of(answer.retry_after),
            rate_limited=answer.status == HTTPStatus.TOO_MANY_REQUESTS,
        )


def explain(answer: Answer, access: Access) -> str:
    """Say what an answer that cannot be used means, and what to do."""
    status, endpoint = answer.status, access.endpoint
    if is_page(answer):
        return (
            f"A web page answered at {endpoint} (status {status}), not LangSmith: a proxy or "
            "a sign-in page stands in between. Check LANGSMITH_ENDPOINT and HTTPS_PROXY."
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return (
            f"{endpoint} redirects (status {status}) and is not LangSmith's API itself. "
            "Set LANGSMITH_ENDPOINT to the final address; the key is not sent elsewhere."
        )
    detail = detail_of(answer.body)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return refusal(status, access, answer.body, detail)
    return f"LangSmith at {endpoint} answered with status {status}.{detail}"


def mended(body: bytes) -> bytes:
    """Return a page in which every row that is no sound JSON is quoted as text.

    Half a surrogate pair or NaN in one row must not cost the whole page. A body that
    broke off stays what it is.
    """
    try:
        page = json.loads(body)
    except ValueError:
        return body
    rows = page if isinstance(page, list) else None
    if isinstance(page, dict):
        rows = page.get("items") or page.get("runs")
    if not isinstance(rows, list):
        return body
    for index, row in enumerate(rows):
        text = json.dumps(row)
        try:
            msgspec.json.decode(text)
        except msgspec.MsgspecError:
            rows[index] = text
    return json.dumps(page).encode()


def detail_of(body: bytes) -> str:
    """Quote what the service said about an error, briefly; empty when it said nothing."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return ""
    if isinstance(said, dict):
        said = next(
            (said[name] for name in ("detail", "error", "message", "title") if said.get(name)), ""
        )
    text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    return f" It says: {text[:LONGEST_DETAIL]}" if text else ""
