"""What an evaluator's source text says: which version it is, and which keys it gives."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# 64 bits tell versions of one function apart; short enough to read in a table.
VERSION_BYTES: Final = 8
_PLAIN: Final = (str, int, float, bool, bytes, tuple, list, dict, type(None))
_SDK: Final = "langsmith.evaluation.evaluator"


def source_hash(function: object) -> str:
    """Hash a function's source text: 16 hexadecimal digits.

    Only the function's own text counts, as it stands in its file, not that of what
    it calls; of a partial also the values that it fills in. Without source (built in, or
    typed at a prompt), its byte code counts.
    """
    filled = b""
    while isinstance(function, functools.partial):
        words = sorted(function.keywords.items())
        filled += repr(([_told(one) for one in function.args], _told(words))).encode()
        function = function.func
    target = _written(function)
    try:
        text = textwrap.dedent(inspect.getsource(target)).encode()
    except (OSError, TypeError):
        code = getattr(target, "__code__", None)
        text = code.co_code if code else repr(target).encode()
    return blake2b(text + filled, digest_size=VERSION_BYTES).hexdigest()


def literal_keys(function: object) -> list[str]:
    """Return the keys that a function's text gives its results, sorted; empty if none are seen.

    For an evaluator that never returned: `{"key": "tone", …}` and `EvaluationResult(key="tone")`.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(_written(function))))
    except (OSError, TypeError, SyntaxError):
        return []
    return sorted({
        found.value
        for node in ast.walk(tree)
        for found in _keys(node)
        if isinstance(found, ast.Constant) and isinstance(found.value, str)
    })  # fmt: skip


def _keys(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Dict):
        for name, value in zip(node.keys, node.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == "key":
                yield value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if called in {"EvaluationResult", "dict"}:
            yield from (word.value for word in node.keywords if word.arg == "key")


def _written(function: object) -> Callable[..., object] | type:
    """Return what has the text: beneath decorators, a partial, and langsmith's wrappers."""
    while isinstance(function, functools.partial):
        function = function.func
    bare = inspect.unwrap(function) if callable(function) else function
    if inspect.isfunction(bare) and bare.__module__ == _SDK:
        # @run_evaluator keeps the function it was given in a closure only
        inner = inspect.getclosurevars(bare).nonlocals.get("func")
        if callable(inner):
            return _written(inner)
    if inspect.isroutine(bare) or inspect.isclass(bare):
        return bare
    return type(bare)


def _told(value: object) -> object:
    """Write a filled-in value so that it is the same in every process."""
    if isinstance(value, dict):
        return {str(name): _told(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_told(one) for one in value]
    return value if isinstance(value, _PLAIN) else type(value).__qualname__
