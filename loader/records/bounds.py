"""How large a number, how long a text and how deep a record may be: the one table of it.

Chosen so that whatever is taken can be summed up and indexed. Numbers: the fourth power of
the largest, summed over 10^8 runs, is far from the end of double precision (1.8e308), as are
its quotients by the smallest that counts. Texts: those that come together in an index entry
fit the 2,704 bytes that a btree of PostgreSQL takes, however badly they compress. Migration
0015 states the same of the raw tables, and `docs/import.md` shows what `ROWS` says.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# Bytes of UTF-8.
LONGEST_IDENTIFIER: Final = 512
LONGEST_RUN_ID: Final = 1024
LONGEST_LABEL: Final = 256
LONGEST_NAME: Final = 128
LONGEST_URL: Final = 2048

LARGEST_NUMBER: Final = 1e30
"""Of scores, ends of scales and measurements, either side of 0."""
LARGEST_LATENCY: Final = 1e12
"""Milliseconds: 31 years."""
LARGEST_COST: Final = 1e9
"""US dollars."""
LARGEST_TOKENS: Final = 10**12
LARGEST_COUNT: Final = 10**9
"""The number of a repetition; tasks and repetitions of a plan."""

DEEPEST: Final = 300
"""Objects and arrays inside each other. Decoders go to about 1,000, less under a deep stack."""

LARGEST_FLOAT: Final = 1.7976931348623157e308
"""What is larger is no number to anybody; what is not can be set aside and shown."""


class Row(NamedTuple):
    """A line of the table for people."""

    fields: str
    bound: str
    otherwise: str
    """What becomes of a record that breaks it."""


_REJECTED: Final = "the record is rejected"
_ASIDE: Final = "the value is set aside, the rest of the record counts"
ROWS: Final = (
    Row(
        "`scores`, `measurements`", f"-{LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}".replace("+", ""),
        _ASIDE,
    ),
    Row("`latency_ms`", f"0 to {LARGEST_LATENCY:,.0f}", _ASIDE),
    Row("`cost_usd`", f"0 to {LARGEST_COST:,.0f}", _ASIDE),
    Row("`tokens_used`, `prompt_tokens` …", f"0 to {LARGEST_TOKENS:,}", _ASIDE),
    Row(
        "`score_scales`", f"-{LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}".replace("+", ""), _REJECTED
    ),
    Row("`repetition`", f"1 to {LARGEST_COUNT:,}", _REJECTED),
    Row("`recorded_at`", "the years 1970 to 2199", _REJECTED),
    Row(
        "`experiment_id`, `task_id`, `baseline_experiment_id`", f"{LONGEST_IDENTIFIER:,} bytes",
        _REJECTED,
    ),
    Row("`source_run_id`", f"{LONGEST_RUN_ID:,} bytes", _REJECTED),
    Row(
        "`experiment_group`, `extension_version`, `model_version`, `agent_name`, "
        "`dataset_version`", f"{LONGEST_LABEL} bytes", _REJECTED,
    ),
    Row("a key of `scores`, `measurements`, `labels` …", f"{LONGEST_NAME} bytes", _REJECTED),
    Row("a text of `labels`", f"{LONGEST_LABEL} characters", _REJECTED),
    Row("`trace_url`", f"{LONGEST_URL:,} bytes", _REJECTED),
    Row("objects and arrays inside each other", f"{DEEPEST} levels", _REJECTED),
)  # fmt: skip
"""What a record may hold, for people."""


def is_measured(value: float | None, largest: float = LARGEST_NUMBER) -> bool:
    """Tell whether a number that a service says beside records is one that is kept."""
    return value is None or -largest <= value <= largest


def are_short(*texts: tuple[str, int]) -> bool:
    """Tell whether texts, each with the most bytes it may have, can be kept as keys."""
    return all(0 < len(text.encode()) <= longest for text, longest in texts)


def shown(limit: float) -> str:
    """Write a bound as it is read."""
    return f"{limit:,.0f}" if limit <= LARGEST_LATENCY else f"{limit:g}".replace("+", "")
