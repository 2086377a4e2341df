"""Whatever bytes a file holds: read = loaded + unchanged + rejected, and nothing crashes."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest_support import VOCABULARY, line, load_file, record
from loader.errors import InvalidRecord
from loader.records.canonical import widened
from loader.records.checker import Admitted, Checker
from loader.records.json_text import decode_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loader.sources.files import Format

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

PIECES = st.sampled_from(
    [
        *(line(), line(task_id="é\n"), line(accuracy=2), b"{", b"}", b"[", b"]", b",", b'"', b"\\"),
        *(b"\n", b"\r", b" ", b":", b"null", b"1e999", b"NaN", b"\x00", b"\xff", b"\xef\xbb\xbf"),
        *(b'{"results":[', b"]}", b"\x1f\x8b", b"experiment_id,task_id,", b"metadata.a\n", b"''"),
        gzip.compress(line()),
        b"experiment_id,task_id,experiment_group,extension_version\ne,t,baseline,1\n",
    ]
)
CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.lists(st.one_of(PIECES, st.binary(max_size=5)), max_size=20).map(b"".join),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*record(), "scores", "metadata", "latency_ms", "recorded_at", "success"])


@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "parquet", "baseline", "legacy", None])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(content=CONTENTS, packed=st.booleans())
def test_arbitrary_bytes_are_counted_to_the_last_row(
    shared_url: str,
    tmp_path: Path,
    format: Format | None,  # noqa: A002  the option's name
    *,
    content: bytes,
    packed: bool,
) -> None:
    path = tmp_path / "results"
    path.write_bytes(gzip.compress(content)[:-3] if packed else content)
    # asserts that the counts add up, in the summary and in the ledger
    assert load_file(shared_url, path, format).read >= 1


def outcome(check: Callable[[], Admitted]) -> Admitted | None:
    """Return what a check admits, None if it refuses."""
    try:
        return check()
    except InvalidRecord:
        return None


@settings(max_examples=300, deadline=None, derandomize=True)
@given(fields=st.dictionaries(FIELDS, JSON, max_size=6), ascii_only=st.booleans())
def test_any_json_object_is_admitted_or_refused_alike_as_text_and_as_fields(
    fields: dict[str, object], *, ascii_only: bool
) -> None:
    checker = Checker(VOCABULARY)
    whole = {**record(), **fields}
    text = json.dumps(whole, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    together = checker.admit_json([line(), text, line(task_id="other")])
    as_text = outcome(lambda: checker.admit(decode_object(text)))
    as_fields = outcome(lambda: checker.admit(whole))
    # a text that JSON cannot carry may be refused for another reason, but is refused
    assert as_text == as_fields
    # the fast way may leave the decision to the slow one, but never differs from it
    if together is not None:
        assert as_text is not None
        is_widened = together.is_wide and not as_text.is_wide
        assert together.rows[1] == (widened(as_text.row) if is_widened else as_text.row)
        assert as_text.labels.link in together.links


@settings(max_examples=200, deadline=None, derandomize=True)
@given(metadata=st.dictionaries(st.text(), JSON, max_size=4), key=st.text(), spaces=st.text(" \t"))
def test_a_key_that_stands_twice_is_always_found(
    metadata: dict[str, object], key: str, spaces: str
) -> None:
    pairs = [*metadata.items(), (key, 1), (key, 1)]
    inside = ",".join(f"{json.dumps(name)}{spaces}:{json.dumps(value)}" for name, value in pairs)
    text = line()[:-1] + b', "metadata": {' + inside.encode() + b"}}"
    assert Checker(VOCABULARY).admit_json([text]) is None
    with pytest.raises(InvalidRecord):
        decode_object(text)
