"""What dbt does again for every node of every build, done once in a process of many builds.

Nothing that a build answers depends on it: the same code of the same template, the same
macros for another context, the same parser of dates, and no message for a log that nobody keeps.
It takes a third off what a build costs a test.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import jinja2
import parsedatetime
from dbt.clients.jinja import MacroGenerator
from dbt.context import macros
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from dbt.contracts.graph.nodes import Macro


_IDLE: Final = {EventLevel.DEBUG, EventLevel.INFO, EventLevel.TEST}
"""The levels of messages that a test never looks at."""


def avoid() -> None:
    """Change dbt, in this process."""
    _make_no_idle_messages()
    _compile_a_template_once()
    _make_a_parser_of_dates_once()
    _fill_namespaces_faster()


def _make_no_idle_messages() -> None:
    """Neither fill nor fire a message that is less than a warning, unless it is fired as one."""
    make, fire = BaseEvent.__init__, EventManager.fire_event

    def make_warnings(event: BaseEvent, *given: Any, **named: Any) -> None:  # noqa: ANN401
        if event.level_tag() in _IDLE:
            event.__dict__["left_out"] = (given, named)
        else:
            make(event, *given, **named)

    def fire_warnings(
        manager: EventManager,
        event: BaseEvent,
        level: EventLevel | None = None,
        *more: Any,  # noqa: ANN401  as they come
        **named: Any,  # noqa: ANN401
    ) -> None:
        if (level or event.level_tag()) not in _IDLE:
            if (left_out := event.__dict__.pop("left_out", None)) is not None:
                make(event, *left_out[0], **left_out[1])
            fire(manager, event, level, *more, **named)

    BaseEvent.__init__ = make_warnings  # type: ignore[method-assign]
    EventManager.fire_event = fire_warnings  # type: ignore[method-assign]


def _compile_a_template_once() -> None:
    """Keep the code of every text that is rendered; how it is compiled does not depend on more."""
    kept: dict[tuple[type, str], CodeType] = {}
    compile_anew: Callable[..., CodeType] = jinja2.Environment.compile

    def compile_once(
        environment: jinja2.Environment,
        source: Any,  # noqa: ANN401  a text, or parsed already
        *more: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> CodeType:
        if more or named or not isinstance(source, str):
            return compile_anew(environment, source, *more, **named)
        key = (type(environment), source)
        if key not in kept:
            kept[key] = compile_anew(environment, source)
        return kept[key]

    jinja2.Environment.compile = compile_once  # type: ignore[method-assign, assignment]


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
    """Make the seven hundred macros of a context in one go."""
    build = macros.MacroNamespaceBuilder.build_namespace

    def build_flat(
        builder: macros.MacroNamespaceBuilder,
        by_package: dict[str, dict[str, Macro]],
        context: dict[str, Any],
    ) -> macros.MacroNamespace:
        if any(len(own) != len({one.name for one in own.values()}) for own in by_package.values()):
            return build(builder, by_package, context)  # says which is there twice
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

    macros.MacroNamespaceBuilder.build_namespace = build_flat  # type: ignore[method-assign]


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
