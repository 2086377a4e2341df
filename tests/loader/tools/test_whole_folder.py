from pathlib import Path

import pytest

from loader.tools.files import whole_folder


def test_a_folder_is_there_when_everything_went_well(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        with whole_folder(tmp_path / name) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "file").write_text("x")
            assert not (tmp_path / name / "deep").exists()
        assert (tmp_path / name / "deep" / "file").read_text() == "x"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "new"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "new") as folder:  # noqa: PT012
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_there_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    (tmp_path / "file").write_text("y")
    for name in ("full", "file"):
        with pytest.raises(FileExistsError, match="name another"), whole_folder(tmp_path / name):
            pytest.fail("begun")
    assert (tmp_path / "full" / "mine").read_text() == "x"
    assert (tmp_path / "file").read_text() == "y"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "full"]


def test_a_folder_below_one_that_is_not_there_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "no" / "new"):
        pytest.fail("begun")
