"""A server on a real socket that speaks the chat-completions protocol, and misbehaves on request.

It adds: "What is 3 + 4?" is answered "7". The model `weak` is wrong on every third sum. As a
program it prints its address and serves until it is killed.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from types import TracebackType

_SUM = re.compile(r"What is (\d+) \+ (\d+)\?")
WRONG_EVERY = 3
HANG_SECONDS = 30


@dataclass
class Fault:
    """One request goes wrong.

    By `status` with `headers` and `body`, or by `act`: hang, reset, truncate, stream, empty.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"error": {"message": "out of order"}}'
    act: str = ""


def retry_date(seconds: float) -> str:
    """Return a moment in the form of an HTTP header."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class ChatServer:
    """The server; a context manager that serves in threads."""

    def __init__(self, *, key: str | None = None, delay: float = 0.0) -> None:
        """Bind a free port.

        `key`: what Authorization must carry; None asks for nothing. `delay`: seconds
        before an answer.
        """
        self.key = key
        self.delay = delay
        self.usage: dict[str, Any] = {}
        """What every answer says of its tokens beside, or instead of, their true count."""
        self.faults: deque[Fault] = deque()
        self.requests: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.most_at_once = 0
        self.arrivals: list[float] = []
        self._at_once = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"chat": self})
        self._http = _Http(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def begin(self, request: dict[str, Any], authorization: str | None) -> Fault | None:
        """Note a request; return how it goes wrong, if it does."""
        with self._lock:
            self.requests.append(request)
            self.authorizations.append(authorization)
            self.arrivals.append(time.monotonic())
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self.faults.popleft() if self.faults else None

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # with the default of 5, a burst of connections waits a second for a retransmission
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    chat: ClassVar[ChatServer]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.chat.begin(request, self.headers["Authorization"])
        try:
            self._answer(request, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.chat.end()

    def _answer(self, request: dict[str, Any], fault: Fault | None) -> None:
        if self.path != "/v1/chat/completions":
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})
        elif self.chat.key and self.headers["Authorization"] != f"Bearer {self.chat.key}":
            given = self.headers["Authorization"]
            self._send(401, {"error": {"message": f"Incorrect API key provided: {given}"}})
        elif request.get("stream"):
            self._send(400, {"error": {"message": "streaming is not supported, sorry"}})
        elif fault is not None:
            self._misbehave(request, fault)
        else:
            time.sleep(self.chat.delay)
            self._send(200, self._completion(request))

    def _misbehave(self, request: dict[str, Any], fault: Fault) -> None:
        if fault.act == "hang":
            time.sleep(HANG_SECONDS)
            self.close_connection = True
        elif fault.act == "reset":
            self.close_connection = True
        elif fault.act == "truncate":
            body = json.dumps(self._completion(request)).encode()
            self._send_bytes(200, body[: len(body) // 2], {})
        elif fault.act == "empty":
            self._send(200, {**self._completion(request), "choices": []})
        elif fault.act == "stream":
            body = b'data: {"choices": []}\n\ndata: [DONE]\n\n'
            self._send_bytes(200, body, {"Content-Type": "text/event-stream"})
        elif fault.act == "echo":
            completion = self._completion(request)
            said = f"you sent {self.headers['Authorization']}"
            completion["choices"][0]["message"]["content"] = said
            self._send(200, completion)
        else:
            self._send_bytes(fault.status, fault.body, fault.headers)

    def _completion(self, request: dict[str, Any]) -> dict[str, Any]:
        text = request["messages"][-1]["content"]
        found = _SUM.search(text)
        answer = "I do not know"
        if found:
            left, right = int(found[1]), int(found[2])
            is_wrong = request["model"] == "weak" and left % WRONG_EVERY == 0
            answer = str(left + right + is_wrong)
        prompt, completion = len(text.split()), 5
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": f"{request['model']}-2025-01-31",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": answer},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                **self.chat.usage,
            },
        }

    def _send(self, status: int, body: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send_bytes(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def sums(count: int) -> list[dict[str, Any]]:
    """Return tasks that the server can do."""
    return [
        {
            "task_id": f"sum-{number}",
            "prompt": f"What is {number} + {number + 1}?",
            "expected_output": str(2 * number + 1),
            "metadata": {"category": "sums"},
        }
        for number in range(count)
    ]


if __name__ == "__main__":
    with ChatServer() as server:
        print(server.url, flush=True)  # noqa: T201
        threading.Event().wait()
