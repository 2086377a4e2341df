"""A stand-in for GitHub's and GitLab's API of comments, on a real socket.

As GitHub's: lists come by pages of at most 100 with a Link header, in the order of their ids; a
job's token may not ask who it is; a comment of more than 65,536 characters is refused. As
GitLab's: a page says the next one in X-Next-Page. It misbehaves as `faults` says.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

TOKEN = "ghs_0123456789abcdef_stand_in"  # noqa: S105  of nobody
BOT = "github-actions[bot]"
Row = dict[str, Any]


class CodeHost:
    """The stand-in; a context manager that serves in threads."""

    def __init__(self) -> None:
        self.comments: dict[str, list[Row]] = {}
        """By number of the request."""
        self.pulls: list[Row] = []
        self.requests: list[str] = []
        self.faults: dict[str, list[int | str]] = {}
        """Method → what its next requests are answered: a status, `lost`, or `done, STATUS`."""
        self.is_app = True
        """Whether the token is a job's own."""
        self._next = 1
        host = self

        class Bound(_Handler):
            @property
            def host(self) -> CodeHost:
                return host

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, number: str, body: str, login: str = BOT) -> Row:
        """Add a comment."""
        user = {"login": login, "id": sum(login.encode()), "type": "Bot"}
        row = {"id": self._next, "body": body, "user": user, "author": user}
        self._next += 1
        self.comments.setdefault(number, []).append(row)
        return row

    def of(self, number: str, login: str = BOT) -> list[str]:
        """Return the texts of what somebody has written."""
        there = self.comments.get(number, [])
        return [row["body"] for row in there if row["user"]["login"] == login]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def host(self) -> CodeHost:
        raise NotImplementedError

    def log_message(self, *_: object) -> None:  # quiet
        return

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("content-length") or 0)
        given = json.loads(self.rfile.read(length) or b"{}")
        host = self.host
        host.requests.append(f"{method} {self.path}")
        faults = host.faults.get(method, [])
        fault = faults.pop(0) if faults else None
        if isinstance(fault, int) and fault:
            self._send(fault, {"message": "out of order"}, {"Retry-After": "0"})
            return
        status, value, headers = self._found(method, given)
        if fault == "lost":  # it was done, and the answer does not arrive
            self.close_connection = True
            self.connection.close()
            return
        if isinstance(fault, str):  # it was done, and a gateway says that it was not
            status, value = int(fault.removeprefix("done, ")), {"message": "out of order"}
        self._send(status, value, headers)

    def _found(self, method: str, given: Row) -> tuple[int, Any, dict[str, str]]:
        token = self.headers.get("authorization") or self.headers.get("private-token") or ""
        if token.removeprefix("Bearer ") != TOKEN:
            return 401, {"message": "Bad credentials"}, {}
        path = urlsplit(self.path)
        if path.path == "/user":
            return (
                (403, {"message": "Resource not accessible by integration"}, {})
                if self.host.is_app
                else (200, {"login": "octo-bot", "id": sum(b"octo-bot")}, {})
            )
        if re.fullmatch(r"/repos/[^/]+/[^/]+/pulls", path.path):
            asked = parse_qs(path.query)["head"][0]
            return self._page([row for row in self.host.pulls if row["asked"] == asked])
        listed = re.fullmatch(
            r"/repos/[^/]+/[^/]+/issues/(\d+)/comments|/projects/[^/]+/merge_requests/(\d+)/notes",
            path.path,
        )
        if listed:
            number = listed.group(1) or listed.group(2)
            if method == "GET":
                return self._page(self.host.comments.get(number, []))
            return self._written(number, given)
        return self._edited(path.path, method, given)

    def _written(self, number: str, given: Row) -> tuple[int, Any, dict[str, str]]:
        if len(given["body"]) > 65_536:
            return 422, {"message": "Validation Failed"}, {}
        return 201, self.host.add(number, given["body"], self._login()), {}

    def _edited(self, path: str, method: str, given: Row) -> tuple[int, Any, dict[str, str]]:
        identity = int(path.rpartition("/")[2])
        for rows in self.host.comments.values():
            for row in rows:
                if row["id"] == identity and method in {"PATCH", "PUT"}:
                    if row["user"]["login"] != self._login():
                        return 403, {"message": "Must have admin rights"}, {}
                    row["body"] = given["body"]
                    return 200, row, {}
        return 404, {"message": "Not Found"}, {}

    def _login(self) -> str:
        return BOT if self.host.is_app else "octo-bot"

    def _page(self, rows: list[Row]) -> tuple[int, Any, dict[str, str]]:
        asked = parse_qs(urlsplit(self.path).query)
        size = min(100, int(asked.get("per_page", ["30"])[0]))
        number = int(asked.get("page", ["1"])[0])
        part = rows[(number - 1) * size : number * size]
        if number * size >= len(rows):
            return 200, part, {"X-Next-Page": ""}
        where = f"<{self.host.url}/next?page={number + 1}>"
        return 200, part, {"Link": f'{where}; rel="next"', "X-Next-Page": str(number + 1)}

    def _send(self, status: int, value: object, headers: dict[str, str]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)
