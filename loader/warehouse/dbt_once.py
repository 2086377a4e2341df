"""What dbt does again for every node, done once a process; some of it once a machine.

A build is a hundred nodes, and for each of them dbt makes the seven hundred macros of a
context, compiles templates that it has compiled before, and thousands of patterns of dates that
nobody asks for. Nothing that a build answers depends on how often: the same code of the same
text, the same macros, the same words in the log.

It changes dbt from outside, so it changes no dbt but the one that it was written for, and of
that only what has the shape that is expected. Else dbt does as it always does.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import marshal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

import dbt_common.behavior_flags as flags
import dbt_common.events.functions as events
import jinja2
import parsedatetime  # type: ignore[import-untyped]
from dbt.clients.jinja import MacroGenerator
from dbt.compilation import Linker
from dbt.context import macros
from dbt_common.dataclass_schema import StrEnum, dbtClassMixin
from dbt_common.events.logger import _is_print_event, _Logger

from . import dbt_messages, own_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import CodeType

    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import Macro

_WRITTEN_FOR: Final = "1.11."
_MADE_BY: Final = (
    "dbt-core", "dbt-common", "dbt-adapters", "dbt-postgres", "dbt-semantic-interfaces", "Jinja2",
    "mashumaro",
)  # fmt: skip
_MOST_TEMPLATES: Final = 4000
_LEVELS: Final = {
    "test": logging.DEBUG, "debug": logging.DEBUG, "info": logging.INFO,
    "warn": logging.WARNING, "error": logging.ERROR,
}  # fmt: skip


class Kept:
    """What is made of templates and classes, and outlives the process where it can."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.templates: dict[str, CodeType] = {}
        self.schemas: dict[str, dict[str, Any]] = {}
        self.made = 0
        """How much this process had to make itself."""
        self._used: set[str] = set()
        self._path: Path | None = None
        self._has_news = False

    def read(self, folder: Path) -> None:
        """Go on with what an earlier process of the same versions left in a folder."""
        self._path = folder / f"made-{_versions()}"
        content = own_files.read(self._path)
        with suppress(EOFError, ValueError, TypeError):  # what is broken is made anew
            templates, schemas = marshal.loads(content or b"")  # noqa: S302  our own
            self.templates, self.schemas = {**templates}, {**schemas}

    def write(self) -> None:
        """Leave it for the next process, if there is anything new."""
        if self._path is None or not self._has_news:
            return
        templates = dict(self.templates)
        if len(templates) > _MOST_TEMPLATES:
            templates = {key: code for key, code in templates.items() if key in self._used}
        content = marshal.dumps((templates, dict(self.schemas)))
        if own_files.keep(self._path, content):
            self._has_news = False
            for old in self._path.parent.glob("made-*"):
                if old != self._path:
                    with suppress(OSError):
                        old.unlink()

    def template(self, key: str, make: Callable[[], CodeType]) -> CodeType:
        """Return the code of a template; made, if it is not known."""
        self._used.add(key)
        if key not in self.templates:
            self.templates[key] = make()
            self._add()
        return self.templates[key]

    def schema(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what dbt holds the values of a class against; made, if it is not known."""
        if key in self.schemas:
            return self.schemas[key]
        made = make()
        with suppress(TypeError, ValueError):  # what is more than JSON is not kept
            plain = json.loads(json.dumps(made))  # words of an enumeration, as words
            if plain == made:
                self.schemas[key] = plain
                self._add()
        return made

    def _add(self) -> None:
        self.made += 1
        self._has_news = True


_KEPT: Final = Kept()


def avoid(folder: Path | None = None) -> None:
    """Change dbt, in this process.

    Args:
        folder: where what other processes can use as well is kept; None keeps it in memory.

    """
    if not importlib.metadata.version("dbt-core").startswith(_WRITTEN_FOR):
        return
    if folder is not None:
        _KEPT.read(folder)
    for change in (
        _compile_a_template_once,
        _describe_a_class_once,
        _make_a_parser_of_dates_once,
        _fill_namespaces_faster,
        _word_what_is_written,
        _draw_the_graph_of_names,
        _find_a_caller_by_its_frame,
        dbt_messages.fill_directly,
    ):
        with suppress(AttributeError, TypeError):  # another shape is left as it is
            change()


def keep() -> None:
    """Leave for other processes what this one had to make."""
    _KEPT.write()


def _versions() -> str:
    """Return a hash of all that what is made depends on."""
    versions = [importlib.metadata.version(name) for name in _MADE_BY]
    told = repr((sys.implementation.cache_tag, sys.version, marshal.version, versions))
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _compile_a_template_once() -> None:
    """Keep the code of every text that is rendered; how it is compiled does not depend on more."""
    compile_anew: Callable[..., CodeType] = jinja2.Environment.compile

    def compile_once(
        environment: jinja2.Environment,
        source: Any,  # noqa: ANN401  a text, or parsed already
        *more: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> CodeType:
        if more or named or type(source) is not str:
            return compile_anew(environment, source, *more, **named)
        told = f"{type(environment).__qualname__} {sorted(environment.extensions)} {source}"
        key = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
        return _KEPT.template(key, lambda: compile_anew(environment, source))

    jinja2.Environment.compile = compile_once  # type: ignore[method-assign, assignment]


def _describe_a_class_once() -> None:
    """Keep the schemas by which dbt looks at a project, a profile and the configs of nodes."""
    describe = dbtClassMixin.__dict__["json_schema"].__func__

    def described_once(cls: type[dbtClassMixin]) -> dict[str, Any]:
        return _KEPT.schema(f"{cls.__module__}.{cls.__qualname__}", lambda: describe(cls))

    dbtClassMixin.json_schema = classmethod(described_once)  # type: ignore[method-assign, assignment]


def _make_a_parser_of_dates_once() -> None:
    """Every table of results makes one or two, of thousands of patterns."""
    kept: dict[str, Any] = {}
    lock = threading.Lock()
    make = parsedatetime.Constants

    def made_once(*given: Any, **named: Any) -> Any:  # noqa: ANN401
        with lock:
            key = repr((given, sorted(named.items())))
            if key not in kept:
                kept[key] = make(*given, **named)
            return kept[key]

    parsedatetime.Constants = made_once


class _Flat(macros.MacroNamespace):
    """A namespace whose names are looked up at once, not in one package after the other."""

    is_proven: ClassVar[bool | None] = None
    """Whether the first of them was what dbt makes; None as long as there was none."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401  as its own
        super().__init__(*given)
        self._flat: dict[str, Any] = {}
        for one in reversed(list(self._search_order())):
            self._flat.update(one)

    def __iter__(self) -> Iterator[str]:
        return iter(self._flat)

    def __len__(self) -> int:
        return len(self._flat)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        return self._flat[key]


def _fill_namespaces_faster() -> None:
    """Make the seven hundred macros of a context in one go, if the first come out the same."""
    build = macros.MacroNamespaceBuilder.build_namespace

    def build_flat(
        builder: macros.MacroNamespaceBuilder,
        by_package: dict[str, dict[str, Macro]],
        context: dict[str, Any],
    ) -> macros.MacroNamespace:
        if any(len(own) != len({one.name for one in own.values()}) for own in by_package.values()):
            return build(builder, by_package, context)  # says which is there twice
        if _Flat.is_proven is None:
            usual = build(builder, by_package, context)
            _Flat.is_proven = False
            with suppress(AttributeError, TypeError, KeyError):
                _Flat.is_proven = _are_equal(_flat(builder, by_package, context), usual)
            return usual
        make = _flat if _Flat.is_proven else build
        return make(builder, by_package, context)

    macros.MacroNamespaceBuilder.build_namespace = build_flat  # type: ignore[method-assign, assignment]


def _flat(
    builder: macros.MacroNamespaceBuilder,
    by_package: dict[str, dict[str, Macro]],
    context: dict[str, Any],
) -> _Flat:
    made = {
        package: {one.name: _generator(builder, one, context) for one in own.values()}
        for package, own in by_package.items()
    }
    internal: dict[str, MacroGenerator] = {}
    for package in reversed(builder.internal_package_names_order):
        internal.update(made.get(package, {}))
    packages = {
        package: own
        for package, own in made.items()
        if package not in builder.internal_package_names
    }
    root, search = builder.root_package, builder.search_package
    return _Flat(
        packages.get(root, {}) if root != search else {},
        packages.get(search, {}),
        internal,
        packages,
    )


def _generator(
    builder: macros.MacroNamespaceBuilder, macro: Macro, context: dict[str, Any]
) -> MacroGenerator:
    """Return what its constructor makes, without calling that of two classes above it."""
    generator = MacroGenerator.__new__(MacroGenerator)
    generator.context = context
    generator.macro = macro
    generator.node = builder.node
    generator.stack = builder.thread_ctx
    return generator


def _are_equal(flat: object, usual: object) -> bool:
    """Whether two namespaces hold the same macros under the same names."""
    if isinstance(usual, MacroGenerator):
        return isinstance(flat, MacroGenerator) and (
            {name: id(value) for name, value in vars(flat).items()}
            == {name: id(value) for name, value in vars(usual).items()}
        )
    if isinstance(usual, dict | macros.MacroNamespace):
        return (
            isinstance(flat, dict | macros.MacroNamespace)
            and {*flat} == {*usual}
            and all(_are_equal(flat[name], usual[name]) for name in usual)
            and (
                isinstance(usual, dict)
                or all(
                    _are_equal(getattr(flat, part), value) for part, value in vars(usual).items()
                )
            )
        )
    return flat is usual


def _word_what_is_written() -> None:
    """Word a message for the logs that write its level, and look for secrets once.

    dbt words it for each, the one on a quiet terminal too, and goes through the environment
    for what not to say as often. The environment of a build is what it was when it began.
    """
    write = _Logger.write_line

    def write_if_heard(logger: _Logger, message: Any) -> None:  # noqa: ANN401  of any kind
        heard = logger._python_logger  # noqa: SLF001  there is no other way to it
        level = _LEVELS.get(message.info.level)
        if heard is None or level is None or heard.isEnabledFor(level) or _is_print_event(message):
            write(logger, message)

    found = events.env_secrets()  # type: ignore[attr-defined]
    events.env_secrets = lambda: found  # type: ignore[attr-defined]
    _Logger.write_line = write_if_heard  # type: ignore[method-assign, assignment]


def _draw_the_graph_of_names() -> None:
    """Draw dbt's picture of the graph from types of nodes, not from all that is in them."""
    draw = Linker.get_graph_summary

    def draw_names(linker: Linker, manifest: Manifest) -> dict[int, dict[str, Any]]:
        places = {name: place for place, name in enumerate(linker.graph)}
        drawn: dict[int, dict[str, Any]] = {}
        for name, place in places.items():
            kind = manifest.expect(name).resource_type
            if not isinstance(kind, StrEnum):
                return draw(linker, manifest)
            drawn[place] = {"name": name, "type": str(kind)}
            if found := [places[one] for one in linker.graph.successors(name)]:
                drawn[place]["succ"] = found
        return drawn

    Linker.get_graph_summary = draw_names  # type: ignore[method-assign, assignment]


def _find_a_caller_by_its_frame() -> None:
    """Name the module that made a flag without reading the text of all that are under way."""
    flag = flags.BehaviorFlagRendered
    if not isinstance(vars(flag)["_default_source"], staticmethod):
        return

    def caller() -> str:
        frame = sys._getframe(1)  # noqa: SLF001  as `inspect` does
        while frame is not None and frame.f_globals.get("__name__") == flag.__module__:
            frame = frame.f_back  # type: ignore[assignment]
        return str(frame.f_globals.get("__name__", "Unknown")) if frame else "Unknown"

    flag._default_source = staticmethod(caller)  # type: ignore[method-assign]  # noqa: SLF001
