"""A JSON document taken apart gives what decoding it whole gives, wherever it is cut."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import InvalidRecord
from loader.sources.blocks import InputBroken
from loader.sources.tools import FileBroken, Rejected
from loader.sources.tools.document import read_outline, walk_list
from loader.sources.tools.opened import ToolFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = settings(max_examples=100, deadline=None, derandomize=True)
TEXTS = st.text(max_size=6) | st.sampled_from(['"', "\\", "]", "}", ",", "a.b", "é漢🙂", "\u2028"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
NAMES = ["runs", "more.runs", "more.deep.list", "a.b"]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Give an object that has some of the lists, among other members and in any order."""
    rest = st.dictionaries(st.text(max_size=4), VALUES, max_size=3)
    lists = st.lists(VALUES, max_size=6)
    deep = {**draw(rest), **draw(st.fixed_dictionaries({}, optional={"list": lists}))}
    inside = st.fixed_dictionaries({}, optional={"runs": lists | VALUES, "deep": st.just(deep)})
    more = {**draw(rest), **draw(inside)}
    found = {
        **draw(rest),
        **draw(st.fixed_dictionaries({}, optional={"runs": lists, "more": st.just(more) | VALUES})),
        **draw(st.fixed_dictionaries({}, optional={"a.b": lists, "a": VALUES})),
    }
    return {name: found[name] for name in draw(st.permutations(list(found)))}


def cut(text: bytes, size: int) -> Iterator[bytes]:
    return (text[start : start + size] for start in range(0, len(text), size))


def list_at(found: Any, name: str) -> list[Any] | None:  # noqa: ANN401  any JSON value
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found if isinstance(found, list) else None


def without_lists(found: Any, outer: str = "") -> Any:  # noqa: ANN401
    """Return a document with its lists empty, found in another way than the kit does."""
    if not isinstance(found, dict):
        return found
    made = {}
    for name, value in found.items():
        path = f"{outer}{name}"
        is_list = isinstance(value, list) and path in NAMES and "." not in name
        leads = "." not in name and any(each.startswith(f"{path}.") for each in NAMES)
        made[name] = [] if is_list else without_lists(value, f"{path}.") if leads else value
    return made


@SETTINGS
@given(documents(), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
def test_an_outline_and_its_lists_are_what_decoding_the_whole_gives(
    document: dict[str, Any], indent: int | None, is_ascii: bool, size: int
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    outline = read_outline(cut(text, size), NAMES)
    assert outline.members == without_lists(document)
    for name in NAMES:
        wanted = list_at(document, name)
        found = [msgspec.json.decode(part) for part, _ in walk_list(cut(text, size), name)]
        assert found == (wanted or [])
        assert outline.counts.get(name) == (None if wanted is None else len(wanted))


@SETTINGS
@given(st.lists(VALUES, max_size=6), st.integers(1, 40))
def test_a_document_that_is_a_list_gives_its_elements(elements: list[Any], size: int) -> None:
    text = json.dumps(elements, indent=1).encode()
    found = [msgspec.json.decode(part) for part, _ in walk_list(cut(text, size), "")]
    assert found == elements


WHOLE = json.dumps(
    {"a": 12, "runs": [{"x": 1.5}, 22, "t\\", [3]], "more": {"runs": [True, None]}, "end": "é"}
).encode()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_document_cut_off_at_any_byte_is_broken(size: int) -> None:
    for end in range(1, len(WHOLE)):
        with pytest.raises(InvalidRecord) as told:
            read_outline(cut(WHOLE[:end], size), NAMES)
        assert "breaks off" in told.value.reason, (end, told.value.reason)
        assert told.value.code == "invalid_json"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_list_cut_off_at_any_byte_gives_whole_elements_and_then_breaks(size: int) -> None:
    elements: list[Any] = [123, {"x": 1.5}, -7.25, "text", [1, 2], True]
    text = json.dumps(elements).encode()
    for end in range(1, len(text)):
        found = []
        with pytest.raises(InputBroken, match="breaks off"):
            found += [json.loads(part) for part, _ in walk_list(cut(text[:end], size), "")]
        assert found == elements[: len(found)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1} {"b": 2}', "behind the document"),
        ('{"a": 1, "a": 2}', '"a" stands twice'),
        ('{"m": {"runs": [], "\\u0072uns": []}}', '"m.runs" stands twice'),
        ('{"a": 1,}', "a comma stands before the end of an object"),
        ('{"a": 1 "b": 2}', "a comma is missing"),
        ('{"a" 1}', 'a colon is missing behind "a"'),
        ('{"a": }', '"a" has no value'),
        ('{"a": , "b": 1}', '"a" has no value'),
        ("{1: 2}", '"1" stands where a name is wanted'),
        ('{{"a": 1}: 2}', "stands where a name is wanted"),
        ('{"a": x}', "not JSON"),
        ('{"a": [1}}', "not JSON"),
        ('{"m": {"runs": [1,,2]}}', "a comma stands where an element"),
        ('{"m": {"runs": [1 2]}}', "a comma is missing between two elements"),
        ('{"m": {"runs": [1, ]}}', "a comma stands before the end of a list"),
        ("[1]", "no JSON object"),
        ("", "no JSON object"),
        ("7", "no JSON object"),
    ],
)
def test_what_is_no_document_is_refused_with_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(InvalidRecord) as refused:
        read_outline(iter([text.encode()] if text else []), ["m.runs"])
    assert told in refused.value.reason


@pytest.mark.parametrize("text", ["[1, 2] [3]", "[1,, 2]", "[1 2]", "[1, 2,]", '[1, 2, "x'])
def test_a_list_with_a_fault_between_its_elements_is_broken_as_a_whole(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(FileBroken):
        ToolFile(str(path)).count()
    *_, last = ToolFile(str(path)).parts("", int)
    assert isinstance(last, Rejected)


def test_a_list_is_told_from_a_name_that_has_a_dot() -> None:
    text = b'{"a.b": [1, 2, 3], "a": {"b": [7]}}'
    outline = read_outline(iter([text]), ["a.b"])
    assert outline.members == {"a.b": [1, 2, 3], "a": {"b": []}}
    assert outline.counts == {"a.b": 1}
    assert list(walk_list(iter([text]), "a.b")) == [(b"7", None)]


def test_numbers_that_are_none_are_absent_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    path.write_text('{"a": NaN, "t": "NaN and \\"Infinity", "runs": [{"x": [-Infinity, 1]}]}')
    file = ToolFile(str(path))
    assert file.outline("runs").members == {"a": None, "t": 'NaN and "Infinity', "runs": []}
    [part] = file.parts("runs", dict)
    assert not isinstance(part, Rejected)
    assert part.value == {"x": [None, 1]}
    assert file.not_numbers == 1


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.encode("utf-16-le"),
        lambda text: gzip.compress(text.encode()),
        lambda text: gzip.compress(b"\xef\xbb\xbf" + text.encode()),
    ],
    ids=["mark", "utf-16", "utf-16-le", "gzip", "gzip and mark"],
)
def test_a_document_is_read_in_whatever_it_is_wrapped(tmp_path: Path, encode: Any) -> None:  # noqa: ANN401
    path = tmp_path / "doc.json.gz"
    path.write_bytes(encode('\n {"name": "é漢", "runs": [1, 2]}\n'))
    file = ToolFile(str(path))
    assert file.name == "doc.json"
    assert file.keys == {"name", "runs"}
    assert file.shown("name") == "é漢"
    assert file.outline("runs").counts == {"runs": 2}
    assert [part.number for part in file.parts("runs", int)] == [1, 2]


def test_a_packed_document_that_is_cut_off_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "doc.json.gz"
    packed = gzip.compress(json.dumps({"runs": list(range(5000))}).encode())
    path.write_bytes(packed[:-200])
    with pytest.raises(FileBroken, match="gzip file breaks off"):
        ToolFile(str(path)).outline("runs")


def test_nesting_without_end_is_refused() -> None:
    for text in (b'{"a": ' + b"[" * 200_000, b'{"runs": [' + b'{"a":' * 200_000):
        with pytest.raises(InvalidRecord):
            read_outline(cut(text, 4096), ["runs"])


def test_what_stands_beside_the_runs_is_bounded() -> None:
    text = b'{"runs": [1], "config": "' + b"x" * (9 * 1024 * 1024) + b'"}'
    with pytest.raises(InvalidRecord, match='"config" is longer than the 8,388,608 bytes'):
        read_outline(cut(text, 128 * 1024), ["runs"])
