"""What happens to a document: converted, sent by turn, viewed, signed, declined, forwarded, cancelled, expired."""

from __future__ import annotations

import heapq
import html
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from bcapp.sandbox.ground import Ground, Ticker
from bcapp.sandbox.signature import pdf, tags
from bcapp.sandbox.signature.callbacks import Callbacks
from bcapp.sandbox.signature.inbox import Inbox
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.records import (
    SIGNED,
    Account,
    Document,
    Input,
    Mail,
    Placed,
    SignatureRequest,
    Signer,
    Store,
    Template,
)

REMINDER_DAYS = (3, 8, 13, 18)
NO = {"0", "false", "no", "off", ""}

Value = str | bool | date


class NotPossible(Exception):
    """A person cannot do this with the document now; the message says why."""


@dataclass(order=True)
class Work:
    """A background step with its time; the number keeps equal times in order."""

    due: datetime
    number: int
    step: Callable[[], None] = field(compare=False)


class Lifecycle:
    """Every change of a document, made under the sandbox's lock."""

    def __init__(
        self, store: Store, ground: Ground, links: Links, inbox: Inbox, callbacks: Callbacks, ticker: Ticker
    ) -> None:
        self._store, self._ground, self._links = store, ground, links
        self._inbox, self._callbacks, self._ticker = inbox, callbacks, ticker
        self._work: list[Work] = []
        self._numbers = itertools.count()
        self.working = 0

    @property
    def now(self) -> datetime:
        return self._ground.clock.now()

    # Background work

    def _later(self, seconds: float, step: Callable[[], None]) -> None:
        due = self.now + timedelta(seconds=seconds / self._ground.settings.speed)
        heapq.heappush(self._work, Work(due, next(self._numbers), step))
        self._ticker.wake()

    def take_due(self) -> list[Callable[[], None]]:
        """Return the background steps that are due; each must be called, in any thread."""
        steps = []
        with self._ground.lock:
            while self._work and self._work[0].due <= self.now:
                steps.append(heapq.heappop(self._work).step)
            self.working += len(steps)
        return steps

    def done(self) -> None:
        with self._ground.lock:
            self.working -= 1

    @property
    def next_due(self) -> datetime | None:
        return self._work[0].due if self._work else None

    @property
    def is_idle(self) -> bool:
        return not self._work and not self.working

    def pass_time(self) -> None:
        """Expire, delete and remind what the clock has reached."""
        now = self.now
        with self._ground.lock:
            for document in list(self._store.documents.values()):
                if document.deletes_on is not None and document.deletes_on <= now:
                    self.delete(document)
                elif document.expires_on is not None and document.expires_on <= now and not document.has_ended:
                    self.expire(document)
                elif document.request is not None and document.request.asked.get("send_reminders"):
                    self._remind(document.request)

    def _remind(self, request: SignatureRequest) -> None:
        if request.sent_on is None or request.document.has_ended or request.reminded >= len(REMINDER_DAYS):
            return
        if self.now >= request.sent_on + timedelta(days=REMINDER_DAYS[request.reminded]):
            request.reminded += 1
            for signer in request.signers:
                if signer.emailed and signer.is_waiting:
                    self._invite(request, signer, kind="reminder")

    # Documents

    def upload(
        self, account: Account, asked: dict[str, Any], source: bytes, source_name: str, template: Template | None = None
    ) -> Document:
        now = self.now
        name = str(asked.get("name") or source_name)
        document = Document(account, asked, name, source, source_name, created=now, modified=now, template=template)
        if asked.get("auto_expire_days"):
            document.expires_on = now + timedelta(days=int(asked["auto_expire_days"]))
        self._store.documents[document.uuid] = document
        self._later(self._store.options.conversion_seconds, lambda: self._convert(document))
        return document

    def _convert(self, document: Document) -> None:
        try:
            pages = pdf.convert(document.source, document.source_name)
            fields = list(document.template.fields) if document.template else tags.find_tags(pages)
        except (pdf.Unconvertible, *pdf.UNREADABLE):
            pages, fields = None, []
        with self._ground.lock:
            if document.deleted or document.status != "co":
                return
            document.pages, document.fields, document.processing = pages, fields, False
            document.status, document.modified = ("ne" if pages else "ec"), self.now
            self._callbacks.record(document, "converted" if pages else "convert_error")
            if document.request is not None:
                self.send(document.request)

    def delete(self, document: Document) -> None:
        document.deleted = True
        document.deletes_on = None
        self._store.documents.pop(document.uuid, None)
        if document.request is not None:
            self._store.requests.pop(document.request.uuid, None)

    # Sending

    def send(self, request: SignatureRequest) -> None:
        """Send a request whose document is converted and whose sender has prepared it."""
        document = request.document
        if request.is_being_prepared or document.status == "co":
            return
        if document.status == "ec":
            document.status = "es"
            self._callbacks.record(document, "sending_error")
            return
        document.status, document.modified = "se", self.now
        request.sent_on = self.now
        self._callbacks.record(document, "sent")
        self._invite_next(request, first=True)
        for signer in request.signers:
            if signer.asked.get("notify_only"):
                self._mail(request, signer.email, "notice", f"Sent: {document.name}", "The document was sent.")

    def turn(self, request: SignatureRequest) -> list[Signer]:
        """Return who may sign now: everybody who waits with the lowest order."""
        waiting = [s for s in request.signers if s.is_waiting]
        lowest = min((s.order for s in waiting), default=0)
        return [s for s in waiting if s.order == lowest]

    def _invite_next(self, request: SignatureRequest, *, first: bool = False) -> None:
        """Mail those whose turn it is; with disable_emails only the first invitation goes out."""
        for signer in self.turn(request):
            silent = signer.asked.get("embed_url_user_id") or signer.asked.get("in_person")
            if not signer.emailed and not silent and (first or not request.asked.get("disable_emails")):
                self._invite(request, signer)

    def _invite(self, request: SignatureRequest, signer: Signer, *, kind: str = "invitation") -> None:
        subject = str(request.asked.get("subject") or f"Please sign {request.document.name}")
        text = plain(str(request.asked.get("message") or "You are asked to sign a document."))
        links = (("View and sign the document", self._links.signing(signer)),)
        signer.emailed = True
        title = f"Reminder: {subject}" if kind == "reminder" else subject
        self._mail(request, signer.email, kind, title, text, links, signer=signer)

    def _mail(
        self,
        request: SignatureRequest,
        to: str,
        kind: str,
        subject: str,
        text: str,
        links: tuple[tuple[str, str], ...] = (),
        files: tuple[str, ...] = (),
        signer: Signer | None = None,
    ) -> None:
        name = str(request.asked.get("from_email_name") or request.document.account.name)
        self._inbox.put(Mail(name, (to,), subject, text, self.now, kind, links, files, request.uuid))
        if to.lower() in self._store.bouncing:
            target = signer or next((s for s in request.signers if s.email.lower() == to.lower()), None)
            if target is not None and not target.bounced:
                target.bounced = True
                self._callbacks.record(request.document, "signer_email_bounced", target)

    def resend(self, request: SignatureRequest) -> int:
        """Remind every signer who was mailed before and is not done; return to how many."""
        if request.document.has_ended and request.document.status != "es":
            raise NotPossible("This document can no longer be signed.")
        waiting = [s for s in request.signers if s.is_waiting and s.emailed]
        for signer in waiting:
            signer.bounced = False
            self._invite(request, signer, kind="reminder")
        return len(waiting)

    def cancel(self, request: SignatureRequest) -> None:
        document = request.document
        if document.has_ended and document.status not in ("ec", "es"):
            raise NotPossible("This document can no longer be cancelled.")
        document.status, document.modified, document.finished_on = "ca", self.now, self.now
        document.processing = False
        self._callbacks.record(document, "cancelled")
        for signer in request.signers:
            if signer.emailed:
                self._mail(
                    request, signer.email, "notice", f"Cancelled: {document.name}", "You need not sign any more."
                )

    def expire(self, document: Document) -> None:
        if document.has_ended:
            raise NotPossible("The document has ended already.")
        document.status, document.modified, document.finished_on = "xp", self.now, self.now
        document.processing = False
        self._callbacks.record(document, "expired")

    def bounce(self, email: str) -> None:
        """Let mail to an address bounce from now on, and what was sent to it for open requests too."""
        self._store.bouncing.add(email.lower())
        for request in self._store.requests.values():
            for signer in request.signers:
                reached = signer.emailed and signer.is_waiting and not signer.bounced
                if reached and not request.document.has_ended and signer.email.lower() == email.lower():
                    signer.bounced = True
                    self._callbacks.record(request.document, "signer_email_bounced", signer)

    # What a signer does

    def view(self, request: SignatureRequest, signer: Signer) -> None:
        document = request.document
        if signer.viewed or document.has_ended or not signer.needs_to_sign:
            return
        signer.viewed = signer.email_viewed = True
        if document.status == "se":
            document.status = "vi"
        document.modified = self.now
        self._callbacks.record(document, "signer_viewed", signer)

    def download(self, request: SignatureRequest, signer: Signer) -> bytes | None:
        """Return the PDF that the signer gets, and note the download."""
        document = request.document
        if document.deleted:
            return None
        if document.status == "si":
            document.status = "sd"
        elif document.status in ("se", "vi"):
            document.status = "do"
        if not signer.downloaded:
            signer.downloaded = True
            self._callbacks.record(document, "signer_downloaded", signer)
        return document.pdf if document.status == "sd" else document.pages

    def fields_of(self, request: SignatureRequest, signer: Signer) -> list[Placed]:
        """Return the signer's fields with what they are prefilled with."""
        if signer.tag_index is None or signer.asked.get("approve_only"):
            return []
        rows = request.document.asked.get("prefill_tags") or []
        prefills = {str(p.get("external_id")): _prefill(p) for p in rows if p.get("external_id")}
        found = tags.fields_of_signer(request.document.fields, signer.tag_index)
        return [replace(f, prefill=prefills.get(f.external_id or "") or f.prefill) for f in found]

    def sign(
        self,
        request: SignatureRequest,
        signer: Signer,
        values: Mapping[str, Value] | None = None,
        *,
        ip: str = "127.0.0.1",
        browser: str = "",
    ) -> None:
        """Let a signer sign; `values` fill fields by external id or uuid. Raises NotPossible."""
        self._may_act(request, signer)
        if signer not in self.turn(request):
            raise NotPossible(f"It is not the turn of {signer.email} yet.")
        self.view(request, signer)
        document, fields, given = request.document, self.fields_of(request, signer), dict(values or {})
        inputs = [one for f in fields if (one := fill(f, given, self.now.date())) is not None]
        if given:
            raise NotPossible(f"There is no field {', '.join(sorted(given))} for {signer.email}.")
        if not fields and not signer.asked.get("approve_only"):
            last = len(pdf.page_texts(document.pages or b"")) - 1
            inputs.append(Input("s", last))
        signer.inputs, signer.signed_on = [*inputs, *signer.outside], self.now
        signer.ip, signer.browser = ip, browser
        document.modified = self.now
        if request.is_signed:
            document.processing = True
            document.status, document.finished_on = "si", self.now
            self._callbacks.record(document, "signer_signed", signer)
            self._callbacks.record(document, "signed")
            self._render_later(document)
        else:
            self._callbacks.record(document, "signer_signed", signer)
            self._invite_next(request)
        for other in request.signers:
            if other.asked.get("notify_only"):
                self._mail(request, other.email, "notice", f"Signed by {signer.email}: {document.name}", "One more.")

    def decline(self, request: SignatureRequest, signer: Signer, reason: str, *, ip: str = "127.0.0.1") -> None:
        self._may_act(request, signer)
        self.view(request, signer)
        document = request.document
        signer.declined_on, signer.message, signer.ip = self.now, reason, ip
        document.processing = True
        document.status, document.modified, document.finished_on = "de", self.now, self.now
        self._callbacks.record(document, "declined")
        self._render_later(document)
        for other in request.signers:
            if other is not signer and (other.emailed or other.is_sender):
                text = f"{signer.email} declined: {reason}"
                self._mail(request, other.email, "notice", f"Declined: {document.name}", text)

    def forward(self, request: SignatureRequest, signer: Signer, to: str, reason: str = "") -> Signer:
        """Let somebody else sign in a signer's place; return the new signer."""
        self._may_act(request, signer)
        if any(s.email.lower() == to.lower() and s.is_waiting for s in request.signers):
            raise NotPossible(f"{to} is a signer already.")
        signer.forwarded_on, signer.forwarded_to_email, signer.forwarded_reason = self.now, to, reason
        inherited = {"language", "redirect_url", "redirect_url_declined"}
        kept = {key: value for key, value in signer.asked.items() if key in inherited}
        successor = Signer(to, signer.order, True, {**kept, "email": to}, tag_index=signer.tag_index)
        request.signers.insert(request.signers.index(signer) + 1, successor)
        self._store.signers[successor.token] = (request, successor)
        request.document.modified = self.now
        self._callbacks.record(request.document, "signer_forwarded", signer)
        if successor in self.turn(request):
            self._invite(request, successor)
        return successor

    def _may_act(self, request: SignatureRequest, signer: Signer) -> None:
        document = request.document
        if document.deleted:
            raise NotPossible("The sender has removed this document.")
        if document.has_ended:
            raise NotPossible("This document can no longer be signed.")
        if request.sent_on is None:
            raise NotPossible("This document has not been sent yet.")
        if not signer.is_waiting:
            raise NotPossible(f"There is nothing left to do for {signer.email}.")

    # Rendering

    def _render_later(self, document: Document) -> None:
        self._later(self._store.options.rendering_seconds, lambda: self._render(document))

    def _render(self, document: Document) -> None:
        """Stamp the pages and write the signing log; only then is the document settled and are its events sent."""
        with self._ground.lock:
            request, pages, declined = document.request, document.pages, document.status == "de"
            if request is None or pages is None:
                raise RuntimeError(f"document {document.uuid} ended without having been sent")
            stamps = [pdf.Stamp(s.name, s.email, s.signed_on, s.inputs) for s in request.signers if s.signed_on]
        mark = "Made in a sandbox team: not binding" if document.account.sandbox else None
        content = pdf.stamp(pages, stamps, watermark=mark)
        log = pdf.signing_log(document.name, self._facts(document, content), self._entries(request))
        with self._ground.lock:
            document.pdf, document.log, document.processing = content, log, False
            document.modified = self.now
            if document.status in SIGNED and document.asked.get("auto_delete_days"):
                document.deletes_on = self.now + timedelta(days=int(document.asked["auto_delete_days"]))
            self._callbacks.release(document)
            if not declined:
                self._send_copies(request)

    def _send_copies(self, request: SignatureRequest) -> None:
        if request.asked.get("disable_emails"):
            return
        stem = request.document.name.removesuffix(".pdf")
        files = (f"{stem}_signed.pdf", f"{stem}_signing_log.pdf")
        for signer in request.signers:
            if signer.forwarded_on is None:
                links = (("Download the signed document", f"{self._links.signing(signer)}/document.pdf"),)
                text = "Everybody has signed. The signed document and its signing log are attached."
                self._mail(request, signer.email, "copy", f"Signed: {request.document.name}", text, links, files)

    def _facts(self, document: Document, content: bytes) -> list[tuple[str, str]]:
        return [
            ("Document", document.name),
            ("Document id", document.uuid),
            ("External id", document.external_id or "none"),
            ("Status", "declined" if document.status == "de" else "signed by all"),
            ("SHA-256 of the original", pdf.sha256(document.source)),
            ("SHA-256 of this document", pdf.sha256(content)),
            ("Sent by", document.request.from_email if document.request else ""),
        ]

    def _entries(self, request: SignatureRequest) -> list[pdf.LogEntry]:
        entries = [pdf.LogEntry(request.created, f"Sent by {request.from_email}")]
        for s in request.signers:
            did = "approved" if s.asked.get("approve_only") else "signed"
            embedded = s.asked.get("embed_url_user_id")
            who = f"{s.name} ({s.email})" + (f", embedded as {embedded}" if embedded else "")
            if s.forwarded_on:
                entries.append(pdf.LogEntry(s.forwarded_on, f"{who} forwarded to {s.forwarded_to_email}", s.ip))
            if s.declined_on:
                entries.append(pdf.LogEntry(s.declined_on, f"{who} declined: {s.message}", s.ip, s.browser))
            if s.signed_on:
                entries.append(pdf.LogEntry(s.signed_on, f"{who} {did}", s.ip, s.browser))
        return sorted(entries, key=lambda e: e.at)

    def tamper(self, document: Document, lines: Iterable[str]) -> None:
        """Put other pages under the same signatures, with hashes that fit them."""
        with self._ground.lock:
            if document.pdf is None or document.request is None:
                raise NotPossible("Only a finished document has a PDF to replace.")
            signers = document.request.signers
            stamps = [pdf.Stamp(s.name, s.email, s.signed_on, [Input("s", 0)]) for s in signers if s.signed_on]
            document.pdf = pdf.stamp(pdf.text_pdf(list(lines), title=document.name), stamps)
            document.modified = self.now


def plain(message: str) -> str:
    """Return the text of a message that may hold a few HTML tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", message))


def _prefill(row: Mapping[str, Any]) -> str | None:
    """Return the value of one entry of prefill_tags as text."""
    for key in ("text", "date_value"):
        if row.get(key):
            return str(row[key])
    value = row.get("checkbox_value")
    return None if value is None else ("1" if str(value).lower() not in NO else "0")


def fill(placed: Placed, given: dict[str, Value], today: date) -> Input | None:
    """Return what a signer enters in a field, or None for an optional field left empty.

    Takes the field's value out of `given`; else the prefill counts, and for a date the day of signing.
    Raises NotPossible for a required field without a value and for a date that is none.
    """
    value = given.pop(placed.key, None)
    base = Input(
        placed.kind, placed.page_index, external_id=placed.external_id, placeholder_uuid=placed.uuid, placed=placed
    )
    name = placed.label or placed.key
    if placed.kind in ("s", "i", "n"):
        if value is not None and not value:
            if placed.required:
                raise NotPossible(f"{name} needs a signature.")
            return None
        return base
    if placed.kind == "c":
        if value is None and placed.prefill is not None:
            value = placed.prefill
        if value is None:
            if placed.required:
                raise NotPossible(f"{name} must be ticked or left empty on purpose.")
            value = False
        return replace(base, checkbox_value=str(value).lower() not in NO)
    if placed.kind == "d":
        if value is None:
            empty = placed.prefill is not None and placed.prefill.lower() in NO
            value = (placed.prefill or today.isoformat()) if not empty else ""
        if not value:
            if placed.required:
                raise NotPossible(f"{name} needs a date.")
            return None
        try:
            day = value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            raise NotPossible(f"{name} needs a date as YYYY-MM-DD.") from None
        return replace(base, text=f"{day:%m-%d-%y}", date_value=day)
    text = str(value if value is not None else placed.prefill or "").strip()
    if not text:
        if placed.required:
            raise NotPossible(f"{name} needs a text.")
        return None
    return replace(base, text=text)
