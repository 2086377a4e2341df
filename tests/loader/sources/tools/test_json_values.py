"""JSON of other tools: what no number can hold is refused, once and quickly."""

from __future__ import annotations

import pytest

from loader.errors import InvalidRecord
from loader.sources.tools.json_values import decode

LARGEST = 17 * 10**307
MANY = 2_000_000


@pytest.mark.parametrize("number", [10**308, LARGEST, -LARGEST, 0, 12 * 10**200])
def test_a_whole_number_that_a_float_holds_is_taken(number: int) -> None:
    assert decode(f"[{number}]".encode(), object) == [number]


@pytest.mark.parametrize("number", [18 * 10**307, -(10**309), 9 * 10**400])
def test_a_whole_number_that_no_float_holds_is_refused(number: int) -> None:
    digits = len(str(abs(number)))
    with pytest.raises(InvalidRecord, match=f"a number of {digits} digits is larger than any"):
        decode(f'{{"a": ["{number}", {number}]}}'.encode(), object)


def test_digits_within_a_text_are_no_number() -> None:
    text = '"' + "9" * 400
    assert decode(b'["\\"' + b"9" * 400 + b'"]', object) == [text]


@pytest.mark.parametrize("text", [b",".join([b"9" * 308] * 6000), b'"' + b"9" * MANY + b'"'])
def test_many_digits_are_looked_at_once(text: bytes) -> None:
    """A pattern that went back over them would not end."""
    assert decode(b"[" + text + b"]", object)


def test_many_digits_before_a_point_are_looked_at_once() -> None:
    with pytest.raises(InvalidRecord):
        decode(b"[" + b"9" * MANY + b".5]", object)
