"""Signing out: the control panel's session ended, or a person said so."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.web import session
from bcapp.web.panel import Visit, panel
from bcapp.web.render import from_script, message_page


@panel("session.end")
async def sign_out(request: Request, visit: Visit) -> Response:
    """End the session. A script gets an empty answer, for it blanks the page itself."""
    services = visit.services
    await services.db.execute(
        "revoke_session",
        {"store_hash": visit.store.hash, "token_digest": visit.session.digest, "now": visit.now},
    )
    if from_script(request.headers) or visit.session.via == "header":
        response = Response(status_code=204)
    else:
        request.state.frame = None
        response = message_page(
            request, 200, "You are signed out", "Open Countersign again from Apps in your control panel.", kind="info"
        )
    session.drop_cookie(response, visit.store.hash, secure=services.settings.secure)
    request.state.ended = True
    return response


ROUTES = [Route("/logout", sign_out, methods=["POST"], name="sign_out")]
