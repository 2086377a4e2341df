"""Who is let in, by which names and paths, and what a reader's role is not shown."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import served
from loader.serve.settings import TOKEN
from served import ASKED, EVERY, OF, TALK, TASK, address, ask, page, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = [pytest.mark.newest_server, pytest.mark.slow]

SECRET = "a-token-of-the-test"  # noqa: S105  nobody else's


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    """Give a warehouse with something of everything."""
    with served.warehouse(postgres_server) as url:
        yield url


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def test_with_a_token_it_answers_to_nobody_else(database: str) -> None:
    options = ("--name", "evals.example.org", "--root-path", "/evals")
    with served.served(database, *options, **{TOKEN: SECRET}) as app:
        assert app.url.endswith("/evals")
        for value in (
            None, "", SECRET, f"Bearer {SECRET}x", "Bearer", f"Bearer  {SECRET[:-1]}", "Basic !",
            f"Basic {SECRET}", basic("x"), basic(""), "Bearer é", f"Digest {SECRET}",
        ):  # fmt: skip
            headers = (
                {} if value is None else {"Authorization": value.encode("utf-8").decode("latin-1")}
            )
            for path in ("/experiments", "/static/serve.css", "/report?id=x", "/nowhere"):
                status, answered, body = ask(app, path, **headers)
                assert status == 401, value
                assert answered["www-authenticate"].startswith("Basic ")
                assert sentence(body).startswith("Say who you are")
                assert SECRET.encode() not in body
        for value in (f"Bearer {SECRET}", f"bearer {SECRET}", basic(SECRET)):
            assert ask(app, "/experiments", Authorization=value)[0] == 200
            status, _, body = ask(
                app, "/evals/experiments", Authorization=value, Host="evals.example.org"
            )
            assert status == 200
            links = body.decode()
            assert 'href="/evals/agents"' in links
            assert 'href="/evals/static/serve.css?v=' in links
            assert 'href="/agents"' not in links
        led = ask(app, "/evals/", Authorization=basic(SECRET))
        assert (led[0], led[1]["location"]) == (302, "/evals/experiments")
        assert ask(app, "/evalsx/experiments", Authorization=basic(SECRET))[0] == 404


def test_behind_a_proxy_its_header_is_what_counts(database: str) -> None:
    with served.served(database, "--auth-header", "X-User") as app:
        assert ask(app, "/experiments")[0] == 401
        assert ask(app, "/experiments", **{"X-User": " "})[0] == 401
        assert ask(app, "/experiments", **{"X-Users": "ana"})[0] == 401
        assert ask(app, "/experiments", **{"x-user": "ana"})[0] == 200


def test_a_reader_of_the_marts_sees_them_and_is_told_of_the_rest(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role if exists serve_reader")
        connection.execute("create role serve_reader login in role evals_analyst")
    try:
        with served.served(make_conninfo(database, user="serve_reader")) as app:
            for path in EVERY:
                status, _, body = ask(app, address(path, **ASKED[path.removesuffix(".csv")]))
                assert status == 200, (path, body)
            assert "role may not read" in page(app, "/load", id="2")
            assert "role may not read" in page(app, "/decisions/replay")
            assert "&lt;b&gt;please" in page(app, "/task", **OF, task=TASK)
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop role serve_reader")


def test_who_may_read_nothing_is_told_so_without_a_word_of_sql(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop role if exists serve_nobody")
        connection.execute("create role serve_nobody login")
    try:
        with served.served(make_conninfo(database, user="serve_nobody")) as app:
            status, headers, body = ask(app, "/experiments")
            assert status == 503
            assert headers["retry-after"] == "5"
            assert "cannot be read now" in sentence(body)
            assert b"permission" not in body
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop role serve_nobody")


def test_without_marts_it_says_what_to_do(database_url: str) -> None:
    with served.served(database_url) as app:
        status, _, body = ask(app, "/experiments")
        assert status == 503
        assert "run evalmart build" in sentence(body)


def test_it_comes_back_when_the_database_does_and_cannot_be_made_to_write(
    postgres_server: str,
) -> None:
    with served.warehouse(postgres_server) as url, served.served(url) as app:
        assert ask(app, "/experiments")[0] == 200
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid != pg_backend_pid()"
            )
            assert ask(app, "/experiments")[0] == 200
            connection.execute("alter table evals.experiment_summaries rename to hidden")
            hidden = ask(app, address("/experiment", id=TALK))
            assert hidden[0] == 503
            assert b"relation" not in hidden[2]
            connection.execute("alter table evals.hidden rename to experiment_summaries")
        assert ask(app, address("/experiment", id=TALK))[0] == 200


def test_a_port_that_is_taken_is_one_sentence(database: str) -> None:
    with served.served(database) as app:
        port = app.url.rpartition(":")[2]
        with (
            pytest.raises(AssertionError, match="cannot listen on"),
            served.served(database, "--port", port),
        ):
            pass
