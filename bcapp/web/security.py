"""Headers that keep a page where it belongs: content policy, who may frame it, what a browser may guess."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bcapp.db.stores import Store
from bcapp.settings import Settings

# BigCommerce's control panels. A wildcard stands for whole first labels only, so it covers channel hosts too.
ANY_CONTROL_PANEL = "https://*.mybigcommerce.com"
CARD_IMAGES = "https://cdn11.bigcommerce.com"

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
        "gyroscope", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-get",
        "screen-wake-lock", "usb", "xr-spatial-tracking",
    )
)  # fmt: skip


def origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def any_store(settings: Settings) -> str:
    """Who may frame a page before a store is known: every control panel, and BigCommerce's install dialog."""
    hosts = [ANY_CONTROL_PANEL, origin_of(settings.bc_login_url)]
    if settings.frame_ancestors not in ("store", "wildcard"):
        hosts = settings.frame_ancestors.split()  # the operator's own list counts everywhere
    return " ".join(dict.fromkeys(hosts))


def of_store(settings: Settings, store: Store) -> str:
    """Who may frame a page of the store: its control panel under its own and its channels' hosts, nobody else.

    Every storefront of every store stands under mybigcommerce.com too, so the wildcard would let one merchant's
    storefront frame another's panel. FRAME_ANCESTORS=wildcard is the way out if a control panel has another host.
    """
    if settings.frame_ancestors == "wildcard":
        return any_store(settings)
    if settings.frame_ancestors != "store":
        return settings.frame_ancestors
    hosts = [origin_of(store.control_panel_url), f"https://store-{store.hash}.mybigcommerce.com"]
    hosts += [f"https://store-{store.hash}-{channel}.mybigcommerce.com" for channel in store.channels]
    return " ".join(dict.fromkeys(hosts))


def frame_by(request: Request, ancestors: str) -> None:
    """Say who may frame the answer to this request; nobody may when nothing was said."""
    request.state.frame_ancestors = ancestors


def content_policy(settings: Settings, ancestors: str) -> str:
    scripts = "'self'"
    if settings.bc_sdk_url:
        scripts += f" {origin_of(settings.bc_sdk_url)}"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {scripts}",
            "style-src 'self'",
            "font-src 'self'",
            f"img-src 'self' data: {CARD_IMAGES}",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors " + (ancestors or "'none'"),
        )
    )


class SecurityHeaders:
    """Adds the headers to every answer but those to webhooks, whose senders ask for none.

    The frame's own say comes from `frame_by`. X-Frame-Options is never sent: it cannot name the hosts.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/webhooks/"):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                ancestors = state.get("frame_ancestors", "")
                headers["Content-Security-Policy"] = content_policy(self._settings, ancestors)
                headers["X-Content-Type-Options"] = "nosniff"
                # same-origin, not no-referrer: with the latter a form's own Origin would be "null".
                headers.setdefault("Referrer-Policy", "same-origin")
                headers["Permissions-Policy"] = PERMISSIONS_POLICY
                headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
                headers.setdefault("Cache-Control", "no-store")
                if self._settings.secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
            await send(message)

        await self._app(scope, receive, send_with_headers)
