"""The signature service's API for one account: one method per call, both spellings, the right error for each failure.

Source: the contract of the product line as far as it is public; paths end with a slash, bodies are JSON.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import httpx

from bcapp.clock import Clock, SystemClock
from bcapp.core.provider import ProviderDocument
from bcapp.core.states import SignerRole
from bcapp.errors import CircuitOpen, CredentialsRefused, RefusedByUs, RemoteError, SignatureError, UnreadableInput
from bcapp.gate import Gate, OpenGate
from bcapp.http import guarded, host_allowed
from bcapp.signature.auth import (
    AGAIN_SECONDS,
    TOKEN_FORM,
    Account,
    TokenStore,
    forms_to_try,
    lifetime_used,
    may_be_the_form,
    read_token,
    retry_after,
    token_request,
)
from bcapp.signature.parse import (
    BOUNCED,
    ProviderEvent,
    ProviderRequest,
    ProviderTemplate,
    ProviderWebhook,
    parse_document,
    parse_event_row,
    parse_request,
    parse_template,
    parse_webhook,
)

# What a path is called: the name by the service's own pattern first, then that of the line it comes from. Only the
# first is seen in public for "requests"; the others follow the pattern. The answer is remembered per account.
SPELLINGS: dict[str, tuple[str, str]] = {
    "requests": ("signature-requests", "signrequests"),
    "cancel": ("cancel_signature_request", "cancel_signrequest"),
    "resend": ("resend_signature_request_email", "resend_signrequest_email"),
}
# Sent with every request: nothing may be typed, dated or attached outside of the fields that we placed.
FLAGS = ("disable_text", "disable_date", "disable_attachments")
LANGUAGES = frozenset(["en", "en-gb", "nl", "fr", "de", "da", "fi", "hu", "it", "no", "pl", "pt", "es", "sv", "ru"])
SIGNED = ("si", "sd")  # signed by all; and downloaded
PAGE = 100
MOST_PAGES = 50
LONGEST_NAME, LONGEST_SUBJECT = 255, 512
READ_SECONDS = 30.0
UPLOAD_SECONDS = 90.0  # the service reads and stores the PDF before it answers

T = TypeVar("T")
Remember = Callable[[dict[str, str]], Awaitable[None]]


@dataclass(frozen=True)
class AskedSigner:
    """Whom to ask. order: from 1, equal numbers sign in parallel; the sender has 0."""

    email: str
    name: str
    order: int
    role: SignerRole = SignerRole.SIGN
    language: str = "en"
    redirect_url: str = ""
    redirect_url_declined: str = ""


@dataclass(frozen=True)
class Step:
    """One step of "Test the connection", in a sentence for the merchant."""

    name: str
    ok: bool
    sentence: str


class CoreSignature:
    """One account of the signature service.

    allowed_hosts: hosts that are called as they are; any other host of the account must be a public one (https).
    download_hosts: where PDFs may come from; when empty, the API's own host and any public host.
    remember: called with all spellings when a new one was learnt.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        account: Account,
        tokens: TokenStore,
        gate: Gate | None = None,
        *,
        allowed_hosts: Collection[str] = (),
        download_hosts: Collection[str] = (),
        clock: Clock | None = None,
        remember: Remember | None = None,
    ) -> None:
        self.account = account
        self.spellings: dict[str, str] = dict(account.spellings)
        self._http = http
        self._tokens = tokens
        self._gate: Gate = gate or OpenGate()
        self._allowed, self._downloads = tuple(allowed_hosts), tuple(download_hosts)
        self._clock: Clock = clock or SystemClock()
        self._remember = remember
        self._root = account.api_root.rstrip("/") + "/"
        self._fetching = asyncio.Lock()

    # Documents

    async def create_document(
        self,
        *,
        name: str,
        external_id: str,
        callback_url: str,
        expire_days: int,
        content: bytes | None = None,
        template_url: str | None = None,
        prefill: Sequence[Mapping[str, Any]] = (),
    ) -> ProviderDocument:
        """Hand over a PDF, or name a template to make the document from; nobody is asked yet.

        expire_days: 1..730, counted by the service. prefill: {"external_id", and "text" | "checkbox_value" |
        "date_value"} each. Raises SignatureError; when it is `unclear`, look for the external id before trying again.
        """
        if (content is None) == (template_url is None):
            raise ValueError("a document has either content or a template")
        body: dict[str, Any] = {
            "name": name[:LONGEST_NAME],
            "external_id": external_id,
            "events_callback_url": callback_url,
            "auto_expire_days": min(max(expire_days, 1), 730),
        }
        if content is not None:
            body["file_from_content"] = base64.b64encode(content).decode()
            stem = name.removesuffix(".pdf")[: LONGEST_NAME - 4]
            body["file_from_content_name"] = f"{stem}.pdf".replace("/", "-")
        else:
            body["template"] = template_url
        if prefill:
            body["prefill_tags"] = [dict(tag) for tag in prefill]
        answer = await self._call("POST", ("documents",), body=body, timeout=UPLOAD_SECONDS)
        return self._made(answer, parse_document)

    async def find_documents(self, external_id: str) -> list[ProviderDocument]:
        """Return the documents with exactly this external id; it is not unique at the service."""
        rows = await self._list(("documents",), {"external_id": external_id})
        return [parse_document(row) for row in rows if row.get("external_id") == external_id]

    async def fetch_document(self, uuid: str, *, with_bounces: bool = False) -> ProviderDocument | None:
        """Return the document as it stands, or None when there is none.

        with_bounces: read the events too; only they tell whose mail came back.
        """
        answer = await self._found("GET", ("documents", uuid))
        if answer is None:
            return None
        bounced = await self.bounced(uuid) if with_bounces else frozenset()
        return parse_document(answer, bounced)

    async def signed_documents(self, most_pages: int) -> list[ProviderDocument]:
        """Return documents of the account that everybody signed, whoever made them, each once; not all of a long list.

        Neither the order of the list nor what its filters by time understand is told: of each status at most so many
        pages are read from the one end and so many from the other. What is not readable is left out.
        """
        found: dict[str, ProviderDocument] = {}
        for status in SIGNED:
            async for row in self._both_ends(("documents",), {"status": status}, most_pages):
                try:
                    document = parse_document(row)
                except UnreadableInput:
                    continue
                if document.status == status:  # a filter that the service does not know is ignored by it
                    found[document.uuid] = document
        return list(found.values())

    async def _both_ends(
        self, path: tuple[str, ...], params: Mapping[str, str], most_pages: int
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows of the first pages of a list and of its last."""
        number, pages = 1, 1
        while number <= pages:
            asked = {**params, "limit": str(PAGE), "page": str(number)}
            try:
                answer = await self._call("GET", path, params=asked)
            except SignatureError as exc:
                if exc.status == 404 and number > 1:
                    return  # the list grew shorter meanwhile
                raise
            rows = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise UnreadableInput("the list has no results")
            for row in rows:
                yield row
            if not rows or not answer.get("next"):
                return
            if number == 1:
                count = answer.get("count")
                # A page may be shorter than was asked for.
                pages = -(-count // len(rows)) if isinstance(count, int) and count > len(rows) else most_pages
            skip = number == most_pages and pages > 2 * most_pages
            number = pages - most_pages + 1 if skip else number + 1

    async def delete_document(self, uuid: str) -> None:
        """Delete a document; one that is gone already is fine. A running request must be cancelled first."""
        await self._found("DELETE", ("documents", uuid))

    async def download(self, url: str, max_bytes: int, *, sha256: str = "") -> bytes:
        """Fetch a PDF from the short-lived address that a document named, without our token.

        sha256: hex; when given, other bytes are refused. An address that has died is no permanent error: reading the
        document again makes a new one. Raises SignatureError.
        """
        api = urlsplit(self._root).netloc.lower()
        if self._downloads and not host_allowed(url, {*self._downloads, api}):
            raise SignatureError("a download lies on a host that is not allowed", permanent=True)
        try:
            response = await guarded(
                self._http,
                "GET",
                url,
                # The API's own host is trusted only as far as it is for calls: a merchant may have named it.
                allowed={*self._downloads, *([api] if host_allowed(self._root, self._allowed) else ())},
                max_bytes=max_bytes,
                headers={"Accept": "*/*"},
                timeout=httpx.Timeout(60.0, connect=5.0, pool=10.0),
            )
        except (RefusedByUs, UnreadableInput) as exc:
            raise SignatureError(f"download refused: {exc}", permanent=True) from exc
        except httpx.TransportError as exc:
            raise SignatureError(f"download: no answer ({type(exc).__name__})") from exc
        if response.status_code != 200:
            raise SignatureError(f"download: {response.status_code}", status=response.status_code)
        if sha256 and hashlib.sha256(response.content).hexdigest() != sha256.lower():
            raise SignatureError("download: the bytes differ from what the service announced")
        return response.content

    # Requests

    async def send(
        self,
        document_url: str,
        signers: Sequence[AskedSigner],
        *,
        subject: str,
        message: str = "",
        sender_name: str = "",
    ) -> ProviderRequest:
        """Ask for the signatures; the service mails the first ones at once. message: plain text.

        A document takes one request and no second: after an `unclear` error read the document and adopt what it has.
        """
        body: dict[str, Any] = {
            "document": document_url,
            "who": "o",
            "subject": subject[:LONGEST_SUBJECT],
            "message": html.escape(message, quote=False),
            "send_reminders": False,
            **dict.fromkeys(FLAGS, True),
            "signers": [self._signer(s) for s in signers],
        }
        if self.account.from_email:
            body["from_email"] = self.account.from_email
        if sender_name:
            body["from_email_name"] = sender_name[:LONGEST_NAME]
        answer = await self._spelled("POST", "requests", lambda name: (name,), body=body, timeout=UPLOAD_SECONDS)
        return self._made(answer, lambda raw: parse_request(raw, FLAGS))

    @staticmethod
    def _signer(signer: AskedSigner) -> dict[str, Any]:
        first, _, last = signer.name.strip().rpartition(" ")
        language = signer.language.lower().replace("_", "-")
        language = language if language in LANGUAGES else language.partition("-")[0]
        asked: dict[str, Any] = {
            "email": signer.email,
            "full_name": signer.name,
            "first_name": first or last,
            "last_name": last if first else "",
            "order": signer.order,
            "needs_to_sign": signer.role is not SignerRole.COPY,
            "approve_only": signer.role is SignerRole.APPROVE,
            "language": language if language in LANGUAGES else "en",
        }
        if signer.redirect_url:
            asked["redirect_url"] = signer.redirect_url
        if signer.redirect_url_declined:
            asked["redirect_url_declined"] = signer.redirect_url_declined
        return asked

    async def fetch_request(self, uuid: str) -> ProviderRequest | None:
        try:
            answer = await self._spelled("GET", "requests", lambda name: (name, uuid))
        except SignatureError as exc:
            if exc.status == 404:
                return None
            raise
        return parse_request(answer, FLAGS)

    async def cancel(self, uuid: str) -> None:
        """Take a request back. One that has ended is refused with 400 or 403: read the document to see how."""
        await self._act(uuid, "cancel")

    async def resend(self, uuid: str) -> None:
        """Mail the invitation again to those whose turn it is."""
        await self._act(uuid, "resend")

    async def forward(self, uuid: str, email: str, to_email: str, reason: str = "") -> None:
        """Pass a signer's part on to another address; how a bounced address is mended."""
        body = {
            "signer_email_to_forward": email,
            "signer_email_to_forward_to": to_email,
            "forwarded_reason": reason,
        }
        await self._spelled("POST", "requests", lambda name: (name, uuid, "forward_signer"), body=body, may_refuse=True)

    async def _act(self, uuid: str, action: str) -> None:
        async def under(base: str) -> Any:
            return await self._spelled("POST", action, lambda name: (base, uuid, name), body={}, may_refuse=True)

        await self._either("requests", under)

    # Events, templates, webhooks

    async def events(self, document_uuid: str, *, kind: str = "") -> list[ProviderEvent]:
        params = {"document__uuid": document_uuid, **({"event_type": kind} if kind else {})}
        rows = [parse_event_row(row) for row in await self._list(("events",), params)]
        return [e for e in rows if e.document_uuid in ("", document_uuid) and (not kind or e.kind == kind)]

    async def bounced(self, document_uuid: str) -> frozenset[str]:
        """Return the addresses (lower case) of a document whose mail came back."""
        events = await self.events(document_uuid, kind=BOUNCED)
        return frozenset(e.signer_email for e in events if e.signer_email)

    async def templates(self) -> list[ProviderTemplate]:
        return [parse_template(row) for row in await self._list(("templates",), {})]

    async def fetch_template(self, uuid: str) -> ProviderTemplate | None:
        answer = await self._found("GET", ("templates", uuid))
        return None if answer is None else parse_template(answer)

    async def webhooks(self) -> list[ProviderWebhook]:
        return [parse_webhook(row) for row in await self._list(("webhooks",), {})]

    async def create_webhook(self, event_type: str, callback_url: str, name: str = "") -> ProviderWebhook:
        body = {"event_type": event_type, "callback_url": callback_url, "name": name[:LONGEST_NAME]}
        return self._made(await self._call("POST", ("webhooks",), body=body), parse_webhook)

    async def update_webhook(self, uuid: str, **changes: str) -> ProviderWebhook:
        return self._made(await self._call("PATCH", ("webhooks", uuid), body=changes), parse_webhook)

    async def delete_webhook(self, uuid: str) -> None:
        await self._found("DELETE", ("webhooks", uuid))

    # Test the connection

    async def probe(self) -> list[Step]:
        """Fetch a fresh token and read templates; each step says what to do when it fails. Raises nothing remote."""
        steps: list[Step] = []
        try:
            await self._token(refused="", fresh=True)
        except RemoteError as exc:
            return [Step("Token", False, self._plain(exc, "The token service"))]
        steps.append(Step("Token", True, "The client id and the secret are accepted."))
        try:
            rows = (await self._page(("templates",), {"limit": "1"}))[0]
        except RemoteError as exc:
            return [*steps, Step("Templates", False, self._plain(exc, "The signature service"))]
        except UnreadableInput:
            text = "The API address answers, but not as the signature service. Check the API address."
            return [*steps, Step("Templates", False, text)]
        found = "Templates can be read." if rows else "Templates can be read; there is none yet."
        return [*steps, Step("Templates", True, found)]

    @staticmethod
    def _plain(error: RemoteError, who: str) -> str:
        """Say what went wrong without the service's own words."""
        if isinstance(error, CredentialsRefused):
            return str(error)
        if isinstance(error, CircuitOpen):
            return f"{who} was asked too often or has failed several times. Try again in a minute."
        match error.status:
            case None:
                return str(error) if error.permanent else f"{who} does not answer. Check the address or try again."
            case 404:
                return f"{who} does not know this path. Check the API address."
            case 429:
                return f"{who} asks to wait. Try again in a minute."
            case status if status >= 500:
                return f"{who} does not work right now (status {status}). Try again later."
            case status:
                return f"{who} answered with status {status}. Check the address."

    # Token

    async def _token(self, *, refused: str = "", fresh: bool = False) -> str:
        """Return a token that may be used. refused: one that the service did not take although it was in time."""
        async with self._fetching:
            kept = await self._tokens.load()
            if kept is not None and not fresh and kept[0] != refused and self._clock.now() < kept[1]:
                return kept[0]
            token, seconds = await self._fetch_token()
            await self._tokens.save(token, self._clock.now() + timedelta(seconds=lifetime_used(seconds)))
            return token

    async def _fetch_token(self) -> tuple[str, int]:
        remembered = self.spellings.get(TOKEN_FORM)
        forms = forms_to_try(self.account.token_url, remembered)
        first: SignatureError | None = None
        for form in forms:
            response = await self._send(
                "POST", self.account.token_url, writes=False, **token_request(self.account, form)
            )
            try:
                found = read_token(response)
            except CredentialsRefused as exc:
                first = first or exc
                # A form that has worked before is not to blame: asking on would only lock the client out.
                if form == remembered or not may_be_the_form(response):
                    break
                continue
            await self._learn(TOKEN_FORM, form)
            return found
        assert first is not None
        raise first

    async def _learn(self, name: str, spelling: str) -> None:
        if self.spellings.get(name) != spelling:
            self.spellings[name] = spelling
            if self._remember is not None:
                await self._remember(dict(self.spellings))

    # The wire

    async def _either(self, name: str, call: Callable[[str], Awaitable[Any]]) -> Any:
        """Call with the remembered spelling, and with the other when that answers 404; remember what worked."""
        names = sorted(SPELLINGS[name], key=lambda spelling: spelling != self.spellings.get(name))
        for at, spelling in enumerate(names):
            try:
                answer = await call(spelling)
            except SignatureError as exc:
                if exc.status == 404 and at + 1 < len(names):
                    continue
                # A refusal of the content proves the path.
                if exc.status in (400, 409):
                    await self._learn(name, spelling)
                raise
            await self._learn(name, spelling)
            return answer
        raise AssertionError("unreachable: the last spelling returns or raises")

    async def _spelled(self, method: str, name: str, path: Callable[[str], tuple[str, ...]], **more: Any) -> Any:
        return await self._either(name, lambda spelling: self._call(method, path(spelling), **more))

    async def _found(self, method: str, path: tuple[str, ...]) -> Any:
        """Call, and return None for a 404."""
        try:
            return await self._call(method, path)
        except SignatureError as exc:
            if exc.status == 404:
                return None
            raise

    async def _page(self, path: tuple[str, ...], params: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
        answer = await self._call("GET", path, params=params)
        rows = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreadableInput("the list has no results")
        following = answer.get("next")
        return rows, following if isinstance(following, str) and following else None

    async def _list(self, path: tuple[str, ...], params: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return all pages. The address of the next page is data from outside: only its query is used, on our host."""
        found: list[dict[str, Any]] = []
        asked = {**params, "limit": str(PAGE)}
        for _ in range(MOST_PAGES):
            rows, following = await self._page(path, asked)
            found += rows
            if following is None:
                return found
            here, there = urlsplit(self._url(path)), urlsplit(following)
            if there.netloc and (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()):
                raise SignatureError("the next page lies on another host", permanent=True)
            asked = {**asked, **dict(parse_qsl(there.query))}
        raise SignatureError(f"the list of {path[0]} does not end", permanent=True)

    def _url(self, path: tuple[str, ...]) -> str:
        return self._root + "/".join(quote(part, safe="") for part in path) + "/"

    async def _call(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        timeout: float = READ_SECONDS,
        may_refuse: bool = False,
    ) -> Any:
        """Return the decoded JSON, None for an empty answer. A 401 renews the token and asks once more.

        may_refuse: a 403 is about this record (it has ended), not about the account.
        """
        what, url, writes = f"{method} {path[0]}", self._url(path), method != "GET"
        refused = ""
        for last in (False, True):
            token = await self._token(refused=refused)
            response = await self._send(
                method,
                url,
                writes=writes,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                params=dict(params or {}),
                timeout=httpx.Timeout(timeout, connect=5.0, pool=10.0),
                **({} if body is None else {"json": body}),
            )
            if response.status_code != 401 or last:
                break
            refused = token
        return self._decode(what, writes, response, may_refuse)

    async def _send(self, method: str, url: str, *, writes: bool, **more: Any) -> httpx.Response:
        """Pass the gate and call; raise SignatureError when there is no answer."""
        await self._gate.enter()
        what = f"{method} {urlsplit(url).hostname}"
        try:
            response = await guarded(self._http, method, url, allowed=self._allowed, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            await self._gate.leave(ok=False, error=type(exc).__name__)
            raise SignatureError(f"{what}: no connection ({type(exc).__name__})") from exc
        except httpx.TransportError as exc:
            await self._gate.leave(ok=False, error=type(exc).__name__)
            raise SignatureError(f"{what}: no answer ({type(exc).__name__})", unclear=writes) from exc
        except RefusedByUs as exc:
            await self._gate.leave(ok=True)
            raise SignatureError(str(exc), permanent=True) from exc
        except UnreadableInput as exc:
            await self._gate.leave(ok=True)
            raise SignatureError(f"{what}: {exc}", permanent=not writes, unclear=writes) from exc
        throttled = response.status_code == 429
        wait = retry_after(response) if throttled else None
        await self._gate.leave(
            # A 429 that does not say how long counts for the breaker, which then waits longer and longer.
            ok=response.status_code < 500 and not (throttled and wait is None),
            wait=wait,
            error="" if response.is_success else f"{what}: {response.status_code}",
        )
        return response

    @staticmethod
    def _decode(what: str, writes: bool, response: httpx.Response, may_refuse: bool) -> Any:
        status = response.status_code
        if response.is_success:
            if not response.content.strip():
                return None
            try:
                return json.loads(response.content)
            except (ValueError, RecursionError):
                text = f"{what}: {status} without readable JSON"
                raise SignatureError(text, status=status, unclear=writes) from None
        if status == 401 or (status == 403 and not may_refuse):
            text = (
                "The signature service does not accept the token. Check the environment, the tenant and the client."
                if status == 401
                else "The client may not use the signature service. Check the subscription name."
            )
            raise CredentialsRefused(text, status=status, uncounted=True, retry_after=AGAIN_SECONDS)
        if status == 429:
            raise SignatureError(f"{what}: 429", status=429, retry_after=retry_after(response), uncounted=True)
        permanent = 300 <= status < 500 and status not in (408, 423, 425)
        raise SignatureError(f"{what}: {status}", status=status, permanent=permanent, unclear=writes and status >= 500)

    @staticmethod
    def _made(answer: Any, parse: Callable[[Any], T]) -> T:
        """Read the answer to a write. Something was made even when the answer is not readable: then it is unclear."""
        try:
            return parse(answer)
        except UnreadableInput as exc:
            raise SignatureError(f"the answer to a write is not readable: {exc}", unclear=True) from exc
