"""Where LangSmith is, with which key: what a refusal says, and what the doctor finds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import servers
from langsmith_server import KEY, Fault, LangSmithServer, fill
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.sources.langsmith import LangSmithSource
from loader.sources.langsmith.access import REGIONS, Access, refusal, region_of
from loader.sources.langsmith.checkup import examine

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.sources.langsmith import LangSmith
    from loader.tools.finding import Finding

    Connect = Callable[[], LangSmith]

pytestmark = pytest.mark.backends("dual")
WORKSPACE = "0190a1b2-c3d4-7ef0-a5b6-6ea3a82e9328"
GUIDE = servers.REPOSITORY / "docs" / "langsmith.md"


def found() -> dict[str, Finding]:
    return {each.subject.removeprefix("LangSmith "): each for each in examine()}


def refused(connect: Connect) -> str:
    with pytest.raises(ConfigurationError) as caught:
        list(LangSmithSource(connect(), "large").rows())
    return str(caught.value)


@pytest.mark.parametrize(("endpoint", "region"), REGIONS.items())
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_endpoint_asked_and_the_other_regions(
    endpoint: str, region: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    for asked in (endpoint, f"{endpoint}/api/v1"):
        access = Access(asked, has_key=True, key_kind="personal", has_workspace=False)
        told = refusal(status, access, b"{}", "")
        assert f"{asked} ({region})" in told
        others = [url for url in REGIONS if url != endpoint]
        assert [f"{url} ({REGIONS[url]})" in told for url in others] == [True] * 3
        assert told.count(endpoint.removeprefix("https://")) >= 1


def test_an_endpoint_of_ones_own_is_of_no_region(
    stand_in: LangSmithServer, connect_langsmith: Connect
) -> None:
    assert region_of("https://langsmith.example.com/api") is None
    assert region_of("https://api.smith.langchain.com.example.com") is None
    stand_in.key = "another"
    told = refused(connect_langsmith)
    assert told.startswith(f"LangSmith at {stand_in.url} refuses the request (401): the key in ")
    assert all(url in told for url in REGIONS)


def test_a_key_of_a_whole_organisation_works_with_a_workspace(
    stand_in: LangSmithServer, connect_langsmith: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stand_in, 1, 1)
    stand_in.needs_workspace = True
    told = refused(connect_langsmith)
    assert f"LangSmith at {stand_in.url} refuses access (403): the key is of a whole" in told
    assert "Set LANGSMITH_WORKSPACE_ID, which is not set" in told
    monkeypatch.setenv("LANGSMITH_WORKSPACE_ID", WORKSPACE)
    assert len(list(LangSmithSource(connect_langsmith(), "large").rows())) == 1


def test_a_service_key_without_a_workspace_is_named(
    stand_in: LangSmithServer, connect_langsmith: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = KEY.replace("_pt_", "_sk_")
    monkeypatch.setenv("LANGSMITH_API_KEY", service)
    stand_in.key = service
    stand_in.faults.append(Fault("/sessions", status=403, times=99, body=b'{"error":"Forbidden"}'))
    told = refused(connect_langsmith)
    assert "a service key of an organisation or of several workspaces needs" in told
    assert service[-12:] not in told


@pytest.mark.backends("dual")
def test_the_doctor_tells_what_it_found(
    stand_in: LangSmithServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = fill(stand_in, 1, 1)
    stand_in.workspaces = [{"id": session["tenant_id"], "display_name": "Agents"}]
    seen = found()
    assert seen["SDK"].passed
    assert seen["endpoint"].detail == f"{stand_in.url}, version 0.16.2"
    assert seen["key"].detail == "valid, from LANGSMITH_API_KEY, a personal key"
    assert seen["workspace"].detail == f"{session['tenant_id']} 'Agents' (the key's own)"
    assert "projects, datasets" in seen["rights"].detail
    assert (seen["runs"].passed, seen["runs"].detail) == (True, "by v2 and v1")
    monkeypatch.setenv("LANGSMITH_WORKSPACE_ID", WORKSPACE)
    workspace = found()["workspace"]
    assert workspace.passed is False
    assert f"set LANGSMITH_WORKSPACE_ID to one of {session['tenant_id']} 'Agents'" in (
        workspace.remedy
    )


@pytest.mark.parametrize(
    ("backend", "passed", "told"),
    [("v2", True, "by v2"), ("v1", None, "by v1; the cloud service ends v1 on 2027-01-31")],
)
def test_the_doctor_says_which_run_queries_answer(
    stand_in: LangSmithServer, backend: str, passed: bool | None, told: str
) -> None:
    fill(stand_in, 1, 0)
    stand_in.backend = backend
    assert found()["runs"][1:3] == (passed, told)


def test_the_doctor_says_what_a_key_may_not_read(stand_in: LangSmithServer) -> None:
    stand_in.faults += [
        Fault(path, status=403, times=99) for path in ("/datasets", "/feedback-configs")
    ]
    rights = found()["rights"]
    assert rights.passed is None
    assert rights.detail.startswith("may read projects; not datasets (status 403): --dataset")
    assert "feedback-configs (status 403)" in rights.detail


def test_the_doctor_fails_where_the_key_or_the_endpoint_does(
    stand_in: LangSmithServer, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    stand_in.key = "another"
    done = CliRunner().invoke(cli, ["doctor", "--database-url", database_url])
    assert done.exit_code == 2
    assert re.search(r"fail +LangSmith key +LangSmith at http\S+ refuses the request", done.output)
    assert KEY[-12:] not in done.output
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    endpoint = found()["endpoint"]
    assert (endpoint.passed, "does not answer" in endpoint.detail) == (False, True)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "ftp://example.org")
    assert found()["endpoint"].passed is False


@pytest.mark.usefixtures("no_langsmith")
def test_without_a_key_the_doctor_asks_nobody() -> None:
    with LangSmithServer() as server:
        key = found()["key"]
        assert (key.passed, key.detail, server.log) == (None, "not set", [])


def test_the_guide_has_every_region() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [url for url, name in REGIONS.items() if f"| {name} | `{url}` |" not in text] == []
