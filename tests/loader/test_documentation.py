from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import command_reference
import pytest

import servers
from loader import server
from loader.cli import COMMANDS

_GUIDES = [servers.REPOSITORY / "README.md", *sorted((servers.REPOSITORY / "docs").glob("*.md"))]
_BLOCKS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def _commands(guide: Path) -> str:
    lines = "".join(_BLOCKS.findall(guide.read_text(encoding="utf-8"))).splitlines()
    return "\n".join(line for line in lines if "bin/activate" not in line)


@pytest.mark.parametrize(
    "guide", [guide for guide in _GUIDES if _commands(guide)], ids=lambda guide: guide.name
)
def test_every_command_of_a_guide_runs_as_written(guide: Path, tmp_path: Path) -> None:
    with servers.short_directory() as home:
        environment = {
            **os.environ,
            "EVALMART_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        try:
            done = subprocess.run(
                ["bash", "-euxo", "pipefail", "-c", _commands(guide)],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        finally:
            server.stop(home / "postgres")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.parametrize("guide", _GUIDES, ids=lambda guide: guide.name)
def test_every_link_of_a_guide_leads_somewhere(guide: Path) -> None:
    targets = _LINK.findall(guide.read_text(encoding="utf-8"))
    assert [target for target in targets if not (guide.parent / target).exists()] == []


def test_the_command_reference_is_up_to_date() -> None:
    # In a process of its own: click keeps on a command what an earlier test asked of it.
    program = [sys.executable, command_reference.__file__, "--check"]
    checked = subprocess.run(program, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_every_command_appears_in_a_guide() -> None:
    told = [guide for guide in _GUIDES if guide != command_reference.REFERENCE]
    text = "".join(guide.read_text(encoding="utf-8") for guide in told)
    assert [name for name in COMMANDS if f"loader {name}" not in text] == []


def test_every_mart_appears_in_the_readme() -> None:
    readme = (servers.REPOSITORY / "README.md").read_text(encoding="utf-8")
    marts = [model.stem for model in (servers.REPOSITORY / "models" / "marts").glob("*.sql")]
    assert marts
    assert [mart for mart in marts if f"`{mart}`" not in readme] == []
