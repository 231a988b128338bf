"""Mail through SMTP_URL: plain text with a simple HTML beside it. Without SMTP_URL it refuses with a sentence."""

from __future__ import annotations

import html as html_escape
import re
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import aiosmtplib

from bcapp.errors import AppError, RefusedByUs, SettingsError

SECONDS = 20.0
MAX_SUBJECT = 200
MAX_TEXT = 200_000
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class MailNotSet(RefusedByUs):
    """SMTP_URL is unset: nothing can be mailed."""


class MailFailed(AppError):
    """A mail was not sent, or it is not known whether it was.

    unclear: the server may have taken it; sending it again could send it twice.
    permanent: the server refused it for good.
    """

    def __init__(self, message: str, *, unclear: bool = False, permanent: bool = False) -> None:
        super().__init__(message)
        self.unclear = unclear
        self.permanent = permanent


@dataclass(frozen=True)
class Server:
    """secure: "tls" from the first byte, "starttls" required, "auto" when offered, "none" (this machine only)."""

    host: str
    port: int
    user: str
    password: str
    secure: str
    sender: str

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port}, {self.secure})"


def parse_smtp_url(url: str) -> Server:
    """Read smtp://user:password@host:port, smtps://..., smtp+starttls://...; `?from=` names the sender.

    A user that is an address is the sender otherwise. A password over an unprotected line is refused except to this
    machine. Raises SettingsError, never with the password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as exc:
        raise SettingsError("SMTP_URL is not an address such as smtps://user:password@mail.example:465.") from exc
    if parts.scheme not in PORTS or not parts.hostname:
        raise SettingsError("SMTP_URL must begin with smtp://, smtp+starttls:// or smtps:// and name a host.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    secure = "tls" if parts.scheme == "smtps" else "starttls" if "starttls" in parts.scheme else "auto"
    if secure == "auto" and password and not local:
        secure = "starttls"  # never a password in the open
    if secure == "auto" and local:
        secure = "none"
    sender = _sender(query.get("from", [""])[0], user, parts)
    return Server(parts.hostname, port or PORTS[parts.scheme], user, password, secure, sender)


def _sender(given: str, user: str, parts: SplitResult) -> str:
    sender = given or (user if ADDRESS.fullmatch(user) else f"countersign@{parts.hostname}")
    if not ADDRESS.fullmatch(sender):
        raise SettingsError("SMTP_URL: from= is not an e-mail address.")
    return sender


class Mailer:
    """Sends one mail at a time over a connection of its own; alarms are few."""

    def __init__(self, server: Server | None, *, sender_name: str = "Countersign") -> None:
        self._server = server
        self._sender_name = sender_name

    @classmethod
    def from_url(cls, url: str | None) -> Self:
        """Return a mailer for SMTP_URL; None or "" makes one that refuses."""
        return cls(parse_smtp_url(url) if url else None)

    @property
    def is_set(self) -> bool:
        return self._server is not None

    async def send(
        self,
        to: str,
        subject: str,
        text: str,
        html: str | None = None,
        *,
        message_id: str,
        at: datetime,
        seconds: float = SECONDS,
    ) -> None:
        """Send one mail.

        message_id: stable per occasion, without brackets; the domain of the sender is added when it has none.
        html: made from the text when None. Never sends twice by itself: at most once is the caller's to keep.
        Raises MailNotSet, RefusedByUs (an address that is none), MailFailed.
        """
        server = self._server
        if server is None:
            raise MailNotSet("Alarms are not mailed: no mail server is set (SMTP_URL).")
        message = self._message(server, to, subject, text, html, message_id, at)
        context = ssl.create_default_context()
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=seconds,
            use_tls=server.secure == "tls",
            start_tls={"starttls": True, "none": False}.get(server.secure),
            tls_context=context,
        )
        try:
            await client.connect()
            if server.user:
                await client.login(server.user, server.password)
        except (aiosmtplib.SMTPException, OSError) as exc:
            client.close()
            permanent = isinstance(exc, aiosmtplib.SMTPAuthenticationError)
            raise MailFailed(
                f"the mail server {server.host} cannot be used: {_told(exc)}", permanent=permanent
            ) from exc
        try:
            refused, _ = await client.send_message(message, sender=server.sender, recipients=[to])
        except (
            aiosmtplib.SMTPRecipientsRefused,
            aiosmtplib.SMTPSenderRefused,
            aiosmtplib.SMTPResponseException,
        ) as exc:
            client.close()
            raise MailFailed(f"the mail server refused the mail: {_told(exc)}", permanent=_is_final(exc)) from exc
        except (aiosmtplib.SMTPException, OSError) as exc:
            client.close()
            raise MailFailed(f"it is not known whether the mail was sent: {_told(exc)}", unclear=True) from exc
        if refused:
            client.close()
            raise MailFailed("the mail server refused the recipient", permanent=True)
        try:
            await client.quit()
        except (aiosmtplib.SMTPException, OSError):
            client.close()  # the mail was taken; how the line ended changes nothing

    def _message(
        self, server: Server, to: str, subject: str, text: str, html: str | None, message_id: str, at: datetime
    ) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(self._sender_name, addr_spec=server.sender)
        message["To"] = Address(addr_spec=checked_address(to))
        message["Subject"] = one_line(subject)[:MAX_SUBJECT]
        message["Date"] = format_datetime(at)
        domain = server.sender.rpartition("@")[2]
        identity = re.sub(r"[^A-Za-z0-9.@_-]", "-", message_id)
        message["Message-ID"] = f"<{identity}>" if "@" in identity else f"<{identity}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text[:MAX_TEXT])
        message.add_alternative(html if html is not None else html_of(text[:MAX_TEXT]), subtype="html")
        return message


def checked_address(address: str) -> str:
    """Return an e-mail address that is one and nothing more; raise RefusedByUs otherwise."""
    if not ADDRESS.fullmatch(address):
        raise RefusedByUs(f"{one_line(address)[:80]} is not an e-mail address.")
    return address


def one_line(text: str) -> str:
    """Return text fit for a header: line ends and controls become spaces."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]", " ", text).split())


def html_of(text: str) -> str:
    """Return a plain text as HTML: paragraphs, and links for lines that are one."""
    parts = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [html_escape.escape(line) for line in paragraph.splitlines()]
        linked = [
            f'<a href="{line}">{line}</a>' if re.fullmatch(r"https?://[^\s<>\"]+", line.strip()) else line
            for line in lines
        ]
        parts.append(f"<p>{'<br>'.join(linked)}</p>")
    style = "font-family:sans-serif;font-size:15px;line-height:1.5;color:#313440;max-width:40em"
    return f'<!doctype html><html><body style="{style}">{"".join(parts)}</body></html>'


def _told(exc: BaseException) -> str:
    """Say what happened without what the server may have echoed: codes and kinds only."""
    code = getattr(exc, "code", None)
    return f"{type(exc).__name__}{f' {code}' if code else ''}"


def _is_final(exc: BaseException) -> bool:
    """Tell whether the server will never take it: a 5xx, also of every recipient."""
    if isinstance(exc, aiosmtplib.SMTPRecipientsRefused):
        return all(r.code >= 500 for r in exc.recipients)
    return getattr(exc, "code", 0) >= 500
