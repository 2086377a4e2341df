"""Seeds that cannot be read say which file, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loader.errors import ConfigurationError
from loader.warehouse.seeds import read_table, read_vocabulary

if TYPE_CHECKING:
    from pathlib import Path


def test_a_seed_gives_its_columns_and_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("metric,kind\nstyle,score\n", encoding="utf-8-sig")
    assert read_table(path) == (["metric", "kind"], [{"metric": "style", "kind": "score"}])
    path.write_text("", encoding="utf-8")
    assert read_table(path) == ([], [])


def test_a_seed_that_is_missing_is_to_be_restored(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"groups\.csv is missing; restore it from the"):
        read_vocabulary(tmp_path)


def test_a_seed_that_is_there_and_cannot_be_read_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "experiment_groups.csv").mkdir()
    with pytest.raises(ConfigurationError, match=r"groups\.csv cannot be read: Is a directory$"):
        read_vocabulary(tmp_path)
