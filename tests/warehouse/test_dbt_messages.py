"""Messages of dbt's log come to the same, whoever fills them."""

from __future__ import annotations

from typing import Any

import pytest
from dbt.adapters.events.types import SQLQuery
from dbt.events.types import LogModelResult, NodeFinished
from dbt_common.events.base_types import BaseEvent, msg_from_base_event
from google.protobuf.json_format import ParseDict, ParseError

from loader.warehouse.dbt_messages import filled_by

NODE = {
    "node_path": "a.sql", "node_name": "ä", "unique_id": "model.a.b", "resource_type": "model",
    "materialized": "view", "node_status": "executing", "node_started_at": "2026-01-01T00:00:00",
    "node_finished_at": "", "node_checksum": None, "meta": {"settings": ["a"], "none": None},
    "node_relation": {"database": "d", "schema": "s", "alias": "a", "relation_name": "r"},
}  # fmt: skip
RESULT = {
    "description": "d", "status": "success", "index": 1, "total": 2, "execution_time": 0.25,
    "node_info": NODE,
}  # fmt: skip
QUERY = {"conn_name": "m", "sql": "select 1", "node_info": NODE}
FINISHED = {
    "node_info": NODE,
    "run_result": {
        "status": "success", "thread": "t", "execution_time": 0.25,
        "timing_info": [{"name": "compile", "started_at": "2026-12-01T12:03:09.397208Z"}],
        "adapter_response": {"_message": "m", "rows_affected": -1},
    },
}  # fmt: skip
USUAL = {SQLQuery: QUERY, LogModelResult: RESULT, NodeFinished: FINISHED}
EVENTS: list[tuple[type[BaseEvent], dict[str, Any]]] = [
    (SQLQuery, QUERY),
    (SQLQuery, {**QUERY, "sql": ""}),
    (SQLQuery, {"connName": "m", "sql": None}),
    (NodeFinished, FINISHED),
    (NodeFinished, {"node_info": NODE}),
    (LogModelResult, RESULT),
    (LogModelResult, {**RESULT, "index": 1.0, "execution_time": 1}),
    (LogModelResult, {**RESULT, "index": "1", "execution_time": "NaN"}),
]


@pytest.mark.parametrize("known", [0, 1, 2])
@pytest.mark.parametrize(("event", "fields"), EVENTS)
def test_a_message_is_what_dbt_makes_of_it(
    event: type[BaseEvent], fields: dict[str, Any], known: int
) -> None:
    fill = filled_by(ParseDict)
    kind = type(event(**USUAL[event]).pb_msg)
    for _ in range(known):
        fill(USUAL[event], kind())
    made = fill(fields, kind())
    assert made.SerializeToString() == ParseDict(fields, kind()).SerializeToString()


def test_a_head_is_filled_with_its_time() -> None:
    usual = msg_from_base_event(SQLQuery(**QUERY))
    head = {
        "level": "debug", "msg": "m", "invocation_id": "i", "extra": {"a": "b"},
        "ts": "2026-01-02T03:04:05.678901Z", "pid": 3, "thread": "t", "code": "c", "name": "n",
    }  # fmt: skip
    fill = filled_by(ParseDict)
    for _ in range(3):
        made = fill({"info": head}, type(usual)())
        assert made == ParseDict({"info": head}, type(usual)())
        assert made.info.ts.nanos == 678901000
    for time in ("yesterday", "", None):
        wrong = {"info": {**head, "ts": time}}
        assert _told(fill, wrong, type(usual)) == _told(ParseDict, wrong, type(usual))


@pytest.mark.parametrize("fields", [{"sql": 1}, {"sql": ["a"]}, {"nobody": 1}, {"node_info": "n"}])
def test_what_is_refused_is_refused_in_the_same_words(fields: dict[str, Any]) -> None:
    fill = filled_by(ParseDict)
    kind = type(SQLQuery(**QUERY).pb_msg)
    fill(QUERY, kind())
    assert isinstance(_told(ParseDict, fields, kind), str)
    assert _told(fill, fields, kind) == _told(ParseDict, fields, kind)


def test_a_kind_that_comes_to_something_else_is_left_to_dbt() -> None:
    kind = type(SQLQuery(**QUERY).pb_msg)
    asked = []

    def parse(fields: dict[str, Any], message: Any) -> Any:  # noqa: ANN401  of any kind
        asked.append(fields)
        return ParseDict({**fields, "sql": "another"}, message)

    fill = filled_by(parse)
    for _ in range(3):
        assert fill(QUERY, kind()).sql == "another"
    assert len(asked) == 3


def _told(fill: Any, fields: dict[str, Any], kind: Any) -> Any:  # noqa: ANN401  of any kind
    try:
        return fill(fields, kind())
    except ParseError as error:
        return str(error)
