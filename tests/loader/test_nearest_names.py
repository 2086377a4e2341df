"""What a person is told who mistypes a name."""

from __future__ import annotations

from loader.errors import close_names, nearest


def test_names_that_differ_only_in_case_are_all_told() -> None:
    names = ["GPT-4o", "gpt-4o", "claude", "gpt-4o"]
    assert close_names("gpt-4", names) == ["GPT-4o", "gpt-4o"]
    assert close_names("Gpt-4O", names, most=1) == ["GPT-4o"]
    assert nearest("gpt4o", names) == " (did you mean GPT-4o, gpt-4o?)"
    assert nearest("llama", names) == ""
