"""Requests to the API of a service that keeps code: with a token that nobody sees, and retries.

The standard library alone: the job that has the token installs nothing.
"""

from __future__ import annotations

import json
import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..errors import ConfigurationError, SourceUnavailable
from ..tools.retry_after import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ATTEMPTS: Final = 5
_SECONDS: Final = 30
_LONGEST_WAIT: Final = 60.0
_LARGEST: Final = 32 << 20
_MOST_PAGES: Final = 100
_FORBIDDEN: Final = 403
_OUT_OF_ORDER: Final = frozenset({429, 500, 502, 503, 504})
_MAY_BE_DONE: Final = frozenset({500, 502, 504})
"""What is said of a request, too, that was carried out and whose answer was lost on the way."""


class Answer(NamedTuple):
    """What a service answered."""

    status: int
    value: Any
    headers: Mapping[str, str]


class Refused(SourceUnavailable):
    """The service answered, and refused what was asked.

    Attributes:
        status: of HTTP.

    """

    def __init__(self, message: str, status: int) -> None:
        """Keep the status."""
        super().__init__(message)
        self.status = status


class _NoRedirect(HTTPRedirectHandler):
    """A token goes where it was meant to, and to nobody that an answer names."""

    def redirect_request(self, *_: object) -> None:
        return None


class Service:
    """The API of one service."""

    def __init__(self, base: str, headers: Mapping[str, str], pause: float = 1.0) -> None:
        """Take where it is and what every request says.

        Args:
            base: its URL; https, or http of this machine.
            headers: with the token.
            pause: seconds before the second attempt; doubled for each further one.

        Raises:
            ConfigurationError: the URL would send the token in the open.

        """
        parts = urlsplit(base)
        is_here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
            raise ConfigurationError(f"the API has to be at an https address, not {base!r}")
        self._base = base.rstrip("/")
        self._headers = {"User-Agent": "evalmart", **headers}
        self._pause = pause
        self._opener = build_opener(_NoRedirect)

    def pages(self, path: str) -> Iterator[Any]:
        """Yield the items of every page of a list.

        Raises:
            Refused: the service refused.
            SourceUnavailable: it does not answer.

        """
        joint = "&" if "?" in path else "?"
        for number in range(1, _MOST_PAGES + 1):
            answer = self.ask("GET", f"{path}{joint}per_page=100&page={number}")
            if not isinstance(answer.value, list):
                raise SourceUnavailable(f"{path} answered no list")
            yield from answer.value
            is_more = 'rel="next"' in answer.headers.get("link", "") or answer.headers.get(
                "x-next-page"
            )
            if not is_more:
                return

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Ask once more while the service is out of order.

        Raises:
            Refused: the service refused.
            SourceUnavailable: it did not answer in five attempts.

        """
        pause = self._pause
        for attempt in range(1, _ATTEMPTS + 1):
            told: float | None = None
            try:
                return self._once(method, path, body)
            except HTTPError as error:
                told = seconds_of(error.headers.get("retry-after"))
                is_limit = error.code == _FORBIDDEN and (
                    told is not None or error.headers.get("x-ratelimit-remaining") == "0"
                )
                if error.code not in _OUT_OF_ORDER and not is_limit:
                    raise Refused(_refusal(method, path, error), error.code) from None
                last = f"status {error.code}"
                may_be_done = error.code in _MAY_BE_DONE
            except (OSError, HTTPException, ValueError) as error:
                last = type(error).__name__
                may_be_done = True
            if method == "POST" and may_be_done:
                # a comment is looked for again by who asks
                raise SourceUnavailable(f"{method} {path}: {last}; it may have arrived")
            if attempt < _ATTEMPTS:
                time.sleep(min(_LONGEST_WAIT, told if told is not None else pause))
                pause *= 2
        raise SourceUnavailable(f"{method} {path}: {last}, {_ATTEMPTS} times; run the job again")

    def _once(self, method: str, path: str, body: Mapping[str, object] | None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": "application/json"} if data else {})}
        request = Request(f"{self._base}{path}", data, headers, method=method)  # noqa: S310  checked above
        with self._opener.open(request, timeout=_SECONDS) as response:
            return _answer(response)


def _answer(response: HTTPResponse) -> Answer:
    text = response.read(_LARGEST)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, json.loads(text) if text else None, headers)


def _refusal(method: str, path: str, error: HTTPError) -> str:
    try:
        said = json.loads(error.read(65_536)).get("message", "")
    except (OSError, ValueError, AttributeError):
        said = ""
    told = f": {said}" if isinstance(said, str) and said else ""
    return f"{method} {path.partition('?')[0]} was refused with status {error.code}{told}"
