"""Views that a build would find as it left them, known before it looks at each.

A view is made of the text of the project, seeds' names and vars. Where those are what they were
in the last build of everything, and the server's view is the one that build left, dbt would
compile it only to find that there is nothing to do: a quarter of all nodes of a small build.
They count as built, as they do when dbt finds out for itself.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg
from dbt.artifacts.schemas.results import RunStatus
from dbt.contracts.graph.nodes import ModelNode
from dbt.task.run import ModelRunner

from .connection import connect
from .standing import IS_FORCED, STAMP, on_ledger

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dbt.contracts.graph.manifest import Manifest

_UNCHANGED: Final = "UNCHANGED"
"""What such a view's own materialization says."""


def find(manifest: Manifest | None, token: str) -> frozenset[str]:
    """Return the ids of dbt's nodes that need not be looked at.

    Args:
        manifest: the project as parsed; None where dbt parses for itself.
        token: of this build, whose lease is held.

    """
    told = json.loads(os.environ.get(STAMP) or "{}")
    if manifest is None or not told.get("inputs") or told.get(IS_FORCED):
        return frozenset()
    views = {
        f'"{node.schema}"."{node.alias}"': node
        for node in manifest.nodes.values()
        if isinstance(node, ModelNode) and node.config.materialized == "view"
    }
    readers = {name for node in views.values() for name in _readers(node)}
    asked = {"inputs": told["inputs"], "token": token, "grantees": [*readers]}
    try:
        with connect() as connection:
            found: Any = connection.execute(on_ledger("unchanged_views"), asked).fetchall()
    except psycopg.Error:  # no build has been here
        return frozenset()
    return frozenset(
        views[name].unique_id
        for name, shut_out in found
        if name in views
        and not {*views[name].config.grants} - {"select"}
        and not {*_readers(views[name])} & {*shut_out}
    )


def _readers(view: ModelNode) -> list[str]:
    readers: list[str] = view.config.grants.get("select", [])
    return readers


def leave_alone(nodes: AbstractSet[str]) -> None:
    """Let dbt, in this process, take these nodes for built."""
    look = ModelRunner.compile_and_execute

    def look_or_not(runner: ModelRunner, manifest: Manifest, context: Any) -> Any:  # noqa: ANN401
        if context.node.unique_id not in nodes:
            return look(runner, manifest, context)
        return runner._build_run_result(  # type: ignore[no-untyped-call]  # noqa: SLF001  as its own
            node=context.node,
            start_time=time.time(),
            status=RunStatus.Success,
            timing_info=[],
            message=_UNCHANGED,
            adapter_response={"_message": _UNCHANGED},
        )

    ModelRunner.compile_and_execute = look_or_not  # type: ignore[method-assign, assignment]
