"""lm-evaluation-harness: what a line of samples says of its doc."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any, Final

import msgspec

HASH_LENGTH: Final = 8
"""Of a doc's hash, as a task's name has it."""


class Line(msgspec.Struct):
    """One doc under one filter."""

    doc_id: int | str
    doc: Any = None
    target: Any = None
    arguments: Any = None
    resps: Any = None
    filtered_resps: Any = None
    filter: str | None = None
    metrics: list[str] | None = None
    doc_hash: str | None = None
    prompt_hash: str | None = None


def alone(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return the element of a list that has no other."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def prompt_of(line: Line) -> Any:  # noqa: ANN401  any JSON value
    """Return what the model was given: the prompt, and the answers to choose from."""
    found = line.arguments
    requests = list(found.values()) if isinstance(found, dict) else found
    parts = [
        list(each.values()) if isinstance(each, dict) else each
        for each in (requests if isinstance(requests, list) else ())
    ]
    parts = [part for part in parts if isinstance(part, list) and part]
    if not parts:
        return line.doc
    prompt = alone(parts[0][0])
    if isinstance(prompt, str) and prompt.startswith('[{"role"'):  # of a chat, as text
        with suppress(msgspec.DecodeError):
            prompt = msgspec.json.decode(prompt)
    choices = [part[1] for part in parts if len(part) > 1 and isinstance(part[1], str)]
    return {"prompt": prompt, "choices": choices} if choices else prompt


def hash_of_doc(doc: object) -> str:
    """Hash a doc as the tool does since 0.4.3, so that older files meet newer ones."""
    text = json.dumps(doc, indent=2, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
