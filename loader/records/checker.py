"""What a record is, and the check that admits it. No I/O.

A `Checker` turns one row's fields into a `RunRecord`, or into the row to be stored, or
raises `InvalidRecord` naming the field. It is built for speed: types, signs and lengths
are checked in C while msgspec decodes; what many records share is checked once; and only
a record that fails is looked at again field by field, to say what is wrong.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

import msgspec

from ..errors import ConfigurationError, InvalidRecord
from . import bounds, checks, json_text
from .canonical import LABELS, are_narrow, copy_rows, pack_labels
from .defaults import Defaults
from .form import (
    ABSENT,
    Admitted,
    AdmittedBatch,
    Incoming,
    Labels,
    RunRecord,
    decode,
    decode_usual,
    encode,
    is_from_outside,
)
from .refusals import (
    converted,
    derived_run_id,
    fill,
    fill_success,
    merge_built_in,
    refuse_contradiction,
    refuse_feedback,
    refuse_group,
    refuse_missing,
    refuse_taken,
    refuse_zero,
    utc,
    utc_times,
    with_text_time,
)
from .scales import ScaleChecker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from .form import Asides, Contents
    from .vocabulary import Vocabulary

__all__ = [
    "Admitted",
    "AdmittedBatch",
    "Checker",
    "Defaults",
    "Labels",
    "RunRecord",
    "is_from_outside",
]

_MOST_LABELS: Final = 1000
_label_fields_of = attrgetter(*LABELS)
_link_of = attrgetter("link")
# U+0000, which PostgreSQL text cannot hold, and the colon, which would spoil the count.
_MISLEADING_ESCAPE: Final = re.compile(rb"\\u00(?:00|3[aA])")


class _Unusual(Exception):  # noqa: N818  what was found, and no fault
    """Records have to be decoded with the fields that few have."""


def _has_asides(record: Incoming) -> bool:
    """Whether a value of it was not taken, or does not count."""
    return bool(record.set_aside) or None in (record.score_scales or {}).values()


class Checker:
    """Admits records of one load.

    `check` returns what a record says; `admit` and `admit_json` return the row to be
    stored. Same rules for all three. Not for use by two threads at once.
    """

    __slots__ = (
        "_accept_feedback",
        "_are_usual",
        "_first_repetition",
        "_given",
        "_keep_contents",
        "_labels",
        "_names",
        "_scales",
        "_vocabulary",
        "_weak",
    )

    def __init__(
        self,
        vocabulary: Vocabulary,
        defaults: Defaults | None = None,
        *,
        accept_feedback: bool = False,
        keep_contents: bool = False,
        first_repetition: int = 1,
    ) -> None:
        """Prepare to check.

        Args:
            vocabulary: known groups, evaluators and metrics.
            defaults: what options say of every record.
            accept_feedback: whether a record may carry `feedback`.
            keep_contents: whether inputs and outputs are handed on, not only their ids.
            first_repetition: number of the first run of a task, 1 or 0, which then becomes 1.

        Raises:
            ConfigurationError: an option's value is no valid field.

        """
        self._vocabulary = vocabulary
        self._accept_feedback = accept_feedback
        self._keep_contents = keep_contents
        self._first_repetition = first_repetition
        self._scales = ScaleChecker(vocabulary)
        self._given = (defaults or Defaults()).given()
        self._weak = (defaults or Defaults()).weak
        try:
            checks.repair(self._given)
        except InvalidRecord as error:
            raise ConfigurationError(f"an option is not valid: {error.reason}") from None
        self._are_usual = True
        """Whether no record so far had a field that few have."""
        self._labels: dict[tuple[str | None, ...], Labels] = {}
        self._names: set[tuple[str, tuple[str, ...]]] = set()

    def check(self, fields: Mapping[str, object]) -> RunRecord:
        """Check one record given as its fields, and fill what is missing.

        Stricter than `admit`: nothing is set aside, a value that cannot be is refused.

        Args:
            fields: as in the contract; `recorded_at` may be a datetime. Not changed.

        Raises:
            InvalidRecord: why not.

        """
        record = converted(checks.repair(with_text_time(fields)))
        labels = self._finish(record, strict=True)
        for name in LABELS:
            setattr(record, name, getattr(labels, name))
        return record

    def admit(self, fields: Mapping[str, object]) -> Admitted:
        """Check one record given as its fields.

        Args:
            fields: as for `check`.

        Raises:
            InvalidRecord: why not.

        """
        set_aside: dict[str, float] = {}
        record = converted(checks.repair(with_text_time(fields), set_aside))
        asides: Asides = {}
        self._scales.asides = asides
        if set_aside:
            record.set_aside = dict(set_aside)
            for name, value in set_aside.items():
                self._scales.note_out_of_bounds(name, value)
        labels = self._finish(record)
        contents: Contents = {}
        kept = contents if self._keep_contents else None
        [row], is_wide = copy_rows([record], [labels.packed], [record.recorded_at], kept)
        return Admitted(row, is_wide, labels, asides, contents)

    def admit_json(self, texts: Sequence[bytes]) -> AdmittedBatch | None:
        """Check many records, each written as a JSON object: the fast way.

        Args:
            texts: UTF-8; a few hundred kilobytes together serve best.

        Returns:
            Their rows in order; None if a record among them may not be sound. `admit` of
            `json_text.decode_object` tells, for each alone.

        """
        joined = b"".join(texts)
        if len(joined) > json_text.LARGEST_RECORD or (
            b"\\" in joined and _MISLEADING_ESCAPE.search(joined)
        ):
            return None
        if json_text.may_be_deep(joined, texts):
            return None
        colons = joined.count(b":")
        try:
            if self._are_usual:
                try:
                    usual = cast("list[Incoming]", list(map(decode_usual, texts)))
                    return self._admit_all(usual, colons, are_usual=True)
                except (msgspec.ValidationError, _Unusual):
                    self._are_usual = False  # the records of a load are alike
            return self._admit_all(list(map(decode, texts)), colons, are_usual=False)
        except (msgspec.DecodeError, UnicodeError, RecursionError, InvalidRecord):
            return None

    def _admit_all(
        self, records: list[Incoming], colons: int, *, are_usual: bool
    ) -> AdmittedBatch | None:
        """Check the decoded records of a batch, in whose text are so many colons.

        Raises:
            InvalidRecord: one of them may not be sound.
            _Unusual: they are `Usual`, but one of them needs a field that few have.

        """
        # A key that stands twice leaves one colon too many: strings keep theirs,
        # and there is none elsewhere.
        if colons != encode(records).count(b":"):
            return None
        is_narrow = are_usual or are_narrow(records)
        if not is_narrow and not all(map(is_from_outside, records)):
            return None
        asides: Asides = {}
        self._scales.asides = asides
        contents: Contents = {}
        labels = self._labels_of(records)
        moments, is_narrow = self._finish_all(
            records, labels, is_narrow=is_narrow, are_usual=are_usual
        )
        kept = contents if self._keep_contents else None
        packed = [label.packed for label in labels]
        rows, is_wide = copy_rows(records, packed, moments, kept, is_narrow=is_narrow)
        records_aside = sum(map(_has_asides, records)) if asides else 0
        return AdmittedBatch(
            rows, is_wide, set(map(_link_of, labels)), asides, records_aside, contents
        )

    def _labels_of(self, records: Sequence[Incoming]) -> list[Labels]:
        keys = list(map(_label_fields_of, records))
        found = list(map(self._labels.get, keys))
        if all(found):
            return cast("list[Labels]", found)
        return [
            labels or self._labels.get(key) or self._check_labels(record, key)
            for labels, key, record in zip(found, keys, records, strict=True)
        ]

    def _finish_all(
        self,
        records: Sequence[Incoming],
        labels: Sequence[Labels],
        *,
        is_narrow: bool,
        are_usual: bool,
    ) -> tuple[Sequence[datetime | None], bool]:
        """Do what `_finish` does, for many at once; raise `_Unusual` where `Usual` ones cannot.

        Returns:
            Their recorded_at, and whether `are_narrow` is still known to be true.

        """
        tasks = [record.task_id for record in records]
        if self._first_repetition == 0 or 0 in [record.repetition for record in records]:
            for record in records:
                self._count_from_one(record)
        if not all(tasks) or any(map(str.isspace, tasks)):
            refuse_missing(records[0], "task_id")
        may_state_scales = not is_narrow
        runs = [record.source_run_id for record in records]
        if not all(runs) or any(map(str.isspace, runs)):
            if are_usual:
                raise _Unusual
            is_narrow &= self._name_runs(records, labels)
        fill(records)
        if may_state_scales or not self._scales.are_plain(records):
            if are_usual:
                raise _Unusual
            self._scales.check_all(records)
            is_narrow = False
        self._check_rest_of_all(records, is_narrow=is_narrow)
        return utc_times([record.recorded_at for record in records]), is_narrow

    def _name_runs(self, records: Sequence[Incoming], labels: Sequence[Labels]) -> bool:
        """Name the runs that have no name; return whether all of them say their repetition."""
        for record, label in zip(records, labels, strict=True):
            if not record.source_run_id or record.source_run_id.isspace():
                self._derive_run_id(record, label)
        return True not in [record.is_id_derived for record in records]

    def _check_rest_of_all(self, records: Sequence[Incoming], *, is_narrow: bool) -> None:
        for record in records:
            if (
                record.measurements
                or record.evaluator_versions
                or record.feedback
                or (not is_narrow and (record.comments or record.labels))
            ):
                self._check_rest(record)

    def _count_from_one(self, record: Incoming) -> None:
        """Make 1 the number of the first repetition."""
        if record.repetition is ABSENT or record.repetition is None:
            return
        if self._first_repetition == 0:
            record.repetition += 1
            checks.repair({"repetition": record.repetition})
        elif record.repetition == 0:
            refuse_zero()

    def _derive_run_id(self, record: Incoming, labels: Labels) -> None:
        if not record.repetition:
            record.is_id_derived = True
        record.source_run_id = derived_run_id(record, labels)

    def _finish(self, record: Incoming, *, strict: bool = False) -> Labels:
        """Check what msgspec does not know, fill what is missing besides the labels."""
        [labels] = self._labels_of([record])
        if not record.task_id or record.task_id.isspace():
            refuse_missing(record, "task_id")
        if record.repetition is ABSENT:
            record.repetition = None
        self._count_from_one(record)
        if not record.source_run_id or record.source_run_id.isspace():
            self._derive_run_id(record, labels)
        if record.recorded_at is not None:
            record.recorded_at = utc(record.recorded_at)
        if not record.success:
            fill_success(record)
        merge_built_in(record)
        if record.scores or record.score_scales:
            self._scales.check(record, strict=strict)
        self._check_rest(record)
        return labels

    def _check_rest(self, record: RunRecord) -> None:
        if record.measurements:
            self._check_measurements(record)
        if record.evaluator_versions:
            self._check_names("evaluator_versions", record.evaluator_versions)
        if record.comments:
            self._check_names("comments", record.comments)
        if record.labels:
            self._check_names("labels", record.labels)
        if record.feedback and not self._accept_feedback:
            refuse_feedback()

    def _check_labels(self, record: RunRecord, key: tuple[str | None, ...]) -> Labels:
        for name, value in self._given.items():
            found = getattr(record, name)
            if not found:
                setattr(record, name, value)
            elif found != value and name not in self._weak:
                refuse_contradiction(name, found, value)
        for name in ("experiment_id", "task_id", "experiment_group", "extension_version"):
            text: str = getattr(record, name)
            if not text or text.isspace():
                refuse_missing(record, name)
        known = self._vocabulary
        if record.experiment_group not in known.groups and not known.is_acknowledged:
            refuse_group(record.experiment_group, known.groups, known.groups_file)
        if not record.model_version:
            record.model_version = "unknown"
        values: list[str | None] = [getattr(record, name) or None for name in LABELS]
        for name, label in zip(LABELS, values, strict=True):
            checks.refuse_long(name, label or "", checks.FIELDS[name][1])
        labels = Labels(
            record.experiment_id,
            record.experiment_group,
            record.extension_version,
            record.model_version,
            record.agent_name or None,
            record.dataset_version or None,
            record.baseline_experiment_id or None,
            packed=pack_labels(values),
            link=(record.experiment_id, record.baseline_experiment_id or None),
        )
        if len(self._labels) >= _MOST_LABELS:
            self._labels.clear()
        self._labels[key] = labels
        return labels

    def _check_names(self, field: str, named: Mapping[str, object]) -> tuple[str, ...]:
        keys = tuple(named)
        if (field, keys) not in self._names:
            for key in keys:
                checks.refuse_name(field, key)
                if field == "measurements" and key in self._vocabulary.reserved:
                    refuse_taken(key, "a metric of another kind")
            if len(self._names) < _MOST_LABELS:
                self._names.add((field, keys))
        return keys

    def _check_measurements(self, record: RunRecord) -> None:
        measurements = record.measurements
        keys = self._check_names("measurements", measurements)
        if record.scores and not record.scores.keys().isdisjoint(keys):
            refuse_taken(next(key for key in keys if key in record.scores), "a score of the record")
        for key, value in measurements.items():
            if not -bounds.LARGEST_NUMBER <= value <= bounds.LARGEST_NUMBER:
                checks.number(f"measurements.{key}", value, signed=True)
