"""Addresses that the service hands out, and the download links that die."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.records import Document, Download, Signer, Store, new_token

OTHER_HOST = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}
KEPT_DOWNLOADS = 5000


class Links:
    """Build every address from the public address of the sandbox, which may be known only after the start."""

    def __init__(self, store: Store, ground: Ground) -> None:
        self._store, self._ground = store, ground

    @property
    def public_url(self) -> str:
        return (self._ground.settings.public_url or "http://127.0.0.1").rstrip("/")

    @property
    def download_url(self) -> str:
        """The same server under its other host name, where there is one."""
        parts = urlsplit(self.public_url)
        host = OTHER_HOST.get(parts.hostname or "", parts.hostname or "")
        return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, "", "", ""))

    def api(self, path: str) -> str:
        return f"{self.public_url}/api/v1/{path}"

    def document(self, document: Document) -> str:
        return self.api(f"documents/{document.uuid}/")

    def signing(self, signer: Signer) -> str:
        return f"{self.public_url}/signing/{signer.token}"

    def download(self, content: Callable[[], bytes | None], name: str, media_type: str = "application/pdf") -> str:
        """Return a new temporary link, on another host name than the API."""
        downloads = self._store.downloads
        token = new_token()
        downloads[token] = Download(content, name, media_type, self._ground.clock.now())
        while len(downloads) > KEPT_DOWNLOADS:
            del downloads[next(iter(downloads))]
        return f"{self.download_url}/downloads/{token}/{quote(name)}"

    async def follow(self, request: Request) -> Response:
        """Answer a download: 403 once it is dead, 400 when a credential comes along, as object stores do.

        Source: core-signature.md 4.2 (5 minutes, no Authorization header); the wording is that of object stores.
        """
        if "authorization" in request.headers:
            return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        if request.headers.get("host", "") != urlsplit(self.download_url).netloc:
            return _refused(404, "NoSuchBucket", "The specified bucket does not exist")
        with self._ground.lock:
            link = self._store.downloads.get(request.path_params["token"])
            lifetime = timedelta(seconds=self._store.options.download_seconds)
            if link is None or self._ground.clock.now() - link.made_on > lifetime:
                return _refused(403, "AccessDenied", "Request has expired")
            content = link.content()
        if content is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist")
        return Response(content, media_type=link.media_type)


def _refused(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status_code=status, media_type="application/xml")
