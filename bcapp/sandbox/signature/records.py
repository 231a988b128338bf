"""What the simulated signature service remembers, in memory."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Spelling = Literal["both", "core", "signrequest"]
NestedKey = Literal["signature_request", "signrequest"]
TokenError = Literal["by_path", "fault", "oauth"]


@dataclass
class Options:
    """Everything about the service that no public source settles, or that a test wants to go wrong.

    Times are in seconds. `nested_key` also spells the event `..._received`.
    """

    spelling: Spelling = "both"
    action_spelling: Spelling = "both"
    nested_key: NestedKey = "signature_request"
    token_seconds: int = 120
    token_errors: TokenError = "by_path"
    require_subscription: bool = False
    conversion_seconds: float = 0.05
    rendering_seconds: float = 0.0
    download_seconds: float = 300.0
    sign_events: bool = True
    delivery_delay_seconds: float = 0.0
    deliver_copies: int = 1
    shuffle_deliveries: bool = False
    lose_event_types: set[str] = field(default_factory=set)
    callback_timeout_seconds: float = 10.0
    dropped_flags: set[str] = field(default_factory=set)
    default_page_size: int = 10


def new_uuid() -> str:
    return str(uuid.uuid4())


def new_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(eq=False)
class Account:
    """A tenant with its service client, its team and the sender that the client is tied to."""

    tenant: str
    name: str
    client_id: str
    client_secret: str
    sender_email: str
    sender_first_name: str = "Sales"
    sender_last_name: str = "Desk"
    subscription: str | None = None
    event_key: str = ""  # the API token that keys event_hash; also accepted as "Authorization: Token ..."
    passwords: dict[str, str] = field(default_factory=dict)  # users of the password grant
    validated_senders: set[str] = field(default_factory=set)
    events_callback_url: str | None = None
    sandbox: bool = False
    member_uuid: str = field(default_factory=new_uuid)
    uuid: str = field(default_factory=new_uuid)

    def may_send_as(self, email: str) -> bool:
        return email.lower() in {self.sender_email.lower(), *(e.lower() for e in self.validated_senders)}


@dataclass(frozen=True)
class Placed:
    """A field that a signer fills: from a tag in the text or from a template.

    x, y are in points from the page's lower left corner, at the start of the tag's base line.
    """

    kind: str  # s signature, d date, t text, c checkbox (i initials and n name come from templates only)
    signer_index: int
    page_index: int
    x: float
    y: float
    size: float
    required: bool = True
    multiline: bool = False
    label: str | None = None
    prefill: str | None = None
    external_id: str | None = None
    uuid: str = field(default_factory=new_uuid)

    @property
    def key(self) -> str:
        """The name under which a form or a test addresses the field."""
        return self.external_id or self.uuid


@dataclass(frozen=True)
class Input:
    """What a signer put on the document; `placed` is None for an input outside every field."""

    kind: str
    page_index: int
    text: str = ""
    checkbox_value: bool | None = None
    date_value: date | None = None
    external_id: str | None = None
    placeholder_uuid: str | None = None
    placed: Placed | None = None


@dataclass(eq=False)
class Signer:
    """One entry of a request's signers; `asked` holds the fields as the caller sent them."""

    email: str
    order: int
    needs_to_sign: bool
    asked: dict[str, Any]
    is_sender: bool = False
    tag_index: int | None = None  # the number under which tags name this signer
    token: str = field(default_factory=new_token)
    emailed: bool = False
    email_viewed: bool = False
    viewed: bool = False
    signed_on: datetime | None = None
    declined_on: datetime | None = None
    downloaded: bool = False
    bounced: bool = False
    message: str | None = None
    forwarded_on: datetime | None = None
    forwarded_to_email: str | None = None
    forwarded_reason: str | None = None
    inputs: list[Input] = field(default_factory=list)
    outside: list[Input] = field(default_factory=list)  # typed outside the fields, shown once signed
    ip: str = ""
    browser: str = ""
    text_code: str | None = None

    @property
    def name(self) -> str:
        parts = (self.asked.get("first_name"), self.asked.get("last_name"))
        return str(self.asked.get("full_name") or " ".join(p for p in parts if p) or self.email)

    @property
    def is_waiting(self) -> bool:
        """Whether the request still needs this signer to act."""
        return self.needs_to_sign and not (self.signed_on or self.declined_on or self.forwarded_on)


@dataclass(eq=False)
class SignatureRequest:
    """A document sent to its signers; the sender is always the first of them."""

    document: Document
    asked: dict[str, Any]
    who: str
    from_email: str
    signers: list[Signer]
    is_being_prepared: bool
    created: datetime
    uuid: str = field(default_factory=new_uuid)
    prepare_token: str = field(default_factory=new_token)
    sent_on: datetime | None = None
    reminded: int = 0

    @property
    def is_signed(self) -> bool:
        return not any(signer.is_waiting for signer in self.signers)


ENDED = frozenset({"si", "sd", "ca", "de", "xp", "ec", "es"})
SIGNED = frozenset({"si", "sd"})


@dataclass(eq=False)
class Document:
    """A document of an account, from its upload to its signed PDF."""

    account: Account
    asked: dict[str, Any]
    name: str
    source: bytes
    source_name: str
    created: datetime
    modified: datetime
    status: str = "co"
    processing: bool = True
    pages: bytes | None = None  # the PDF that the signers see
    fields: list[Placed] = field(default_factory=list)
    pdf: bytes | None = None  # signed or declined
    log: bytes | None = None
    request: SignatureRequest | None = None
    attachments: list[Attachment] = field(default_factory=list)
    template: Template | None = None
    finished_on: datetime | None = None
    expires_on: datetime | None = None
    deletes_on: datetime | None = None
    pdf_hash: str | None = None
    deleted: bool = False
    held_events: list[tuple[str, Signer | None]] = field(default_factory=list)  # until the rendering ends
    uuid: str = field(default_factory=new_uuid)

    @property
    def external_id(self) -> str | None:
        value = self.asked.get("external_id")
        return str(value) if value is not None else None

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(eq=False)
class Attachment:
    """A file that signers may read beside the document."""

    document: Document
    name: str
    content: bytes
    created: datetime
    uuid: str = field(default_factory=new_uuid)


@dataclass(eq=False)
class Template:
    """A prepared document made in the web application; roles[i] belongs to signer i."""

    account: Account
    name: str
    pages: bytes
    fields: list[Placed]
    who: str
    roles: list[str]
    uuid: str = field(default_factory=new_uuid)


@dataclass(eq=False)
class Webhook:
    """A subscription of a team to one event type."""

    account: Account
    event_type: str
    callback_url: str
    name: str | None
    integration: str | None
    created: datetime
    uuid: str = field(default_factory=new_uuid)


@dataclass(eq=False)
class Event:
    """One happening of a document; `delivered` is None when nobody asked to be called back."""

    number: int
    document: Document
    event_type: str
    timestamp: datetime
    signer: Signer | None = None
    delivered: bool | None = None
    delivered_on: datetime | None = None
    callback_status_code: int | None = None
    attempts: int = 0
    uuid: str = field(default_factory=new_uuid)

    @property
    def status(self) -> str:
        return "error" if self.event_type in ("convert_error", "sending_error", "signer_email_bounced") else "ok"


@dataclass(eq=False)
class Delivery:
    """One event on its way to one address."""

    event: Event
    url: str
    due: datetime
    attempt: int = 0
    in_flight: bool = False


@dataclass(frozen=True)
class Mail:
    """A mail in the sandbox's inbox, of the signature service or of the app under test."""

    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    at: datetime
    kind: str  # invitation, reminder, copy, notice, text message, app ...
    links: tuple[tuple[str, str], ...] = ()  # (label, url)
    files: tuple[str, ...] = ()
    request_uuid: str | None = None


@dataclass(frozen=True)
class Download:
    """A temporary link: its bytes are looked up when it is followed, so a deleted document has none."""

    content: Callable[[], bytes | None]
    name: str
    media_type: str
    made_on: datetime


@dataclass
class Store:
    """All records of the service; who changes them holds the lock of the sandbox."""

    options: Options = field(default_factory=Options)
    accounts: dict[str, Account] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    requests: dict[str, SignatureRequest] = field(default_factory=dict)
    attachments: dict[str, Attachment] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    downloads: dict[str, Download] = field(default_factory=dict)
    signers: dict[str, tuple[SignatureRequest, Signer]] = field(default_factory=dict)  # by the token of their link
    bouncing: set[str] = field(default_factory=set)
