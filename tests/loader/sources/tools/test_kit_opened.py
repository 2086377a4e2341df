"""What an importer sees of a file: its head, its lines, its rows, its members."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from loader.errors import ConfigurationError, InvalidRecord
from loader.sources.tools import FileBroken, Rejected, Run
from loader.sources.tools.archives import member
from loader.sources.tools.opened import LARGEST_PART, Part, ToolFile, each, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def file_of(folder: Path, content: bytes | str, name: str = "file") -> ToolFile:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ToolFile(str(path))


def told(items: Iterator[Part[Any] | Rejected]) -> list[object]:
    """Return value or reason code of each item, with its number."""
    return [
        (item.number, item.rejection.reason_code)
        if isinstance(item, Rejected)
        else (item.number, item.value)
        for item in items
    ]


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ('{"a": 1, "b": {"c": 2}}', {"a", "b"}),
        ('\n\n {"a": 1}\n{"b": 2}\n', {"a"}),
        ('[{"a": 1, "b": 2}, {"c": 3}]', {"a", "b"}),
        ('[\n  {"a": 1', {"a"}),
        ('{"a": 1, "lo', {"a"}),
        ('{"a": nonsense, "b": 2}', {"a", "b"}),
        ("[[1]]", set()),
        ("[]", set()),
        ("a,b\n1,2\n", set()),
        ("", set()),
        ("PK\x03\x04 and more", set()),
        ("{" * 3000, set()),
    ],
)
def test_the_names_of_the_outermost_object_are_seen(
    tmp_path: Path, content: str, keys: set[str]
) -> None:
    assert file_of(tmp_path, content).keys == keys


def test_only_a_member_that_the_head_has_whole_is_shown(tmp_path: Path) -> None:
    text = json.dumps({"version": 2, "none": None, "bad": 1, "long": "x" * 200_000, "late": 3})
    file = file_of(tmp_path, text.replace('"bad": 1', '"bad": x'))
    assert file.keys == {"version", "none", "bad", "long"}
    shown = [file.shown(name) for name in ("version", "none", "bad", "long", "late")]
    assert shown == [2, None, None, None, None]


def test_a_head_is_no_more_than_a_block_of_the_largest_file(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(8 * 1024**3)
    file = ToolFile(str(path))
    assert len(file.head) == 128 * 1024
    assert (file.keys, file.is_list, file.is_zip) == (frozenset(), False, False)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("id, score ,name\n1,2,3\n", ("id", "score", "name")),
        ('\ufeff"id","a ""b"" c","two\nlines"\r\n1,2,3\r\n', ("id", 'a "b" c', "two\nlines")),
        (",question\n0,why\n", ("#1", "question")),
        ("id\tscore\n", ("id", "score")),
        ("one", ("one",)),
        ('{"id": 1}', ()),
        ('\n[{"id": 1}]', ()),
        ("", ()),
        ('"never closed\n1,2', ()),
    ],
)
def test_the_header_of_a_table_is_seen(
    tmp_path: Path, content: str, columns: tuple[str, ...]
) -> None:
    assert file_of(tmp_path, content).columns == columns


def test_rows_with_line_feeds_and_quotes_are_joined_rightly(tmp_path: Path) -> None:
    content = 'id,text\r\n1,"two\nlines, and ""quotes"""\r\n\r\n2,"\r\n\r\n"\r\n3,\x0bx\u2028y\r\n'
    file = file_of(tmp_path, content)
    assert told(file.rows()) == [
        (2, {"id": "1", "text": 'two\nlines, and "quotes"'}),
        (5, {"id": "2", "text": "\r\n\r\n"}),
        (8, {"id": "3", "text": "\x0bx\u2028y"}),
    ]
    first = next(file.rows())
    assert isinstance(first, Part)
    assert first.text == b'1,"two\nlines, and ""quotes"""\r'


def test_a_row_that_cannot_be_read_costs_no_other(tmp_path: Path) -> None:
    rows = ["id,text", "1,a", "2", "3,b,c", '4,"x"y', "5,\udcff", f"6,{'x' * 5_000_000}", "7,d"]
    content = "\n".join(rows).encode(errors="surrogateescape")
    assert told(file_of(tmp_path, content).rows()) == [
        (2, {"id": "1", "text": "a"}),
        (3, "wrong_cell_count"),
        (4, "wrong_cell_count"),
        (5, "invalid_csv"),
        (6, "invalid_utf8"),
        (7, "record_too_large"),
        (8, {"id": "7", "text": "d"}),
    ]


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    long = "x" * 400_000
    assert told(file_of(tmp_path, f"id,text\n1,{long}\n").rows()) == [
        (2, {"id": "1", "text": long})
    ]


def test_a_table_without_header_is_one_rejection(tmp_path: Path) -> None:
    assert told(file_of(tmp_path, "\n1,2\n").rows()) == [(1, "invalid_header")]


def test_lines_are_read_each_for_itself(tmp_path: Path) -> None:
    class Line(msgspec.Struct):
        id: int

    long = json.dumps({"id": 4, "text": "x" * 6_000_000})
    content = f'{{"id": 1}}\n\n \r\n{{"id": "2"}}\n{{"id": 3\n{long}\n{{"id": 5, "x": NaN}}'
    file = file_of(tmp_path, content)
    found = told(file.lines(Line))
    assert found == [
        (1, Line(1)), (4, "unexpected_form"), (5, "invalid_json"), (6, Line(4)), (7, Line(5)),
    ]  # fmt: skip
    assert file.not_numbers == 1


def test_a_line_longer_than_a_sample_may_be_is_one_rejection(tmp_path: Path) -> None:
    content = b'{"a": "' + b"x" * LARGEST_PART + b'"}\n{"a": "y"}\n'
    file = file_of(tmp_path, content)
    assert told(file.lines(dict)) == [(1, "record_too_large"), (2, {"a": "y"})]


def packed(folder: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> ToolFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file_of(folder, stream.getvalue(), "file.zip")


def test_members_of_an_archive_are_unpacked(tmp_path: Path) -> None:
    file = packed(tmp_path, {"a.json": b"{}", "b/c.json": b"x" * 100_000})
    assert file.is_zip
    assert (file.columns, file.keys) == ((), frozenset())
    with file.archive() as archive:
        assert member(archive, "a.json") == b"{}"
        assert member(archive, "b/c.json") == b"x" * 100_000
        with pytest.raises(InvalidRecord, match=r'the archive has no "nothing.json"'):
            member(archive, "nothing.json")


def test_a_member_that_unpacks_to_far_more_than_its_size_is_not_read(tmp_path: Path) -> None:
    bomb = packed(tmp_path, {"bomb.json": b" " * (30 * 1024 * 1024)})
    with bomb.archive() as archive, pytest.raises(InvalidRecord, match="times its size"):
        member(archive, "bomb.json")
    large = packed(tmp_path, {"large.json": os.urandom(LARGEST_PART + 1)}, zipfile.ZIP_STORED)
    with large.archive() as archive, pytest.raises(InvalidRecord, match="past the limit"):
        member(archive, "large.json")


def test_an_archive_with_any_byte_changed_or_missing_is_damaged_or_as_it_was(
    tmp_path: Path,
) -> None:
    """Whatever zipfile raises of it is told as such; checksums leave no other content."""
    content = b'{"numbers": [' + b", ".join(b"%d" % n for n in range(300)) + b"]}"
    chance = random.Random(4)  # noqa: S311  the same bytes every time
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        packed(tmp_path, {"a.json": content}, method)
        sound = (tmp_path / "file.zip").read_bytes()
        broken = [sound[:end] for end in range(4, len(sound), 7)]
        for _ in range(600):
            place = chance.randrange(len(sound))
            broken.append(sound[:place] + bytes([chance.randrange(256)]) + sound[place + 1 :])
        for each_content in broken:
            damaged = file_of(tmp_path, each_content, "damaged.zip")
            try:
                with damaged.archive() as archive:
                    found = [member(archive, name) for name in archive.namelist()]
            except (FileBroken, InvalidRecord):
                continue
            assert found in ([content], [])


def test_an_archive_with_a_password_says_so(tmp_path: Path) -> None:
    packed(tmp_path, {"a.json": b"{}"})
    path = tmp_path / "file.zip"
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with ToolFile(str(path)).archive() as archive, pytest.raises(InvalidRecord, match="encrypted"):
        member(archive, "a.json")


def test_what_is_no_archive_is_broken(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"PK\x03\x04" + b"x" * 100, b"{}"):
        with pytest.raises(FileBroken, match="archive cannot be read"):
            file_of(tmp_path, content).archive()


def test_companions_are_the_files_of_the_same_folder(tmp_path: Path) -> None:
    for name in ("b_samples.jsonl", "a_samples.jsonl", "results.json", "c_samples.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "d_samples.jsonl").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "e_samples.jsonl").write_text("{}")
    file = ToolFile(str(tmp_path / "results.json"))
    assert [found.name for found in file.beside("*_samples.jsonl")] == [
        "a_samples.jsonl",
        "b_samples.jsonl",
    ]
    assert [found.name for found in file.beside("*.json")] == ["c_samples.json"]
    assert ToolFile("-", tmp_path / "results.json").beside("*") == []


def test_a_part_that_makes_no_run_is_rejected_alone(tmp_path: Path) -> None:
    def make(part: Part[Any]) -> Iterator[Run]:
        yield Run(part.number, {"task_id": str(part.value)}, {})
        if part.value == 2:
            raise InvalidRecord("value", "odd_value", "2 is not taken; give another")

    items = list(each(file_of(tmp_path, "[1, 2, 3]").parts("", int), make))
    assert [type(item).__name__ for item in items] == ["Run", "Rejected", "Run"]
    assert isinstance(items[1], Rejected)
    assert (items[1].number, items[1].original) == (2, b"2")


def test_standard_input_is_kept_to_be_read_twice(tmp_path: Path) -> None:
    file = ToolFile("-", stored(io.BytesIO(b'[{"a": 1}]'), str(tmp_path)))
    assert (file.path, file.name, file.shown_name) == ("", "", "standard input")
    assert file.keys == {"a"}
    assert file.count() == 1
    assert file.digest().byte_count == 10


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing cannot be read: No such file"):
        ToolFile(str(tmp_path / "nothing")).head  # noqa: B018  reading it is the point
