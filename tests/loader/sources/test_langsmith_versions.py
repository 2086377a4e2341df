"""The SDK's versions: what is allowed, what is tried, and what of it is used."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[3]


def locked(name: str) -> str:
    found = re.search(r"^langsmith==(\S+)", (REPOSITORY / name).read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_the_oldest_version_tried_is_the_oldest_allowed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (allowed,) = (
        needed.specifier
        for needed in map(Requirement, project["optional-dependencies"]["langsmith"])
        if needed.name == "langsmith"
    )
    oldest = locked("requirements-oldest-sdk.lock")
    bounds = {bound.operator: bound.version for bound in allowed}
    assert oldest == bounds[">="] + ".0"
    assert allowed.contains(oldest)
    assert allowed.contains(locked("requirements.lock"))


def test_what_is_used_of_the_sdk_is_public_and_there() -> None:
    import langsmith  # slow to import
    from langsmith.utils import get_host_url

    asked = inspect.signature(langsmith.Client.request_with_retries).parameters
    assert {"method", "pathname", "request_kwargs"} <= set(asked)
    made = inspect.signature(langsmith.Client).parameters
    assert {"auto_batch_tracing", "retry_config"} <= set(made)
    client = langsmith.Client(api_key="k", auto_batch_tracing=False)
    for name in ("api_url", "api_key", "workspace_id"):
        assert hasattr(client, name)
    assert get_host_url(None, "https://eu.api.smith.langchain.com").startswith("https://eu.")
