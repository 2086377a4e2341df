"""What the options of a load say of all its records."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the options of a load say of all its records; None says nothing.

    An option fills the field of a record that lacks it; a record that says something
    else is rejected, unless the field is among the `weak`.
    """

    experiment_id: str | None = None
    experiment_group: str | None = None
    extension_version: str | None = None
    agent_name: str | None = None
    model_version: str | None = None
    dataset_version: str | None = None
    baseline_experiment_id: str | None = None
    weak: frozenset[str] = frozenset()
    """Fields of which a record may say something else: the environment filled them."""

    def given(self) -> dict[str, str]:
        """Return the fields that options supply."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value and name != "weak"}
