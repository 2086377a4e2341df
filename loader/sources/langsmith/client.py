"""HTTP to LangSmith: documented routes, the SDK's configuration, own patience.

Requests go through `Client.request_with_retries`, which is public from langsmith 0.14
on and brings key, workspace, profile and proxy settings with it; the SDK's own
retries are off, because they neither repeat a truncated answer nor say how long to wait.
The SDK's exceptions carry request headers, so none of them is ever chained to ours.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ...errors import ConfigurationError, SourceUnavailable
from ...tools import secrets
from ...tools.extras import needed
from .access import Access, kind_of
from .answers import (
    REFUSED,
    Answer,
    Transient,
    explain,
    is_page,
    mended,
    raise_for_transient,
)
from .limits import (
    LONG_RUN_QUERIES,
    OTHER_CALLS,
    RUN_QUERIES,
    RateLimit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langsmith import Client
    from requests import Response

T = TypeVar("T")
Method = Literal["GET", "POST", "PATCH"]
Kind = Literal["runs", "long_runs", "other"]
# A shorter text is no key, and replacing it could garble what was measured.
SHORTEST_KEY = 8


@dataclass(frozen=True)
class Patience:
    """How long to put up with a server; all times in seconds."""

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_retry_after: float = 300.0
    connect_timeout: float = 10.0
    read_timeout: float = 60.0


class Parameters(NamedTuple):
    """What one request says beyond its path."""

    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, object] | None = None
    kind: Kind = "other"


class LangSmith:
    """A connection to one LangSmith endpoint; safe to share between threads."""

    def __init__(
        self,
        patience: Patience | None = None,
        limits: Mapping[Kind, RateLimit] | None = None,
    ) -> None:
        """Read the SDK's configuration: environment, then profile file.

        Raises:
            ConfigurationError: the SDK refuses the configuration it finds.
        """
        self.endpoint = ""
        self._patience = patience or Patience()
        self._limits: dict[Kind, RateLimit] = {
            "runs": RateLimit(RUN_QUERIES),
            "long_runs": RateLimit(LONG_RUN_QUERIES),
            "other": RateLimit(OTHER_CALLS),
            **(limits or {}),
        }
        self._sdk = _configured_client()
        secrets.remember(self._sdk.api_key)
        parts = urlsplit(self._sdk.api_url)
        port = f":{parts.port}" if parts.port else ""
        # user information in an endpoint is a secret too
        self.endpoint = f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
        self._stopped = threading.Event()
        self._count_lock = threading.Lock()
        self.requests = 0
        self._info: Mapping[str, object] | None = None

    def __repr__(self) -> str:
        """Show the endpoint, never the key."""
        return f"LangSmith({self.endpoint!r})"

    def access(self) -> Access:
        """Return with what the service is asked."""
        key = self._sdk.api_key
        return Access(self.endpoint, bool(key), kind_of(key), bool(self._sdk.workspace_id))

    @property
    def workspace_id(self) -> str | None:
        """The workspace that is named, by the environment or the profile."""
        named = self._sdk.workspace_id
        return str(named) if named else None

    def web_address(self) -> str:
        """Return where people look at runs, as the SDK derives it from the endpoint."""
        from langsmith.utils import get_host_url  # keep --help free of the SDK

        address: str = get_host_url(None, self.endpoint)
        return address.rstrip("/")

    def stop(self) -> None:
        """Let no further attempt start: a sibling request has failed for good."""
        self._stopped.set()

    def resume(self) -> None:
        """Allow requests again, for the next experiment."""
        self._stopped.clear()

    def redact(self, text: str) -> str:
        """Blank the API key out of a text."""
        key = self._sdk.api_key
        return text.replace(key, secrets.MARK) if key and len(key) >= SHORTEST_KEY else text

    def info(self) -> Mapping[str, object]:
        """Return what `GET /info` says; empty for a server that has no such route."""
        if self._info is None:
            found = self.ask("GET", "/info", dict[str, object], missing=(404, 405, 501))
            self._info = found if isinstance(found, dict) else {}
        return self._info

    def ask(
        self,
        method: Method,
        path: str,
        shape: type[T],
        parameters: Parameters | None = None,
        missing: Sequence[int] = (),
    ) -> T | Answer:
        """Send one request until it is answered; decode the answer.

        Args:
            method: the HTTP method.
            path: below the endpoint; `/api/v2/…` is taken from the host's root.
            shape: what the JSON body is decoded to, by msgspec.
            parameters: query, body and the rate limit to count towards.
            missing: statuses that the caller deals with, given back as they are.

        Raises:
            ConfigurationError: key, workspace or a parameter is refused.
            SourceUnavailable: no usable answer within the patience.
        """
        parameters = parameters or Parameters()
        outcome = self._attempts(method, path, parameters, _decoder(shape))
        if isinstance(outcome, Transient):
            raise SourceUnavailable(self.redact(outcome.advice(self.endpoint)))
        if isinstance(outcome, Answer):
            if outcome.status in missing and not is_page(outcome):
                return outcome
            message = self.redact(explain(outcome, self.access()))
            if outcome.status in REFUSED and not is_page(outcome):
                raise ConfigurationError(message)
            raise SourceUnavailable(message)
        return outcome

    def _attempts(
        self,
        method: Method,
        path: str,
        parameters: Parameters,
        decode: Callable[[Answer], T | Answer],
    ) -> T | Answer | Transient:
        """Retry what may pass; give back the last trouble instead of raising it."""
        last = Transient("it never answered")
        try:
            for attempt in Retrying(
                retry=retry_if_exception(self._may_pass),
                wait=self._wait,
                stop=stop_after_attempt(self._patience.attempts),
                # an interrupted or failed reading must not sit out a long wait
                sleep=sleep_using_event(self._stopped),
                reraise=True,
            ):
                with attempt:
                    return decode(self._once(method, path, parameters))
        except Transient as trouble:
            # raised anew by the caller, outside this block: nothing is chained
            last = Transient(trouble.problem, trouble.wait, rate_limited=trouble.rate_limited)
        return last

    def _may_pass(self, error: BaseException) -> bool:
        """Whether another attempt is worth its wait."""
        return (
            isinstance(error, Transient)
            and not self._stopped.is_set()
            and (error.wait or 0) <= self._patience.longest_retry_after
        )

    def _wait(self, state: RetryCallState) -> float:
        """Return the seconds to the next attempt: those asked for, else exponential."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Transient) and error.wait is not None:
            return error.wait
        first = self._patience.first_wait
        growing = wait_exponential(multiplier=first, max=self._patience.longest_wait)
        return growing(state) + wait_random(0, first)(state)

    def _once(self, method: Method, path: str, parameters: Parameters) -> Answer:
        """Send one request once."""
        limit = self._limits[parameters.kind]
        limit.acquire()
        if self._stopped.is_set():
            raise Transient("the reading was stopped")
        with self._count_lock:
            self.requests += 1
        answer = self._exchange(method, path, parameters)
        try:
            raise_for_transient(answer)
        except Transient as trouble:
            if trouble.rate_limited and trouble.wait is not None:
                limit.hold(min(trouble.wait, self._patience.longest_retry_after))
            raise
        return answer

    def _exchange(self, method: Method, path: str, parameters: Parameters) -> Answer:
        """Return status and body; a connection that breaks is `Transient`."""
        heard: list[Response] = []
        request: dict[str, object] = {
            "params": list(parameters.query),
            "timeout": (self._patience.connect_timeout, self._patience.read_timeout),
            # a redirect would carry the key to another host
            "allow_redirects": False,
            "hooks": {"response": lambda response, **_: heard.append(response)},
        }
        if parameters.body is not None:
            request["data"] = msgspec.json.encode(parameters.body)
        started = time.monotonic()
        problem = None
        try:
            self._sdk.request_with_retries(method, path, request_kwargs=request)
        except Exception as error:  # noqa: BLE001  whatever the SDK makes of it, the answer tells
            problem = _kind_of_failure(error)
        response = heard[-1] if heard else None
        # the answer knows its request, whose hook knows this list: a circle would keep the body
        heard.clear()
        if response is None or (problem and not _is_read(response)):
            raise Transient(f"{problem} after {time.monotonic() - started:.0f} s")
        body = response.content
        key = self._sdk.api_key
        if key and len(key) >= SHORTEST_KEY:
            body = body.replace(key.encode(), secrets.MARK.encode())
        return Answer(
            response.status_code,
            response.headers.get("content-type", ""),
            response.headers.get("retry-after"),
            response.headers.get("location"),
            body,
        )


def _configured_client() -> Client:
    """Build the SDK's client, for its configuration and its HTTP session.

    Raises:
        ConfigurationError: the SDK is not installed, or refuses the configuration.
    """
    # imported here: the package is slow to import and most commands do without it
    with needed("langsmith"):
        from langsmith import Client
        from langsmith.utils import LangSmithError
        from urllib3.util import Retry

    refused = ""
    try:
        client = Client(auto_batch_tracing=False, retry_config=Retry(0, read=False))
    except (LangSmithError, ValueError) as error:
        refused = str(error)
    if refused:
        raise ConfigurationError(
            f"The LangSmith SDK refuses its configuration: {secrets.redact(refused)}"
        )
    parts = urlsplit(client.api_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            "LANGSMITH_ENDPOINT is no http(s) address; leave it unset for the cloud service."
        )
    return client


def _decoder(shape: type[T]) -> Callable[[Answer], T | Answer]:
    """Make the function that turns a good answer's body into `shape`."""

    def decode(answer: Answer) -> T | Answer:
        if not answer.is_good or is_page(answer):
            return answer
        for prepared in (bytes, mended):
            try:
                return msgspec.json.decode(prepared(answer.body), type=shape)
            except msgspec.MsgspecError:
                continue
        raise Transient("its answer broke off or is not what is documented")

    return decode


def _is_read(response: Response) -> bool:
    """Whether the body came whole: then it is here and can be asked for again."""
    from requests import RequestException

    try:
        return response.content is not None
    except (RequestException, RuntimeError):
        # RuntimeError: requests says that it had begun to read and failed
        return False


def _kind_of_failure(error: BaseException) -> str:
    """Name a broken exchange without quoting it: the SDK quotes headers."""
    from requests import exceptions

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, exceptions.Timeout):
            return "it did not answer in time"
        if isinstance(seen, exceptions.SSLError):
            return "its certificate is not accepted"
        if isinstance(seen, exceptions.ChunkedEncodingError | exceptions.ContentDecodingError):
            return "its answer broke off"
        if isinstance(seen, exceptions.ConnectionError):
            return "the connection failed or was reset"
        seen = seen.__cause__ or seen.__context__
    return "the request failed"
