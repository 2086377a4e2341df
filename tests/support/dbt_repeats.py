"""What dbt does for nothing in a process whose log nobody keeps.

Nothing that a build answers depends on it. What it does too often for users as well,
`loader.warehouse.dbt_once` knows.
"""

from __future__ import annotations

from typing import Any, Final

from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

_IDLE: Final = {EventLevel.DEBUG, EventLevel.INFO, EventLevel.TEST}
"""The levels of messages that a test never looks at."""


def avoid() -> None:
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

    BaseEvent.__init__ = make_warnings  # type: ignore[method-assign, assignment]
    EventManager.fire_event = fire_warnings  # type: ignore[method-assign, assignment]
