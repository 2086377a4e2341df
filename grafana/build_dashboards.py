"""Write the dashboards and alert rules that Grafana reads, from the code beside it.

Run `python -m grafana.build_dashboards` after a change to a query or a definition; a test
fails when a file is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from grafana.alerting import alert_rules
from grafana.definitions import fleet, versions
from grafana.experiments import experiments

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent


def rendered() -> Iterator[tuple[Path, str]]:
    """Yield every generated file with what belongs into it."""
    for name, made in (
        ("experiments", experiments()),
        ("versions", versions()),
        ("fleet", fleet()),
    ):
        text = json.dumps(made, indent=2, ensure_ascii=False)
        yield HERE / "dashboards" / f"{name}.json", text + "\n"
    yield (
        HERE / "provisioning" / "alerting" / "rules.yml",
        "# Written by python -m grafana.build_dashboards\n"
        + yaml.dump(alert_rules(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=80),
    )


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: lists indented, SQL as blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of lists."""
        del indentless
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:
        """Write everything out."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def main() -> None:
    """Write them all."""
    for path, text in rendered():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
