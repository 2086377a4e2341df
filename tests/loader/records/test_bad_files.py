"""Every kind of broken file: refused where it is broken, and the rest of it loaded."""

# ruff: noqa: E501  the table reads best with one case a line

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from ingest_support import line, load_file, select

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def broken_files() -> dict[str, tuple[str, bytes, list[str], int]]:
    """Name → file name, content, reason codes in order, rows loaded."""
    header = b"experiment_id,task_id,experiment_group,extension_version"
    row = b"e,t,baseline,1"
    packed = gzip.compress(b"\n".join(line(task_id=f"t{n}") for n in range(2000)))
    sound = line()
    return {
        "empty": ("a.jsonl", b"", ["empty_file"], 0),
        "only blank lines": ("a.jsonl", b"\n \n\n", ["empty_file"], 0),
        "empty gzip": ("a.jsonl.gz", gzip.compress(b""), ["empty_file"], 0),
        "empty csv": ("a.csv", b"", ["empty_file"], 0),
        "csv with a header only": ("a.csv", header, ["empty_file"], 0),
        "empty array": ("a.json", b"[]", ["empty_file"], 0),
        "a mark at the start": ("a.jsonl", b"\xef\xbb\xbf" + sound, [], 1),
        "a mark at the start of csv": ("a.csv", b"\xef\xbb\xbf" + header + b"\n" + row, [], 1),
        "Windows line ends": ("a.jsonl", sound + b"\r\n", [], 1),
        "Windows line ends in csv": ("a.csv", header + b"\r\n" + row + b"\r\n", [], 1),
        "gzip under another name": ("a.jsonl", gzip.compress(sound), [], 1),
        "two gzip members": ("a.jsonl", gzip.compress(sound + b"\n") * 2, [], 2),
        "gzip cut in its header": ("a.jsonl", packed[:5], ["truncated_gzip"], 0),
        "gzip damaged": (
            "a.jsonl",
            gzip.compress(sound)[:10] + b"\xff" * 20,
            ["corrupt_gzip"],
            0,
        ),
        "csv without header": ("a.csv", b"\n" + row, ["invalid_header"], 0),
        "csv lacks a column": ("a.csv", b"task_id\nt", ["invalid_header"], 0),
        "csv with an unknown column": ("a.csv", header + b",x\n" + row, ["invalid_header"], 0),
        "csv with a column twice": ("a.csv", header + b",task_id\n" + row, ["invalid_header"], 0),
        "csv with overlapping columns": (
            "a.csv",
            header + b",metadata,metadata.a\n" + row,
            ["invalid_header"],
            0,
        ),
        "csv with an unnamed column": ("a.csv", header + b",\n" + row, ["invalid_header"], 0),
        "csv nesting that cannot be": (
            "a.csv",
            header + b",task_id.x\n" + row,
            ["invalid_header"],
            0,
        ),
        "csv header not UTF-8": ("a.csv", header + b",\xff\n" + row, ["invalid_utf8"], 0),
        "csv row too short": ("a.csv", header + b"\ne,t\n" + row, ["wrong_cell_count"], 1),
        "csv row too long": ("a.csv", header + b"\n" + row + b",x", ["wrong_cell_count"], 0),
        "csv row not UTF-8": ("a.csv", header + b"\ne,\xff,baseline,1\n" + row, ["invalid_utf8"], 1),
        "csv with bad quotes": ("a.csv", header + b'\ne,"t"x,baseline,1\n' + row, ["invalid_csv"], 1),
        "csv quotes not closed": ("a.csv", header + b'\ne,"t,baseline,1\n' + row, ["invalid_csv"], 0),
        "csv number that is none": (
            "a.csv",
            header + b",latency_ms\n" + row + b",fast\n" + row + b",1_000",
            ["wrong_type", "wrong_type"],
            0,
        ),
        "csv NaN": ("a.csv", header + b",cost_usd\n" + row + b",nan", ["not_finite"], 0),
        "csv boolean that is none": ("a.csv", header + b",success\n" + row + b",ja", ["wrong_type"], 0),
        "csv metadata that is no JSON": (
            "a.csv",
            header + b",metadata\n" + row + b",{a}",
            ["wrong_type"],
            0,
        ),
        "array breaks off": ("a.json", b"[" + sound + b",", ["invalid_json"], 1),
        "record in array breaks off": ("a.json", b"[" + sound + b',{"a":', ["invalid_json"] * 2, 1),
        "array without comma": ("a.json", b"[" + sound + b" 5]", ["invalid_json", "not_an_object"], 1),
        "array with a trailing comma": ("a.json", b"[" + sound + b",]", ["invalid_json"], 1),
        "NaN in one element": (
            "a.json",
            b"[" + line(latency_ms=float("nan")) + b"," + sound + b"]",
            ["not_finite"],
            1,
        ),
        "results is no array": ("a.json", b'{"results": 5}', ["unknown_field"], 0),
        "results breaks off": ("a.json", b'{"results": [' + sound + b"]", ["invalid_json"], 1),
    }  # fmt: skip


@pytest.mark.parametrize("name", broken_files())
def test_a_broken_file_is_refused_where_it_is_broken(
    shared_url: str, tmp_path: Path, name: str
) -> None:
    file_name, content, codes, sound = broken_files()[name]
    path = tmp_path / file_name
    path.write_bytes(content)
    summary = load_file(shared_url, path)
    rows = select(
        shared_url,
        "select reason_code from raw_evals.rejected_rows where load_id = %s",
        summary.load_id,
    )
    assert sorted(row[0] for row in rows) == sorted(codes)
    assert summary.read - summary.rejected == sound


def test_rows_before_the_break_of_a_gzip_file_are_loaded(database_url: str, tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(line(task_id=f"t{n}") for n in range(2000)))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    summary = load_file(database_url, path)
    assert 0 < summary.loaded < 2000
    assert [reason.reason_code for reason in summary.reasons] == ["truncated_gzip"]
    assert summary.rejected == 1


def test_a_line_without_end_is_one_rejection_with_its_beginning(
    database_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(line(task_id="before") + b"\n")
        for _ in range(40):
            file.write(b"x" * 1_000_000)
        file.write(b"\n" + line(task_id="after"))
    summary = load_file(database_url, path)
    assert (summary.loaded, summary.rejected) == (2, 1)
    [(number, code, length)] = select(
        database_url,
        "select row_number, reason_code, octet_length(payload) from raw_evals.rejected_rows",
    )
    assert (number, code, length) == (2, "record_too_large", 64 * 1024)


@pytest.mark.parametrize("opening", [b'{"a": "', b'[{"b": "', b'"', b"7"])
def test_a_json_value_without_end_is_one_rejection_in_bounded_memory(
    database_url: str, tmp_path: Path, opening: bytes
) -> None:
    path = tmp_path / "long.json"
    with path.open("wb") as file:
        file.write(b"[" + line(task_id="before") + b"," + opening)
        for _ in range(20):
            file.write(b"7" * 1_000_000)
    summary = load_file(database_url, path)
    assert summary.loaded == 1
    assert "record_too_large" in {reason.reason_code for reason in summary.reasons}
