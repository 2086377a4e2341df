"""The check of settings finds the var that a list forgets, wherever the model reads it."""

from __future__ import annotations

import importlib.util
import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

import servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

pytestmark = pytest.mark.slow  # the project is parsed for it

Manifest = dict[str, Any]
FOLDER = servers.REPOSITORY / "tests"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    path = FOLDER / "check_settings.py"
    spec = importlib.util.spec_from_file_location("check_settings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parsed(check: ModuleType) -> Manifest:
    manifest: Manifest = check.parsed_project()
    return manifest


@pytest.fixture
def manifest(parsed: Manifest) -> Manifest:
    """Give the parsed project, to be changed."""
    return deepcopy(parsed)


@pytest.fixture
def said(
    check: ModuleType,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], list[str]]:
    """Run the check on the manifest; it fails if it says something."""
    monkeypatch.setattr(check, "parsed_project", lambda: manifest)

    def run() -> list[str]:
        code = check.main()
        lines = capsys.readouterr().out.splitlines()
        assert code == bool(lines)
        return lines

    return run


def model(manifest: Manifest, name: str) -> dict[str, Any]:
    found: dict[str, Any] = manifest["nodes"][f"model.evalmart.{name}"]
    return found


def settings(manifest: Manifest, name: str) -> list[str]:
    found: list[str] = model(manifest, name)["config"]["meta"]["settings"]
    return found


@pytest.mark.parametrize(
    ("name", "var"),
    [
        pytest.param("int_metric_evidence", "alpha", id="in its own text"),
        pytest.param("int_metric_pairs", "planned_repetitions", id="in a step"),
        pytest.param("int_metric_evidence", "minimum_clusters", id="in a macro"),
        pytest.param("int_experiment_verdicts", "gain_level", id="in a macro's dictionary"),
        pytest.param("evaluation_results", "primary_metric", id="in a view"),
    ],
)
def test_a_forgotten_var_is_told(
    manifest: Manifest, said: Callable[[], list[str]], name: str, var: str
) -> None:
    settings(manifest, name).remove(var)
    assert said() == [f"{name}: its settings lack {var}, which its rows depend on"]


def test_a_var_that_a_view_begins_to_read_is_told_of_what_is_made_of_it(
    manifest: Manifest, said: Callable[[], list[str]]
) -> None:
    assert said() == []
    model(manifest, "int_trial_values")["raw_code"] += "{{ var('pass_metric') }}"
    assert said() == [
        f"{reader}: its settings lack pass_metric, which its rows depend on"
        for reader in ("evaluation_scores", "experiment_task_comparisons")
    ]


def test_a_var_that_a_fingerprint_lacks_is_told(
    manifest: Manifest, said: Callable[[], list[str]]
) -> None:
    model(manifest, "int_version_moments")["raw_code"] += "{{ var('a' ~ 'b') }}{{ var('alpha') }}"
    model(manifest, "int_version_comparisons")["raw_code"] += "{{ var('pass_k') }}"
    lacks = {"int_version_comparisons": "pass_k", "int_version_moments": "a var that is no literal"}
    assert said() == [
        f"{name}: the fingerprint lacks {var}, which its rows depend on"
        for name, var in lacks.items()
    ]


def test_a_var_that_is_no_longer_read_is_told(
    manifest: Manifest, said: Callable[[], list[str]]
) -> None:
    settings(manifest, "int_metric_pairs").append("pass_k")
    assert said() == ["int_metric_pairs: its settings name pass_k, which it does not read"]
