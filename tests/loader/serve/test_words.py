"""The words that two texts do not share."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from loader.serve.words import Piece, compared

TEXT = st.text(st.sampled_from("ab \n.é"), max_size=60)


@given(TEXT, TEXT)
def test_the_pieces_are_the_texts_and_what_is_shared_is_in_both(one: str, other: str) -> None:
    found = compared(one, other)
    assert found is not None
    left, right = found
    assert "".join(piece.text for piece in left) == one
    assert "".join(piece.text for piece in right) == other
    shared = ["".join(p.text for p in side if not p.is_other) for side in found]
    assert shared[0] == shared[1]
    if one == other:
        assert not any(piece.is_other for side in found for piece in side)
    else:
        assert any(piece.is_other for side in found for piece in side)


def test_one_word_that_differs_is_the_one_that_is_marked() -> None:
    found = compared("The answer is 41, I think.", "The answer is 42, I think.")
    assert found is not None
    assert found[0] == [
        Piece("The answer is ", is_other=False),
        Piece("41", is_other=True),
        Piece(", I think.", is_other=False),
    ]
    assert [piece.text for piece in found[1] if piece.is_other] == ["42"]


def test_texts_that_would_take_long_are_left_as_they_are() -> None:
    chance = random.Random(1)  # noqa: S311  the same text each time
    begun = time.process_time()
    long = ["".join(chance.choice("ab ") for _ in range(60_000)) for _ in range(2)]
    assert compared(*long) is None
    near = "word " * 10_000
    assert compared(f"{near}a {near}", f"{near}b {near}") is not None
    assert time.process_time() - begun < 5
