"""The app: addresses, pages, and what becomes of what cannot be answered."""

from __future__ import annotations

import hashlib
import traceback
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError, LoaderError, UnknownName, WarehouseUnavailable
from ..show import escape
from ..show.render import cell, csv_lines, printable
from ..tools.extras import needed
from ..tools.tables import Kind
from ..tools.version import __version__
from .asking import Asked, Unanswerable
from .database import Busy, Warehouse
from .guard import Guard
from .view import Page, View, link

with needed("serve"):
    import jinja2
    import psycopg
    from markupsafe import Markup
    from starlette.exceptions import HTTPException
    from starlette.responses import RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route, Router

from ..marts.browsing import summaries
from ..marts.listing import csv_blocks
from .pages import agents, compare, experiment, experiment_parts, experiments, history, task, tasks
from .reporting import policy_of, report_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from ..marts.listing import Listing, Order
    from ..warehouse.connection import Connection
    from .settings import Settings
    from .view import Rows

    Listed = tuple[Listing, dict[str, object], Order]

PAGES: Final[dict[str, Callable[[View], Page]]] = {
    "/experiments": experiments.experiments,
    "/experiment": experiment.experiment,
    "/experiment/beside": experiment_parts.beside_verdict,
    "/tasks": tasks.tasks,
    "/task": task.task,
    "/task/history": task.history,
    "/agents": agents.agents,
    "/agent": agents.agent,
    "/alerts": agents.alerts,
    "/compare": compare.compare,
    "/decisions": history.decisions,
    "/decisions/replay": history.replayed,
    "/loads": history.loads,
    "/load": history.load,
    "/metrics": history.metrics,
}
LISTS: Final[dict[str, Callable[[View], Listed]]] = {
    "/experiments": lambda view: experiments.filters(view.asked),
    "/tasks": lambda view: tasks.filters(view.asked, tasks.candidate_of(view)),
    "/agents": lambda view: agents.filters(view.asked),
    "/alerts": lambda view: agents.alert_filters(view.asked),
    "/compare": compare.filters,
    "/decisions": lambda view: history.decision_filters(view.asked),
    "/loads": lambda view: history.load_filters(view.asked),
}
"""Tables of any length, which are sent as they are read."""
TABLES: Final[dict[str, Callable[[View], Rows]]] = {
    "/experiment/metrics": experiment_parts.metric_rows,
    "/experiment/segments": experiment_parts.segment_rows,
    "/experiment/arms": experiment_parts.arm_rows,
    "/task/scores": task.score_rows,
    "/task/runs": task.run_rows,
    "/task/history": task.history_rows,
    "/agent/versions": agents.version_rows,
    "/load/rejected": history.rejected_rows,
    "/decisions/replay": history.replayed_rows,
    "/metrics": history.metric_rows,
}
"""Tables of a page."""
LONG: Final = {"/experiment/beside", "/task/history", "/decisions/replay", "/metrics"}
"""Pages and tables that may take a while."""
APART: Final = {"/decisions/replay"}
"""Those that begin to read the marts by themselves."""
MENU: Final = (
    ("/experiments", "Experiments", "experiments"),
    ("/agents", "Agents", "agents"),
    ("/compare", "Compare", "compare"),
    ("/alerts", "Alerts", "alerts"),
    ("/decisions", "Gate", "decisions"),
    ("/loads", "Loads", "loads"),
    ("/metrics", "Metrics", "metrics"),
)
STATIC: Final = {
    "serve.css": "text/css; charset=utf-8",
    "serve.js": "text/javascript; charset=utf-8",
}
_HTML: Final = "text/html; charset=utf-8"
_TITLES: Final = {
    400: "That cannot be asked",
    401: "Who is asking?",
    404: "Not here",
    405: "Only to look at",
    414: "Too long an address",
    503: "Not now",
}
_UNREADABLE: Final = (
    "The marts cannot be read now: a build is under way, the database is away, or a right is "
    "missing. The server's log says which."
)
_SENTENCES: Final[dict[type[Exception], tuple[int, str]]] = {
    UnknownName: (404, ""),
    Unanswerable: (400, ""),
    Busy: (503, "The server is busy; try again in a moment."),
    WarehouseUnavailable: (503, _UNREADABLE),
    ConfigurationError: (
        503,
        "The marts are not built, or by another version: run evalmart build.",
    ),
}
"""The first that fits counts; without a sentence the error's own is fit to be read."""
_UNEXPECTED: Final = "This should not have happened; the server's log has more."
_OTHER_TITLE: Final = "Something went wrong"


def make_app(settings: Settings, warehouse: Warehouse, log: Callable[[str], None]) -> Guard:
    """Return the app, behind its guard.

    Args:
        settings: who may ask, and how.
        warehouse: what pages ask.
        log: takes what a page must not tell, a line or several.
    """
    pages = _Answers(settings, warehouse, log)

    @asynccontextmanager
    async def lifespan(_: Router) -> AsyncIterator[None]:
        yield
        warehouse.close()

    app = Router(
        routes=[
            Route("/", pages.home),
            Route("/static/{name}", pages.static),
            Route("/report", pages.report),
            *(Route(path, pages.page) for path in PAGES),
            *(Route(f"{path}.csv", pages.listing) for path in LISTS),
            *(Route(f"{path}.csv", pages.table) for path in TABLES),
        ],
        redirect_slashes=False,
        default=_nowhere,
        lifespan=lifespan,
    )
    return Guard(_Last(app, pages), settings, pages.refused)


async def _nowhere(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise HTTPException(404)


class _Last:
    """Answers with a page where nothing else did; what happened goes to the log."""

    def __init__(self, app: Router, pages: _Answers) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_noticed(message: Any) -> None:  # noqa: ANN401  a message of ASGI
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noticed)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await self._pages.error(scope, error)(scope, receive, send)


class _Answers:
    """What each kind of address is answered with."""

    def __init__(
        self, settings: Settings, warehouse: Warehouse, log: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._log = log

    def home(self, _: Request) -> Response:
        """Lead to the first page."""
        return RedirectResponse(link(self._settings.root_path, "/experiments", {}), 302)

    def static(self, request: Request) -> Response:
        """Return a file of the app's own."""
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404)
        body, tag = _file(name)
        headers = {"etag": f'"{tag}"', "cache-control": "private, max-age=31536000, immutable"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=STATIC[name], headers=headers)

    def page(self, request: Request) -> Response:
        """Return a page."""
        path = request.scope["path"]

        def question(connection: Connection) -> Response:
            view = self._view(request, connection, path)
            return self._rendered(PAGES[path](view), view)

        return self._warehouse.ask(question, is_long=path in LONG, is_apart=path in APART)

    def report(self, request: Request) -> Response:
        """Return the report of an experiment, whole and with a policy of its own."""
        experiment_id = Asked(request.query_params).name("id")
        self._warehouse.ask(lambda connection: summaries(connection, experiment_id))
        text = report_of(experiment_id, self._warehouse.url)
        headers = {"content-security-policy": policy_of(text)}
        return Response(text.encode("utf-8", "replace"), 200, headers, _HTML)

    def table(self, request: Request) -> Response:
        """Return a table of a page as CSV."""
        path = request.scope["path"].removesuffix(".csv")
        rows = self._warehouse.ask(
            lambda connection: TABLES[path](self._view(request, connection, path)),
            is_long=path in LONG,
            is_apart=path in APART,
        )
        text = "".join(csv_lines(rows.table))
        return Response(text, media_type="text/csv; charset=utf-8", headers=_attached(rows.name))

    def listing(self, request: Request) -> Response:
        """Return a whole table as CSV, as it is read."""
        path = request.scope["path"].removesuffix(".csv")
        listing, chosen, order = self._warehouse.ask(
            lambda connection: LISTS[path](self._view(request, connection, path))
        )
        headers = _attached(path.strip("/"))
        if request.method == "HEAD":
            return _Unsent("", media_type="text/csv; charset=utf-8", headers=headers)
        blocks = self._blocks(listing, chosen, order)
        first = next(blocks, b"")
        return StreamingResponse(
            _joined(first, blocks), media_type="text/csv; charset=utf-8", headers=headers
        )

    def _blocks(
        self, listing: Listing, chosen: Mapping[str, object], order: Order
    ) -> Iterator[bytes]:
        with self._warehouse.long() as connection:
            yield from csv_blocks(connection, listing, chosen, order)

    async def refused(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the guard does not let through."""
        status, sentence = scope["refusal"]
        await self._sentence(status, sentence)(scope, receive, send)

    def error(self, scope: Scope, error: Exception) -> Response:
        """Return a page that says in one sentence what is the matter, and never how."""
        told = _told(error)
        if told is None or told[0] >= 500:  # noqa: PLR2004  the server's own fault
            is_expected = isinstance(error, LoaderError)
            details = f"{type(error).__name__}: {error}" if is_expected else _details(error)
            self._log(f"{printable(str(scope['path']))}: {details}")
        return self._sentence(*(told or (500, _UNEXPECTED)))

    def _sentence(self, status: int, sentence: str) -> Response:
        text = _template("error.html.j2").render(
            **self._common(""),
            title=_TITLES.get(status, _OTHER_TITLE),
            sentence=sentence[:1].upper() + sentence[1:],
            status=status,
        )
        headers = {"retry-after": "5"} if status == 503 else None  # noqa: PLR2004  unavailable
        return Response(text, status, headers, _HTML)

    def _view(self, request: Request, connection: Connection, path: str) -> View:
        return View(
            connection,
            Asked(request.query_params),
            path,
            dict(request.query_params),
            self._settings.root_path,
        )

    def _rendered(self, page: Page, view: View) -> Response:
        text = _template(page.template).render(
            **self._common(page.section), title=page.title, view=view, given=view.given,
            **page.values,
        )  # fmt: skip
        return Response(text.encode("utf-8", "replace"), 200, None, _HTML)

    def _common(self, section: str) -> dict[str, object]:
        root = self._settings.root_path
        return {
            "root": root,
            "section": section,
            "menu": [(link(root, path, {}), text, name) for path, text, name in MENU],
            "style_sheet": link(root, "/static/serve.css", {"v": _file("serve.css")[1]}),
            "script_file": link(root, "/static/serve.js", {"v": _file("serve.js")[1]}),
            "program": f"evalmart {__version__}",
        }


def _told(error: Exception) -> tuple[int, str] | None:
    """Return the status of an error and its sentence; None where nobody expected it."""
    if isinstance(error, HTTPException):
        is_there = error.status_code != 404  # noqa: PLR2004  not found
        return error.status_code, error.detail if is_there else "There is no page at this address."
    if isinstance(error, WarehouseUnavailable) and isinstance(
        error.__cause__, psycopg.errors.QueryCanceled
    ):
        return 503, "The database took too long over this; narrow it down, or try later."
    for kind, (status, sentence) in _SENTENCES.items():
        if isinstance(error, kind):
            return status, sentence or str(error)
    return None


def _details(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


class _Unsent(Response):
    """An answer to HEAD whose length nobody knows, as that of what GET streams."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Say nothing of a length."""
        super().init_headers(headers)
        self.raw_headers = [each for each in self.raw_headers if each[0] != b"content-length"]


def _joined(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _attached(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name.replace("/", "-")}.csv"'}


@cache
def _file(name: str) -> tuple[bytes, str]:
    """Return a file of the app's own, and a hash of it."""
    body = (resources.files(__package__) / "static" / name).read_bytes()
    return body, hashlib.sha256(body).hexdigest()[:16]


@cache
def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = lambda value: cell(value, Kind.TIMESTAMP)
    return environment


def _source(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """Take the effects from a text, whose `<` and `&` are escaped then."""
    return escape.html(value) if isinstance(value, str) and not isinstance(value, Markup) else value
