"""The records of an experiment in the LangSmith stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes

if TYPE_CHECKING:
    from collections.abc import Callable

Fields = dict[str, Any]


def read(connect: Callable[[], LangSmith], project: str = "large", **wishes: Any) -> list[Fields]:  # noqa: ANN401
    """Return the fields of every record of a project, as `wishes` have them."""
    source = LangSmithSource(connect(), project, Wishes(**wishes))
    return [row.fields for row in source.rows() if row.fields is not None]
