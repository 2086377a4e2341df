"""What stands beside a verdict and decides nothing, as tables of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..show.beside import sections
from ..show.render import cell, heading
from ..tools.tables import NUMERIC
from .grids import Cell, Grid, Heading

if TYPE_CHECKING:
    from ..show.beside import Shown


def grids(shown: Shown) -> list[Grid]:
    """Return what is there of sensitivity, categories, preferences and scores of whole arms."""
    return [
        Grid(
            section.heading.removesuffix(":"),
            [Heading(heading(one), one.kind in NUMERIC) for one in section.table.columns],
            [
                [
                    Cell(cell(value, one.kind))
                    for value, one in zip(row, section.table.columns, strict=True)
                ]
                for row in section.table.rows
            ],
        )
        for section in sections(shown)
    ]
