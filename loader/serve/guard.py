"""What stands before every page: who asks, how, and what a browser may do with the answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .settings import Settings

LONGEST_QUERY: Final = 16_000
"""Bytes of a path and of what follows its question mark."""
_CONTENT: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": _CONTENT,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",
}
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?")


class Guard:
    """Lets through what may be answered, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp, settings: Settings, refuse: ASGIApp) -> None:
        """Stand before an app; `refuse` answers in its place with `scope["refusal"]`."""
        self._app = app
        self._settings = settings
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("refusal", (0,))[0] == 401:  # noqa: PLR2004  unauthorized
                    headers["www-authenticate"] = 'Basic realm="evalmart", charset="UTF-8"'
                elif scope.get("refusal", (0,))[0] == 405:  # noqa: PLR2004  not allowed
                    headers["allow"] = "GET, HEAD"
            await send(message)

        scope["settings"] = self._settings
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(self._rooted(scope), receive, send_guarded)
        else:
            scope["refusal"] = refusal
            await self._refuse(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the sentence of a request that is not answered."""
        headers = Headers(scope=scope)
        if not self._is_called_right(headers.getlist("host")):
            return 400, "The server is not known by the name that the request asks for."
        if not self._is_let_in(headers):
            return 401, "Say who you are: the server answers only with its token."
        if scope["method"] not in {"GET", "HEAD"}:
            return 405, "Nothing is changed here: the server answers GET and HEAD alone."
        if len(scope["query_string"]) + len(scope["path"]) > LONGEST_QUERY:
            return 414, "The address is longer than any page's."
        return None

    def _is_called_right(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        found = _AUTHORITY.fullmatch(hosts[0].lower())
        return found is not None and found[1].strip("[]") in self._settings.hosts()

    def _is_let_in(self, headers: Headers) -> bool:
        header, token = self._settings.auth_header, self._settings.token
        if header is not None and any(value.strip() for value in headers.getlist(header)):
            return True
        if token is not None:
            return any(
                hmac.compare_digest(said, token.encode())
                for each in headers.getlist("authorization")
                if (said := _credential(each)) is not None
            )
        return header is None

    def _rooted(self, scope: Scope) -> Scope:
        """Take off what a proxy put before the path, where it left it there."""
        root, path = self._settings.root_path, scope["path"]
        if root and (path == root or path.startswith(root + "/")):
            return {**scope, "path": path[len(root) :] or "/"}
        return scope


def _credential(header: str) -> bytes | None:
    """Return the token of a header: a bearer's, or the password that a browser asks for."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "replace")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None
