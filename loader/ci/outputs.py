"""What a pipeline's service takes from a job: outputs, annotations, a summary, reports."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError
from ..show import escape
from ..tools.files import cannot_write, whole_file
from ..tools.secrets import redact
from .place import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .place import Place
    from .result import Result

_LEVELS: Final = {"blocked": "error", "error": "error", "inconclusive": "warning"}
_SEVERITIES: Final = {"blocked": "blocker", "inconclusive": "minor"}
_MOST_ANNOTATIONS: Final = 5
"""GitHub shows ten of each level of a step; the rest is in the summary."""
_LONGEST_MESSAGE: Final = 1_000
_LARGEST_SUMMARY: Final = 1_000_000
"""GitHub refuses a summary of more than 1 MiB of a step."""


def told_in_log(result: Result) -> Iterator[str]:
    """Yield GitHub's orders that annotate a run: the verdict, and why."""
    level = _LEVELS.get(result.verdict, "notice")
    yield order(level, f"evalmart: {result.verdict}", result.headline)
    if level == "notice":
        return
    told = [reason for reason in result.reasons if reason not in result.headline]
    for reason in told[:_MOST_ANNOTATIONS]:
        yield order(level, "evalmart: why", reason)


def order(level: str, title: str, message: str) -> str:
    """Return an order to GitHub's log that no text in it can end or add to.

    A percent sign and ends of lines are escaped everywhere, in a property also `:` and `,`.
    """
    shown = _data(_plain(message))
    name = _data(_plain(title)).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{shown}"


def _plain(text: str) -> str:
    shown = escape.terminal(redact(text))
    return shown if len(shown) <= _LONGEST_MESSAGE else shown[: _LONGEST_MESSAGE - 1] + "…"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def leave(place: Place, environment: Mapping[str, str], result: Result, out: Path) -> None:
    """Leave behind what the service takes; elsewhere nothing.

    Args:
        place: where the pipeline is.
        environment: variables of the process.
        result: what came of it.
        out: folder of what the job keeps.

    Raises:
        ConfigurationError: a file that the service names cannot be written.
        NoRoom: a disk is full.

    """
    if place.service is Service.GITHUB:
        if named := environment.get("GITHUB_OUTPUT"):
            _append(named, "".join(map(_output, *zip(*values(result).items(), strict=True))))
        if named := environment.get("GITHUB_STEP_SUMMARY"):
            _append(named, _summary(result.comment))
    if place.service is Service.GITLAB:
        lines = (
            f"EVALMART_{name.upper().replace('-', '_')}={_one_line(value)}\n"
            for name, value in values(result).items()
        )
        write(out / "evaluation.env", "".join(lines))
        write(out / "codequality.json", json.dumps(_code_quality(result), indent=2) + "\n")


def values(result: Result) -> Mapping[str, str]:
    """Return the outputs of the job by name."""
    improvement = result.improvement
    return {
        "verdict": result.verdict,
        "experiment": result.experiment,
        "baseline": result.baseline,
        "improvement": "" if improvement is None else f"{improvement:+.2f}",
    }


def _output(name: str, value: str) -> str:
    """Return an output as GitHub's file takes it, whatever stands in the value."""
    end = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{end}\n{value}\n{end}\n"


def _one_line(text: str) -> str:
    return escape.terminal(text)


def _summary(comment: str) -> str:
    cut = comment.encode()[:_LARGEST_SUMMARY].decode(errors="ignore")
    return cut.rstrip("\n") + "\n"


def _code_quality(result: Result) -> list[dict[str, Any]]:
    """Return what GitLab shows of a merge request beside its changes: nothing where it passed."""
    if result.verdict not in _SEVERITIES:
        return []
    told = _plain(result.headline)
    name = f"{result.experiment}\n{told}".encode()
    return [
        {
            "description": told,
            "check_name": f"evalmart: {result.verdict}",
            "fingerprint": hashlib.sha256(name).hexdigest(),
            "severity": _SEVERITIES[result.verdict],
            "location": {"path": "evaluation/comment.md", "lines": {"begin": 1}},
        }
    ]


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises:
        ConfigurationError: it cannot be written.
        NoRoom: a disk is full.

    """
    try:
        with whole_file(path) as stream:
            stream.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise cannot_write(path, error) from error


def folder(path: Path) -> Path:
    """Return a folder to write to, made where it is not there.

    Raises:
        ConfigurationError: it cannot be.

    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--out: cannot make the folder {path}: {error.strerror or error}"
        ) from error
    return path


def _append(named: str, text: str) -> None:
    try:
        with Path(named).open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise cannot_write(named, error) from error


def lines(sentences: Sequence[str]) -> str:
    """Return sentences of a record as items of markdown."""
    return "".join(f"- {escape.markdown(redact(sentence))}\n" for sentence in sentences)
