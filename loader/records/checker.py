"""What a record is, and the check that admits it. No I/O.

A `Checker` turns one row's fields into a `RunRecord`, or into the row to be stored, or
raises `InvalidRecord` naming the field. It is built for speed: types, signs and lengths
are checked in C while msgspec decodes; what many records share is checked once; and only
a record that fails is looked at again field by field, to say what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from loader.errors import ConfigurationError, InvalidRecord
from loader.records import checks, json_text
from loader.records.canonical import LABELS, copy_rows, pack_labels
from loader.records.form import (
    ABSENT,
    Admitted,
    AdmittedBatch,
    Incoming,
    Labels,
    RunRecord,
    decode,
    encode,
)
from loader.records.refusals import (
    derived_run_id,
    fill_success,
    merge_built_in,
    refuse_conflict,
    refuse_contradiction,
    refuse_group,
    refuse_missing,
    refuse_score,
    refuse_taken,
    utc,
    utc_times,
)
from loader.records.vocabulary import BUILT_IN_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.records.form import Score
    from loader.records.vocabulary import Vocabulary

__all__ = ["Admitted", "AdmittedBatch", "Checker", "Defaults", "Labels", "RunRecord"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the options of a load say of all its records; None says nothing.

    An option fills the field of a record that lacks it; a record that says something
    else is rejected.
    """

    experiment_id: str | None = None
    experiment_group: str | None = None
    extension_version: str | None = None
    agent_name: str | None = None
    model_version: str | None = None
    dataset_version: str | None = None
    baseline_experiment_id: str | None = None

    def given(self) -> dict[str, str]:
        """Return the fields that options supply."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value}


class _Plan(NamedTuple):
    """How to check the scores of records with the same keys."""

    bounds: tuple[tuple[float, float], ...]
    has_shared_metric: bool
    """Whether two of the keys are the same metric."""
    is_plain: bool
    """Whether every score is simply a number from 0 to 1."""


_MOST_PLANS: Final = 1000
_label_fields_of = attrgetter(*LABELS)
_link_of = attrgetter("link")
_built_ins_of = attrgetter(*BUILT_IN_METRICS)
_NO_BUILT_INS: Final = {(ABSENT,) * len(BUILT_IN_METRICS)}
# U+0000, which PostgreSQL text cannot hold, and the colon, which would spoil the count.
_MISLEADING_ESCAPE: Final = re.compile(rb"\\u00(?:00|3[aA])")


def _fill(records: Sequence[Incoming]) -> None:
    """Put fields where they belong, for many at once."""
    for record in records:
        if record.error_message:
            fill_success(record)
    if set(map(_built_ins_of, records)) != _NO_BUILT_INS:
        for record in records:
            merge_built_in(record)


class Checker:
    """Admits records of one load.

    `check` returns what a record says; `admit` and `admit_json` return the row to be
    stored. Same rules for all three. Not for use by two threads at once.
    """

    __slots__ = (
        "_accept_feedback",
        "_given",
        "_labels",
        "_measurement_names",
        "_plans",
        "_vocabulary",
    )

    def __init__(
        self,
        vocabulary: Vocabulary,
        defaults: Defaults | None = None,
        *,
        accept_feedback: bool = False,
    ) -> None:
        """Prepare to check.

        Args:
            vocabulary: known groups, evaluators and metrics.
            defaults: what options say of every record.
            accept_feedback: whether a record may carry `feedback`.

        Raises:
            ConfigurationError: an option's value is no valid field.

        """
        self._vocabulary = vocabulary
        self._accept_feedback = accept_feedback
        self._given = (defaults or Defaults()).given()
        try:
            checks.repair(self._given)
        except InvalidRecord as error:
            raise ConfigurationError(f"an option is not valid: {error.reason}") from None
        self._labels: dict[tuple[str | None, ...], Labels] = {}
        # By the keys of a record's scores, in order. The runs of one evaluation share
        # theirs, so a handful of plans serves a million records.
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._measurement_names: set[tuple[str, ...]] = set()

    def check(self, fields: Mapping[str, object]) -> RunRecord:
        """Check one record given as its fields, and fill what is missing.

        Args:
            fields: as in the contract; `recorded_at` may be a datetime. Not changed.

        Raises:
            InvalidRecord: why not.

        """
        record = self._converted(fields)
        labels = self._finish(record)
        for name in LABELS:
            setattr(record, name, getattr(labels, name))
        return record

    def check_json(self, text: bytes) -> RunRecord:
        """Check one record written as a JSON object, and fill what is missing.

        Args:
            text: UTF-8.

        Raises:
            InvalidRecord: why not.

        """
        return self.check(json_text.decode_object(text))

    def admit(self, fields: Mapping[str, object]) -> Admitted:
        """Check one record given as its fields.

        Args:
            fields: as for `check`.

        Raises:
            InvalidRecord: why not.

        """
        record = self._converted(fields)
        labels = self._finish(record)
        [row] = copy_rows([record], [labels.packed], [record.recorded_at])
        return Admitted(row, labels)

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
        try:
            records = list(map(decode, texts))
            # A key that stands twice leaves one colon too many: strings keep theirs,
            # and there is none elsewhere.
            if joined.count(b":") != encode(records).count(b":"):
                return None
            labels = self._labels_of(records)
            moments = self._finish_all(records, labels)
            rows = copy_rows(records, [label.packed for label in labels], moments)
        except (msgspec.DecodeError, UnicodeError, RecursionError, InvalidRecord):
            return None
        return AdmittedBatch(rows, set(map(_link_of, labels)))

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
        self, records: Sequence[Incoming], labels: Sequence[Labels]
    ) -> Sequence[datetime | None]:
        """Do what `_finish` does, for many at once; return their recorded_at."""
        tasks = [record.task_id for record in records]
        runs = [record.source_run_id for record in records]
        if not all(tasks) or any(map(str.isspace, tasks)):
            refuse_missing(records[0], "task_id")
        if not all(runs) or any(map(str.isspace, runs)):
            for record, label in zip(records, labels, strict=True):
                if not record.source_run_id or record.source_run_id.isspace():
                    record.source_run_id = derived_run_id(record, label)
        _fill(records)
        self._check_all_scores([record.scores for record in records if record.scores])
        for record in records:
            if record.measurements:
                self._check_measurements(record)
            if record.feedback:
                self._refuse_feedback()
        return utc_times([record.recorded_at for record in records])

    def _check_all_scores(self, scores: Sequence[dict[str, Score]]) -> None:
        plans = [self._plans.get(keys) or self._plan(keys) for keys in set(map(tuple, scores))]
        values = list(chain.from_iterable(map(dict.values, scores)))
        if (
            all(plan.is_plain for plan in plans)
            and set(map(type, values)) <= {float}
            and (not values or (min(values) >= 0.0 and max(values) <= 1.0))  # type: ignore[type-var,operator]
        ):
            return
        for one in scores:
            self._check_scores(one)

    def _converted(self, fields: Mapping[str, object]) -> Incoming:
        recorded_at = fields.get("recorded_at")
        if isinstance(recorded_at, datetime):
            fields = {**fields, "recorded_at": recorded_at.isoformat()}
        try:
            record = msgspec.convert(checks.repair(fields), Incoming)
            encode(record)
        except msgspec.ValidationError as error:
            raise InvalidRecord("", "wrong_type", f"the record is not valid: {error}") from None
        except RecursionError:
            raise json_text.too_deep() from None
        return record

    def _finish(self, record: Incoming) -> Labels:
        """Check what msgspec does not know, fill what is missing besides the labels."""
        [labels] = self._labels_of([record])
        if not record.task_id or record.task_id.isspace():
            refuse_missing(record, "task_id")
        if record.repetition is ABSENT:
            record.repetition = None
        if not record.source_run_id or record.source_run_id.isspace():
            record.source_run_id = derived_run_id(record, labels)
        if record.recorded_at is not None:
            record.recorded_at = utc(record.recorded_at)
        if not record.success:
            fill_success(record)
        merge_built_in(record)
        if record.scores:
            self._check_scores(record.scores)
        if record.measurements:
            self._check_measurements(record)
        if record.feedback:
            self._refuse_feedback()
        return labels

    def _refuse_feedback(self) -> None:
        if not self._accept_feedback:
            raise InvalidRecord(
                "feedback",
                "unknown_field",
                "feedback is kept only from services that collect it; "
                "put scores under scores, and remarks under metadata",
            )

    def _check_labels(self, record: RunRecord, key: tuple[str | None, ...]) -> Labels:
        for name, value in self._given.items():
            found = getattr(record, name)
            if not found:
                setattr(record, name, value)
            elif found != value:
                refuse_contradiction(name, found, value)
        for name in ("experiment_id", "task_id", "experiment_group", "extension_version"):
            text: str = getattr(record, name)
            if not text or text.isspace():
                refuse_missing(record, name)
        if record.experiment_group not in self._vocabulary.groups:
            known = self._vocabulary
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
        if len(self._labels) >= _MOST_PLANS:
            self._labels.clear()
        self._labels[key] = labels
        return labels

    def _check_scores(self, scores: dict[str, Score]) -> None:
        keys = tuple(scores)
        plan = self._plans.get(keys) or self._plan(keys)
        for (key, value), (low, high) in zip(scores.items(), plan.bounds, strict=True):
            if value is None:
                continue
            if not low <= value <= high:
                refuse_score(key, value, low, high)
            scores[key] = float(value)
        if plan.has_shared_metric:
            refuse_conflict(scores, self._vocabulary.scales)

    def _plan(self, keys: tuple[str, ...]) -> _Plan:
        """Work out, once for a set of keys, the scale of each."""
        bounds = []
        metrics = set()
        for key in keys:
            checks.refuse_name("scores", key)
            scale = self._vocabulary.scales.get(key)
            bounds.append((scale.low, scale.high) if scale else (0.0, 1.0))
            metrics.add(scale.metric if scale else key)
        has_shared_metric = len(metrics) < len(keys)
        is_plain = not has_shared_metric and set(bounds) == {(0.0, 1.0)}
        plan = _Plan(tuple(bounds), has_shared_metric, is_plain)
        if len(self._plans) < _MOST_PLANS:
            self._plans[keys] = plan
        return plan

    def _check_measurements(self, record: RunRecord) -> None:
        measurements = record.measurements
        keys = tuple(measurements)
        if keys not in self._measurement_names:
            for key in keys:
                checks.refuse_name("measurements", key)
                if key in self._vocabulary.reserved:
                    refuse_taken(key, "a metric of another kind")
            if len(self._measurement_names) < _MOST_PLANS:
                self._measurement_names.add(keys)
        if record.scores and not record.scores.keys().isdisjoint(keys):
            refuse_taken(next(key for key in keys if key in record.scores), "a score of the record")
        for key, value in measurements.items():
            if not -checks.LARGEST_FLOAT <= value <= checks.LARGEST_FLOAT:
                checks.number(f"measurements.{key}", value, signed=True)
