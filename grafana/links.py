"""Where a click leads: to another dashboard, or to a page of `evalmart serve`.

What an address takes from a row or a variable is percent-encoded: Grafana's own way for links
leaves `&` and `#` as they are, and names may hold them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from grafana.panels import Json

EXPERIMENTS: Final = "evalmart-experiments"
VERSIONS: Final = "evalmart-versions"
FLEET: Final = "evalmart-fleet"
SERVE: Final = "http://127.0.0.1:8765"
"""Where `evalmart serve` listens by itself; `evalmart dashboards --serve-url` writes another."""
CELL: Final = "${__value.raw:percentencode}"
"""What the cell holds that is clicked."""


def column(name: str) -> str:
    """Return what another column of the row holds; its name is one word."""
    return f"${{__data.fields.{name}:percentencode}}"


def chosen(variable: str) -> str:
    """Return what a variable of one value holds."""
    return f"${{{variable}:percentencode}}"


def board(uid: str, **variables: str) -> str:
    """Return the address of a dashboard at the same time, with variables set."""
    return "&".join(
        [f"/d/{uid}?${{__url_time_range}}", *(f"var-{name}={v}" for name, v in variables.items())]
    )


def served(path: str, **parameters: str) -> str:
    """Return the address of a page of `evalmart serve`."""
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"${{serve:raw}}{path}{'?' if query else ''}{query}"


def link(title: str, url: str) -> Json:
    """Return a link of a cell or a panel; a page of another app opens beside."""
    return {"title": title, "url": url, "targetBlank": not url.startswith("/")}


def serve_variable() -> Json:
    """Return where the pages are, as a constant that no address of a dashboard can change."""
    only = {"selected": True, "text": SERVE, "value": SERVE}
    return {
        "type": "constant",
        "name": "serve",
        "label": "evalmart serve",
        "description": "Where evalmart serve answers.",
        "query": SERVE,
        "hide": 2,
        "skipUrlSync": True,
        "current": only,
        "options": [only],
    }


def sisters() -> Json:
    """Return the links to every other dashboard."""
    return {
        "type": "dashboards",
        "title": "evalmart",
        "icon": "external link",
        "tooltip": "",
        "url": "",
        "tags": ["evalmart"],
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": False,
        "keepTime": True,
    }


def beside(title: str, url: str) -> Json:
    """Return a link at the top of a dashboard to a page of `evalmart serve`."""
    return {
        "type": "link",
        "title": title,
        "icon": "doc",
        "tooltip": "evalmart serve: every table in full, what was asked and answered",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": True,
        "includeVars": False,
        "keepTime": False,
    }
