"""Files of tasks: every form that is read, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from chat_server import sums
from loader.errors import ConfigurationError
from loader.runner.tasks import Task, read_tasks

if TYPE_CHECKING:
    from pathlib import Path


def test_tasks_are_read_in_every_form(tmp_path: Path) -> None:
    items = sums(2)
    one = tmp_path / "one.json"
    one.write_text(json.dumps(items))
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"version": 1, "tasks": items}))
    lines = tmp_path / "tasks.jsonl"
    lines.write_text("\n".join(map(json.dumps, items)) + "\n\n")
    assert read_tasks(one) == read_tasks(old) == read_tasks(str(lines)) == read_tasks(items)
    (task,) = read_tasks([{"task_id": "t", "inputs": {"a": 1}, "risk": "low",
                           "expected_output": {"b": 2}}])  # fmt: skip
    assert task == Task("t", {"a": 1}, {"b": 2}, {"risk": "low"})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no JSON"),
        ("[]", "no task"),
        ('[{"task_id": "t"}]', "neither prompt nor inputs"),
        ('[{"prompt": "x"}]', "task_id"),
        ('{"task_id": "t", "prompt": "x"}\n{"task_id": "t", "prompt": "y"}', "line 2.*twice"),
        ('{"task_id": "t", "prompt": "x"}\n{oops', "line 2 is no JSON"),
    ],
)
def test_a_bad_file_of_tasks_is_refused_and_the_place_named(
    tmp_path: Path, text: str, match: str
) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=match):
        read_tasks(path)
