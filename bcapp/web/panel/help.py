"""Help: what people ask first, and what to tell support."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.web.panel import Visit, panel
from bcapp.web.render import page


@panel("home.view")
async def show_help(request: Request, visit: Visit) -> Response:
    return page(request, "panel/help.html", active="home", visit=visit)


ROUTES = [Route("/help", show_help, name="help")]
