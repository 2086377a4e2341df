"""What Grafana makes of the links of dashboards and alerts, and where they lead.

Variables of links are replaced by the browser: `:percentencode` is `encodeURIComponent` and
also takes `!'()*`; `:raw` takes a value as it is. Any other way is refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PART = re.compile(r"\$\{([^}]*)\}")
_LABEL = re.compile(r"\{\{ (urlquery )?\.Labels\.(\w+) \}\}")


class Link(NamedTuple):
    """One link as it stands in a dashboard."""

    where: str
    """Title of the panel, or of the dashboard."""
    column: str | None
    """Whose cells it is of; None for a link of a panel or a dashboard."""
    title: str
    url: str


def links(board: Mapping[str, Any]) -> Iterator[Link]:
    """Yield every link of a dashboard but those that Grafana makes of tags."""
    for item in board["links"]:
        if item["type"] == "link":
            yield Link(board["title"], None, item["title"], item["url"])
    for panel in board["panels"]:
        for item in panel["links"]:
            yield Link(panel["title"], None, item["title"], item["url"])
        for override in panel["fieldConfig"]["overrides"]:
            for part in override["properties"]:
                for item in part["value"] if part["id"] == "links" else []:
                    yield Link(
                        panel["title"], override["matcher"]["options"], item["title"], item["url"]
                    )


def resolved(link: Link, variables: Mapping[str, Any], row: Mapping[str, Any] | None = None) -> str:
    """Return the address that a click leads to.

    Args:
        link: of a dashboard.
        variables: values of the dashboard's variables.
        row: the row whose cell is clicked, by column.

    Raises:
        KeyError: a variable or a column is not there.
        ValueError: something is named in a way that Grafana does not know, or that leaves
            characters which end a parameter.
    """

    def part(match: re.Match[str]) -> str:
        name, _, way = match[1].partition(":")
        if match[1] == "__url_time_range":
            return "from=now-3y&to=now"
        if name == "__value.raw":
            assert row is not None
            assert link.column is not None
            value = row[link.column]
        elif name.startswith("__data.fields."):
            assert row is not None
            value = row[name.removeprefix("__data.fields.")]
        else:
            value = variables[name]
        if way == "raw" and name == "serve":
            return str(value)
        if way != "percentencode" or isinstance(value, list):
            raise ValueError(f"{link.where}: {match[0]}")
        return quote("" if value is None else str(value), safe="-_.~")

    return _PART.sub(part, link.url)


def alert_page(url: str, labels: Mapping[str, str]) -> str:
    """Return the address that an annotation of an alert with these labels holds."""
    return _LABEL.sub(lambda m: quote_plus(labels[m[2]]) if m[1] else labels[m[2]], url)


def asked_of_dashboard(url: str) -> tuple[str, dict[str, str]]:
    """Return the uid of a dashboard's address, and the variables that it sets."""
    place = urlsplit(url)
    uid = re.fullmatch(r"/d/([\w-]+)", place.path)
    assert uid is not None, url
    said = parse_qs(place.query, keep_blank_values=True)
    return uid[1], {
        name.removeprefix("var-"): value
        for name, (value,) in said.items()
        if name.startswith("var-")
    }
