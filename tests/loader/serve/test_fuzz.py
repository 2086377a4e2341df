"""Whatever is asked for, it is answered: with a page, a table or a sentence, and never with 500."""

from __future__ import annotations

import http
import http.client
import json
import os
import random
import socket
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

import pytest

from hostile_texts import hostile_texts
from loader.serve.app import LISTS, PAGES, TABLES
from served import ASKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from served import Served

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

REQUESTS = int(os.environ.get("EVALMART_FUZZ_REQUESTS", "1000"))
ODD = (
    "'", "';select 1--", "\0", "\ud800", "%", "%00", "%s", "%(search)s", "{0}", "$1", "\\",
    "0", "-1", "9" * 30, "1e400", "NaN", "null", "[]", "[null]", '["a","b"]', "{}", "[" * 200,
    "0001-01-01", "9999-12-31", "2025-13-01", "infinity", "../..", "x" * 2000, "é", "\u202e", "",
)  # fmt: skip
NAMES = (
    "q", "sort", "after", "before", "id", "experiment", "group", "version", "task", "agent", "name",
    "metric", "verdict", "show", "segment", "since", "until", "state", "a", "b", "x", "",
)  # fmt: skip
PARTS = (None, 1, 1.5, True, "a", *ODD)
HEADERS = (
    ("Host", "localhost"), ("Host", "evil.example"), ("Accept", "\xff"), ("Cookie", "a=" * 200),
    ("X-Forwarded-Host", "evil.example"), ("Range", "bytes=0-1"), ("If-None-Match", "*"),
    ("Content-Length", "3"), ("Authorization", "Basic eA=="), ("Expect", "100-continue"),
    ("Accept-Encoding", "gzip;q=x"), ("Connection", "close"), ("X-HTTP-Method-Override", "DELETE"),
)  # fmt: skip
ALLOWED = {200, 302, 304, 400, 401, 404, 405, 414}
SQL = ("psycopg", "Traceback", "syntax error", "SELECT", "LINE 1", "relation ", "operator does not")


def _odd(chance: random.Random, texts: list[str]) -> str:
    kind = chance.randrange(4)
    if kind == 0:
        return chance.choice(ODD)
    if kind == 1:
        return chance.choice(texts)
    if kind == 2:
        return json.dumps(
            [chance.choice([None, 1, 1.5, True, "a", *ODD]) for _ in range(chance.randrange(6))]
        )
    return "".join(chr(chance.choice([*range(1, 256), 0x202E, 0x1F600])) for _ in range(9))


def _target(chance: random.Random, texts: list[str]) -> str:
    path = chance.choice([*PAGES, *(f"{each}.csv" for each in [*LISTS, *TABLES]), "/report", "/"])
    if chance.random() < 0.1:
        path += chance.choice(["/", "//", "/..", "%2f", ".html", "%00", "?", ";a", "\\", "%c3%28"])
    asked = dict(ASKED.get(path.removesuffix(".csv"), {}))
    if path.startswith("/report"):
        asked = {"id": "no such one"}
    for _ in range(chance.randrange(4)):
        asked[chance.choice(NAMES)] = _odd(chance, texts)
    if asked and chance.random() < 0.2:
        asked.pop(chance.choice(list(asked)))
    quoted = chance.choice([quote, quote_plus])
    pairs = [
        f"{name}={quoted(value.encode('utf-8', 'surrogatepass'))}" for name, value in asked.items()
    ]
    if chance.random() < 0.1:
        pairs.append(chance.choice(["%", "%zz=%zz", "=", "&&", "q", "sort=&sort=", "a=%ff%fe"]))
    return path + ("?" + "&".join(pairs) if pairs else "")


class Answers:
    """What became of many requests."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.faults: list[tuple[str, str, dict[str, str], str]] = []

    def take(
        self, method: str, target: str, headers: dict[str, str], status: int, text: str
    ) -> None:
        """Count an answer, and keep what should not have been said."""
        self.counts[status] += 1
        is_told = status >= 400 and method != "HEAD"
        told = [word for word in SQL if word in text] if is_told else []
        is_refused = method in {"GET", "HEAD"} or status in {400, 405}
        if status not in ALLOWED or told or not is_refused:
            self.faults.append((method, target, headers, f"{status} {told} {text[-300:]}"))

    def lines(self) -> Iterator[str]:
        """Yield how many requests got which status."""
        yield f"{self.counts.total():,} requests, {len(self.faults)} answered as they must not be"
        for status, count in sorted(self.counts.items()):
            yield f"  {status} {http.HTTPStatus(status).phrase:<24} {count:>6,}"


def test_no_address_no_parameter_and_no_header_is_too_much(app: Served) -> None:
    chance = random.Random(REQUESTS)  # noqa: S311  the same requests each time
    texts = hostile_texts()
    place = urlsplit(app.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    seen = Answers()
    for _ in range(REQUESTS):
        target = _target(chance, texts)
        method = chance.choices(["GET", "HEAD", "POST", "get", "BREW"], [20, 3, 1, 1, 1])[0]
        connection.putrequest(method, target.encode("ascii", "replace").decode(), skip_host=True)
        headers = dict(chance.sample(HEADERS, chance.randrange(3)))
        headers.setdefault("Host", "127.0.0.1")
        has_body = headers.pop("Content-Length", None) is not None
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        if has_body:
            connection.putheader("Content-Length", "3")
        connection.endheaders(b"abc" if has_body else None)
        answer = connection.getresponse()
        seen.take(method, target, headers, answer.status, answer.read().decode())
        if answer.will_close:
            connection.close()
    connection.close()
    print(*seen.lines(), sep="\n")  # noqa: T201  `make fuzz` shows it
    assert seen.faults == []
    assert seen.counts.total() == REQUESTS
    assert seen.counts[200] > REQUESTS / 20, seen.counts
    assert seen.counts[400] > REQUESTS / 20, seen.counts
    assert seen.counts[404] > REQUESTS / 50, seen.counts
    assert app.process.poll() is None


HOST = b"Host: localhost\r\n"
NO_REQUESTS = (
    b"\x00\x01\x02\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + HOST + b"\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 80_000 + b"\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
)


@pytest.mark.parametrize("sent", NO_REQUESTS, ids=range(len(NO_REQUESTS)))
def test_what_is_no_request_is_refused(app: Served, sent: bytes) -> None:
    place = urlsplit(app.url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as door:
        door.sendall(sent)
        door.shutdown(socket.SHUT_WR)
        answer = b""
        while block := door.recv(65_536):
            answer += block
    # what is too long to be read is hung up on
    assert answer.startswith(b"HTTP/1.1 4") or (not answer and len(sent) > 65_536), answer[:200]
