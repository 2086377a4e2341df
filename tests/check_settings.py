"""Fail when an incremental model does not say of each var that its rows depend on it.

Run by `make lint`. A model that is kept up by experiment lists in `meta: settings` the vars whose
change makes a build replace every row; one that is kept up by version goes by the fingerprint of
int_version_pairs, which holds their values. What either forgets would leave a mart as the old
value made it, and nobody would know. Models and seeds need no list: a build asks dbt's graph.

Held against the lists are the vars that a model reads in its own text, in macros and by way of
views. Prints what is missing, or listed and not read; exits 1 when there is any.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from check_descriptions import PROJECT, parsed_project
from jinja2 import Environment, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    Node = dict[str, Any]

# `--as-of` builds everything anew, in a schema of its own.
_IN_A_SCHEMA_OF_ITS_OWN = {"as_of"}
_FINGERPRINTS = f"model.{PROJECT}.int_version_pairs"
_JINJA = Environment(extensions=["jinja2.ext.do"], autoescape=True)


def main() -> int:
    """Parse the project, list what differs."""
    wrong = sorted(_differences(parsed_project()))
    for line in wrong:
        print(line)  # noqa: T201  a script's output
    return 1 if wrong else 0


def _differences(manifest: Node) -> Iterator[str]:
    macros = {
        macro["name"]: macro["macro_sql"]
        for macro in manifest["macros"].values()
        if macro["package_name"] == PROJECT
    }
    models = {
        name: node
        for name, node in manifest["nodes"].items()
        if node["package_name"] == PROJECT and node["resource_type"] == "model"
    }
    fingerprint = set(_vars(models[_FINGERPRINTS]["raw_code"], macros, set()))
    for node in models.values():
        texts = _texts(node, models)
        read = {name for text in texts for name in _vars(text, macros, set())}
        if _is_kept_up_by_experiment(node):
            told = set(node["config"]["meta"].get("settings", []))
            for name in read - told - _IN_A_SCHEMA_OF_ITS_OWN:
                yield f"{node['name']}: its settings lack {name}, which its rows depend on"
            for name in told - read:
                yield f"{node['name']}: its settings name {name}, which it does not read"
        elif node["config"]["materialized"] == "incremental":
            for name in set(_vars(node["raw_code"], macros, set())) - fingerprint:
                yield f"{node['name']}: the fingerprint lacks {name}, which its rows depend on"


def _is_kept_up_by_experiment(node: Node) -> bool:
    return bool(node["config"].get("incremental_strategy") == "replace_experiments")


def _texts(node: Node, models: dict[str, Node]) -> Iterator[str]:
    """Yield the model's text and those of what stands between it and the next that is kept up."""
    yield node["raw_code"]
    for name in node["depends_on"]["nodes"]:
        if name in models and not _is_kept_up_by_experiment(models[name]):
            yield from _texts(models[name], models)


def _vars(text: str, macros: dict[str, str], seen: set[str]) -> Iterator[str]:
    """Yield the vars that a template reads itself or in the macros it calls."""
    for call in _JINJA.parse(text).find_all(nodes.Call):
        name = getattr(call.node, "name", None) or getattr(call.node, "attr", None)
        if name == "var":
            asked = call.args[0]
            yield asked.value if isinstance(asked, nodes.Const) else "a var that is no literal"
        elif name in macros and name not in seen:
            seen.add(name)
            yield from _vars(macros[name], macros, seen)


if __name__ == "__main__":
    sys.exit(main())
