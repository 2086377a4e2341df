"""What the gate tells: for people, as Markdown and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import gate_marts
from gate_calls import call_gate
from gate_marts import ACCURACY, LATENCY, SUMMARY

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server


def test_the_page_opens_with_what_decided_and_says_what_would(connection: Connection) -> None:
    with connection:
        gate_marts.store(
            connection,
            {
                **SUMMARY,
                "recommendation": "needs_review",
                "headline": "More accurate (+8 points), but not by more than chance.",
                "required_additional_tasks": 140,
                "required_repetitions": 4,
                "required_for": "deploy",
                "required_note": None,
            },
            LATENCY,
            {**ACCURACY, "flags": ["underpowered", "uneven_repetitions"]},
        )
        lines = call_gate(connection).stdout.splitlines()
        markdown = call_gate(connection, "--format", "markdown").stdout
        (plain,) = json.loads(call_gate(connection, "--format", "json").stdout)
    assert lines[:5] == [
        "INCONCLUSIVE  code-chef 1.2.3 against its baseline, exp-1, 60 tasks",
        "",
        "  More accurate (+8 points), but not by more than chance.",
        "",
        "  - accuracy is better by 8.0 points.",
    ]
    accuracy, latency = (line.split() for line in lines if "…" in line)
    assert accuracy == [
        "accuracy", "decides", "60", "0.700", "0.780", "+8.0", "points", "+3.0", "…", "+13.0",
        "points", "0.0021", "0.050", "better,", "more", "than", "chance", "explains",
        "unequal", "numbers", "of", "runs",
    ]  # fmt: skip
    # 100 (1 - e^0.1133287) and 100 (1 - e^-0.0304592) per cent are saved
    assert latency == [
        "latency_ms", "guards", "60", "2,000.0", "ms", "2,100.0", "ms", "-4.0", "%", "-12.0",
        "…", "+3.0", "%", "0.1800", "20", "%", "as", "good", "as", "before,", "within", "its",
        "margin", "–",  # noqa: RUF001  as printed tables have it
    ]  # fmt: skip
    text = "\n".join(lines)
    assert (
        "What would decide it: about 140 more tasks, to show that it is better; "
        "or 4 repetitions of these 60."
    ) in text
    assert "This is the first look at this candidate." in text
    assert "rule of old" not in text
    assert markdown.startswith(
        "### Gate: inconclusive\n\n**More accurate (+8 points), but not by more than chance.**\n"
    )
    assert "| accuracy | decides | 60 |" in markdown
    assert {name: plain[name] for name in ("headline", "label", "route")} == {
        "headline": "More accurate (+8 points), but not by more than chance.",
        "label": None,
        "route": "better",
    }
    assert (plain["required_additional_tasks"], plain["required_for"], plain["required_note"]) == (
        140, "deploy", None,
    )  # fmt: skip
    assert plain["reasons"][0]["p"] == 0.00105
    assert plain["reasons"][0]["margin"] == 0.05


def test_what_overrules_the_rule_is_said_first(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, {**ACCURACY, "improvement_low": -0.01})
        text = "version: 1\nmetrics: {accuracy: {margin: 0.005}}\n"
        (plain,) = json.loads(call_gate(connection, "--format", "json", policy=text).stdout)
    assert plain["headline"] == (
        "accuracy changes by -1 to +13 points (+ is better), across the margin of 0.5 points. "
        "More accurate (+8 points, p = .0021), and nothing got worse."
    )
    assert [reason["code"] for reason in plain["reasons"]] == ["margin_not_excluded", "better"]
