"""The bytes of a block, whatever is done to them, are stored the same on every way there is.

The fast way takes many records at once; where one of them may not be sound, it takes ever fewer
and at last each alone. What is stored of a record must not depend on its neighbours.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import servers
from ingest_support import VOCABULARY, line, load_file, record, select
from loader.errors import CountsFromZero, InvalidRecord
from loader.records.canonical import widened
from loader.records.checker import Checker
from loader.records.json_text import decode_object

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loader.records.form import Asides

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

METRICS = ("accuracy", "completeness", "efficiency", "integration_quality")
BROKEN = b'{"experiment_id": "exp-1"'
TOKENS = (
    b"null", b"true", b"-0", b"-0.0", b"0", b"1", b"1.0", b"1e0", b"10E-1", b"0.1", b"1e-400",
    b"1e400", b"-1e31", b"1e30", b"1e308", b"123456789012345678901234567890", b"9007199254740993",
    b"18446744073709551616", b"0.30000000000000004", b"0.299999999999999988897769753748434596",
    b'""', b'" "', b'"\xc2\xa0"', b'"\\u0000"', b'"\\ud800"', b'"\\ud83e\\udd8a"',
    b'"\xf0\x9f\xa6\x8a"', b'"\\u003a"', b'"a:b"', b'"\\/"', b'"\\u00e9"', b'"\xc3\xa9"',
    b'"e\xcc\x81"', b'"2026-01-01"', b'"2026-01-01T00:00:00+02:00"', b"[]", b"{}", b"[1, 5]",
    b'{"a": 1, "a": 1}', b'{"accuracy": null}', b'{"accuracy": true}', b'{"judge": 3}',
    b'{"judge": null, "own": 7}', b'{"turns": 3}', b'{"turns": 1e400}', b"[[1, 5]]", b"NaN",
    b'{"a": {"b": [1e2, 1E+2, 100, 100.0, -0, -0.0, 1e-7, 12345678901234567890123]}}',
    b'{"own": [0, 10]}', b'{"own": null}', b'{"z": "b", "a": "c"}', b"\xff", b"\xed\xa0\x80",
)  # fmt: skip
NULLS = (b"null",) * 30
KEYS = (
    *METRICS, "scores", "score_scales", "measurements", "metadata", "labels", "comments",
    "latency_ms", "tokens_used", "cost_usd", "cached_tokens", "success", "error_message",
    "recorded_at", "repetition", "source_run_id", "agent_name", "model_version", "task_id",
    "evaluator_versions", "inputs", "outputs", "trace_url", "dataset_version", "set_aside",
    "is_id_derived", "feedback", "baseline_experiment_id", "unknown",
)  # fmt: skip
PAIRS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(TOKENS)), max_size=4)
SPACES = st.sampled_from([b"", b" ", b"\t", b"\r", b"  \t"])
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 3),
        st.sampled_from([b"", b'"', b",", b":", b"}", b"\\", b"\xef\xbb\xbf", b"\x00", b" ", b"0",
                         b"null", b"e5", b"\\u0061", b"\xc3\xa9", b"-", b"."]),
    ),
    max_size=2,
)  # fmt: skip


def written(pairs: Sequence[tuple[str, bytes]], space: bytes, *, first: bool) -> bytes:
    """Write a record with these fields before or after those required."""
    own = [(json.dumps(key).encode(), value) for key, value in pairs]
    required = [
        (json.dumps(key).encode(), json.dumps(value).encode())
        for key, value in record().items()
        if key not in dict(pairs)
    ]
    both = [*own, *required] if first else [*required, *own]
    return (
        b"{" + b",".join(space + key + space + b":" + value + space for key, value in both) + b"}"
    )


def edited(text: bytes, edits: Sequence[tuple[float, int, bytes]]) -> bytes:
    """Replace bytes of a record by others."""
    for place, count, piece in edits:
        start = int(place * len(text))
        text = text[:start] + piece + text[start + count :]
    return text.replace(b"\n", b" ")


def alone(text: bytes, **options: Any) -> tuple[bytes, Asides] | str:  # noqa: ANN401
    """Return the row of a record that is checked by itself, wide, or why there is none."""
    try:
        found = Checker(VOCABULARY, **options).admit(decode_object(text))
    except CountsFromZero:
        return "counts from zero"
    except InvalidRecord as error:
        return error.code
    return found.row if found.is_wide else widened(found.row), found.asides


def together(checker: Checker, texts: list[bytes]) -> list[bytes] | None:
    """Return the rows of records that are checked at once, wide."""
    found = checker.admit_json(texts)
    if found is None:
        return None
    return found.rows if found.is_wide else list(map(widened, found.rows))


@settings(max_examples=2500, deadline=None, derandomize=True)
@given(
    pairs=PAIRS,
    others=PAIRS,
    edits=EDITS,
    space=SPACES,
    first=st.booleans(),
    first_repetition=st.sampled_from([0, 1]),
)
def test_a_record_is_stored_the_same_whatever_its_neighbours(  # noqa: PLR0913  of one record
    pairs: list[tuple[str, bytes]],
    others: list[tuple[str, bytes]],
    edits: list[tuple[float, int, bytes]],
    space: bytes,
    *,
    first: bool,
    first_repetition: int,
) -> None:
    options: dict[str, Any] = {"first_repetition": first_repetition}
    text = edited(written(pairs, space, first=first), edits)
    other = written(others, b" ", first=not first)
    wanted = alone(text, **options)
    for neighbours in ([], [line(repetition=1)], [other], [other, line(accuracy=None)]):
        checker = Checker(VOCABULARY, **options)
        for texts in ([text, *neighbours], [*neighbours, text]):
            rows = together(checker, texts)
            if rows is not None:
                assert not isinstance(wanted, str), (texts, wanted)
                assert rows[texts.index(text)] == wanted[0]
                assert [alone(each, **options)[0] for each in texts] == rows
        assert together(checker, [*neighbours, text, BROKEN]) is None


def test_a_broken_line_after_every_record_changes_none_of_them(
    postgres_server: str, tmp_path: Path
) -> None:
    """Through the command's own way: a file, a load, what is stored."""
    chance = random.Random(10)  # noqa: S311  the same records every time
    texts = []
    for number in range(3000):
        keys = chance.sample(KEYS, chance.randint(0, 3))
        pairs = [(key, chance.choice((*TOKENS, *NULLS))) for key in keys if key != "repetition"]
        named = [*pairs, ("task_id", b'"t%d"' % number)]
        text = written(list(dict(named).items()), b" ", first=bool(number % 2))
        if not isinstance(alone(text), str):
            texts.append(text)
    stored = []
    for name, between in (("sound", [line(task_id="n")]), ("broken", [BROKEN]), ("alone", [])):
        path = tmp_path / f"{name}.jsonl"
        lines = [text for each in texts for text in (each, *between)]
        path.write_bytes(b"\n".join(lines))
        with servers.migrated(postgres_server) as url:
            load_file(url, path)
            stored.append(
                select(
                    url,
                    "select content_hash, task_id, scores, measurements, metadata, set_aside "
                    "from raw_evals.evaluation_runs where task_id <> 'n' order by task_id",
                )
            )
    assert len(stored[0]) == len(texts) > 500
    assert stored[0] == stored[1] == stored[2]
