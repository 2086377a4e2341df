"""One function a medium: what each takes from a text, and what each leaves."""

from __future__ import annotations

import io
import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import media
import servers
from hostile_texts import hostile_texts
from loader.show import escape
from loader.show.guarded import Guarded
from loader.show.render import render
from loader.tools.tables import Column, Format, Table

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = hostile_texts()
ANY = st.text() | st.sampled_from(TEXTS) | st.lists(st.sampled_from(TEXTS)).map("".join)


@given(ANY)
def test_a_terminal_shows_any_text_on_one_line_and_obeys_none(text: str) -> None:
    shown = escape.terminal(text)
    assert list(media.terminal_faults(shown)) == []
    assert "\n" not in shown
    assert escape.terminal(shown) == shown


@given(ANY)
def test_lines_stay_lines(text: str) -> None:
    shown = escape.lines(text)
    assert shown.count("\n") == text.count("\n")
    assert list(media.terminal_faults(shown)) == []


@given(ANY, ANY)
def test_markdown_shows_any_text_as_a_terminal_does(text: str, other: str) -> None:
    for page in (
        f"{escape.markdown(text)}\n\n{escape.markdown(other)}\n",
        f"- {escape.markdown(text)}\n- {escape.markdown(other)}\n",
        f"**{escape.markdown(text + 'x')}**\n",
        f"| a | b |\n| --- | --- |\n| {escape.markdown(text)} | {escape.markdown(other)} |\n",
    ):
        assert list(media.markdown_faults(page)) == []
    row = media.markdown_cells(page)[1]
    wanted = [escape.terminal(each).strip() for each in (text, other)]
    assert [re.sub(r"\s+", " ", cell) for cell in row] == [
        re.sub(r"\s+", " ", each.replace("\u200b", "")) for each in wanted
    ]


@given(ANY)
def test_a_caption_of_markdown_is_text(text: str) -> None:
    page = f"<details><summary>{escape.markdown_html(text)}</summary>\n\nx\n\n</details>\n"
    assert list(media.markdown_faults(page)) == []


@given(ANY)
def test_json_means_the_same_and_shows_all_of_it(text: str) -> None:
    plain = json.dumps({"a": text}, ensure_ascii=False)
    if text.isprintable() or "\ud800" not in repr(text):
        shown = escape.json_text(plain)
        assert json.loads(shown) == {"a": text}
        assert not [fault for fault in media.json_faults(shown) if "cannot" in fault]


@given(ANY)
def test_a_spreadsheet_gets_a_text_that_can_be_had_back(text: str) -> None:
    shown = escape.spreadsheet(text)
    assert shown[:1] not in {*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"}
    assert re.sub("\\A'(?='*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])", "", shown) == text


@given(ANY)
def test_a_label_is_short_and_one_line(text: str) -> None:
    assert len(escape.label(text)) <= escape.LONGEST_LABEL
    assert list(media.terminal_faults(escape.label(text))) == []


@pytest.mark.parametrize("text", [
    "naïve 評価", "العربية", "👩\u200d👩\u200d👧", "❤️", "a  b", "1.10.0-rc.1", "x::y", "#1",
    "5 %", "é" + "\u0301",
])  # fmt: skip
def test_a_terminal_leaves_what_has_no_effect(text: str) -> None:
    assert escape.terminal(text) == text


@pytest.mark.parametrize(
    "text", ["plain", "1.10.0", "-5.2", "p = 0.03, 5 % less", "a (b), c; d?", "$0.01"]
)
def test_markdown_leaves_what_has_no_effect(text: str) -> None:
    assert escape.markdown(text) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("output", list(Format))
def test_a_terminal_gets_no_control_character_in_any_format(output: Format) -> None:
    stream = Terminal()
    table = Table((Column("a"), Column("b", heading="\x1b[2J")), [(text, text) for text in TEXTS])
    render(table, output, stream)
    text = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert not [char for char in text if ord(char) < 32 and char != "\n"]


def test_what_dbt_prints_keeps_its_colours_and_loses_what_a_row_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EVAL_ENDPOINT_KEY", "sk-planted-0123456789")
    stream = io.StringIO()
    guarded = Guarded(stream)
    guarded.write("\x1b[31mERROR\x1b[0m row (\x1b[2J\x1b[8m, sk-planted-01)\r\n::error::x\n")
    assert stream.getvalue() == ("\x1b[31mERROR\x1b[0m row (\\x1b[2J\\x1b[8m, ***)\n\\::error::x\n")
    assert not guarded.isatty()  # type: ignore[operator]


def test_a_build_says_what_a_constraint_refused_without_effect(tmp_path: Path) -> None:
    """The process that runs dbt, asked for something that it quotes."""
    from loader.tools.isolated import module_command

    done = subprocess.run(
        [*module_command("warehouse.dbt_process"), "build", "--select", "\x1b[2J::x"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": "", "PGHOST": "/nowhere", "EVALMART_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode
    assert "\x1b[2J" not in done.stdout + done.stderr


def test_nothing_of_the_command_line_prints_but_through_one_door() -> None:
    # dbt's process has its output guarded; the program that comments has no click
    allowed = {"loader/cli/say.py", "loader/warehouse/dbt_process.py", "loader/ci/comment.py"}
    # shell text for eval, a mark in colour before a line that is said, markdown
    excused = ('f"export {name}=', 'f"{mark}  ", nl=False', "to_markdown()")
    found = []
    for path in (servers.REPOSITORY / "loader").rglob("*.py"):
        name = str(path.relative_to(servers.REPOSITORY))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            is_print = re.search(
                r"\bclick\.s?echo\(|(?<![\w.])print\(|sys\.std(out|err)\.write", line
            )
            if is_print and name not in allowed and not any(part in line for part in excused):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []
