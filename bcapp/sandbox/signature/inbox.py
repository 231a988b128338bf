"""The mails of the signature service, and those that the app under test sends by SMTP, in one inbox."""

from __future__ import annotations

import html
import re
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.records import Mail, Store

ADDRESS = re.compile(r"https?://[^\s<>\"')\]]+")
KEPT_MAILS = 2000


class Inbox:
    """Mails in the order in which they arrived."""

    def __init__(self, store: Store, ground: Ground) -> None:
        self._store, self._ground = store, ground
        self._controller: Controller | None = None

    def put(self, mail: Mail) -> None:
        with self._ground.lock:
            self._store.mails.append(mail)
            del self._store.mails[:-KEPT_MAILS]

    def find(self, to: str | None = None, kind: str | None = None) -> list[Mail]:
        """Return mails, newest first, to one address (case ignored) or of one kind."""
        with self._ground.lock:
            mails = list(self._store.mails)
        wanted = to.lower() if to else None
        return [
            m
            for m in reversed(mails)
            if (wanted is None or wanted in (a.lower() for a in m.to)) and (kind is None or m.kind == kind)
        ]

    def start_smtp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Take mail by SMTP from now on; return the port."""
        if self._controller is not None:
            return int(self._controller.port)
        if port == 0:
            with socket.create_server((host, 0)) as probe:
                port = probe.getsockname()[1]
        self._controller = Controller(self, hostname=host, port=port, ready_timeout=20)
        self._controller.start()
        return port

    def stop_smtp(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(bytes(envelope.content), policy=policy.default)
        text = _text(message)
        links = tuple((address, address) for address in dict.fromkeys(ADDRESS.findall(text)))
        self.put(
            Mail(
                sender=str(message["From"] or envelope.mail_from),
                to=tuple(envelope.rcpt_tos),
                subject=str(message["Subject"] or ""),
                text=text,
                at=self._ground.clock.now(),
                kind="app",
                links=links,
                files=tuple(_files(message)),
            )
        )
        return "250 OK"


def _text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    content = str(part.get_content())
    if part.get_content_type() != "text/html":
        return content
    with_links = re.sub(r"""<a\b[^>]*href=["']([^"']+)["'][^>]*>(.*?)</a>""", r"\2 \1 ", content, flags=re.S | re.I)
    return html.unescape(re.sub(r"<[^>]+>", " ", with_links))


def _files(message: EmailMessage) -> Iterator[str]:
    return (part.get_filename() or "attachment" for part in message.iter_attachments())
