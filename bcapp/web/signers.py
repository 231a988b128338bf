"""What signers see of us. They are strangers to the panel: no session, no store, nothing to change."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bcapp.web.render import page


async def signed(request: Request) -> Response:
    """Thank a person whom the signature service sends here after signing or declining.

    The address is the same for everybody and names nobody, so it says nothing about anybody; what was decided is
    read from the service, never from this visit.
    """
    return page(request, "signers/signed.html")


ROUTES = [Route("/signed", signed, methods=["GET"], name="signed")]
