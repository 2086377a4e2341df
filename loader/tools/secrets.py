"""What is secret, and texts without it: the one place that takes a secret out of a text.

Known are the values of environment variables that are secrets by their name, the passwords of
connection strings, of libpq's variables and of the command line, and what code has said it was
given (`remember`). Each counts as it is and as a URL, JSON or a connection string write it; so
does any beginning of eight characters or more, and an end that a text begins with: somebody
else may have cut it. A password below eight characters counts where it is a whole word.

Texts are redacted first and cut afterwards: what is cut first is known no more.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK: Final = "***"
SHORTEST: Final = 8
"""Characters of a secret that are worth the name wherever they stand."""
_SHORTEST_PASSWORD: Final = 3
_SECRET_NAME: Final = re.compile(
    r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|DATABASE_URL|COOKIE", re.IGNORECASE
)
_PATH: Final = re.compile(r"\.{0,2}/|~/|[A-Za-z]:\\")
# the password of a URL, up to the last @ of its word, and of a keyword string
_PASSWORDS: Final = (
    re.compile(r"\w://[^\s:/@]*:(?P<secret>[^\s'\"<>]+)(?=@)"),
    re.compile(r"\bpass(?:word|wd)\s*=\s*(?P<secret>'(?:[^'\\]|\\.)*'|[^\s'\"&]+)", re.IGNORECASE),
)
# and what follows a word for a secret
_PATTERNS: Final = (
    *_PASSWORDS,
    re.compile(r"\bbearer\s+(?P<secret>[^\s'\",;]+)", re.IGNORECASE),
    re.compile(r"\bx-api-key['\"]?\s*[:=]\s*['\"]?(?P<secret>[^\s'\",;]+)", re.IGNORECASE),
)
_remembered: set[str] = set()


def remember(secret: str | None) -> None:
    """Take note of a secret that the environment may not show: a key, a password."""
    if secret:
        _remembered.update(_written(secret))


def remember_passwords(text: str) -> None:
    """Take note of the passwords in a connection string, also in one that does not parse."""
    _remembered.update(_passwords([text]))


def redact(text: str) -> str:
    """Return a message without what is secret, and without what looks like a password in it."""
    spans = [match.span("secret") for pattern in _PATTERNS for match in pattern.finditer(text)]
    return _without(text, [*_known_spans(text, _known()), *spans])


def without_known(text: str) -> str:
    """Return a text without known secrets; whatever else it says stays as it is."""
    return _without(text, _known_spans(text, _known()))


def without_known_all(value: object) -> Any:  # noqa: ANN401  the same shape as what came in
    """Return a JSON value with every text in it as `without_known` returns it, and without NUL."""
    return _all_without(value, _known())


def _all_without(value: object, known: Mapping[str, list[str]]) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return _without(value, _known_spans(value, known)).replace("\0", "\\0")
    if isinstance(value, Mapping):
        return {
            _all_without(str(name), known): _all_without(item, known)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_all_without(item, known) for item in value]
    return value


def _known() -> dict[str, list[str]]:
    """Return every known secret by what it begins with; those that count as words under ""."""
    found: set[str] = set(_remembered)
    exact: set[str] = set()
    for name, value in os.environ.items():
        if len(value) >= SHORTEST and _SECRET_NAME.search(name):
            # of a path or an address the beginning is no secret
            (exact if "://" in value or _PATH.match(value) else found).add(value)
    found |= set(_written(os.environ.get("PGPASSWORD", "")))
    found |= _passwords([*(value for value in os.environ.values() if "@" in value), *sys.argv])
    found |= _passwords([os.environ.get("DATABASE_URL", "")])
    by_start: dict[str, list[str]] = {"": []}
    for secret in found:
        if len(secret) >= SHORTEST:
            by_start.setdefault(secret[:SHORTEST], []).append(secret)
        elif len(secret) >= _SHORTEST_PASSWORD:
            by_start[""].append(secret)
    for value in exact:
        by_start.setdefault(value, []).append(value)
    return by_start


def _passwords(texts: Iterable[str]) -> set[str]:
    """Return the passwords in connection strings, in every form."""
    found = {
        match["secret"].strip("'")
        for text in texts
        for pattern in _PASSWORDS
        for match in pattern.finditer(text)
    }
    return {form for each in found for form in _written(each)}


def _written(secret: str) -> Iterator[str]:
    """Yield a secret in the forms in which it may be written."""
    for form in {secret, unquote(secret)}:
        yield form
        yield quote(form, safe="")
        yield quote(form)
        yield quote_plus(form)
        yield json.dumps(form)[1:-1]
        yield json.dumps(form, ensure_ascii=False)[1:-1]
        yield form.replace("\\", "\\\\").replace("'", "\\'")


def _known_spans(text: str, known: Mapping[str, list[str]]) -> Iterator[tuple[int, int]]:
    """Yield where in a text a known secret stands, or a part that says too much of it."""
    for start, secrets in known.items():
        if not start:
            for word in secrets:
                pattern = rf"(?<!\w){re.escape(word)}(?!\w)"
                yield from (match.span() for match in re.finditer(pattern, text))
            continue
        place = text.find(start)
        while place >= 0:
            end = place + max(_shared(text, place, secret) for secret in secrets)
            yield place, end
            place = text.find(start, end)
        for secret in secrets:
            if len(start) == SHORTEST:
                yield from _at_the_beginning(text, secret)


def _shared(text: str, place: int, secret: str) -> int:
    """Return how many characters of a secret stand at a place of a text."""
    if text.startswith(secret, place):
        return len(secret)
    count = 0
    for mine, other in zip(secret, text[place : place + len(secret)], strict=False):
        if mine != other:
            break
        count += 1
    return count


def _at_the_beginning(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Yield the end of a secret that a text begins with, whose own beginning was cut off."""
    head = text[: len(secret)]
    for length in range(min(len(secret) - 1, len(head)), SHORTEST - 1, -1):
        if head.startswith(secret[-length:]):
            yield 0, length
            return


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if end <= done:
            continue
        if start > done or not parts:
            parts += [text[done:start], MARK]
        done = end
    return "".join([*parts, text[done:]]) if parts else text
