"""Pieces of a run are found together, however far apart they stood; names are told, and known."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigurationError
from loader.sources.mapping import parse_all
from loader.sources.tools import About, Importer, Rejected, Run
from loader.sources.tools.cells import body, is_absent, number
from loader.sources.tools.gathered import Gathered, Piece
from loader.sources.tools.identity import refuse_unknown_names, refuse_without_arm
from loader.sources.tools.naming import Names, named_by_content, worth_keeping
from loader.sources.tools.opened import ToolFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loader.sources.tools import Item


def test_pieces_come_together_in_the_order_in_which_they_stood() -> None:
    with Gathered() as gathered:
        for number_, key in enumerate(("b", "a", "b", "c", "a"), 1):
            gathered.add(key, number_, key.encode())
        assert list(gathered.groups()) == [
            ("b", [Piece(1, b"b"), Piece(3, b"b")]),
            ("a", [Piece(2, b"a"), Piece(5, b"a")]),
            ("c", [Piece(4, b"c")]),
        ]


def test_a_run_of_endless_parts_is_rejected_alone() -> None:
    with Gathered() as gathered:
        for number_ in range(10_001):
            gathered.add("endless", number_ + 5, b"")
        gathered.add("other", 1, b"x")
        [endless, other] = gathered.groups()
    assert isinstance(endless, Rejected)
    assert endless.number == 5
    assert endless.rejection.reason_code == "too_many_parts"
    assert other == ("other", [Piece(1, b"x")])


def test_an_ordinal_counts_each_key_alone() -> None:
    with Gathered() as gathered:
        assert [gathered.ordinal(key) for key in (b"a", b"b", b"a", b"a", b"b")] == [1, 1, 2, 3, 2]


def test_what_is_gathered_is_not_in_memory() -> None:
    tracemalloc.start()
    with Gathered() as gathered:
        for number_ in range(20_000):
            gathered.add(str(number_ % 7_000), number_, bytes(2_000))
        assert sum(len(group[1]) for group in gathered.groups()) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # of 40 MB


def test_content_names_a_task_whatever_the_order_of_its_members() -> None:
    assert named_by_content("input", {"a": 1, "b": 2}) == named_by_content(
        "input", {"b": 2, "a": 1}
    )
    assert named_by_content("input", " x ") == named_by_content("input", "x")
    assert named_by_content("input", "x") != named_by_content("input", "y")


def test_runs_of_the_same_names_share_one_object() -> None:
    names = Names("f.csv")
    first = names.of({"model": "m", "prompt": "x" * 500, "team": None})
    assert first == {"model": "m", "file": "f.csv"}
    assert names.of({"model": "m"}) is first
    assert names.of({"model": "n"}) is not first


def test_what_is_long_or_deep_is_not_kept_as_metadata() -> None:
    values = {"a": 1, "b": "x" * 5000, "c": {"d": 1}, "e": ["x", 1], "f": [{}], "g": None}
    assert worth_keeping(values) == {"a": 1, "e": ["x", 1]}


def test_a_cell_is_read_as_what_it_was() -> None:
    assert body('{"a": [1]}') == {"a": [1]}
    assert body("[not JSON") == "[not JSON"
    assert body("") is None
    assert [number(cell) for cell in ("0.5", "1e-3", "True", "0x1", "1_000", "inf", "")] == [
        0.5, 0.001, 1, None, None, None, None,
    ]  # fmt: skip
    assert [is_absent(cell) for cell in ("", "NaN", " null ", "0", "no")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def _runs_with_names(_: ToolFile) -> Iterator[Item]:
    yield Run(1, {"task_id": "t"}, {"metadata.team": "blue", "other": "x"})


def _importer(runs: object) -> Importer:
    about = About("k", "Tool", "", "", "", "", {"metadata.*": "a member of the metadata"})
    return Importer(about, lambda _: True, runs)  # type: ignore[arg-type]


def test_a_name_may_be_one_of_those_that_a_star_stands_for(tmp_path: Path) -> None:
    importer = _importer(_runs_with_names)
    refuse_unknown_names(parse_all([("", "experiment_group", "metadata.team")]), importer)
    with pytest.raises(ConfigurationError, match='have no "metadatateam"'):
        refuse_unknown_names(parse_all([("", "experiment_group", "metadatateam")]), importer)
    file = ToolFile(str(tmp_path / "a"))
    with pytest.raises(ConfigurationError, match=r'  metadata\.team: "blue"\n') as told:
        refuse_without_arm([(file, importer)], parse_all([]), ())
    assert "other" not in str(told.value)
