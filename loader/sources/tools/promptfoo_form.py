"""What promptfoo writes of a result, as far as it is read; versions 1 to 4, and the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import Rejection
from . import FileBroken

if TYPE_CHECKING:
    from collections.abc import Mapping

ERROR: Final = 2
"""failureReason: the test could not be run, or not be judged; 1 is an assertion that failed."""
_BEHIND_REASON: Final = "\n---\n"
"""What is put between the reason of a failure and the answer, in the table."""
_LONGEST_METADATA: Final = 500
_MOST_ASSERTIONS: Final = 50


class Usage(msgspec.Struct, rename="camel"):
    """Tokens of one answer; `cached` are those of an answer that was kept and not asked for."""

    total: float | None = None
    prompt: float | None = None
    completion: float | None = None
    completion_details: dict[str, Any] | None = None


class Response(msgspec.Struct, rename="camel"):
    """What the provider answered."""

    output: Any = None
    token_usage: Usage | None = None
    cost: float | None = None
    cached: bool | None = None
    finish_reason: Any = None


class Assertion(msgspec.Struct):
    """What an answer was held against."""

    type: str | None = None
    metric: str | None = None
    weight: float | None = None
    provider: Any = None


class Component(msgspec.Struct):
    """What became of one assertion."""

    passed: bool | None = msgspec.field(name="pass", default=None)
    score: float | None = None
    reason: Any = None
    assertion: Assertion | None = None
    metadata: dict[str, Any] | None = None


class Grading(msgspec.Struct, rename="camel"):
    """What the assertions of a test came to."""

    reason: Any = None
    comment: str | None = None
    component_results: list[Component | None] | None = None


class Test(msgspec.Struct):
    """The test as it was configured."""

    description: str | None = None
    vars: dict[str, Any] | None = None
    assertions: Any = msgspec.field(name="assert", default=None)
    metadata: dict[str, Any] | None = None


class Provider(msgspec.Struct):
    """Who answered."""

    id: str = ""
    label: str | None = None


class Prompt(msgspec.Struct):
    """What was asked, and what the prompt is called."""

    raw: Any = None
    label: str | None = None
    display: str | None = None


class Result(msgspec.Struct, rename="camel"):
    """One test as one provider answered one prompt."""

    success: bool | None = None
    score: float | None = None
    error: Any = None
    failure_reason: int | None = None
    provider: Provider | str | None = None
    prompt: Prompt | str | None = None
    prompt_id: str | None = None
    prompt_idx: int | None = None
    test_idx: int | None = None
    test_case: Test | None = None
    vars: dict[str, Any] | None = None
    description: str | None = None
    response: Response | None = None
    latency_ms: float | None = None
    cost: float | None = None
    grading_result: Grading | None = None
    named_scores: dict[str, float | bool | None] | None = None
    evaluation_id: str | None = None


class Output(Result, rename="camel"):
    """A cell of the table, which has less."""

    passed: bool | None = msgspec.field(name="pass", default=None)
    text: Any = None
    token_usage: Usage | None = None


class Row(msgspec.Struct, rename="camel"):
    """A test in the table: a cell for each prompt and provider."""

    outputs: list[Output]
    vars: list[Any] = []
    test: Test | None = None
    description: str | None = None
    test_idx: int | None = None


class RowTest(msgspec.Struct):
    """The test of a row of the table."""

    test: Test | None = None
    description: str | None = None


class HeadPrompt(msgspec.Struct):
    """The head of a column of the table."""

    provider: str | None = None
    label: str | None = None
    display: str | None = None
    raw: Any = None


class Head(msgspec.Struct):
    """The head of the table."""

    prompts: list[HeadPrompt] = []
    vars: list[str] = []


class Table(msgspec.Struct):
    """The table, but for its rows."""

    head: Head = msgspec.field(default_factory=Head)


class Config(msgspec.Struct):
    """What was to be evaluated, as far as it names the evaluation."""

    description: str | None = None
    tags: dict[str, Any] | None = None


class Origin(msgspec.Struct):
    """Who wrote the file."""

    author: str | None = None


class Summary(msgspec.Struct, rename="camel"):
    """The results, but for the list of them."""

    version: int | None = None
    timestamp: str | None = None
    table: Table | None = None


class Document(Summary, rename="camel"):
    """A file, but for its long lists; or the results alone."""

    eval_id: str | None = None
    id: str | None = None
    results: Summary | list[Any] | None = None
    config: Config | None = None
    description: str | None = None
    created_at: str | int | None = None
    shareable_url: str | None = None
    author: str | None = None
    metadata: Origin | None = None


def form_of(members: Mapping[str, Any]) -> Document:
    """Return a document by its members.

    Raises:
        FileBroken: it is not as promptfoo writes it; names the place.

    """
    try:
        return msgspec.convert(members, Document)
    except msgspec.ValidationError as error:
        reason = f"not as promptfoo writes it: {error}"
        raise FileBroken(Rejection("unexpected_form", reason)) from None


def of_cell(output: Output, about: HeadPrompt) -> Result:
    """Return a cell of the table as a result; an error that it has no field for is its text."""
    output.success = output.passed
    output.provider = output.provider or about.provider
    label = about.label or about.display or text_of(about.raw)
    output.prompt = Prompt(raw(output.prompt), label)
    if not output.passed and output.grading_result is None and output.error is None:
        output.error = output.text
    answer = output.text
    if isinstance(answer, str) and not output.passed:
        answer = answer.split(_BEHIND_REASON, 1)[-1]
    output.response = output.response or Response(answer, output.token_usage)
    return output


def text_of(value: object) -> str:
    """Return what may be text, or JSON of something else; empty where there is nothing."""
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()


def is_error(result: Result) -> bool:
    """Tell whether a test was not run or not judged; older versions have no field for it."""
    if result.success or result.failure_reason == 1:
        return False
    return result.failure_reason == ERROR or (
        result.grading_result is None and result.error is not None
    )


def type_of(component: Component) -> str | None:
    """Return the type of an assertion, such as `contains`."""
    return component.assertion.type if component.assertion else None


def measured(result: Result) -> dict[str, Any]:
    """Say what the answer was and took; promptfoo writes 0 where it does not know."""
    response = result.response or Response()
    usage = response.token_usage or Usage()
    found: dict[str, Any] = {
        "outputs": response.output,
        "latency_ms": result.latency_ms or None,
        "cost_usd": response.cost if response.cost is not None else result.cost or None,
        "tokens_used": usage.total,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "reasoning_tokens": (usage.completion_details or {}).get("reasoning"),
    }
    return {name: value for name, value in found.items() if value is not None}


def metadata(result: Result, test: Test) -> dict[str, Any]:
    """Return what is worth keeping beside: the test's own metadata, what each assertion gave."""
    found: dict[str, Any] = {}
    for name, value in (test.metadata or {}).items():
        if isinstance(value, str | int | float | bool):
            found[name] = value[:_LONGEST_METADATA] if isinstance(value, str) else value
    response = result.response or Response()
    more: dict[str, Any] = {
        "description": test.description or result.description,
        "test_index": result.test_idx,
        "finish_reason": response.finish_reason,
        "from_cache": response.cached or None,
    }
    if result.grading_result is not None and result.grading_result.component_results:
        more["assertions"] = [
            {"type": type_of(each), "passed": each.passed, "score": each.score}
            for each in result.grading_result.component_results[:_MOST_ASSERTIONS]
            if each is not None
        ]
    return {**found, **{name: value for name, value in more.items() if value is not None}}


def raw(prompt: Prompt | str | None) -> Any:  # noqa: ANN401  text, or messages
    """Return what was asked."""
    return prompt.raw if isinstance(prompt, Prompt) else prompt
