"""The wheel, installed as its user has it: in an environment that knows nothing of a clone.

What it depends on comes from the environment in which the tests run, file by file, so that the
clone that is installed there for editing cannot help. Tests that run as root run what is
installed as a user who owns none of it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from packaging.requirements import Requirement

import servers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NOBODY: Final = "nobody"
_UNINSTALLED: Final = frozenset({"test", "idlelib", "site-packages", "__pycache__", "turtledemo"})


def build(folder: Path, *, source: Path = servers.REPOSITORY, target: str = "wheel") -> Path:
    """Build the wheel, or the source distribution, of a tree; without a network."""
    command = [sys.executable, "-P", "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return made


def contents(wheel: Path) -> dict[str, bytes]:
    """Return what is in a wheel: name → text."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Interpreter(NamedTuple):
    """A Python that the user of these tests may run."""

    path: Path
    libraries: Path
    """Where its shared library is."""


def interpreter(folder: Path) -> Interpreter:
    """Return the Python that runs the tests; a copy, where a home of root's keeps it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    path = base / "bin" / version
    look = [str(path), "-c", "import sys; print(sys.prefix)"]
    try:
        found = subprocess.run(look, **as_user(), check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = ""
    if found.strip() == str(base):
        return Interpreter(path, base / "lib")
    own = folder / "python"
    library = Path("lib") / version
    _link_tree(base / library, own / library, without=_UNINSTALLED)
    for shared in (base / "lib").glob("libpython*"):
        _link(shared.resolve(), own / "lib" / shared.name)
    _link(path.resolve(), own / "bin" / version)
    return Interpreter(own / "bin" / version, own / "lib")


class User(TypedDict, total=False):
    """What `subprocess` takes of whom it runs something as; nothing of oneself."""

    user: int
    group: int
    extra_groups: list[int]


def as_user() -> User:
    """Return what `subprocess` needs to run something as a normal user."""
    if os.geteuid():
        return {}
    entry = pwd.getpwnam(_NOBODY)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Installation(NamedTuple):
    """An environment with the wheel in it, and what its user does there."""

    folder: Path
    libraries: Path
    user_home: Path

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def package(self) -> Path:
        """Return the folder of the package."""
        (found,) = self.folder.glob("lib/*/site-packages/evalmart")
        return found

    def work_folder(self, name: str) -> Path:
        """Make an empty folder of the user's own."""
        folder = self.user_home.parent / name
        folder.mkdir()
        _give(folder)
        return folder

    def run(
        self, program: str, *arguments: object, cwd: Path, code: int = 0, **variables: object
    ) -> str:
        """Run a program of the environment as the user; return what it says.

        Args:
            program: `python`, or `evalmart`.
            arguments: of it.
            cwd: where.
            code: with which it has to end.
            variables: of the environment; nothing of the tests' own is in it.

        """
        done = subprocess.run(
            [str(self.folder / "bin" / program), *map(str, arguments)],
            cwd=cwd,
            env={
                "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
                "HOME": str(self.user_home),
                "LANG": "C.UTF-8",
                "LD_LIBRARY_PATH": str(self.libraries),
                "PYTHONWARNINGS": "ignore",
                **{name: str(value) for name, value in variables.items()},
            },
            **as_user(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{program} {arguments}: {done.returncode}\n{said}"
        assert "Traceback" not in said, said
        return said


def install(
    folder: Path, wheel: Path, base: Interpreter, extras: Iterable[str], more: Iterable[str] = ()
) -> Installation:
    """Install the wheel into an environment of its own, with what it depends on.

    Args:
        folder: for the environment, its dependencies and the home of its user.
        wheel: what is installed.
        base: the interpreter.
        extras: which of them.
        more: other distributions that are there as well.

    """
    environment, dependencies = folder / "environment", folder / "dependencies"
    home = folder / "home"
    home.mkdir(parents=True)
    variables = {**os.environ, "LD_LIBRARY_PATH": str(base.libraries)}
    make = [str(base.path), "-P", "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(make, check=True, capture_output=True, env=variables)
    pip = [sys.executable, "-P", "-m", "pip", "--python", str(environment / "bin" / "python")]
    put = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(put, check=True, capture_output=True, env=variables)
    (packages,) = environment.glob("lib/*/site-packages")
    (own,) = distributions(path=[str(packages)])
    for each in _needed(own, extras, more):
        for file in each.files or ():
            if ".." not in file.parts and file.suffix != ".pth":
                _link(Path(str(each.locate_file(file))), dependencies / file)
    # a folder that is only named in one of these has its own ones left unread
    (packages / "dependencies.pth").write_text(f"{dependencies}\n", encoding="utf-8")
    _give(home)
    return Installation(environment, base.libraries, home)


def _give(folder: Path) -> None:
    """Let a folder be the user's."""
    user = as_user()
    if user:
        os.chown(folder, user["user"], user["group"])


def _needed(own: Distribution, extras: Iterable[str], more: Iterable[str]) -> list[Distribution]:
    """Return all that a distribution needs with these extras, and what is wanted beside it."""
    found: dict[str, Distribution] = {}
    waiting = [(own, {"", *extras}), *((distribution(name), {""}) for name in more)]
    for name in more:
        found[name] = distribution(name)
    while waiting:
        each, wanted = waiting.pop()
        for requirement in _requirements(each, wanted):
            name = requirement.name.lower()
            if name not in found or requirement.extras:
                found[name] = distribution(requirement.name)
                waiting.append((found[name], {"", *requirement.extras}))
    return list(found.values())


def _requirements(each: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    for text in each.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _link_tree(source: Path, target: Path, *, without: frozenset[str]) -> None:
    for directory, below, names in os.walk(source):
        below[:] = [name for name in below if name not in without]
        for name in names:
            path = Path(directory, name)
            _link(path.resolve(), target / path.relative_to(source))


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where that is another file system."""
    if target.exists():  # several distributions bring the same folder's __init__
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
