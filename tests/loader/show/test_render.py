import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.show.render import cell, printable, render, with_unit
from loader.tools.tables import Column, Format, Kind, Table

COLUMNS = (
    Column("task_id", heading="task"),
    Column("latency_ms", Kind.MILLISECONDS, "latency"),
    Column("cost_usd", Kind.USD, "cost"),
    Column("accuracy_improvement_pct", Kind.PERCENT, "accuracy"),
    Column("winner", Kind.OUTCOME),
    Column("recorded_at", Kind.TIMESTAMP),
)
WHEN = datetime(2025, 1, 13, 18, 2, 5, 123456, tzinfo=UTC)
TABLE = Table(
    COLUMNS,
    [
        ("a|b", 12345.678, Decimal("0.001720"), -5.25, "baseline", WHEN),
        ("x" * 300, None, None, None, None, None),
    ],
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def rendered(table: Table, output: Format) -> str:
    stream = io.StringIO()
    render(table, output, stream)
    return stream.getvalue()


def test_a_person_reads_separators_units_and_utc() -> None:
    text = rendered(TABLE, Format.TABLE)
    assert "latency (ms)" in text
    assert "12,345.7" in text
    assert "0.00172" in text
    assert "-5.2" in text
    assert "2025-01-13 18:02" in text


def test_nothing_is_truncated_or_coloured_when_piped() -> None:
    text = rendered(TABLE, Format.TABLE)
    assert "x" * 300 in text
    assert "\x1b" not in text
    assert "…" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    render(TABLE, Format.TABLE, stream)
    assert "\x1b[31m" in stream.getvalue()


def test_numbers_are_aligned_right() -> None:
    table = Table((Column("n", Kind.INTEGER), Column("t")), [(1, "x"), (1000, "y")])
    lines = [line for line in rendered(table, Format.TABLE).splitlines() if line[-1:] in "xy"]
    assert [line.index(end) for line, end in zip(lines, "xy", strict=True)] == [7, 7]
    assert [line.split()[0] for line in lines] == ["1", "1,000"]


def test_wide_characters_keep_columns_aligned() -> None:
    table = Table((Column("a"), Column("b")), [("評価", "x"), ("abc", "y")])
    lines = rendered(table, Format.TABLE).splitlines()
    assert lines[2:] == ["評価  x", "abc   y"]


def test_no_rows_say_so_to_people_and_give_programs_an_empty_result() -> None:
    none = Table(COLUMNS, [])
    assert rendered(none, Format.TABLE) == "Nothing yet.\n"
    assert rendered(none, Format.MARKDOWN) == "Nothing yet.\n"
    assert json.loads(rendered(none, Format.JSON)) == []
    assert rendered(none, Format.CSV).splitlines() == [",".join(c.name for c in COLUMNS)]


def test_json_keeps_every_digit_and_null() -> None:
    rows = json.loads(rendered(TABLE, Format.JSON), parse_float=str)
    assert rows[0]["cost_usd"] == "0.001720"
    assert rows[0]["latency_ms"] == "12345.678"
    assert rows[0]["recorded_at"] == "2025-01-13T18:02:05.123456+00:00"
    assert rows[1]["latency_ms"] is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), Decimal("NaN")])
def test_json_never_holds_what_is_no_number(value: float | Decimal) -> None:
    assert json.loads(rendered(Table((Column("x"),), [(value,)]), Format.JSON)) == [{"x": None}]


def test_json_holds_nested_values() -> None:
    value = {"a": [1, {"b": Decimal("0.1")}]}
    assert json.loads(rendered(Table((Column("x"),), [(value,)]), Format.JSON)) == [
        {"x": {"a": [1, {"b": 0.1}]}}
    ]


def test_csv_tells_null_from_empty_text() -> None:
    table = Table((Column("a"), Column("b"), Column("c")), [(None, "", True)])
    assert rendered(table, Format.CSV) == 'a,b,c\r\n,"",true\r\n'


def test_a_spreadsheet_finds_no_formula_in_csv_and_numbers_stay_numbers() -> None:
    table = Table((Column("a"), Column("n", Kind.NUMBER)), [("=1+1", -2.5), ("'=1", -1)])
    assert rendered(table, Format.CSV) == "a,n\r\n'=1+1,-2.5\r\n''=1,-1\r\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_any_csv_reads_back(rows: list[tuple[str, str]]) -> None:
    text = rendered(Table((Column("a"), Column("b")), rows), Format.CSV)
    back = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    # one apostrophe less where the help of `export` says so
    plain = [[re.sub(r"\A'(?='*[=+\-@\t\r\n=+-@])", "", one) for one in row] for row in back]
    assert plain == [["a", "b"], *map(list, rows)]


@given(st.lists(st.tuples(TEXTS, st.floats(), st.integers()), max_size=5))
def test_any_json_reads_back(rows: list[tuple[str, float, int]]) -> None:
    table = Table((Column("t"), Column("f"), Column("i")), rows)
    back = json.loads(rendered(table, Format.JSON))
    for record, (text, number, integer) in zip(back, rows, strict=True):
        assert record["t"] == text
        assert record["f"] == number or (record["f"] is None and not abs(number) < float("inf"))
        assert record["i"] == integer


@given(TEXTS)
def test_any_text_stays_in_its_markdown_cell(text: str) -> None:
    lines = rendered(Table((Column("a"), Column("b")), [(text, "end")]), Format.MARKDOWN)
    assert len(lines.split("\n")) == 4
    row = lines.split("\n")[2].replace("\\\\", "")
    assert row.replace("\\|", "").count("|") == 3


def test_markdown_is_a_table_with_escaped_pipes() -> None:
    lines = rendered(TABLE, Format.MARKDOWN).splitlines()
    assert lines[0].startswith("| task | latency (ms) | cost (\\$) |")
    assert lines[1] == "| --- | ---: | ---: | ---: | --- | --- |"
    assert lines[2].startswith("| a\\|b | 12,345.7 |")


def test_text_from_records_never_drives_the_terminal() -> None:
    evil = "[bold]x[/bold]\x1b[31m\r\nhidden\u202e"
    text = rendered(Table((Column("a"),), [(evil,)]), Format.TABLE)
    assert "[bold]x[/bold]\\x1b[31m\\r\\nhidden\\u202e" in text
    assert "\x1b" not in text


def test_joined_emoji_stay_one_and_a_joiner_elsewhere_is_shown() -> None:
    family, healer = "👩\u200d👩\u200d👧\u200d👦", "🧑🏽\u200d⚕️\n"
    assert printable(family) == family
    assert printable(healer) == healer[:-1] + "\\n"
    assert printable("❤️\u200d🔥") == "❤️\u200d🔥"
    for text in ("a\u200db", "👩\u200d", "\u200d👩", "👩\u200db", "1\u200d👩", "👩\u200d\u200d👩"):
        assert "\\u200d" in printable(text)


@given(st.text())
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, Kind.SCORE, "–"),  # noqa: RUF001
        (0.0, Kind.SCORE, "0.000"),
        (1, Kind.SCORE, "1.000"),
        (-0.0, Kind.MILLISECONDS, "0.0"),
        (Decimal("-0.00001"), Kind.PERCENT, "0.0"),
        (5.25, Kind.PERCENT, "+5.2"),
        (1234567, Kind.TOKENS, "1,234,567"),
        (0.0, Kind.PROBABILITY, "< 0.0001"),
        (9.9e-5, Kind.PROBABILITY, "< 0.0001"),
        (0.0001, Kind.PROBABILITY, "0.0001"),
        (1, Kind.PROBABILITY, "1.0000"),
        (True, Kind.BOOLEAN, "yes"),
        (["a", "b"], Kind.TEXT, "a, b"),
        (datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2))), Kind.TIMESTAMP,
         "2024-12-31 22:00"),
    ],
)  # fmt: skip
def test_a_cell_reads_as_people_write_it(value: object, kind: Kind, expected: str) -> None:
    assert cell(value, kind) == expected


def test_a_sentence_carries_the_unit() -> None:
    assert with_unit(1850.5, Kind.MILLISECONDS) == "1,850.5 ms"
    assert with_unit(Decimal("0.00172"), Kind.USD) == "$0.00172"
    assert with_unit(-12.34, Kind.PERCENT) == "-12.3 %"


@pytest.mark.parametrize("width", [20, 60, 100, 300])
def test_a_narrow_terminal_cuts_no_number_and_no_word(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    render(TABLE, Format.TABLE, stream)
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert text.count("x") == 300
    lines = text.splitlines()
    if width > 60:
        assert max(map(len, lines)) <= width
    for word in ("12,345.7", "0.00172", "-5.2", "baseline", "2025-01-13 18:02"):
        assert word in text
    for column in COLUMNS:
        for word in (column.heading or column.name.replace("_", " ")).split():
            assert word in text


def test_programs_get_utf_8_and_people_what_the_terminal_can_show() -> None:
    table = Table((Column("a"),), [("naïve 評価",)])
    shown = {}
    for output in Format:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="latin-1")
        render(table, output, stream)
        stream.flush()
        shown[output] = raw.getvalue()
    assert json.loads(shown[Format.JSON].decode()) == [{"a": "naïve 評価"}]
    assert shown[Format.CSV].decode() == "a\r\nnaïve 評価\r\n"
    assert "naïve ??" in shown[Format.TABLE].decode("latin-1")
    assert "naïve ??" in shown[Format.MARKDOWN].decode("latin-1")
