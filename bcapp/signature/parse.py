"""What the signature service writes, in the shapes of bcapp.core.provider. Its enums are open: letters stay text.

Source: the contract of the product line, sections Documents, Signature requests, Templates and Events; both names of
the nested request are read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bcapp.core.provider import ProviderDocument, ProviderInput, ProviderSigner
from bcapp.errors import UnreadableInput

NESTED = ("signature_request", "signrequest")
BOUNCED = "signer_email_bounced"

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class ProviderRequest:
    """A signature request by itself. dropped: what we asked to be true and the service says is not."""

    uuid: str
    document_url: str
    document_uuid: str  # "" when the address of the document cannot be read
    subject: str
    signers: tuple[ProviderSigner, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProviderEvent:
    """kind: the service's own word, kept as text because new ones come."""

    uuid: str
    kind: str
    status: str  # ok | error
    at: datetime | None
    document_uuid: str
    signer_email: str
    delivered: bool
    callback_status: int | None


@dataclass(frozen=True)
class Placeholder:
    uuid: str
    type: str
    page: int
    external_id: str
    prefill: bool


@dataclass(frozen=True)
class TemplateRole:
    index: int
    order: int
    needs_to_sign: bool
    approve_only: bool
    placeholders: tuple[Placeholder, ...]


@dataclass(frozen=True)
class ProviderTemplate:
    uuid: str
    url: str
    name: str
    roles: tuple[TemplateRole, ...]


@dataclass(frozen=True)
class ProviderWebhook:
    uuid: str
    event_type: str
    callback_url: str
    name: str


def _object(raw: Any, what: str) -> Raw:
    if not isinstance(raw, Mapping):
        raise UnreadableInput(f"{what} is not an object")
    return raw


def _list(raw: Any, what: str) -> list[Raw]:
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        raise UnreadableInput(f"{what} is not a list of objects")
    return raw


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    return "" if value is None or isinstance(value, (Mapping, list, bool)) else str(value)


def _must(raw: Raw, name: str) -> str:
    value = _text(raw, name)
    if not value:
        raise UnreadableInput(f"{name} is missing")
    return value


def _whole(raw: Raw, name: str, default: int = 0) -> int:
    """Return a whole number; some numbers come as text."""
    value = raw.get(name)
    try:
        return default if value is None or isinstance(value, bool) else int(str(value))
    except ValueError:
        raise UnreadableInput(f"{name} is not a number") from None


def parse_time(value: Any, name: str) -> datetime | None:
    """Return an aware UTC time, None for nothing."""
    if value in (None, ""):
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise UnreadableInput(f"{name} is not a time") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def uuid_of(url: str) -> str:
    """Return the last part of a resource's address, its uuid; "" when there is none."""
    parts = [part for part in urlsplit(url).path.split("/") if part]
    return parts[-1] if parts else ""


def parse_input(raw: Raw) -> ProviderInput:
    checked = raw.get("checkbox_value")
    value = _text(raw, "text") or _text(raw, "date_value")
    if isinstance(checked, bool) and not value:
        value = "true" if checked else "false"
    return ProviderInput(
        type=_text(raw, "type"),
        external_id=_text(raw, "external_id"),
        placeholder=_text(raw, "placeholder_uuid"),
        page=_whole(raw, "page_index"),
        value=value,
    )


def parse_signer(raw: Raw, bounced: Collection[str] = ()) -> ProviderSigner:
    """bounced: lower-case addresses whose mail came back; only the events tell."""
    email = _must(raw, "email").strip().lower()
    signed_at, declined_at = (
        parse_time(raw.get("signed_on"), "signed_on"),
        parse_time(raw.get("declined_on"), "declined_on"),
    )
    return ProviderSigner(
        email=email,
        order=_whole(raw, "order"),
        needs_to_sign=raw.get("needs_to_sign") is not False,
        emailed=raw.get("emailed") is True,
        email_viewed=raw.get("email_viewed") is True,
        viewed=raw.get("viewed") is True,
        signed=raw.get("signed") is True,
        signed_at=signed_at,
        declined=raw.get("declined") is True,
        declined_at=declined_at,
        forwarded=raw.get("forwarded") is True,
        forwarded_to=_text(raw, "forwarded_to_email").strip().lower(),
        message=_text(raw, "message"),
        bounced=email in bounced,
        inputs=tuple(parse_input(i) for i in _list(raw.get("inputs"), "inputs")),
    )


def parse_signers(raw: Any, bounced: Collection[str] = ()) -> tuple[ProviderSigner, ...]:
    """Return the people asked, in the service's order.

    The sender always stands in the list too; with nothing to sign and turn 0 it is not one of ours, because our
    turns begin at 1.
    """
    signers = (parse_signer(s, bounced) for s in _list(raw, "signers"))
    return tuple(s for s in signers if s.needs_to_sign or s.order != 0)


def nested_request(raw: Raw) -> Raw | None:
    """Return the request inside a document under either of its names."""
    for name in NESTED:
        value = raw.get(name)
        if isinstance(value, Mapping) and value.get("uuid"):
            return value
    return None


def parse_document(raw: Any, bounced: Collection[str] = ()) -> ProviderDocument:
    """Raises UnreadableInput that names the missing field."""
    document = _object(raw, "the document")
    request = nested_request(document)
    log = document.get("signing_log")
    log = log if isinstance(log, Mapping) else {}
    return ProviderDocument(
        uuid=_must(document, "uuid"),
        url=_must(document, "url"),
        external_id=_text(document, "external_id"),
        name=_text(document, "name"),
        status=_must(document, "status"),
        processing=document.get("processing") is True,
        sandbox=document.get("sandbox") is True,
        request_uuid=_text(request, "uuid") if request else "",
        signers=parse_signers(request.get("signers"), bounced) if request else (),
        pdf_url=_text(document, "pdf"),
        pdf_sha256=_text(document, "security_hash").lower(),
        log_url=_text(log, "pdf"),
        log_sha256=_text(log, "security_hash").lower(),
        template=uuid_of(_text(document, "template")),
    )


def parse_request(raw: Any, asked: Collection[str] = ()) -> ProviderRequest:
    """asked: names of the flags that were sent as true."""
    request = _object(raw, "the request")
    url = _text(request, "document")
    return ProviderRequest(
        uuid=_must(request, "uuid"),
        document_url=url,
        document_uuid=uuid_of(url),
        subject=_text(request, "subject"),
        signers=parse_signers(request.get("signers")),
        dropped=tuple(name for name in asked if request.get(name) is False),
    )


def parse_event_row(raw: Any) -> ProviderEvent:
    """Read a row of the service's own list of events."""
    event = _object(raw, "the event")
    document, signer = event.get("document"), event.get("signer")
    code = event.get("callback_status_code")
    return ProviderEvent(
        uuid=_text(event, "uuid") or _text(event, "id"),
        kind=_must(event, "event_type"),
        status=_text(event, "status"),
        at=parse_time(event.get("timestamp"), "timestamp"),
        document_uuid=_text(document, "uuid") if isinstance(document, Mapping) else "",
        signer_email=_text(signer, "email").strip().lower() if isinstance(signer, Mapping) else "",
        delivered=event.get("delivered") is True,
        callback_status=code if isinstance(code, int) and not isinstance(code, bool) else None,
    )


def parse_template(raw: Any) -> ProviderTemplate:
    template = _object(raw, "the template")
    roles = tuple(
        TemplateRole(
            index=_whole(role, "signer_index", at),
            order=_whole(role, "order"),
            needs_to_sign=role.get("needs_to_sign") is not False,
            approve_only=role.get("approve_only") is True,
            placeholders=tuple(
                Placeholder(
                    uuid=_text(p, "uuid"),
                    type=_text(p, "type"),
                    page=_whole(p, "page_index"),
                    external_id=_text(p, "external_id"),
                    prefill=p.get("prefill") is True,
                )
                for p in _list(role.get("placeholders"), "placeholders")
            ),
        )
        for at, role in enumerate(_list(template.get("signers"), "signers"))
    )
    return ProviderTemplate(_must(template, "uuid"), _text(template, "url"), _text(template, "name"), roles)


def parse_webhook(raw: Any) -> ProviderWebhook:
    hook = _object(raw, "the webhook")
    return ProviderWebhook(
        _must(hook, "uuid"), _text(hook, "event_type"), _text(hook, "callback_url"), _text(hook, "name")
    )
