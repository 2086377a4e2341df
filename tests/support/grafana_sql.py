"""What Grafana's PostgreSQL data source makes of a query before the server sees it.

Variables are replaced by the browser, `$__interval` and the macros by the data source; the
rules are those of Grafana's own macro engine, whose pattern and replacements are public.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_MACRO: Final = re.compile(r"\$(__[_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE: Final = re.compile(r"\$\{(\w+):sqlstring\}|\$\{(\w+)(?::\w+)?\}|\$(?!__)([a-zA-Z]\w*)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class TimeRange(NamedTuple):
    """The range that a dashboard shows, in UTC."""

    start: datetime
    end: datetime


def interpolate(
    sql: str, values: Mapping[str, str | Sequence[str]], shown: TimeRange, interval: str = "1d"
) -> str:
    """Return the SQL that reaches the server.

    Args:
        sql: the query of a panel, variable, annotation or alert.
        values: of the dashboard's variables; a list for those that take several.
        shown: the time range.
        interval: what Grafana makes of range and width, such as `1d`.

    Raises:
        KeyError: a variable has no value.
        ValueError: a macro is unknown, or a variable is used without `:sqlstring`.
    """

    def variable(match: re.Match[str]) -> str:
        if match[1] is None:
            raise ValueError(f"{match[0]}: write ${{…:sqlstring}}, which quotes")
        value = values[match[1]]
        parts = [value] if isinstance(value, str) else value
        return ",".join("'" + part.replace("'", "''") + "'" for part in parts)

    def macro(match: re.Match[str]) -> str:
        return _macro(match[1], [part.strip() for part in match[2].split(",")], shown)

    text = _VARIABLE.sub(variable, sql)
    seconds = _seconds(interval)
    text = text.replace("$__interval_ms", str(1000 * seconds)).replace("$__interval", interval)
    text = _MACRO.sub(macro, text)
    if "$__" in text:
        raise ValueError(f"not replaced: {text[text.index('$__') :][:40]}")
    return text


def _macro(name: str, arguments: Sequence[str], shown: TimeRange) -> str:
    start, end = (f"'{at:%Y-%m-%dT%H:%M:%S.%f}Z'" for at in shown)
    match name:
        case "__timeFilter":
            return f"{arguments[0]} BETWEEN {start} AND {end}"
        case "__timeFrom":
            return start
        case "__timeTo":
            return end
        case "__timeGroup":
            seconds = _seconds(arguments[1].strip("'"))
            return f"floor(extract(epoch from {arguments[0]})/{seconds})*{seconds}"
        case "__timeGroupAlias":
            return _macro("__timeGroup", arguments, shown) + ' AS "time"'
        case _:
            raise ValueError(f"unknown macro ${name}")


def _seconds(interval: str) -> int:
    return int(interval[:-1]) * _UNITS[interval[-1]]
