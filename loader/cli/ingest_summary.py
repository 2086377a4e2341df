"""What `ingest` prints of a load, and when its exit code is 3."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from ..errors import InputRejected
from ..show.asides import sentence, sentences
from ..show.escape import terminal
from .say import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..ingest.summary import LoadSummary

_MOST_REASONS: Final = 3


def print_summary(
    summary: LoadSummary,
    summary_format: str,
    *,
    dry_run: bool,
    notes: Sequence[str],
    name: str = "",
) -> None:
    """Print what became of the records, as text or as JSON in one line.

    Args:
        summary: of the load.
        summary_format: `text` or `json`.
        dry_run: whether nothing was written.
        notes: what the source has to say: part of the JSON, and said apart beside the text.
        name: of what was read, where a command reads several; in JSON its project.

    """
    if summary_format == "json":
        told = asdict(summary) | {
            "set_aside": [
                asdict(aside) | {"sentence": sentence(aside)} for aside in summary.set_aside
            ],
            "notes": [*summary.notes, *notes],
            "dry_run": dry_run,
        }
        told |= {"project": name} if name else {}
        say_json(told)
        return
    line = (
        f"read {summary.read} · loaded {summary.loaded} · unchanged {summary.unchanged} · "
        f"rejected {summary.rejected} · {summary.seconds:.1f} s"
    )
    line = f"{name}: {line}" if name else line
    say(f"{line} · dry run, nothing written" if dry_run else line)
    for told_line in _lines(summary):
        say(f"  {told_line}")


def _lines(summary: LoadSummary) -> Iterator[str]:
    if summary.standing:
        what = "nothing new since" if not summary.read else "of what was known at"
        yield f"{what} load {summary.since_load}, {stand(summary.standing)}"
    for reason in summary.reasons[:_MOST_REASONS]:
        yield f"{reason.count} x {reason.reason_code}: {reason.example}"
    if len(summary.reasons) > _MOST_REASONS:
        rest = len(summary.reasons) - _MOST_REASONS
        yield f"and {rest} more {'reason' if rest == 1 else 'reasons'}"
    if summary.reasons and summary.load_id is not None:
        kept = f"{summary.rejected - summary.rejects_left_out:,}"
        are = "all of them are" if not summary.rejects_left_out else f"the first {kept} are"
        yield f"{are} in raw_evals.rejected_rows, load_id {summary.load_id}"
    for told in sentences(summary.set_aside):
        yield f"set aside: {told}"
    if summary.replaced:
        yield f"{summary.replaced} of the loaded replaced what was loaded before"
    for note in summary.notes:
        yield f"note: {terminal(note)}"


def stand(runs: int) -> str:
    """Say how many runs were not read again."""
    return f"{runs:,} runs stand as they were" if runs > 1 else "1 run stands as it was"


def refuse(
    summaries: Sequence[LoadSummary], max_rejected: float, failures: Sequence[str] = ()
) -> None:
    """Raise InputRejected where a load was refused, had nothing to load, or too much trouble.

    Args:
        summaries: of the loads of one command.
        max_rejected: share of records that may be rejected or have a value set aside.
        failures: what was asked of a source and is not there, such as an evaluator's scores.

    """
    if any(summary.is_refused for summary in summaries):
        raise InputRejected(
            "nothing was loaded: --strict, and records were rejected or had values set aside"
        )
    empty = sum(summary.has_nothing for summary in summaries)
    if empty == len(summaries) > 0:
        raise InputRejected("there was nothing that could be loaded")
    if empty:
        raise InputRejected(
            f"{empty} of {len(summaries)} loads had nothing that could be loaded, as told above; "
            "the others are loaded"
        )
    for summary in summaries:
        if summary.troubled_share > max_rejected:
            raise InputRejected(
                f"{_percent(summary.troubled_share)} of {summary.read:,} records were rejected "
                f"({summary.rejected:,}) or had a value set aside ({summary.records_aside:,}), "
                f"more than the {_percent(max_rejected)} of --max-rejected; the rest is loaded"
            )
    if failures:
        raise InputRejected(
            f"{'; '.join(failures)}; the rest is loaded: correct that and ingest again"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
