"""Which tools' files are read, and which tool a file is of."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ..json_document import RESULTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from . import Importer
    from .opened import ToolFile

# Kind, as `--format` calls it → the module of `loader.sources.tools` that has its IMPORTER.
# A file is of the first that recognises it; none recognises what another does.
KINDS: Final[Mapping[str, str]] = {
    "braintrust": "braintrust",
    "deepeval": "deepeval",
    "every-eval-ever": "every_eval_ever",
    "harbor": "harbor",
    "helm": "helm",
    "inspect": "inspect_log",
    "langfuse": "langfuse",
    "lm-eval": "lm_eval",
    "openai-evals": "openai_evals",
    "otel": "otel",
    "promptfoo": "promptfoo",
    "ragas": "ragas",
    "swe-bench": "swe_bench",
    "tau-bench": "tau_bench",
}

_OURS: Final = "experiment_group"
"""A name that records have, and files of no tool."""
_BESIDE_TASK: Final = frozenset({"experiment_id", "extension_version", "scores"})
"""Names of which files of no tool have one beside a task_id."""


@cache
def importer_of(kind: str) -> Importer:
    """Return the importer of a kind, imported only now."""
    importer: Importer = import_module(f".{KINDS[kind]}", __name__.rpartition(".")[0]).IMPORTER
    return importer


def recognised(file: ToolFile) -> str | None:
    """Return the kind of a file by its content; None if it is of no tool that is known."""
    if any(map(_are_ours, (file.keys, file.columns, file.keys_within(RESULTS)))):
        return None  # no importer is imported for records
    return next((kind for kind in KINDS if importer_of(kind).recognises(file)), None)


def _are_ours(names: Collection[str]) -> bool:
    """Whether names are those of a record, which may lack what options say."""
    if _OURS in names:
        return True
    beginnings = {name.partition(".")[0] for name in names}
    return "task_id" in names and not _BESIDE_TASK.isdisjoint(beginnings)
