"""The scanner of JSON documents: a value is cut out exactly, wherever a block of bytes ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from loader.sources.json_document import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

TRICKY = 'a "quoted" \\ text with [ { } ] and \u00e9\u2028'


def nested(depth: int) -> Any:  # noqa: ANN401  any JSON value
    """Make a value with so many brackets open at once, strings like brackets on every level."""
    inner: Any = {TRICKY: [TRICKY, 1, None, {}, []]} if depth > 1 else []
    for level in range(depth - 2):
        inner = {TRICKY: inner, "b": "}"} if level % 2 else [TRICKY, inner, "]", {"c": [1]}]
    return inner


def blocks(text: bytes, size: int) -> Iterator[bytes]:
    return (text[place : place + size] for place in range(0, len(text), size))


@pytest.mark.parametrize("depth", [1, 2, 11, 12, 13, 14, 15, 60])
@pytest.mark.parametrize("size", [1, 3, 64, 1 << 17])
def test_a_value_is_cut_out_exactly(depth: int, size: int) -> None:
    value = json.dumps(nested(depth), ensure_ascii=False).encode()
    scanner = Scanner(blocks(value + b" , " + value + b"]", size))
    assert scanner.next_char() == value[:1]
    assert scanner.value() == (value, None)
    assert scanner.next_char() == b","
    scanner.skip()
    scanner.next_char()
    assert scanner.value() == (value, None)
    assert scanner.next_char() == b"]"


@pytest.mark.parametrize("size", [1, 100])
def test_a_value_that_is_too_long_is_stepped_over(size: int) -> None:
    value = json.dumps([TRICKY] * 100).encode()
    scanner = Scanner(blocks(value + b", 1]", size), largest=len(value) // 2)
    scanner.next_char()
    text, problem = scanner.value()
    assert problem is not None
    assert problem.reason_code == "record_too_large"
    assert text[:40] == value[: len(text)][:40]
    assert scanner.next_char() == b","


@pytest.mark.parametrize("size", [1, 1 << 17])
def test_a_value_that_breaks_off_is_all_there_is(size: int) -> None:
    value = json.dumps(nested(6)).encode()[:-2]
    scanner = Scanner(blocks(value, size))
    scanner.next_char()
    assert scanner.value() == (value, None)
    assert scanner.next_char() is None
