"""Images built and containers run by Podman, in a store of the test's own.

No registry is asked. The base image is a stand-in that holds nothing but a skeleton: `/usr` and
`/usr/local` are those of this machine, mounted read-only, with this machine's Python as the
base's. Everything that a Dockerfile adds is real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import pip_tools
import programs

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "localhost/base:stand-in"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_FOLDERS = (
    "etc", "usr", "proc", "sys", "dev", "run", "root", "home", "tmp", "var", "var/tmp",
)  # fmt: skip
_LINKS = ("bin", "sbin", "lib", "lib64")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/shadow": "root:*:::::::\n",
    "etc/gshadow": "root:*::\n",
}
_OUTSIDE = ("/etc/ssl", "/etc/ld.so.cache")
"""Certificates of this machine, and where its libraries are."""


class Engine(NamedTuple):
    """Podman with a store of its own; `close` leaves nothing behind."""

    folder: Path
    base: list[str]
    """Options that mount what the stand-in base lacks."""

    def podman(
        self, *arguments: str, check: bool = True, seconds: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run Podman."""
        done = subprocess.run(
            [programs.program("podman", package="podman"), "--root", str(self.folder / "store"),
             "--runroot", str(self.folder / "run"), "--cgroup-manager", "cgroupfs",
             "--events-backend", "file",
             "--runtime", programs.program("runc", package="runc"), *arguments],
            capture_output=True, text=True, check=False, timeout=seconds,
            env={**os.environ, "TMPDIR": str(self.folder)},
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def build(self, context: Path, tag: str) -> str:
        """Build the Dockerfile of a folder; return what was said."""
        places = [*_OUTSIDE, *_folders_of_pip()]
        arguments = [
            "build", "--isolation", "chroot", "--network", "host", "--format", "docker",
            "--pull=never", "--layers=false", "--build-arg", f"PYTHON={BASE}", *self.base,
            *_mounts({place: place for place in places if Path(place).exists()}),
            "--secret", f"id=pip,src={self._settings_of_pip()}", "--tag", tag, str(context),
        ]  # fmt: skip
        done = self.podman(*arguments)
        return done.stdout + done.stderr

    def run(
        self, image: str, *command: str, options: tuple[str, ...] = (), check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the image's user, with nothing it could change but its volumes."""
        return self.podman("run", "--rm", *self._hardened(), *options, image, *command, check=check)

    def start(self, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
        """Start a command in the same way; return the container's id."""
        arguments = ["run", "--detach", *self._hardened(), *options, image, *command]
        return self.podman(*arguments).stdout.strip()

    def stop(self, container: str) -> int:
        """Stop a container as `docker stop` does, with a minute to end in; return its exit code."""
        self.podman("stop", "--time", "60", container)
        return int(self.podman("wait", container).stdout)

    def inspect(self, name: str) -> Any:  # noqa: ANN401  JSON
        """Return what Podman tells of an image or a container."""
        return json.loads(self.podman("inspect", name).stdout)[0]

    def close(self) -> None:
        """End every container, and remove all that is left."""
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.podman("image", "unmount", "--all", "--force", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hardened(self) -> list[str]:
        return [
            "--no-healthcheck", "--network", "none", "--read-only", "--read-only-tmpfs=false",
            "--tmpfs", "/tmp",  # noqa: S108  of the container
            "--cap-drop", "all", "--security-opt", "no-new-privileges",
            "--ulimit", "nofile=1024:4096", "--ulimit", "nproc=4096:4096", *self.base,
        ]  # fmt: skip

    def _settings_of_pip(self) -> Path:
        """Write what pip goes by on this machine, from files and variables, as one file."""
        path = self.folder / "pip.conf"
        lines = [f"{name} = {value}" for name, value in _told_to_pip().items()]
        path.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
        return path


def make_engine(folder: Path) -> Engine:
    """Make a store with the base image in it.

    Skips, or fails where programs are demanded, without Podman and runc; skips where the tests
    do not run as root, or where the machine lets nobody run a container.
    """
    if os.geteuid() != 0:
        pytest.skip("images are built as root only")
    newer = pip_tools.installed("pip>=25", folder / "pip") / "pip"
    prefix = Path(sys.base_prefix)
    packages = Path(sysconfig.get_path("purelib", vars={"base": "/usr/local"}))
    mounts = _mounts({"/usr": "/usr", str(prefix): "/usr/local", str(newer): str(packages / "pip")})
    engine = Engine(folder, mounts)
    skeleton = folder / "base.tar"
    _write_skeleton(skeleton)
    variables = {"PATH": _PATH, "LD_LIBRARY_PATH": "/usr/local/lib"}
    changes = [f"--change=ENV {name}={value}" for name, value in variables.items()]
    engine.podman("import", *changes, str(skeleton), BASE)
    tried = engine.run(BASE, "/usr/bin/true", check=False)
    if tried.returncode:
        engine.close()
        pytest.skip(f"no container can be run here: {tried.stderr.strip()[-300:]}")
    return engine


def _told_to_pip() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {name.rpartition(".")[2]: value.strip("'\"") for name, value in told.items()}


def _folders_of_pip() -> list[str]:
    """Return the folders and files that pip's settings name: an index on disk, constraints."""
    words = " ".join(_told_to_pip().values()).replace("file://", "").split()
    places = {word.removesuffix("/simple") for word in words if word.startswith("/")}
    return sorted(place for place in places if not place.startswith(_OUTSIDE))


def _mounts(places: Mapping[str, str]) -> list[str]:
    return [f"--volume={source}:{target}:ro" for source, target in places.items()]


def _write_skeleton(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            archive.addfile(entry)
        for name in _LINKS:
            if Path("/", name).is_symlink():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
                archive.addfile(entry)
        for name, text in _FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o600 if name.endswith("shadow") else 0o644
            archive.addfile(entry, BytesIO(text.encode()))
