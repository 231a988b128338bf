"""What people see of the signature service: the signing page, the sender's preparing page and the inbox."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature import pdf, tags
from bcapp.sandbox.signature.checks import is_email
from bcapp.sandbox.signature.inbox import Inbox
from bcapp.sandbox.signature.lifecycle import NO, Lifecycle, NotPossible, Value, plain
from bcapp.sandbox.signature.links import Links
from bcapp.sandbox.signature.records import Input, Mail, Placed, SignatureRequest, Signer, Store

STYLE = """
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:#1c2433;background:#f2f4f8}
header{background:#14213d;color:#fff;padding:12px 24px}header strong{font-size:18px}
main{max-width:860px;margin:24px auto;padding:0 16px}
section{background:#fff;border:1px solid #d5dae3;border-radius:6px;padding:20px 24px;margin-bottom:16px}
h1{font-size:22px;margin:0 0 8px}h2{font-size:17px;margin:0 0 12px}
pre{white-space:pre-wrap;font:15px/1.6 Georgia,serif;background:#fcfcfa;border:1px solid #e4e4dc;padding:16px;
 margin:0 0 12px}
label{display:block;margin:12px 0 4px;font-weight:600}label.tick{font-weight:400}
input[type=text],input[type=email],input[type=date],input[type=password],textarea{font:inherit;width:100%;
 max-width:480px;padding:8px;border:1px solid #8a94a6;border-radius:4px;box-sizing:border-box}
button{font:inherit;padding:8px 20px;margin-top:16px;border:1px solid #1b3a8c;border-radius:4px;background:#fff;
 color:#1b3a8c;cursor:pointer}button.main{background:#1b3a8c;color:#fff}
a{color:#1b3a8c}.error{border-color:#b3261e;color:#8c1d18}.quiet{color:#5a6473}
:focus-visible{outline:3px solid #f2a900;outline-offset:2px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:8px;border-bottom:1px solid #e1e5ec}
"""

Acting = Callable[[SignatureRequest, Signer, FormData, Request], Response]


def e(text: object) -> str:
    return html.escape(str(text), quote=True)


def layout(title: str, body: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{e(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><header><strong>Signature sandbox</strong></header><main>{body}</main></body></html>",
        status,
        {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"},
    )


def message(title: str, text: str, status: int = 200) -> HTMLResponse:
    return layout(title, f"<section><h1>{e(title)}</h1><p>{e(text)}</p></section>", status)


class Pages:
    """Plain pages with plain forms; nothing is loaded from elsewhere."""

    def __init__(self, store: Store, ground: Ground, links: Links, lifecycle: Lifecycle, inbox: Inbox) -> None:
        self._store, self._ground, self._links = store, ground, links
        self._lifecycle, self._inbox = lifecycle, inbox

    @property
    def signing_routes(self) -> list[Route]:
        token = "/signing/{token}"
        return [
            Route("/signing/prepare/{token}", self.prepare, methods=["GET", "POST"]),
            Route(token, self.show, methods=["GET"]),
            Route(f"{token}/unlock", self._acting(self._unlock), methods=["POST"]),
            Route(f"{token}/sign", self._acting(self._sign), methods=["POST"]),
            Route(f"{token}/decline", self._acting(self._decline), methods=["POST"]),
            Route(f"{token}/forward", self._acting(self._forward), methods=["POST"]),
            Route(f"{token}/view.pdf", self.view_pdf, methods=["GET"]),
            Route(f"{token}/document.pdf", self.download, methods=["GET"]),
        ]

    def _signer(self, request: Request) -> tuple[SignatureRequest, Signer] | None:
        return self._store.signers.get(request.path_params["token"])

    # The signing page

    async def show(self, request: Request) -> Response:
        with self._ground.lock:
            found = self._signer(request)
            if found is None:
                return message("Link not known", "This link leads to no document.", 404)
            return self._page(*found, request)

    def _page(
        self, asked: SignatureRequest, signer: Signer, request: Request, error: str = "", status: int = 200
    ) -> Response:
        document = asked.document
        refusal = self._closed(asked, signer)
        if refusal is not None:
            return refusal
        if self._is_locked(asked, signer, request):
            return self._lock_page(asked, signer, error)
        self._lifecycle.view(asked, signer)
        mine = signer in self._lifecycle.turn(asked)
        parts = [
            f"<section><h1>{e(asked.asked.get('subject') or document.name)}</h1>",
            f"<p>{e(plain(str(asked.asked.get('message') or '')))}</p>" if asked.asked.get("message") else "",
            f'<p class="quiet">Sent by {e(asked.from_email)} to {e(signer.name)} ({e(signer.email)})</p></section>',
            f'<section class="error" role="alert"><p>{e(error)}</p></section>' if error else "",
            self._text(asked, signer),
        ]
        if mine:
            parts += [self._sign_form(asked, signer), self._other_forms(signer)]
        else:
            parts.append("<section><p>Other people sign first. You will get a mail when it is your turn.</p></section>")
        return layout(document.name, "".join(parts), status)

    def _closed(self, asked: SignatureRequest, signer: Signer) -> Response | None:
        """Return the page that stands in place of a document that cannot be signed here any more."""
        document = asked.document
        if document.deleted:
            return message("Document removed", "The sender has removed this document.", 410)
        if signer.forwarded_on:
            return message("Forwarded", f"You forwarded this document to {signer.forwarded_to_email}.")
        if signer.signed_on:
            link = f'<p><a href="/signing/{e(signer.token)}/document.pdf">Download the document</a></p>'
            text = f"You signed {document.name} on {signer.signed_on:%d %B %Y at %H:%M} UTC."
            return layout("Signed", f"<section><h1>Thank you</h1><p>{e(text)}</p>{link}</section>")
        if signer.declined_on:
            return message("Declined", f"You declined to sign {document.name}.")
        ends = {"ca": "cancelled by the sender", "xp": "expired", "de": "declined by another signer"}
        if document.status in ends:
            return message("Closed", f"This document was {ends[document.status]}.")
        if asked.sent_on is None:
            return message("Not sent yet", "This document is still being prepared.")
        return None

    def _text(self, asked: SignatureRequest, signer: Signer) -> str:
        pages = pdf.page_texts(asked.document.pages or b"") if asked.document.pages else ()
        shown = "".join(
            f"<h2>Page {number} of {len(pages)}</h2><pre>{e(tags.TAG.sub('', text).strip())}</pre>"
            for number, text in enumerate(pages, 1)
        )
        files = "".join(f"<li>{e(a.name)}</li>" for a in asked.document.attachments)
        more = f"<h2>Attachments</h2><ul>{files}</ul>" if files else ""
        link = f'<p><a href="/signing/{e(signer.token)}/view.pdf">Open the document as PDF</a></p>'
        return f"<section>{link}{shown}{more}</section>"

    def _sign_form(self, asked: SignatureRequest, signer: Signer) -> str:
        fields = "".join(_field_html(f) for f in self._lifecycle.fields_of(asked, signer))
        free = ""
        if not asked.asked.get("disable_text") or "disable_text" in self._store.options.dropped_flags:
            free = (
                '<label for="free">Text anywhere on the last page (optional)</label>'
                '<input type="text" id="free" name="free">'
            )
        code = ""
        if signer.asked.get("verify_phone_number") and not asked.asked.get("text_message_verification_locked"):
            self._send_code(asked, signer)
            code = f'<label for="code">Code from the text message to {e(signer.asked["verify_phone_number"])}</label>'
            code += '<input type="text" id="code" name="code" autocomplete="one-time-code">'
        verb = "Approve" if signer.asked.get("approve_only") else "Sign"
        return (
            f'<section><h2>{verb}</h2><form method="post" action="/signing/{e(signer.token)}/sign">{fields}{free}{code}'
            f'<div><button class="main">{verb}</button></div></form></section>'
        )

    def _other_forms(self, signer: Signer) -> str:
        path = f"/signing/{e(signer.token)}"
        return (
            f'<section><h2>Decline</h2><form method="post" action="{path}/decline">'
            '<label for="reason">Reason</label><textarea id="reason" name="reason" rows="2"></textarea>'
            "<div><button>Decline</button></div></form></section>"
            f'<section><h2>Forward to somebody else</h2><form method="post" action="{path}/forward">'
            '<label for="to">E-mail address</label><input type="email" id="to" name="to">'
            '<label for="why">Reason (optional)</label><input type="text" id="why" name="why">'
            "<div><button>Forward</button></div></form></section>"
        )

    # Password and text message code

    def _is_locked(self, asked: SignatureRequest, signer: Signer, request: Request) -> bool:
        guarded = signer.asked.get("password") or (
            signer.asked.get("verify_phone_number") and asked.asked.get("text_message_verification_locked")
        )
        return bool(guarded) and request.cookies.get("unlocked") != signer.token

    def _lock_page(self, asked: SignatureRequest, signer: Signer, error: str) -> Response:
        by_code = not signer.asked.get("password")
        if by_code:
            self._send_code(asked, signer)
        label = "Code from the text message" if by_code else "Password"
        return layout(
            "Locked document",
            f'<section><h1>This document is locked</h1><form method="post" action="/signing/{e(signer.token)}/unlock">'
            f'<p class="error">{e(error)}</p><label for="key">{label}</label>'
            '<input type="password" id="key" name="key"><div><button class="main">Open</button></div></form></section>',
            422 if error else 200,
        )

    def _send_code(self, asked: SignatureRequest, signer: Signer) -> None:
        if signer.text_code is None:
            signer.text_code = f"{int(signer.token.encode().hex()[:8], 16) % 1000000:06d}"
            phone, now = str(signer.asked["verify_phone_number"]), self._ground.clock.now()
            text = f"Your code is {signer.text_code}"
            self._inbox.put(Mail("Signature sandbox", (phone,), "Text message", text, now, "text message"))

    def _unlock(self, asked: SignatureRequest, signer: Signer, form: FormData, request: Request) -> Response:
        if form.get("key") != (signer.asked.get("password") or signer.text_code):
            return self._lock_page(asked, signer, "That is not right.")
        answer = RedirectResponse(f"/signing/{signer.token}", 303)
        answer.set_cookie("unlocked", signer.token, httponly=True, samesite="lax", path=f"/signing/{signer.token}")
        return answer

    # Acting

    def _acting(self, act: Acting) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a form's action: unknown links, locked documents and refusals become pages."""

        async def endpoint(request: Request) -> Response:
            form = await request.form()
            with self._ground.lock:
                found = self._signer(request)
                if found is None:
                    return message("Link not known", "This link leads to no document.", 404)
                if act != self._unlock and self._is_locked(*found, request):
                    return self._lock_page(*found, "Open the document first.")
                try:
                    return act(*found, form, request)
                except NotPossible as exc:
                    return self._page(*found, request, str(exc), 422)

        return endpoint

    def _sign(self, asked: SignatureRequest, signer: Signer, form: FormData, request: Request) -> Response:
        code = signer.text_code
        if code is not None and not asked.asked.get("text_message_verification_locked") and form.get("code") != code:
            raise NotPossible("The code from the text message is not right.")
        free = str(form.get("free") or "").strip()
        signer.outside = [o for o in signer.outside if o.external_id]
        if free:
            last = len(pdf.page_texts(asked.document.pages or b"")) - 1
            signer.outside.append(Input("t", last, free))
        values = dict(_values(self._lifecycle.fields_of(asked, signer), form))
        ip = request.client.host if request.client else ""
        browser = request.headers.get("user-agent", "")
        self._lifecycle.sign(asked, signer, values, ip=ip, browser=browser)
        return RedirectResponse(self._after(asked, signer, "redirect_url"), 303)

    def _decline(self, asked: SignatureRequest, signer: Signer, form: FormData, request: Request) -> Response:
        ip = request.client.host if request.client else ""
        self._lifecycle.decline(asked, signer, str(form.get("reason") or "").strip(), ip=ip)
        return RedirectResponse(self._after(asked, signer, "redirect_url_declined"), 303)

    def _forward(self, asked: SignatureRequest, signer: Signer, form: FormData, request: Request) -> Response:
        to = str(form.get("to") or "").strip()
        if not is_email(to):
            raise NotPossible("Enter a valid e-mail address to forward to.")
        self._lifecycle.forward(asked, signer, to, str(form.get("why") or "").strip())
        return RedirectResponse(f"/signing/{signer.token}", 303)

    def _after(self, asked: SignatureRequest, signer: Signer, key: str) -> str:
        """Return where the signer goes next: a chained document, the next in person, the caller's page, our thanks."""
        if key == "redirect_url":
            chained = urlsplit(str(signer.asked.get("after_document") or "")).path.rstrip("/").rpartition("/")[2]
            document = self._store.documents.get(chained)
            others = document.request.signers if document is not None and document.request is not None else []
            here = [s for s in self._lifecycle.turn(asked) if s.asked.get("in_person")]
            same = [s for s in others if s.email.lower() == signer.email.lower() and s.is_waiting]
            for following in (*same, *here):
                return f"/signing/{following.token}"
        return str(signer.asked.get(key) or asked.asked.get(key) or f"/signing/{signer.token}")

    async def view_pdf(self, request: Request) -> Response:
        return self._pdf(request, lambda asked, signer: None if asked.document.deleted else asked.document.pages)

    async def download(self, request: Request) -> Response:
        return self._pdf(request, self._lifecycle.download)

    def _pdf(self, request: Request, content: Callable[[SignatureRequest, Signer], bytes | None]) -> Response:
        with self._ground.lock:
            found = self._signer(request)
            if found is None or self._is_locked(*found, request):
                return message("Link not known", "This link leads to no document.", 404)
            body = content(*found)
        if body is None:
            return message("No document", "There is no document here.", 404)
        return Response(body, media_type="application/pdf")

    async def prepare(self, request: Request) -> Response:
        """The sender's page of a request that is being prepared: look, then send."""
        with self._ground.lock:
            wanted = request.path_params["token"]
            found = next((r for r in self._store.requests.values() if r.prepare_token == wanted), None)
            if found is None:
                return message("Link not known", "This link leads to no document.", 404)
            if request.method == "POST" and found.is_being_prepared:
                found.is_being_prepared = False
                self._lifecycle.send(found)
            if not found.is_being_prepared:
                return message("Sent", f"{found.document.name} is on its way.")
            fields = "".join(f"<li>{e(_label(f))} on page {f.page_index + 1}</li>" for f in found.document.fields)
            form = '<form method="post"><button class="main">Send</button></form>'
            body = f"<section><h1>Prepare {e(found.document.name)}</h1><ul>{fields}</ul>{form}</section>"
            return layout("Prepare", body)

    # The inbox

    async def inbox(self, request: Request) -> Response:
        to = request.query_params.get("to", "").strip()
        mails = self._inbox.find(to or None)
        rows = "".join(_mail_html(mail) for mail in mails)
        search = (
            '<form method="get"><label for="inbox-to">Show only mails to</label>'
            f'<input type="email" id="inbox-to" name="to" value="{e(to)}"> <button>Show</button></form>'
        )
        table = f"<table><thead><tr><th>Time</th><th>To</th><th>Mail</th></tr></thead><tbody>{rows}</tbody></table>"
        body = table if mails else "<p>No mail yet.</p>"
        return layout("Inbox", f"<section><h1>Inbox</h1>{search}</section><section>{body}</section>")


def _label(placed: Placed) -> str:
    names = {"s": "Signature", "i": "Initials", "n": "Name", "d": "Date", "t": "Text", "c": "Tick box"}
    return placed.label or placed.external_id or names[placed.kind]


def _field_html(placed: Placed) -> str:
    """Return one field of the signing form; a required tick box asks for a decision."""
    name, label, prefill = f"field:{placed.key}", _label(placed), placed.prefill or ""
    required = "" if placed.required else " (optional)"
    head = f'<label for="{e(name)}">{e(label)}{required}</label>'
    if placed.kind in ("s", "i", "n"):
        box = f'<input type="checkbox" name="{e(name)}" value="1" checked>'
        return f'<label class="tick">{box} {e(placed.label or "Sign here")}</label>'
    if placed.kind == "c":
        ticked = prefill.lower() not in NO
        if not placed.required:
            box = f'<input type="checkbox" name="{e(name)}" value="1"{" checked" if ticked else ""}>'
            return f'<label class="tick">{box} {e(label)}</label>'
        options = (("1", "Yes", ticked), ("0", "No", bool(prefill) and not ticked))
        radios = "".join(
            f'<label class="tick"><input type="radio" name="{e(name)}" value="{value}"{" checked" if on else ""}> '
            f"{text}</label>"
            for value, text, on in options
        )
        return f"<fieldset><legend>{e(label)}</legend>{radios}</fieldset>"
    if placed.multiline:
        return f'{head}<textarea id="{e(name)}" name="{e(name)}" rows="3">{e(prefill)}</textarea>'
    kind = "date" if placed.kind == "d" else "text"
    shown = "" if placed.kind == "d" and prefill.lower() in NO else prefill
    return f'{head}<input type="{kind}" id="{e(name)}" name="{e(name)}" value="{e(shown)}">'


def _values(fields: list[Placed], form: FormData) -> Any:
    """Yield (key, value) of each field that the form answers; an empty date means the default."""
    for placed in fields:
        given = form.get(f"field:{placed.key}")
        if (placed.kind == "c" and not placed.required) or placed.kind in ("s", "i", "n"):
            yield placed.key, bool(given)
        elif isinstance(given, str) and (given != "" or placed.kind == "t"):
            value: Value = given
            yield placed.key, value


def _mail_html(mail: Mail) -> str:
    links = "".join(f'<li><a href="{e(url)}">{e(label)}</a></li>' for label, url in mail.links)
    files = "".join(f"<li>{e(name)}</li>" for name in mail.files)
    return (
        f'<tr class="mail mail--{e(mail.kind.replace(" ", "-"))}"><td>{mail.at:%Y-%m-%d %H:%M:%S}</td>'
        f"<td>{e(', '.join(mail.to))}</td><td><strong>{e(mail.subject)}</strong>"
        f'<div class="quiet">from {e(mail.sender)}</div><pre>{e(mail.text.strip())}</pre>'
        f"{f'<ul>{links}</ul>' if links else ''}{f'<ul>{files}</ul>' if files else ''}</td></tr>"
    )
