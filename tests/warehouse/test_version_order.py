"""The order of versions by the macros of the models, against a comparison part by part."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jinja2
import psycopg
import pytest

import servers
from independent_versions import in_order, numbers_among

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[Any]

QUERY = """
with seen as (
    select * from unnest(%s::text[], %s::timestamptz[])
    as seen (extension_version, first_seen_at)
),
versions as (
    select
        *,
        {{ version_sort_key_among(
            'version_sort_key(extension_version)', 'extension_version', 'true'
        ) }} as version_sort_key
    from seen
),
anchored as (
    select *, {{ version_anchor('true') }} as version_anchor
    from versions
)
select extension_version, version_sort_key is not null
from anchored
order by {{ version_order() }}
"""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[Connection]:
    """Give a connection to a database with the function of sort keys, on every version."""
    body = jinja2.Template(_source("functions", "version_sort_key")).render()
    with (
        servers.fresh_database(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as opened,
    ):
        opened.execute(
            "create function version_sort_key(label text) returns text"
            f" language sql immutable as $body$ {body} $body$".encode()
        )
        yield opened


def _source(directory: str, name: str) -> str:
    return (servers.REPOSITORY / directory / f"{name}.sql").read_text(encoding="utf-8")


def ordered(connection: Connection, seen: dict[str, datetime]) -> tuple[list[str], set[str]]:
    """Return the labels oldest first, and those that are version numbers."""
    macros = _source("macros/versions", "version_anchor")
    macros += _source("macros/versions", "version_order")
    query = jinja2.Template(macros + QUERY).render()
    rows = connection.execute(query.encode(), [list(seen), list(seen.values())]).fetchall()
    return [label for label, _ in rows], {label for label, is_number in rows if is_number}


def in_time(*labels: str) -> dict[str, datetime]:
    """Return labels that were seen one day after the other."""
    return {label: BEGIN + timedelta(days=day) for day, label in enumerate(labels)}


@pytest.mark.parametrize(
    "labels",
    [
        ["fe0e167", "9a31c0d", "0b77e21", "c2d9f10"],
        # one, two, or most of the hashes have digits only
        ["fe0e167", "9a31c0d", "8301457", "c2d9f10", "0b77e21"],
        ["fe0e167", "9876543", "9a31c0d", "c2d9f10", "1234567", "0b77e21"],
        ["1234567", "9876543", "0000012", "12e4567"],
        ["9876543", "1234567"],
        ["98765432101234567890", "123456789"],
        # digits that read as a date, among hashes
        ["fe0e167", "20260115", "0b77e21", "20250115"],
        ["claude-code@fe0e167", "claude-code@9a31c0d", "claude-code@1234567"],
        ["main-9a31c0d", "main-0b77e21"],
        # the same version, built from one commit after the other
        ["1.2.0+fe0e167", "1.2.0+9876543", "1.2.0+0b77e21", "1.2.1"],
    ],
)
def test_hashes_stand_in_the_order_of_time(connection: Connection, labels: list[str]) -> None:
    assert ordered(connection, in_time(*labels))[0] == labels


@pytest.mark.parametrize(
    "labels",
    [
        ["1.9.0", "v1.10.0-rc.1", "1.10.0", "1.10.0.1", "2", "12", "2024.10", "999999"],
        ["12.0-rc.1", "12.0-rc.2", "12.0"],
        ["20241231", "20250101", "20250115"],
        ["202501151159", "202501151200"],
        ["20250115115959", "20250115120000"],
        ["2025-06-01", "2025-06-02.1", "2025-06-10"],
        ["v1234567", "v9876543"],
        ["1", "2", "10"],
    ],
)
def test_version_numbers_stand_in_their_own_order(
    connection: Connection, labels: list[str]
) -> None:
    for seen in (in_time(*labels), in_time(*reversed(labels))):
        assert ordered(connection, seen) == (labels, set(labels))


def test_hashes_stand_among_version_numbers_where_time_puts_them(connection: Connection) -> None:
    seen = in_time("1.9.0", "1234567", "1.10.0-rc.1", "v1.10.0", "9a31c0d", "1.9.1", "0000012")
    assert ordered(connection, seen)[0] == [
        "1.9.0", "1234567", "1.9.1", "1.10.0-rc.1", "v1.10.0", "9a31c0d", "0000012",
    ]  # fmt: skip


def test_the_order_is_that_of_a_comparison_part_by_part(connection: Connection) -> None:
    source = random.Random(22)  # noqa: S311  test data
    labels = [
        "1.9.0", "1.10.0", "v1.10.0", "1.10.0-rc.1", "1.10.0-rc.10", "1.10.0+fe0e167", "1.10",
        "1.10.0+0b77e21", "nightly", "7", "999999", "1234567", "9876543", "0000012", "fe0e167",
        "0b77e21", "12e4567", "20250115", "20250101", "202501151230", "20251315",
        "v1234567", "FE0E167", "defaced", "main-9a31c0d", "1234567-dirty", "9" * 40, "a1" * 32,
    ]  # fmt: skip
    has_dates_as_hashes = 0
    for _ in range(300):
        chosen = source.sample(labels, source.randrange(1, 9))
        seen = {label: BEGIN + timedelta(days=source.randrange(6)) for label in chosen}
        order, numbers = ordered(connection, seen)
        assert order == in_order(seen), seen
        assert numbers == numbers_among(seen)
        has_dates_as_hashes += "20250115" in set(chosen) - numbers
    assert has_dates_as_hashes > 5
