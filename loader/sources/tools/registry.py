"""Which tools' files are read, and which tool a file is of."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.sources.tools import Importer
    from loader.sources.tools.opened import ToolFile

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


@cache
def importer_of(kind: str) -> Importer:
    """Return the importer of a kind, imported only now."""
    importer: Importer = import_module(f"loader.sources.tools.{KINDS[kind]}").IMPORTER
    return importer


def recognised(file: ToolFile) -> str | None:
    """Return the kind of a file by its content; None if it is of no tool that is known."""
    if _OURS in file.keys or _OURS in file.columns:
        return None  # no importer is imported for records
    return next((kind for kind in KINDS if importer_of(kind).recognises(file)), None)
