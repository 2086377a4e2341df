"""dbt for tests: one process for all builds, that may also be killed half-way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import servers
from loader.warehouse.connection import environment

if TYPE_CHECKING:
    from collections.abc import Callable

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parent.parent


class Dbt:
    """Runs dbt on any database, in a process of its own that lives as long as this object."""

    def __init__(self, directory: Path) -> None:
        """Keep profile, compiled SQL and logs in this directory."""
        self.directory = directory
        shutil.copyfile(_REPOSITORY / "profiles.yml.example", directory / "profiles.yml")
        self._process: subprocess.Popen[str] | None = None

    def build(self, database_url: str, *arguments: str, schema: str = "evals") -> None:
        """Run `dbt build`, which must succeed.

        Left out are unit tests, which do not depend on data, and tests of the seeds, which
        are the project's own here: `dbt build` runs them in the tests of the command. Generic
        ones alone: a singular test that reads a seed belongs to its models too, and a model
        with a test that never ran counts as untested for good.
        """
        left_out = () if "--exclude" in arguments else ("--exclude", "test_type:generic,path:seeds")
        self.run(
            database_url,
            "build",
            "--exclude-resource-type",
            "unit_test",
            *left_out,
            *arguments,
            schema=schema,
        )

    def run(self, database_url: str, *arguments: str, schema: str = "evals") -> None:
        """Run one dbt command; it must succeed."""
        success, messages = self.attempt(database_url, *arguments, schema=schema)
        assert success, "\n".join(messages)

    def attempt(
        self, database_url: str, *arguments: str, schema: str = "evals"
    ) -> tuple[bool, list[str]]:
        """Run one dbt command; return whether it succeeded, and what went wrong."""
        process = self._send(database_url, arguments, schema)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()  # the pipe closes before the process has ended
            return False, ["dbt's process ended"]
        answer = json.loads(line)
        return answer["success"], answer["messages"]

    def kill_while_building(self, database_url: str, is_time: Callable[[], bool]) -> bool:
        """Start a build and kill -9 it as soon as it is time; return whether it was still on."""
        over = threading.Event()

        def wait() -> None:
            while not over.is_set() and not is_time():
                time.sleep(0.01)
            if not over.is_set():
                self._kill()

        watch = threading.Thread(target=wait)
        watch.start()
        success, _ = self.attempt(database_url, "build", "--exclude-resource-type", "unit_test")
        over.set()
        watch.join()
        return not success

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait(timeout=60)
            self._process = None

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _send(
        self, database_url: str, arguments: tuple[str, ...], schema: str
    ) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            log = (self.directory / "output.log").open("a")
            self._process = subprocess.Popen(
                [sys.executable, str(_HERE / "dbt_worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "0"},
            )
            log.close()
        settings = {
            **environment(database_url),
            "EVALMART_SCHEMA": schema,
            "EVALMART_WAIT_SECONDS": os.environ.get("EVALMART_WAIT_SECONDS", "600"),
            "DBT_LOG_LEVEL_FILE": "none",
            "DBT_WRITE_JSON": "false",
            "DBT_PROFILES_DIR": str(self.directory),
            "DBT_TARGET_PATH": str(self.directory / "target"),
            "DBT_LOG_PATH": str(self.directory / "logs"),
        }
        command = [*arguments, "--project-dir", str(_REPOSITORY), "--quiet"]
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"arguments": command, "environment": settings}) + "\n"
        )
        self._process.stdin.flush()
        return self._process


_SHARED: list[Dbt] = []
"""The one of this process, once there is one."""


def shared() -> Dbt:
    """Return dbt for every build of this process: importing it takes longer than many a build."""
    if not _SHARED:
        _SHARED.append(Dbt(Path(tempfile.mkdtemp(prefix="dbt-", dir=servers.run_folder()))))
    return _SHARED[0]


def leave() -> None:
    """End it."""
    while _SHARED:
        _SHARED.pop().close()
