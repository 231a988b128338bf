"""Mails go through a real SMTP server; what cannot be sent is told, and so is what is not known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from bcapp.errors import RefusedByUs, SettingsError
from bcapp.mail import Mailer, MailFailed, MailNotSet, html_of, one_line, parse_smtp_url

pytestmark = pytest.mark.unit

AT = datetime(2026, 10, 3, 12, tzinfo=UTC)


class Inbox:
    """An SMTP server's handler; `answer` is what it says to the content, None drops the line."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answer: str | None = "250 OK"
        self.recipient = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos, message))
        if self.answer is None:
            server.transport.abort()
            return "250 OK"
        return self.answer


@pytest.fixture
async def inbox() -> AsyncIterator[tuple[Inbox, str]]:
    handler = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield handler, f"smtp://127.0.0.1:{port}?from=alarm@summit.example"
    server.close()
    await server.wait_closed()


async def send(url: str, **changes: Any) -> None:
    values = {
        "to": "owner@summit.example",
        "subject": "Order 1001 is not held",
        "text": "The hold was not placed.\n\nhttps://app.example/s/x\nOpen it.",
        "message_id": "task-12",
        "at": AT,
    }
    await Mailer.from_url(url).send(**{**values, **changes})


async def test_a_mail_arrives_as_text_and_html(inbox: tuple[Inbox, str]) -> None:
    handler, url = inbox
    await send(url)
    ((recipients, mail),) = handler.mails
    assert recipients == ["owner@summit.example"]
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "Order 1001 is not held",
        "Countersign <alarm@summit.example>",
        "owner@summit.example",
    )
    assert mail["Message-ID"] == "<task-12@summit.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "The hold was not placed." in text.get_content()
    assert '<a href="https://app.example/s/x">' in html.get_content()


async def test_letters_of_all_kinds_arrive(inbox: tuple[Inbox, str]) -> None:
    handler, url = inbox
    await send(url, subject="Bestellung für Ωμέγα 😀", text="Grüße 株式会社")
    mail = handler.mails[0][1]
    body = mail.get_body(("plain",))
    assert mail["Subject"] == "Bestellung für Ωμέγα 😀"
    assert body is not None
    assert "株式会社" in body.get_content()


@pytest.mark.parametrize(
    "field",
    [
        {"subject": "Hi\r\nBcc: eve@evil.example\r\n\r\nbody"},
        {"subject": "Hi\x0bBcc: eve@evil.example\x85X: y\u2028Z: z"},
        {"message_id": "x>\r\nBcc: eve@evil.example"},
        {"text": ".\r\nRCPT TO:<eve@evil.example>\r\n.\r\nMAIL FROM:<x@y.z>"},
    ],
)
async def test_no_value_becomes_a_header_or_a_command(inbox: tuple[Inbox, str], field: dict[str, str]) -> None:
    handler, url = inbox
    await send(url, **field)
    ((recipients, mail),) = handler.mails
    assert recipients == ["owner@summit.example"]
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip


@pytest.mark.parametrize(
    "to",
    [
        "",
        "owner",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
        "<a@b.example>",
        "a b@c.example",
        "a@b.example\n",
    ],
)
async def test_only_one_address_is_an_address(inbox: tuple[Inbox, str], to: str) -> None:
    handler, url = inbox
    with pytest.raises(RefusedByUs, match="is not an e-mail address"):
        await send(url, to=to)
    assert handler.mails == []


async def test_without_a_server_it_says_so() -> None:
    mailer = Mailer.from_url(None)
    assert not mailer.is_set
    with pytest.raises(MailNotSet, match="Alarms are not mailed"):
        await mailer.send("a@b.example", "s", "t", message_id="1", at=AT)


async def test_a_server_that_is_away_is_a_clear_failure() -> None:
    with pytest.raises(MailFailed) as caught:
        await send("smtp://127.0.0.1:1")
    assert not caught.value.unclear


@pytest.mark.parametrize(("answer", "permanent"), [("554 no", True), ("451 later", False)])
async def test_a_refusal_is_a_clear_failure(inbox: tuple[Inbox, str], answer: str, permanent: bool) -> None:
    handler, url = inbox
    handler.answer = answer
    with pytest.raises(MailFailed) as caught:
        await send(url)
    assert (caught.value.unclear, caught.value.permanent) == (False, permanent)


async def test_a_refused_recipient_is_a_clear_failure(inbox: tuple[Inbox, str]) -> None:
    handler, url = inbox
    handler.recipient = "550 unknown"
    with pytest.raises(MailFailed) as caught:
        await send(url)
    assert (caught.value.unclear, caught.value.permanent) == (False, True)
    assert "owner@" not in str(caught.value)


async def test_a_line_that_breaks_after_the_content_is_unclear(inbox: tuple[Inbox, str]) -> None:
    handler, url = inbox
    handler.answer = None
    with pytest.raises(MailFailed) as caught:
        await send(url)
    assert caught.value.unclear


async def test_a_silent_server_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(MailFailed):
        await asyncio.wait_for(send(f"smtp://127.0.0.1:{port}", seconds=0.3), 5)
    server.close()


@pytest.mark.parametrize(
    ("url", "host", "port", "secure", "sender"),
    [
        ("smtp://localhost", "localhost", 25, "none", "countersign@localhost"),
        ("smtp://me%40x.example:p%3Aw@mail.example:2525", "mail.example", 2525, "starttls", "me@x.example"),
        ("smtp://mail.example", "mail.example", 25, "auto", "countersign@mail.example"),
        ("smtp+starttls://u:p@mail.example?from=a@b.example", "mail.example", 587, "starttls", "a@b.example"),
        ("smtps://u:p@mail.example", "mail.example", 465, "tls", "countersign@mail.example"),
    ],
)
def test_the_address_of_the_server_is_read(url: str, host: str, port: int, secure: str, sender: str) -> None:
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.secure, server.sender) == (host, port, secure, sender)


def test_the_password_is_read_and_not_shown() -> None:
    server = parse_smtp_url("smtps://u:p%2Fsecret@mail.example")
    assert server.password == "p/secret"
    assert "secret" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://u:secret@mail.example",
        "smtp://",
        "smtp://u:secret@mail.example:port",
        "smtp://h?from=secret",
    ],
)
def test_a_malformed_address_stops_the_start_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="SMTP_URL") as caught:
        parse_smtp_url(url)
    assert "secret" not in str(caught.value)


def test_text_in_html_is_escaped() -> None:
    assert "<script>" not in html_of('<script>x</script>\nhttps://a.example/?"><b>')
    assert one_line("a\r\n b") == "a b"
