"""The log of a run's page: older lines, search, and the whole of it as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from app.components.registry import registry
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.runs import log, service
from app.web.hx import render
from app.web.pages import pages
from app.web.work import work

LINES = 500
"""Lines of one page: what a browser lays out without a pause."""
_FILE_LINES = 1000
_HIGHEST = 2**31 - 1


@pages.get("/runs/<run_id>/log")
def run_log(run_id: str) -> str:
    """Show older lines, or what a search found; as a partial, the next page of either."""
    args = request.args
    asked = args.get("q", "").strip()[: log.SEARCH_MOST]
    with work(read=True) as (session, actor):
        view = service.get_run(session, actor, run_id)
        if asked:
            page = log.list_lines(
                session, actor, run_id, after=read_place("after") or 0, matching=asked,
                limit=LINES,
            )
        else:
            page = log.list_newest(
                session, actor, run_id, before=read_place("before"), limit=LINES
            )
    return render(
        "runs/log.html", "runs/_log_page.html",
        run=view, q=asked, listing=page, events=page.lines, node_labels=name_nodes(view.graph),
        further="after" in args,
        older=read_place("before") is not None,
    )


@pages.get("/runs/<run_id>/log.txt")
def download_run_log(run_id: str) -> Response:
    """Download a run's masked log, read and sent page by page."""
    db, actor = services().db, current_actor()
    with unit_of_work(db, actor, read=True) as session:
        view = service.get_run(session, actor, run_id)
    labels = name_nodes(view.graph)

    def parts() -> Iterator[str]:
        after, more = 0, True
        while more:
            with unit_of_work(db, actor, read=True) as session:
                page = log.list_lines(session, actor, run_id, after=after, limit=_FILE_LINES)
            more = page.more
            if page.lines:
                after = page.lines[-1].seq
                yield log.write_lines(page.lines, labels)

    response = Response(parts(), mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="run-{view.id}.txt"'
    return response


def read_place(name: str) -> int | None:
    """Read a sequence number of the query, kept within what a database counts; else None."""
    place = request.args.get(name, type=int)
    return None if place is None else min(max(place, 0), _HIGHEST)


def name_nodes(graph: Mapping[str, Any]) -> dict[str, str]:
    """Map a graph's nodes to what they are called: by their author, else by their component."""
    return {node["id"]: _name(node) for node in graph.get("nodes", ())}


def _name(node: Mapping[str, Any]) -> str:
    component = registry().find(str(node.get("component", "")))
    return str(node.get("label") or (component.title if component else "") or node["id"])
