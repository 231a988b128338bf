"""The client of the signature service against the simulated one, over real HTTP."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import httpx
import pytest

from bcapp.clock import SandboxClock
from bcapp.core.provider import ProviderDocument, event_of
from bcapp.core.states import RequestEvent, SignerRole
from bcapp.errors import CredentialsRefused, SignatureError, UnreadableInput
from bcapp.http import make_http
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.ground import matching
from bcapp.sandbox.server import SandboxServer
from bcapp.sandbox.spec import Document, find_specs
from bcapp.signature.auth import Account, MemoryTokens
from bcapp.signature.client import FLAGS, AskedSigner, CoreSignature
from tests.signature.conftest import PDF, Learnt, Make, NotingGate

BUYER = AskedSigner(
    "Buyer@Kite.example", "Ada Maria Abbott", 1, language="de-AT", redirect_url="https://app.example/done"
)
CHIEF = AskedSigner("chief@kite.example", "Ben", 2, SignerRole.APPROVE)
COPY = AskedSigner("copy@kite.example", "Carla", 3, SignerRole.COPY)
EXTERNAL = "1:z4zn3wo:71:1:nonce"


async def create(client: CoreSignature, external_id: str = EXTERNAL, **more: Any) -> ProviderDocument:
    return await client.create_document(
        name="Order 1001", external_id=external_id, callback_url="http://127.0.0.1:9/cb/x", expire_days=7,
        **({"content": PDF} | more),
    )  # fmt: skip


async def ask(client: CoreSignature, *signers: AskedSigner) -> ProviderDocument:
    document = await create(client)
    await client.send(
        document.url, signers or (BUYER,), subject="Please sign order 1001", message="Thanks & <b>bye</b>"
    )
    found = await client.fetch_document(document.uuid)
    assert found is not None
    return found


async def failure(work: Any, kind: type[SignatureError] = SignatureError) -> SignatureError:
    with pytest.raises(kind) as caught:
        await work
    return caught.value


# The way of a document


async def test_from_a_pdf_to_the_signed_copy(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await create(client)
    assert (document.external_id, document.request_uuid, document.signers) == (EXTERNAL, "", ())
    asked = await client.send(
        document.url, [BUYER, CHIEF, COPY], subject="Please sign order 1001", message="Thanks & <b>bye</b>",
        sender_name="Northwind",
    )  # fmt: skip
    assert asked.document_uuid == document.uuid
    assert asked.dropped == ()
    assert [s.email for s in asked.signers] == ["buyer@kite.example", "chief@kite.example", "copy@kite.example"]
    await sandbox.signature.settled()
    sent = await client.fetch_document(document.uuid)
    assert sent is not None
    assert event_of(sent) is RequestEvent.SENT
    assert sent.request_uuid == asked.uuid
    assert [(s.emailed, s.needs_to_sign) for s in sent.signers][:2] == [(True, True), (False, True)]
    sandbox.signature.sign(document.uuid, BUYER.email, {"serial": "SN-1"})
    some = await client.fetch_document(document.uuid)
    assert some is not None
    assert event_of(some) is RequestEvent.SOME_SIGNED
    sandbox.signature.sign(document.uuid, CHIEF.email)
    await sandbox.signature.settled()
    done = await client.fetch_document(document.uuid)
    assert done is not None
    assert event_of(done) is RequestEvent.ALL_SIGNED
    assert {i.external_id: i.value for i in done.signers[0].inputs}["serial"] == "SN-1"
    assert done.signers[0].signed_at is not None
    pdf = await client.download(done.pdf_url, 10_000_000, sha256=done.pdf_sha256)
    assert hashlib.sha256(pdf).hexdigest() == done.pdf_sha256
    assert (await client.download(done.log_url, 10_000_000, sha256=done.log_sha256)).startswith(b"%PDF")


async def test_what_is_sent_lets_nobody_type_elsewhere(client: CoreSignature, sandbox: Sandbox) -> None:
    await ask(client, BUYER, CHIEF, COPY)
    (made,) = matching(sandbox.calls, method="POST", path="/documents/$")
    assert made.body["auto_expire_days"] == 7
    assert made.body["events_callback_url"] == "http://127.0.0.1:9/cb/x"
    assert made.body["file_from_content_name"] == "Order 1001.pdf"
    assert "auto_delete_days" not in made.body
    (sent,) = matching(sandbox.calls, method="POST", path="signature-requests/$")
    body = sent.body
    assert body["who"] == "o"
    assert body["send_reminders"] is False
    assert all(body[flag] is True for flag in FLAGS)
    assert body["message"] == "Thanks &amp; &lt;b&gt;bye&lt;/b&gt;"
    assert "from_email" not in body
    buyer, chief, copy = body["signers"]
    assert (buyer["full_name"], buyer["first_name"], buyer["last_name"]) == ("Ada Maria Abbott", "Ada Maria", "Abbott")
    assert (buyer["language"], buyer["redirect_url"], buyer["order"]) == ("de", "https://app.example/done", 1)
    assert (chief["approve_only"], chief["needs_to_sign"], chief["first_name"]) == (True, True, "Ben")
    assert (copy["approve_only"], copy["needs_to_sign"]) == (False, False)
    assert "redirect_url_declined" not in buyer


async def test_a_flag_that_the_service_drops_is_told(client: CoreSignature, sandbox: Sandbox) -> None:
    sandbox.signature.options.dropped_flags = {"disable_date"}
    document = await create(client)
    asked = await client.send(document.url, [BUYER], subject="S")
    assert asked.dropped == ("disable_date",)
    again = await client.fetch_request(asked.uuid)
    assert again is not None
    assert again.dropped == ("disable_date",)


async def test_the_sender_is_named_only_when_set(make: Make, account: Account, sandbox: Sandbox) -> None:
    sender = sandbox.signature.account.sender_email
    client = make(replace(account, from_email=sender))
    document = await create(client)
    await client.send(document.url, [BUYER], subject="S")
    assert sandbox.calls[-1].body["from_email"] == sender
    stranger = make(replace(account, from_email="someone@else.example"))
    other = await create(stranger)
    error = await failure(stranger.send(other.url, [BUYER], subject="S"))
    assert (error.status, error.permanent) == (400, True)


async def test_a_document_takes_one_request_and_can_be_adopted(client: CoreSignature) -> None:
    document = await ask(client)
    error = await failure(client.send(document.url, [BUYER], subject="S"))
    assert (error.status, error.permanent, error.unclear) == (400, True, False)
    found = await client.fetch_document(document.uuid)
    assert found is not None
    request = await client.fetch_request(found.request_uuid)
    assert request is not None
    assert (request.document_uuid, [s.email for s in request.signers]) == (document.uuid, ["buyer@kite.example"])


async def test_documents_are_found_by_their_external_id(client: CoreSignature) -> None:
    one = await create(client, "1:z:1:1:aa")
    two = await create(client, "1:z:1:1:aa")
    await create(client, "1:z:1:1:ab")
    assert {d.uuid for d in await client.find_documents("1:z:1:1:aa")} == {one.uuid, two.uuid}
    assert await client.find_documents("1:z:1:1:") == []


async def test_what_is_signed_is_read_from_both_ends_of_the_list(
    client: CoreSignature, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(sandbox.signature.settle)
    signed = {d.uuid for d in await client.signed_documents(3)}
    made = []
    for _ in range(5):
        document = await ask(client)
        await asyncio.to_thread(sandbox.signature.sign, document.uuid, BUYER.email, {"serial": "1"})
        made.append(document.uuid)
    await ask(client)
    await asyncio.to_thread(sandbox.signature.settle)
    assert {d.uuid for d in await client.signed_documents(3)} - signed == set(made)
    monkeypatch.setattr("bcapp.signature.client.PAGE", 1)
    few = [d.uuid for d in await client.signed_documents(1)]
    assert len(set(few)) == len(few) <= 4  # one of each end, of each of two states
    assert made[-1] in few


async def test_the_list_of_documents_is_as_the_contract_declares_it(client: CoreSignature, sandbox: Sandbox) -> None:
    folder = find_specs()
    if folder is None:
        pytest.skip("the vendors' files are not here")
    document = await ask(client)
    await asyncio.to_thread(sandbox.signature.sign, document.uuid, BUYER.email, {"serial": "1"})
    contract = Document(folder / "core-signature" / "openapi.yaml", "/api/v1")
    listing = next(op for op in contract.operations if op.name == "GET /api/v1/documents/")
    assert {"status", "page", "limit", "external_id"} <= listing.query
    answer = await client._call("GET", ("documents",), params={"status": "si", "page": "1", "limit": "100"})
    schema = listing.answers["200"]
    assert schema is not None
    assert document.uuid in {row["uuid"] for row in answer["results"]}
    assert list(contract.undeclared([schema], answer)) == []


async def test_a_document_from_a_template_takes_prefilled_values(client: CoreSignature) -> None:
    template = next(t for t in await client.templates() if t.name == "Order agreement")
    assert [p.external_id for role in template.roles for p in role.placeholders][:2] == ["order_number", "order_total"]
    assert await client.fetch_template(template.uuid) == template
    assert await client.fetch_template("00000000-0000-4000-8000-000000000000") is None
    tags = [{"external_id": "order_number", "text": "1001"}]
    document = await create(client, content=None, template_url=template.url, prefill=tags)
    assert document.uuid
    with pytest.raises(ValueError):
        await create(client, content=None)


@pytest.mark.parametrize("spelling", ["core", "signrequest"])
@pytest.mark.parametrize("actions", ["core", "signrequest"])
@pytest.mark.parametrize("nested", ["signature_request", "signrequest"])
async def test_both_spellings_work_and_are_remembered(
    make: Make, sandbox: Sandbox, account: Account, learnt: Learnt, spelling: Any, actions: Any, nested: Any
) -> None:
    options = sandbox.signature.options
    options.spelling, options.action_spelling, options.nested_key = spelling, actions, nested
    client = make()
    document = await ask(client)
    await sandbox.signature.settled()
    await client.resend(document.request_uuid)
    await client.cancel(document.request_uuid)
    after = await client.fetch_document(document.uuid)
    assert after is not None
    assert event_of(after) is RequestEvent.CANCELLED
    assert learnt.spellings["requests"] == ("signature-requests" if spelling == "core" else "signrequests")
    assert learnt.spellings["cancel"] == ("cancel_signature_request" if actions == "core" else "cancel_signrequest")
    sandbox.calls.clear()
    times = learnt.times
    await ask(make(replace(account, spellings=learnt.spellings)))
    assert not matching(sandbox.calls, status=404)
    assert learnt.times == times


async def test_a_request_that_has_ended_cannot_be_cancelled(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await ask(client)
    sandbox.signature.sign(document.uuid, BUYER.email, {"serial": "SN-1"})
    error = await failure(client.cancel(document.request_uuid))
    assert error.permanent
    assert error.status in (400, 403)
    assert not isinstance(error, CredentialsRefused)


async def test_a_bounced_address_is_seen_and_mended(client: CoreSignature, sandbox: Sandbox) -> None:
    sandbox.signature.bounce("lost@kite.example")
    document = await ask(client, AskedSigner("Lost@kite.example", "Lost", 1))
    await sandbox.signature.settled()
    found = await client.fetch_document(document.uuid, with_bounces=True)
    assert found is not None
    assert [s.bounced for s in found.signers] == [True]
    assert await client.bounced(document.uuid) == {"lost@kite.example"}
    await client.forward(document.request_uuid, "lost@kite.example", "found@kite.example", "The address was wrong.")
    mended = await client.fetch_document(document.uuid)
    assert mended is not None
    assert "found@kite.example" in {s.email for s in mended.signers}
    assert "lost@kite.example" not in {s.email for s in mended.signers if not s.forwarded}


async def test_events_of_one_document(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await ask(client)
    await ask(client)
    await sandbox.signature.settled()
    events = await client.events(document.uuid)
    assert {"converted", "sent"} <= {e.kind for e in events}
    assert {e.document_uuid for e in events} == {document.uuid}
    assert all(e.at is not None for e in events)


async def test_what_is_gone_is_none(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await ask(client)
    await client.cancel(document.request_uuid)
    await client.delete_document(document.uuid)
    await client.delete_document(document.uuid)
    assert await client.fetch_document(document.uuid) is None
    assert await client.fetch_request("00000000-0000-4000-8000-000000000000") is None


async def test_webhooks_are_made_changed_and_deleted(client: CoreSignature) -> None:
    hook = await client.create_webhook("signed", "https://app.example/cb", "ours")
    assert (hook.event_type, hook.callback_url, hook.name) == ("signed", "https://app.example/cb", "ours")
    changed = await client.update_webhook(hook.uuid, callback_url="https://app.example/cb2")
    assert changed.callback_url == "https://app.example/cb2"
    assert [h.uuid for h in await client.webhooks()] == [hook.uuid]
    await client.delete_webhook(hook.uuid)
    assert await client.webhooks() == []


# Tokens


@pytest.mark.parametrize(
    "path", ["/otdstenant/northwind/oauth2/token", "/tenants/northwind/oauth2/token", "/oauth2/token"]
)
async def test_a_token_from_every_kind_of_address(
    make: Make, account: Account, server: SandboxServer, sandbox: Sandbox, learnt: Learnt, path: str
) -> None:
    client = make(replace(account, token_url=server.url + path))
    assert await client.templates()
    (call,) = matching(sandbox.calls, path="oauth2/token")
    assert call.body["subscription"] == account.subscription
    expected = "basic" if path.startswith("/tenants/") else "form"
    assert learnt.spellings == {"token": expected}


@pytest.mark.parametrize("form", ["form", "basic", "json"])
async def test_each_form_of_the_request_is_understood_and_used_when_remembered(
    make: Make, account: Account, sandbox: Sandbox, form: str
) -> None:
    assert await make(replace(account, spellings={"token": form})).templates()
    (call,) = matching(sandbox.calls, path="oauth2/token")
    assert call.body["grant_type"] == "client_credentials"
    assert ("client_secret" in call.body) == (form != "basic")


async def test_a_form_that_is_not_understood_gives_way_to_the_next(
    make: Make, sandbox: Sandbox, learnt: Learnt
) -> None:
    sandbox.faults.add("signature", "POST", "oauth2/token", "before", times=2, status=415)
    assert await make().templates()
    assert learnt.spellings == {"token": "json"}


@pytest.mark.parametrize("shape", ["fault", "oauth"])
async def test_wrong_credentials_get_a_plain_sentence(
    make: Make, account: Account, sandbox: Sandbox, shape: Any
) -> None:
    sandbox.signature.options.token_errors = shape
    client = make(replace(account, client_secret="wrong-secret"))
    error = await failure(client.templates(), CredentialsRefused)
    assert str(error) == "The client id or the client secret is not accepted."
    assert (error.uncounted, error.permanent) == (True, False)
    assert error.retry_after == 60


async def test_a_client_that_worked_is_asked_once_only_when_locked_out(
    make: Make, account: Account, sandbox: Sandbox
) -> None:
    sandbox.signature.lock_out()
    await failure(make(replace(account, spellings={"token": "form"})).templates(), CredentialsRefused)
    assert len(matching(sandbox.calls, path="oauth2/token")) == 1


async def test_a_token_is_kept_and_renewed_before_its_end(make: Make, moving: SandboxClock, sandbox: Sandbox) -> None:
    tokens = MemoryTokens()

    async def asked() -> int:
        await make(tokens=tokens, clock=moving).templates()
        return len(matching(sandbox.calls, path="oauth2/token"))

    assert [await asked(), await asked()] == [1, 1]
    sandbox.clock.advance(61)  # of 120 s; renewed 60 s before the end
    await moving.read()
    assert await asked() == 2
    assert not matching(sandbox.calls, status=401)


async def test_a_token_that_died_early_is_renewed_once_and_the_call_repeated(
    client: CoreSignature, sandbox: Sandbox
) -> None:
    await client.templates()
    sandbox.signature.accounts.kill_tokens()
    document = await create(client)
    assert document.uuid
    assert len(matching(sandbox.calls, path="oauth2/token")) == 2
    assert len(matching(sandbox.calls, method="POST", path="/documents/$", status=201)) == 1


async def test_a_token_that_is_never_accepted_ends_after_two_tries(client: CoreSignature, sandbox: Sandbox) -> None:
    sandbox.faults.add("signature", "GET", "/templates/", "before", times=-1, status=401)
    error = await failure(client.templates(), CredentialsRefused)
    assert error.status == 401
    assert len(matching(sandbox.calls, path="/templates/")) == 2


async def test_a_token_without_the_subscription_is_refused_in_words(
    make: Make, account: Account, sandbox: Sandbox
) -> None:
    sandbox.signature.options.require_subscription = True
    error = await failure(make(replace(account, subscription="")).templates(), CredentialsRefused)
    assert (error.status, str(error)) == (
        403, "The client may not use the signature service. Check the subscription name."
    )  # fmt: skip
    assert await make().templates()


# Failures


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_refusals_are_permanent(client: CoreSignature, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add("signature", "POST", "/documents/", "before", status=status)
    error = await failure(create(client))
    assert (error.status, error.permanent, error.unclear) == (status, True, False)


async def test_a_missing_path_is_tried_under_both_names(client: CoreSignature, sandbox: Sandbox) -> None:
    sandbox.faults.add("signature", "POST", "(signature-requests|signrequests)/$", "before", times=2, status=404)
    document = await create(client)
    assert (await failure(client.send(document.url, [BUYER], subject="S"))).status == 404
    assert "requests" not in client.spellings


async def test_429_says_how_long(client: CoreSignature, sandbox: Sandbox, gate: NotingGate) -> None:
    sandbox.faults.add("signature", "GET", "/templates/", "throttle", seconds=9)
    error = await failure(client.templates())
    assert (error.status, error.retry_after, error.uncounted) == (429, 9.0, True)
    assert (gate.left[-1]["ok"], gate.left[-1]["wait"]) == (True, 9.0)


async def test_429_without_headers_leaves_the_wait_to_the_gate(gate: NotingGate) -> None:
    error = await failure(over(httpx.Response(429), gate).templates())
    assert (error.retry_after, error.uncounted) == (None, True)
    assert (gate.left[-1]["ok"], gate.left[-1]["wait"]) == (False, None)


@pytest.mark.parametrize("kind", ["after", "silent", "silent_before"])
async def test_a_lost_answer_to_a_write_is_unclear_and_can_be_adopted(
    client: CoreSignature, sandbox: Sandbox, gate: NotingGate, kind: Any
) -> None:
    external = f"1:z:lost:{kind}"
    await client.templates()
    sandbox.faults.add("signature", "POST", "/documents/$", kind)
    error = await failure(create(client, external))
    assert (error.unclear, error.permanent) == (True, False)
    assert gate.left[-1]["ok"] is False
    assert len(await client.find_documents(external)) == (0 if kind == "silent_before" else 1)


async def test_a_late_answer_is_a_timeout(client: CoreSignature, sandbox: Sandbox) -> None:
    await client.templates()
    sandbox.faults.add("signature", "POST", "/webhooks/", "late", seconds=0.4)
    error = await failure(client._call("POST", ("webhooks",), body={"event_type": "signed"}, timeout=0.1))
    assert (error.status, error.unclear) == (None, True)


async def test_a_read_that_fails_is_not_unclear(client: CoreSignature, sandbox: Sandbox) -> None:
    sandbox.signature.go_down()
    error = await failure(client.templates())
    assert (error.status, error.unclear, error.permanent) == (502, False, False)
    sandbox.signature.go_up()
    sandbox.faults.add("signature", "GET", "/templates/", "html")
    assert (await failure(client.templates())).status == 503
    sandbox.faults.add("signature", "GET", "/templates/", "silent")
    assert (await failure(client.templates())).unclear is False


async def test_no_connection_means_surely_not_executed(make: Make, account: Account) -> None:
    dead = replace(account, token_url="http://127.0.0.1:9/oauth2/token")
    error = await failure(make(dead, allowed_hosts=["127.0.0.1"]).templates())
    assert (error.unclear, error.permanent) == (False, False)


TOKEN_ANSWER = {"access_token": "t0ken-value", "expires_in": 900}
KNOWN = Account("us", "t", "https://sign.test/oauth2/token", "https://sign.test/api/v1/", "id", "secret")


def over(answer: httpx.Response, gate: NotingGate | None = None, **more: Any) -> CoreSignature:
    """A client whose wire gives one answer to every API call, for what no server of ours would ever send."""

    def wire(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth2/token"):
            return httpx.Response(200, json=TOKEN_ANSWER)
        return answer

    http = make_http(transport=httpx.MockTransport(wire))
    return CoreSignature(http, KNOWN, MemoryTokens(), gate, allowed_hosts=["sign.test"], **more)


@pytest.mark.parametrize("body", [b'{"uuid": "f2', b"<html>", b"\xff", b"[" * 100_000])
async def test_an_unreadable_success_is_unclear_after_a_write(body: bytes) -> None:
    client = over(httpx.Response(201, content=body))
    assert (await failure(create(client))).unclear
    assert not (await failure(client.templates())).unclear


@pytest.mark.parametrize("body", [{}, [], {"uuid": "x"}, {"uuid": 7, "status": "co"}, None])
async def test_an_incomplete_answer_to_a_write_is_unclear(body: Any) -> None:
    assert (await failure(create(over(httpx.Response(201, json=body))))).unclear


@pytest.mark.parametrize("body", [{}, [], {"results": 7}, {"results": [7]}])
async def test_a_list_of_another_shape_is_unreadable(body: Any) -> None:
    with pytest.raises(UnreadableInput):
        await over(httpx.Response(200, json=body)).templates()


@pytest.mark.parametrize(
    "there", ["https://evil.test/api/v1/templates/?page=2", "http://sign.test/api/v1/templates/", "//evil.test/?page=2"]
)
async def test_the_next_page_on_another_host_is_never_asked(there: str, gate: NotingGate) -> None:
    client = over(httpx.Response(200, json={"count": 2, "next": there, "results": []}), gate)
    error = await failure(client.templates())
    assert error.permanent
    assert gate.entered == 2  # the token and the first page


async def test_a_list_goes_through_all_its_pages_on_our_host() -> None:
    asked: list[dict[str, str]] = []

    def wire(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth2/token"):
            return httpx.Response(200, json=TOKEN_ANSWER)
        asked.append(dict(request.url.params))
        page = int(request.url.params.get("page", 1))
        following = f"https://sign.test/api/v1/webhooks/?limit=100&page={page + 1}" if page < 3 else None
        return httpx.Response(200, json={"count": 3, "next": following, "results": [{"uuid": f"w{page}"}]})

    http = make_http(transport=httpx.MockTransport(wire))
    client = CoreSignature(http, KNOWN, MemoryTokens(), allowed_hosts=["sign.test"])
    assert [h.uuid for h in await client.webhooks()] == ["w1", "w2", "w3"]
    assert [q.get("page") for q in asked] == [None, "2", "3"]


async def test_a_list_without_an_end_is_left(gate: NotingGate) -> None:
    page = {"count": 9, "next": "https://sign.test/api/v1/templates/?page=2", "results": []}
    assert (await failure(over(httpx.Response(200, json=page), gate).templates())).permanent
    assert gate.entered < 60


async def test_a_redirect_is_not_followed() -> None:
    error = await failure(over(httpx.Response(307, headers={"location": "https://evil.test/"})).templates())
    assert (error.status, error.permanent) == (307, True)


async def test_an_account_on_an_inner_address_is_not_called(make: Make, account: Account, sandbox: Sandbox) -> None:
    client = make(replace(account, token_url="https://127.0.0.1/oauth2/token"), allowed_hosts=[])
    error = await failure(client.templates())
    assert error.permanent
    assert sandbox.calls == []


async def test_errors_and_accounts_name_no_secret(client: CoreSignature, account: Account, sandbox: Sandbox) -> None:
    sandbox.faults.add("signature", "GET", "/templates/", "before", status=500)
    error = await failure(client.templates())
    assert account.client_secret not in f"{error!r}{error.__cause__!r}{account!r}"


# Downloads


async def signed(client: CoreSignature, sandbox: Sandbox) -> ProviderDocument:
    document = await ask(client)
    sandbox.signature.sign(document.uuid, BUYER.email, {"serial": "SN-1"})
    await sandbox.signature.settled()
    found = await client.fetch_document(document.uuid)
    assert found is not None
    return found


async def test_a_dead_link_is_tried_again_with_a_new_one(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await signed(client, sandbox)
    sandbox.signature.options.download_seconds = -1
    error = await failure(client.download(document.pdf_url, 10_000_000))
    assert (error.status, error.permanent) == (403, False)


async def test_another_file_than_announced_is_refused(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await signed(client, sandbox)
    assert not (await failure(client.download(document.pdf_url, 10_000_000, sha256="0" * 64))).permanent


async def test_an_oversized_download_is_cut_off(client: CoreSignature, sandbox: Sandbox) -> None:
    document = await signed(client, sandbox)
    assert (await failure(client.download(document.pdf_url, 100))).permanent


@pytest.mark.parametrize(
    "url", ["https://evil.test/x.pdf", "http://evil.test/x.pdf", "file:///etc/passwd", "http://169.254.169.254/", ""]
)
async def test_a_download_from_elsewhere_is_refused(client: CoreSignature, url: str, gate: NotingGate) -> None:
    assert (await failure(client.download(url, 1000))).permanent


async def test_without_a_list_only_public_hosts_are_asked(server: SandboxServer, make: Make, sandbox: Sandbox) -> None:
    document = await signed(make(), sandbox)
    error = await failure(make(download_hosts=[]).download(document.pdf_url, 10_000_000))
    assert error.permanent


# Test the connection


async def test_the_connection_works(client: CoreSignature) -> None:
    steps = await client.probe()
    assert [(s.name, s.ok) for s in steps] == [("Token", True), ("Templates", True)]


async def test_the_connection_fails_in_plain_sentences(
    make: Make, account: Account, server: SandboxServer, sandbox: Sandbox
) -> None:
    async def last(**changed: Any) -> str:
        step = (await make(replace(account, **changed), allowed_hosts=["127.0.0.1"]).probe())[-1]
        assert not step.ok
        return f"{step.name}: {step.sentence}"

    url = server.url
    assert await last(client_secret="x") == "Token: The client id or the client secret is not accepted."
    assert await last(subscription="subscription:other") == (
        "Token: The token service does not accept the request. Check the tenant and the subscription name."
    )
    assert "There is no token service at this address" in await last(token_url=f"{url}/nowhere")
    assert await last(token_url="http://127.0.0.1:9/t") == (
        "Token: The token service does not answer. Check the address or try again."
    )
    assert await last(token_url="https://10.0.0.1/t") == "Token: 10.0.0.1 is not an address of the open internet."
    assert "There is no token service at this address" in await last(token_url=f"{url}/inbox")
    assert await last(api_root=f"{url}/api/v9/") == (
        "Templates: The signature service does not know this path. Check the API address."
    )
    sandbox.signature.go_down()
    assert await last() == "Token: The token service does not work right now (status 502). Try again later."
