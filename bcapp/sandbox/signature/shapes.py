"""Records as the service's JSON; times are ISO 8601 UTC with microseconds and Z."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.pdf import sha256
from bcapp.sandbox.signature.records import (
    Account,
    Attachment,
    Document,
    Event,
    Input,
    Placed,
    SignatureRequest,
    Signer,
    Store,
    Template,
    Webhook,
)

FLAGS = (
    "send_reminders",
    "disable_attachments",
    "disable_text_signatures",
    "disable_upload_signatures",
    "disable_text",
    "disable_date",
    "disable_emails",
    "disable_blockchain_proof",
    "text_message_verification_locked",
)

STATUS_TEXTS = {
    "co": "Converting", "ne": "New", "se": "Sent", "vi": "Viewed", "si": "Signed", "do": "Downloaded",
    "sd": "Signed and downloaded", "ca": "Cancelled", "de": "Declined", "xp": "Expired",
    "ec": "Error converting", "es": "Error sending",
}  # fmt: skip


def iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if at else None


class Shapes:
    """Render each record anew; every rendering makes new download links."""

    def __init__(self, store: Store, links: Links) -> None:
        self._store, self._links = store, links

    def team(self, account: Account) -> dict[str, Any]:
        url = self._links.api(f"teams/{account.tenant}/")
        return {"name": account.name, "subdomain": account.tenant, "url": url}

    def user(self, account: Account) -> dict[str, Any]:
        first, last = account.sender_first_name, account.sender_last_name
        names = {"first_name": first, "last_name": last, "display_name": f"{first} {last} ({account.sender_email})"}
        return {"email": account.sender_email, **names}

    def member(self, account: Account) -> dict[str, Any]:
        return {
            "uuid": account.member_uuid,
            "url": self._links.api(f"team-members/{account.member_uuid}/"),
            "user": self.user(account),
            "is_admin": True,
            "is_active": True,
            "is_owner": True,
            "team": self.team(account),
        }

    def whole_team(self, account: Account) -> dict[str, Any]:
        member = {k: v for k, v in self.member(account).items() if k != "team"}
        return {
            **self.team(account),
            "logo": None,
            "phone": "",
            "primary_color": "#1b3a8c",
            "events_callback_url": account.events_callback_url,
            "members": [member],
            "delete_after": None,
            "sandbox": account.sandbox,
        }

    def document(self, document: Document) -> dict[str, Any]:
        asked = document.asked
        request = document.request
        log = None
        if document.log is not None:
            stem = document.name.removesuffix(".pdf")
            log = {
                "pdf": self._file(document, lambda: document.log, f"{stem}_signing_log.pdf"),
                "security_hash": sha256(document.log),
            }
        return {
            "uuid": document.uuid,
            "url": self._links.document(document),
            "team": self.team(document.account),
            "user": self.user(document.account),
            "name": document.name,
            "external_id": document.external_id,
            "frontend_id": asked.get("frontend_id"),
            "file": self._file(document, lambda: document.source, document.source_name),
            "file_from_url": asked.get("file_from_url"),
            "file_from_content": None,
            "file_from_content_name": asked.get("file_from_content_name"),
            "template": asked.get("template"),
            "prefill_tags": asked.get("prefill_tags") or [],
            "integrations": asked.get("integrations") or [],
            "file_as_pdf": self._file(document, lambda: document.pages, self._pdf_name(document))
            if document.pages
            else None,
            "pdf": self._file(document, lambda: document.pdf, self._pdf_name(document)) if document.pdf else None,
            "status": document.status,
            self._store.options.nested_key: self._inline_request(request) if request else None,
            "signing_log": log,
            "security_hash": (document.pdf_hash or sha256(document.pdf)) if document.pdf else None,
            "attachments": [self.attachment(a) for a in document.attachments],
            "api_used": True,
            "sandbox": document.account.sandbox,
            "events_callback_url": asked.get("events_callback_url"),
            "auto_delete_days": asked.get("auto_delete_days"),
            "auto_expire_days": asked.get("auto_expire_days"),
            "link_expire_days": asked.get("link_expire_days"),
            "auto_delete_after": iso(document.deletes_on),
            "auto_expire_after": iso(document.expires_on),
            "processing": document.processing,
        }

    def _pdf_name(self, document: Document) -> str:
        stem = document.name.removesuffix(".pdf")
        ending = {"de": "_declined", "si": "_signed", "sd": "_signed"}.get(document.status, "")
        return f"{stem}{ending}.pdf"

    def _file(self, document: Document, content: Callable[[], bytes | None], name: str) -> str:
        return self._links.download(lambda: None if document.deleted else content(), name)

    def _request_fields(self, request: SignatureRequest) -> dict[str, Any]:
        asked, dropped = request.asked, self._store.options.dropped_flags
        prepare = f"{self._links.public_url}/signing/prepare/{request.prepare_token}"
        return {
            "from_email": request.from_email,
            "from_email_name": asked.get("from_email_name"),
            "is_being_prepared": request.is_being_prepared,
            "prepare_url": prepare if request.is_being_prepared else None,
            "redirect_url": asked.get("redirect_url"),
            "redirect_url_declined": asked.get("redirect_url_declined"),
            "required_attachments": asked.get("required_attachments") or [],
            **{flag: bool(asked.get(flag)) and flag not in dropped for flag in FLAGS},
            "subject": asked.get("subject"),
            "message": asked.get("message"),
            "who": request.who,
            "signers": [self.signer(signer) for signer in request.signers],
            "uuid": request.uuid,
        }

    def _inline_request(self, request: SignatureRequest) -> dict[str, Any]:
        return self._request_fields(request)

    def request(self, request: SignatureRequest) -> dict[str, Any]:
        base = "signrequests" if self._store.options.spelling == "signrequest" else "signature-requests"
        return {
            **self._request_fields(request),
            "url": self._links.api(f"{base}/{request.uuid}/"),
            "document": self._links.document(request.document),
            "integration": request.asked.get("integration"),
            "integration_data": request.asked.get("integration_data"),
        }

    def signer(self, signer: Signer) -> dict[str, Any]:
        asked = signer.asked
        user_id = asked.get("embed_url_user_id")
        texts = ("first_name", "last_name", "full_name")
        flags = ("approve_only", "notify_only", "in_person", "force_language")
        extras = ("language", "verify_phone_number", "verify_bank_account", "redirect_url", "redirect_url_declined")
        return {
            "email": signer.email,
            "display_name": f"{signer.name} ({signer.email})" if signer.name != signer.email else signer.email,
            **{key: asked.get(key) or "" for key in texts},
            "order": signer.order,
            "needs_to_sign": signer.needs_to_sign,
            **{key: bool(asked.get(key)) for key in flags},
            "use_stamp_for_approve_only": bool(asked.get("use_stamp_for_approve_only")),
            **{key: asked.get(key) for key in extras},
            "after_document": asked.get("after_document"),
            "integrations": asked.get("integrations") or [],
            "embed_url_user_id": user_id,
            "embed_url": self._links.signing(signer) if user_id else None,
            "emailed": signer.emailed,
            "email_viewed": signer.email_viewed,
            "viewed": signer.viewed,
            "signed": signer.signed_on is not None,
            "signed_on": iso(signer.signed_on),
            "downloaded": signer.downloaded,
            "declined": signer.declined_on is not None,
            "declined_on": iso(signer.declined_on),
            "message": signer.message,
            "forwarded": signer.forwarded_on is not None,
            "forwarded_on": iso(signer.forwarded_on),
            "forwarded_to_email": signer.forwarded_to_email,
            "forwarded_reason": signer.forwarded_reason,
            "inputs": [self.input(one) for one in signer.inputs],
            "attachments": [],
        }

    def input(self, one: Input) -> dict[str, Any]:
        return {
            "type": one.kind,
            "page_index": one.page_index,
            "text": one.text,
            "checkbox_value": one.checkbox_value,
            "date_value": one.date_value.isoformat() if one.date_value else None,
            "external_id": one.external_id,
            "placeholder_uuid": one.placeholder_uuid,
        }

    def attachment(self, attachment: Attachment) -> dict[str, Any]:
        document = attachment.document
        return {
            "uuid": attachment.uuid,
            "url": self._links.api(f"document-attachments/{attachment.uuid}/"),
            "name": attachment.name,
            "file": self._file(document, lambda: attachment.content, attachment.name),
            "document": self._links.document(document),
        }

    def event(self, event: Event) -> dict[str, Any]:
        return {
            "uuid": event.uuid,
            "id": event.number,
            "status": event.status,
            "event_type": event.event_type,
            "delivered": event.delivered,
            "delivered_on": iso(event.delivered_on),
            "callback_status_code": event.callback_status_code,
            "timestamp": iso(event.timestamp),
            "team": self.team(event.document.account),
            "document": self.document(event.document),
            "signer": self.signer(event.signer) if event.signer else None,
        }

    def template(self, template: Template) -> dict[str, Any]:
        return {
            "url": self._links.api(f"templates/{template.uuid}/"),
            "uuid": template.uuid,
            "name": template.name,
            "user": self.user(template.account),
            "team": self.team(template.account),
            "who": template.who,
            "signers": [self._role(template, index) for index in range(len(template.roles))],
        }

    def _role(self, template: Template, index: int) -> dict[str, Any]:
        return {
            "signer_index": index,
            "needs_to_sign": True,
            "approve_only": False,
            "notify_only": False,
            "in_person": False,
            "order": index,
            "placeholders": [self.placeholder(f) for f in template.fields if f.signer_index == index],
        }

    def placeholder(self, placed: Placed) -> dict[str, Any]:
        return {
            "uuid": placed.uuid,
            "type": placed.kind,
            "page_index": placed.page_index,
            "prefill": placed.prefill is not None or placed.kind == "d",
            "text": placed.prefill or "",
            "checkbox_value": None,
            "date_value": None,
            "external_id": placed.external_id,
        }

    def webhook(self, webhook: Webhook) -> dict[str, Any]:
        return {
            "url": self._links.api(f"webhooks/{webhook.uuid}/"),
            "uuid": webhook.uuid,
            "name": webhook.name,
            "event_type": webhook.event_type,
            "callback_url": webhook.callback_url,
            "integration": webhook.integration,
            "team": self.team(webhook.account),
            "created": iso(webhook.created),
        }

    def search_hit(self, document: Document) -> dict[str, Any]:
        request = document.request
        return {
            "uuid": document.uuid,
            "created": iso(document.created),
            "status": document.status,
            "status_display": STATUS_TEXTS[document.status],
            "who": request.who if request else "o",
            "name": document.name,
            "autocomplete": document.name,
            "from_email": request.from_email if request else document.account.sender_email,
            "nr_extra_docs": 0,
            "signer_emails": [s.email for s in request.signers] if request else [],
            "created_timestamp": int(document.created.timestamp()),
            "finished_on": iso(document.finished_on),
            "finished_on_timestamp": int(document.finished_on.timestamp()) if document.finished_on else None,
            "parent_doc": None,
            "subdomain": document.account.tenant,
        }
