"""Evaluators in every signature and of every result that langsmith's `evaluate()` takes."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from langsmith.evaluation import EvaluationResult, RunEvaluator, StringEvaluator, run_evaluator

Row = dict[str, Any]


def run_and_example(run: Any, example: Any) -> Row:  # noqa: ANN401
    return {"key": "both", "score": run.outputs["a"] == example.outputs["a"]}


def other_names(ours: Any, theirs: Any, strict: bool = True) -> bool:  # noqa: ANN401
    return strict and ours.outputs["a"] == theirs.outputs["a"]


def only_outputs(outputs: Row) -> int:
    return int(outputs["a"])


def outputs_and_reference(outputs: Row, reference_outputs: Row) -> bool:
    return bool(outputs["a"] == reference_outputs["a"])


def reference_first(reference_outputs: Row, outputs: Row) -> float:
    return (outputs["a"] + 1) / (reference_outputs["a"] + 3)


def every_name(  # noqa: PLR0913, PLR0917
    attachments: Row,
    example: Any,  # noqa: ANN401
    inputs: Row,
    outputs: Row,
    reference_outputs: Row,
    run: Any,  # noqa: ANN401
) -> Row:
    assert run.outputs == outputs
    assert example.outputs == reference_outputs
    assert example.inputs == inputs
    return {"score": inputs["q"] / 7, "comment": f"{len(attachments)} attached"}


def keyword_only(*, outputs: Row, reference_outputs: Row) -> bool:
    return outputs == reference_outputs  # type: ignore[no-any-return, unused-ignore]


def with_default(outputs: Row, threshold: float = 1.5) -> bool:
    return bool(outputs["a"] > threshold)


def with_more(outputs: Row, **more: object) -> int:
    return len(outputs) + len(more)


def example_optional(run: Any, example: Any = None) -> str:  # noqa: ANN401
    return "right" if run.outputs == example.outputs else "wrong"


def positional_only(outputs: Row, reference_outputs: Row, /) -> bool:
    return bool(outputs["a"] == reference_outputs["a"])


def example_only(example: Any) -> int:  # noqa: ANN401
    return len(example.outputs)


def word(inputs: Row) -> str:
    return "even" if inputs["q"] % 2 == 0 else "odd"


async def later(outputs: Row, reference_outputs: Row) -> Row:
    return {"score": outputs["a"] - reference_outputs["a"], "comment": "later"}


async def later_positional(run: Any, example: Any) -> Row:  # noqa: ANN401
    return {"key": "later_two", "score": run.outputs["a"] / (3 + example.inputs["q"])}


async def with_a_client(outputs: Row) -> Row:
    """Use a client that breaks, as many do, in another event loop than at first."""
    client = with_a_client.__dict__.setdefault("client", asyncio.get_running_loop())
    return {"key": "client", "score": client is asyncio.get_running_loop() and len(outputs)}


def several(outputs: Row) -> list[Row]:
    return [{"key": "several_a", "score": outputs["a"]}, {"key": "several_b", "value": "b"}]


def result_object(outputs: Row) -> EvaluationResult:
    return EvaluationResult(key="object", score=outputs["a"] / 3, comment="c", metadata={"m": 1})


def results_mapping(outputs: Row) -> Row:
    return {
        "results": [
            EvaluationResult(key="first", score=outputs["a"] > 1),
            {"key": "second", "score": 0.25, "comment": "two"},
        ]
    }


def structured(outputs: Row) -> Row:
    return {"key": "structured", "value": {"a": outputs["a"], "list": [1, "2"]}}


def remark(outputs: Row) -> Row:
    return {"comment": f"said {outputs['a']}"}


def numeric_value(outputs: Row) -> Row:
    return {"key": "numeric_value", "value": outputs["a"] + 0.5}


def corrected(outputs: Row) -> Row:
    return {"key": "corrected", "score": outputs["a"], "correction": {"answer": "other"}}


def raising(outputs: Row) -> Row:
    if outputs["a"] is not None:
        raise ValueError("cannot judge")
    return {"key": "raised", "score": 1}


def nothing(outputs: Row) -> None:
    assert outputs is not None


def empty(outputs: Row) -> list[object]:
    assert outputs is not None
    return []


def shorthand(outputs: Row) -> Row:
    return {"tone": outputs["a"]}


def too_much(outputs: Row) -> Row:
    return {"score": outputs["a"], "reasoning": "because"}


def steps(run: Any) -> Row:  # noqa: ANN401
    below = run.child_runs or []
    deeper = [child for each in below for child in (each.child_runs or [])]
    names = ", ".join(each.name for each in below)
    tokens = sum(each.outputs["n"] for each in deeper)
    return {"key": "steps", "score": len(below) + tokens, "comment": names}


class Whole(RunEvaluator):
    """A RunEvaluator that cannot be called."""

    def evaluate_run(
        self,
        run: Any,  # noqa: ANN401
        example: Any = None,  # noqa: ANN401
        evaluator_run_id: Any = None,  # noqa: ANN401
    ) -> EvaluationResult:
        del evaluator_run_id
        return EvaluationResult(key="whole", score=run.outputs == example.outputs)


class Later(RunEvaluator):
    """A RunEvaluator that is only asynchronous."""

    async def aevaluate_run(
        self,
        run: Any,  # noqa: ANN401
        example: Any = None,  # noqa: ANN401
        evaluator_run_id: Any = None,  # noqa: ANN401
    ) -> EvaluationResult:
        del evaluator_run_id
        return EvaluationResult(key="whole_later", score=run.outputs == example.outputs)


class Called:
    """An object that is called."""

    def __init__(self, key: str = "called") -> None:
        self.key = key

    def __call__(self, outputs: Row, reference_outputs: Row) -> Row:
        return {"key": self.key, "score": outputs == reference_outputs}

    def method(self, reference_outputs: Row, outputs: Row) -> Row:
        return {"score": outputs["a"], "comment": f"{self.key} {reference_outputs['a']}"}


class CalledLater:
    """A class whose objects are awaited."""

    async def __call__(self, run: Any, example: Any) -> Row:  # noqa: ANN401
        return {"key": "called_later", "score": run.outputs == example.outputs}


class Demanding:
    """A class that cannot be made without arguments."""

    def __init__(self, model: str) -> None:
        self.model = model

    def __call__(self, outputs: Row) -> bool:
        return bool(outputs)


@run_evaluator
def decorated(outputs: Row, reference_outputs: Row) -> Row:  # type: ignore[misc, unused-ignore]
    return {"key": "decorated", "score": outputs == reference_outputs}


@run_evaluator
def decorated_other(outputs: Row, reference_outputs: Row) -> Row:  # type: ignore[misc, unused-ignore]
    return {"key": "decorated_other", "score": outputs != reference_outputs}


@run_evaluator
async def decorated_later(run: Any, example: Any) -> float:  # type: ignore[misc, unused-ignore]  # noqa: ANN401
    return float(run.outputs == example.outputs)


def scaling(outputs: Row, *, factor: float) -> Row:
    return {"key": "scaled", "score": outputs["a"] * factor}


whole = Whole()
called = Called("called_object")
method = called.method
scaled = functools.partial(scaling, factor=0.5)
scaled_more = functools.partial(scaling, factor=2.0)
string = StringEvaluator(
    evaluation_name="string",
    input_key="q",
    prediction_key="a",
    answer_key="a",
    grading_function=lambda asked, given, expected: {
        "score": given == expected,
        "value": str(asked),
    },
)

# those that evaluate() takes as they are
NAMES = (
    "run_and_example", "other_names", "only_outputs", "outputs_and_reference", "reference_first",
    "every_name", "keyword_only", "with_default", "with_more", "example_optional",
    "positional_only", "example_only", "word", "later", "later_positional", "several",
    "result_object", "results_mapping", "structured", "remark", "numeric_value", "corrected",
    "raising", "nothing", "empty", "shorthand", "too_much", "steps", "whole", "called", "method",
    "scaled", "decorated", "decorated_later", "string",
)  # fmt: skip
