"""/documents/, /documents-search/ and /document-attachments/."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.checks import (
    REQUIRED,
    Errors,
    check_days,
    check_text,
    check_url,
    decode_content,
)
from bcapp.sandbox.signature.lifecycle import Lifecycle
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.records import Account, Attachment, Document, Store, Template
from bcapp.sandbox.signature.rest import NOT_FOUND, Refusal, Upload, detail, page, read_body
from bcapp.sandbox.signature.shapes import Shapes

SOURCES = ("file", "file_from_url", "file_from_content", "template")


class Documents:
    """Endpoints for documents; those of another account are not there."""

    def __init__(self, store: Store, ground: Ground, links: Links, shapes: Shapes, lifecycle: Lifecycle) -> None:
        self._store, self._ground, self._links = store, ground, links
        self._shapes, self._lifecycle = shapes, lifecycle

    def of(self, account: Account) -> list[Document]:
        """Return the account's documents, newest first."""
        return [d for d in reversed(self._store.documents.values()) if d.account is account]

    def get(self, account: Account, uuid: str) -> Document:
        document = self._store.documents.get(uuid)
        if document is None or document.account is not account:
            raise detail(*NOT_FOUND)
        return document

    def resolve(self, account: Account, reference: Any) -> Document:
        """Return the document that a resource URL, with or without host, points to. Raises a 400 on `document`."""
        if not isinstance(reference, str):
            text = f"Incorrect type. Expected URL string, received {type(reference).__name__}."
            raise Refusal(400, {"document": [text]})
        path = urlsplit(reference).path
        prefix, _, uuid = path.rstrip("/").rpartition("/")
        if not path.endswith("/") or prefix != "/api/v1/documents":
            raise Refusal(400, {"document": ["Invalid hyperlink - No URL match."]})
        document = self._store.documents.get(unquote(uuid))
        if document is None or document.account is not account:
            raise Refusal(400, {"document": ["Invalid hyperlink - Object does not exist."]})
        return document

    async def create(self, request: Request, account: Account) -> Response:
        body, upload = await read_body(request)
        document = await self.upload(account, body, upload)
        with self._ground.lock:
            return JSONResponse(self._shapes.document(document), 201)

    async def upload(self, account: Account, body: dict[str, Any], upload: Upload | None) -> Document:
        """Check the document fields of a body and take its content. Raises a 400 with the field names."""
        errors = Errors()
        self.check(errors, account, body, upload)
        errors.raise_any()
        content, name, template = await self.content(account, body, upload)
        asked = {key: value for key, value in body.items() if key != "file_from_content"}
        with self._ground.lock:
            return self._lifecycle.upload(account, asked, content, name, template)

    def check(self, errors: Errors, account: Account, body: dict[str, Any], upload: Upload | None) -> None:
        check_text(errors, body, ("name", "external_id", "frontend_id", "file_from_content_name"), 255)
        check_url(errors, body, ("file_from_url", "events_callback_url"))
        check_days(errors, body, "auto_expire_days")
        check_days(errors, body, "auto_delete_days")
        days = body.get("link_expire_days")
        if days is not None and (isinstance(days, bool) or not str(days).isdigit()):
            errors.add("link_expire_days", "A valid integer is required.")
        elif days is not None:
            body["link_expire_days"] = int(days)
        tags = body.get("prefill_tags")
        if tags is not None and not (isinstance(tags, list) and all(isinstance(t, dict) for t in tags)):
            errors["prefill_tags"] = {"non_field_errors": ["Expected a list of items."]}
        given = [s for s in SOURCES if body.get(s) not in (None, "") or (s == "file" and upload is not None)]
        if not given:
            choices = "'file', 'file_from_url', 'file_from_content' or 'template'"
            errors.add("non_field_errors", f"Either {choices} is required.")
        elif len(given) > 1:
            errors.add("non_field_errors", f"Only one of {', '.join(given)} can be given.")
        elif given == ["file_from_content"]:
            decode_content(errors, body)
            if not body.get("file_from_content_name"):
                errors.add("file_from_content_name", REQUIRED)
        elif given == ["template"] and self._template(account, body["template"]) is None:
            errors.add("template", "Invalid hyperlink - Object does not exist.")

    async def content(
        self, account: Account, body: dict[str, Any], upload: Upload | None
    ) -> tuple[bytes, str, Template | None]:
        """Return the bytes, their file name and the template of a checked body."""
        if upload is not None:
            return upload.content, upload.name, None
        if body.get("file_from_content"):
            return decode_content(Errors(), body), str(body["file_from_content_name"]), None
        if body.get("template"):
            template = self._template(account, body["template"])
            if template is None:
                raise detail(*NOT_FOUND)
            return template.pages, f"{template.name}.pdf", template
        return await self._fetch(str(body["file_from_url"]))

    async def _fetch(self, url: str) -> tuple[bytes, str, None]:
        name = unquote(urlsplit(url).path.rpartition("/")[2]) or "document"
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
                answer = await http.get(url)
                answer.raise_for_status()
        except httpx.HTTPError as exc:
            raise Refusal(400, {"file_from_url": ["The file could not be downloaded."]}) from exc
        kind = answer.headers.get("content-type", "").split(";")[0]
        endings = {"application/pdf": ".pdf", "text/html": ".html", "text/plain": ".txt"}
        ending = endings.get(kind, "")
        return answer.content, name if name.lower().endswith(ending) else name + ending, None

    def _template(self, account: Account, reference: Any) -> Template | None:
        uuid = urlsplit(str(reference)).path.rstrip("/").rpartition("/")[2]
        template = self._store.templates.get(uuid)
        return template if template is not None and template.account is account else None

    async def list_all(self, request: Request, account: Account) -> Response:
        asked = request.query_params
        with self._ground.lock:
            rows = [d for d in self.of(account) if _matches(d, dict(asked))]
            size = self._store.options.default_page_size
            return page(request, rows, self._shapes.document, self._links.public_url, size)

    async def read(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            return JSONResponse(self._shapes.document(self.get(account, request.path_params["uuid"])))

    async def delete(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            self._lifecycle.delete(self.get(account, request.path_params["uuid"]))
        return Response(status_code=204)

    async def search(self, request: Request, account: Account) -> Response:
        asked = request.query_params
        with self._ground.lock:
            rows = [d for d in self.of(account) if _found(d, dict(asked))]
            if asked.get("format") == "csv":
                return self._as_csv(rows)
            return page(request, rows, self._shapes.search_hit, self._links.public_url)

    def _as_csv(self, rows: list[Document]) -> Response:
        out = io.StringIO()
        hits = [self._shapes.search_hit(d) for d in rows]
        writer = csv.DictWriter(out, list(hits[0]) if hits else ["uuid"])
        writer.writeheader()
        writer.writerows({**hit, "signer_emails": "|".join(hit["signer_emails"])} for hit in hits)
        return Response(out.getvalue(), media_type="text/csv")

    async def attach(self, request: Request, account: Account) -> Response:
        body, upload = await read_body(request)
        if body.get("document") is None:
            raise Refusal(400, {"document": [REQUIRED]})
        with self._ground.lock:
            document = self.resolve(account, body["document"])
            if document.request is not None:
                raise Refusal(400, {"document": ["The document has been sent already."]})
        given = [k for k in ("file_from_url", "file_from_content") if body.get(k)]
        if len(given) + (upload is not None) != 1:
            raise Refusal(400, {"non_field_errors": ["Exactly one file is required."]})
        errors = Errors()
        if body.get("file_from_content"):
            decode_content(errors, body)
            if not body.get("file_from_content_name"):
                errors.add("file_from_content_name", REQUIRED)
        errors.raise_any()
        content, name, _ = await self.content(account, body, upload)
        with self._ground.lock:
            attachment = Attachment(document, str(body.get("name") or name), content, self._ground.clock.now())
            document.attachments.append(attachment)
            self._store.attachments[attachment.uuid] = attachment
            return JSONResponse(self._shapes.attachment(attachment), 201)

    async def attachments(self, request: Request, account: Account) -> Response:
        asked = request.query_params
        wanted_uuid, wanted_id = asked.get("document__uuid"), asked.get("document__external_id")
        with self._ground.lock:
            rows = [
                a
                for d in self.of(account)
                for a in d.attachments
                if wanted_uuid in (None, d.uuid) and wanted_id in (None, d.external_id)
            ]
            return page(request, rows, self._shapes.attachment, self._links.public_url)

    async def attachment(self, request: Request, account: Account) -> Response:
        with self._ground.lock:
            attachment = self._store.attachments.get(request.path_params["uuid"])
            if attachment is None or attachment.document.account is not account or attachment.document.deleted:
                raise detail(*NOT_FOUND)
            return JSONResponse(self._shapes.attachment(attachment))


def _matches(document: Document, asked: dict[str, str]) -> bool:
    request = document.request
    facts = {
        "external_id": document.external_id,
        "status": document.status,
        "who": request.who if request else None,
        "from_email": request.from_email if request else None,
        "user__email": document.account.sender_email,
        "user__first_name": document.account.sender_first_name,
        "user__last_name": document.account.sender_last_name,
    }
    for key, wanted in asked.items():
        name = key.removeprefix("signrequest__").removeprefix("signature_request__")
        if name in facts and wanted != "" and facts[name] != wanted:
            return False
    return True


def _found(document: Document, asked: dict[str, str]) -> bool:
    request = document.request
    emails = {s.email.lower() for s in request.signers} if request else set[str]()
    words = " ".join((document.name, document.external_id or "", *emails)).lower()
    text = (asked.get("q") or asked.get("autocomplete") or "").lower()
    wanted = {e.lower() for e in asked.get("signer_emails", "").split("|") if e}
    return (
        all(word in words for word in text.split())
        and asked.get("name", "").lower() in document.name.lower()
        and (not wanted or bool(wanted & emails))
        and (not asked.get("status") or document.status in asked["status"].split("|"))
        and (not asked.get("who") or (request is not None and request.who in asked["who"].split("|")))
        and (not asked.get("subdomain") or asked["subdomain"] == document.account.tenant)
    )
