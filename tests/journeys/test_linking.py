"""What hangs on the store's own records: screens inside BigCommerce's lists, documents signed elsewhere."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import httpx
import pytest

from bcapp.core.extensions import WANTED
from bcapp.sandbox.signature.pdf import text_pdf
from bcapp.web.session import SESSION_HEADER
from tests.fixtures.world import PATIENCE, World
from tests.journeys.test_sentinels import open_panel

pytestmark = pytest.mark.journey


async def test_the_lists_of_the_store_open_our_screens(world: World) -> None:
    async def registered() -> bool:
        return len(world.store.extensions) == len(WANTED)

    await world.until(registered, said="the app extensions are registered")
    await world.rule()
    order = world.place()
    await world.request_is(order.id, "sent")
    for extension in world.store.extensions:
        assert "${id}" in extension["url"]
    url = world.store.extensions[0]["url"].replace("${id}", str(order.id))
    async with httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE) as browser:
        page = (await browser.get(world.bc.load_url(world.store, url=url))).text
    assert f"Order {order.id}" in page
    assert "Customer document" in page
    assert 'class="tabs"' not in page


async def signed_by_hand(world: World, name: str, email: str, **fields: Any) -> str:
    """Send a document as staff do at the signature service itself, have it signed, and return its uuid."""
    service = world.sandbox.signature
    headers = {"Authorization": f"Bearer {service.accounts.issue(service.account)}"}
    content = base64.b64encode(text_pdf([name, "", "[[s|0|id:by_hand        ]]"], title=name)).decode()
    async with httpx.AsyncClient(base_url=f"{world.server.url}/api/v1", headers=headers, timeout=PATIENCE) as api:
        body = {"name": name, "file_from_content": content, "file_from_content_name": "contract.pdf", **fields}
        document = (await api.post("/documents/", json=body)).json()
        asked = {"document": document["url"], "signers": [{"email": email, "order": 1}]}
        assert (await api.post("/signature-requests/", json=asked)).status_code == 201
    await service.settled()
    await asyncio.to_thread(service.sign, document["uuid"], email)
    await service.settled()
    return str(document["uuid"])


async def test_a_document_signed_elsewhere_is_suggested_and_linked_by_a_person(world: World) -> None:
    await world.rule()
    order = world.place()
    await world.request_is(order.id, "sent")
    [signer] = await world.raw("SELECT email FROM signers")
    ours = await signed_by_hand(world, "Framework contract", signer["email"])
    named = await signed_by_hand(
        world, "From the ERP", "x@elsewhere.example", external_id=f"{world.store_hash}:order:{order.id}"
    )
    foreign = await signed_by_hand(world, "Not ours", signer["email"], external_id=f"other1:order:{order.id}")
    stranger = await signed_by_hand(world, "Nobody's", "x@elsewhere.example")
    broken = await signed_by_hand(world, "Not a text \0", signer["email"])
    await world.swept("outside")
    rows = await world.raw("SELECT id, CAST(document AS text), record_id, reasons FROM outside_documents ORDER BY id")
    by_document = {r["document"]: r for r in rows}
    assert {d: r["reasons"] for d, r in by_document.items()} == {ours: ["signer"], named: ["external_id"]}
    assert {r["record_id"] for r in rows} == {str(order.id)}
    assert not {foreign, stranger, broken} & set(by_document)

    asked = "SELECT done_at IS NULL AS is_open FROM tasks WHERE kind = 'signed_elsewhere'"
    assert await world.raw(asked) == [{"is_open": True}]

    session, _ = await open_panel(world)
    root = f"/s/{world.store_hash}"
    headers = {SESSION_HEADER: session}
    async with httpx.AsyncClient(
        base_url=world.services.settings.app_url, headers=headers, timeout=PATIENCE, follow_redirects=True
    ) as browser:
        for path in (f"{root}/orders/{order.id}", f"{root}/outside"):
            page = (await browser.get(path)).text
            assert "Framework contract" in page
            assert "From the ERP" in page
            assert "Not ours" not in page
        linked, dismissed = by_document[ours]["id"], by_document[named]["id"]
        await browser.post(f"{root}/outside/{dismissed}/dismiss")
        page = (await browser.post(f"{root}/outside/{linked}/link")).text
        assert "linked by hand" in page
        assert await world.raw(asked) == [{"is_open": False}]
        assert "From the ERP" not in page

        async def kept() -> Any:
            [row] = await world.raw("SELECT signed_sha256, log_sha256 FROM outside_documents WHERE id = $1", linked)
            return row["signed_sha256"] and row["log_sha256"]

        await world.until(kept, said="the linked document's PDF is kept")
        pdf = await browser.post(f"{root}/outside/{linked}/download", data={"part": "signed"})
        assert pdf.headers["content-type"] == "application/pdf"
        assert pdf.content == world.sandbox.signature.store.documents[ours].pdf
    await world.swept("outside")
    states = {r["id"]: (r["state"], r["name"]) for r in await world.raw("SELECT * FROM outside_documents")}
    assert states == {linked: ("linked", "Framework contract"), dismissed: ("dismissed", "")}
    hold = await world.hold(order.id)
    assert hold is not None
    assert hold["state"] == "held"

    # Another store moves onto the account and knows the signer too: whose the next document is cannot be told.
    now = world.services.clock.now()
    await world.raw(
        "INSERT INTO stores (store_hash, state, owner_id, installed_at, state_since)"
        " VALUES ('other1', 'uninstalled', 1, $1, $1)",
        now,
    )
    await world.raw(
        "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
        " client_secret, created_at) SELECT 'other1', name, environment, tenant, token_url, api_root, 'another',"
        " '', created_at FROM signature_accounts"
    )
    await world.raw(
        "INSERT INTO people (store_hash, name, email, created_at) VALUES ('other1', 'Ann', $1, $2)",
        signer["email"], now,
    )  # fmt: skip
    await signed_by_hand(world, "Whose is it", signer["email"])
    await world.swept("outside")
    assert {r["id"] for r in await world.raw("SELECT id FROM outside_documents")} == {linked, dismissed}
    assert world.sandbox.spec_errors == []
