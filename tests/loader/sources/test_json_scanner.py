"""The scanner of JSON cuts out values whole, however deep they are and wherever blocks end."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from loader.sources.json_document import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS = ("", "plain", 'q"{[', "\\", '}]\\"', "é{", "x" * 50)


def _value(chosen: random.Random, depth: int) -> Any:  # noqa: ANN401  any JSON value
    kind = chosen.random()
    if depth <= 0 or kind < 0.2:
        return chosen.choice([1, -2.5, None, True, *_TEXTS])
    if kind < 0.6:
        return [_value(chosen, depth - 1) for _ in range(chosen.randrange(4))]
    return {
        f"{chosen.choice(_TEXTS)}{place}": _value(chosen, depth - 1)
        for place in range(chosen.randrange(4))
    }


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    scanner = Scanner(text[place : place + size] for place in range(0, len(text), size))
    while (char := scanner.next_char()) is not None:
        if char == b",":
            scanner.skip()
            continue
        piece, problem = scanner.value()
        assert problem is None
        yield piece


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_a_value_is_cut_out_whole_wherever_blocks_end(size: int) -> None:
    chosen = random.Random(size)  # noqa: S311  of a test
    deepest = 0
    for _ in range(150):
        depth = chosen.randrange(12)
        values = [
            json.dumps(_value(chosen, depth), indent=chosen.choice([None, 1])).encode()
            for _ in range(chosen.randrange(1, 5))
        ]
        deepest = max(deepest, *(value.count(b"[") + value.count(b"{") for value in values))
        assert list(_pieces(b" , ".join(values), size)) == values
    assert deepest > 10


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 6, 9, 200])
def test_a_value_that_stands_inside_others_is_not_run_past(depth: int) -> None:
    value = b"[" * depth + b'{"a": "]"}' + b"]" * depth
    text = value + b"," + value
    assert list(_pieces(text, 100)) == [value, value]
