"""Secrets stand nowhere in clear, and what a person is stands only where it can be erased.

One journey with values that cannot be mistaken for others; then everything that the app left behind is searched:
the output of its processes, its metrics, and every table of the database, those of the queue included.
"""

from __future__ import annotations

import asyncio
import base64
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bcapp.web.session import SESSION_HEADER
from tests.fixtures.processes import Nursery, Running, running
from tests.fixtures.world import KEY, World, free_port, set_up

pytestmark = pytest.mark.journey

METRICS_TOKEN = "sentinel-metrics-7b1f0c55e2"
SMTP_PASSWORD = "sentinelsmtp9d4e21"
BUYER = {
    "first_name": "Quintessa",
    "last_name": "Wrenfeather",
    "company": "Wrenfeather Sentinel Works",
    "street_1": "77 Sentinelgate Row",
    "phone": "+1 555 7391 2264",
}
BUYER_EMAIL = "quintessa.wrenfeather@buyer-sentinel.test"
MENDED_EMAIL = "mended.wrenfeather@buyer-sentinel.test"
APPROVER_EMAIL, APPROVER_NAME = "dana@northfield.test", "Dana Lead"
REASON = "The zebrawood price differs"

# Where personal data may stand: tables and columns from which a person can be erased. Everything else must be free.
ERASABLE = {
    ("people", "name"),
    ("people", "email"),
    ("users", "email"),
    ("signers", "name"),
    ("signers", "email"),
    ("signers", "reason"),
    ("signers", "forwarded_to"),
    ("signers", "mended_from"),
    ("signers", "mend_to"),
    ("requests", "snapshot"),
    ("requests", "inputs"),
    ("records", "label"),
    ("records", "facts"),
    ("past_records", "label"),
    ("past_records", "facts"),
    ("stores", "profile"),
}


def personal() -> dict[str, str]:
    words = {f"the buyer's {name}": value for name, value in BUYER.items()}
    return words | {
        "the buyer's address": BUYER_EMAIL,
        "the mended address": MENDED_EMAIL,
        "the approver's address": APPROVER_EMAIL,
        "the approver's name": APPROVER_NAME,
        "what the signer typed": REASON,
    }


async def journey(app: Running) -> dict[str, str]:
    """Install, open, hold, approve, mend, sign, decline; return every secret that passed, by what it is."""
    world = app.world
    await set_up(world)
    session, code = await open_panel(world)
    await world.rule(internal=True)
    orders = [world.place(address=BUYER, email=BUYER_EMAIL) for _ in range(2)]
    for order in orders:
        await world.until(lambda o=order: both_sent(world, o.id), said="both requests are sent")  # type: ignore[misc]
    first, second = [await requests_by_purpose(world, o.id) for o in orders]
    await asyncio.to_thread(world.sandbox.signature.bounce, BUYER_EMAIL)
    await world.task("bounced")
    payload = {"position": 0, "email": MENDED_EMAIL}
    await world.command(orders[0].id, "mend", request_id=first["customer"]["id"], payload=payload, why="Wrong address")
    await world.until(lambda: mended(world), said="the address is mended")
    await world.sign(first["internal"], APPROVER_EMAIL)
    await world.sign(first["customer"], MENDED_EMAIL)
    await world.order_is(orders[0].id, 11)
    await asyncio.to_thread(
        world.sandbox.signature.decline, str(second["internal"]["provider_document"]), APPROVER_EMAIL, REASON
    )
    await world.hold_is(orders[1].id, "kept")
    await world.quiet()
    secrets = {
        "the session": session,
        "the one-time code": code,
        "the access token": world.store.token,
        "the webhook key": webhook_key(world),
        "the app's client secret": world.sandbox.settings.client_secret,
        "the key that encrypts": KEY,
        "the account's client secret": world.sandbox.signature.account.client_secret,
        "the metrics token": METRICS_TOKEN,
        "the mail password": SMTP_PASSWORD,
    }
    for number, token in enumerate(world.sandbox.signature.accounts._access):
        secrets[f"signature token {number}"] = token
    for document in world.sandbox.signature.store.documents.values():
        secrets[f"the callback token of {document.name}"] = document.asked["events_callback_url"].rpartition(".")[2]
        for signer in document.request.signers:
            secrets[f"a signing link of {document.name}"] = signer.token
    assert all(len(value) >= 12 for value in secrets.values())
    assert len(secrets) >= 15
    return secrets


async def open_panel(world: World) -> tuple[str, str]:
    """Open the app and read some pages, as the owner's browser does; return the session and its one-time code."""
    async with httpx.AsyncClient(base_url=world.services.settings.app_url) as browser:
        answer = await browser.get(world.bc.auth.load_url(world.store))
        location = answer.headers["location"]
        code = parse_qs(urlsplit(location).query)["x"][0]
        page = await browser.get(location)
        assert page.status_code == 200, page.text
        found = re.search(rf"{world.store_hash}\.[A-Za-z0-9_-]{{43}}", page.text)
        assert found is not None
        for path in ("/", "/requests", "/people", "/settings"):
            await browser.get(f"/s/{world.store_hash}{path}", headers={SESSION_HEADER: found[0]})
        return found[0], code


async def requests_by_purpose(world: World, order_id: int) -> dict[str, dict[str, Any]]:
    return {r["purpose"]: r for r in await world.requests(order_id)}


async def both_sent(world: World, order_id: int) -> bool:
    return [r["status"] for r in await world.requests(order_id)] == ["sent", "sent"]


async def mended(world: World) -> bool:
    rows = await world.raw("SELECT 1 FROM signers WHERE email = $1", MENDED_EMAIL)
    return bool(rows)


def webhook_key(world: World) -> str:
    hook = world.bc.webhooks.of_store(world.store_hash)[0]
    return str(hook.headers["X-Countersign-Key"])


def spellings(value: str) -> list[bytes]:
    """A text as it is, as bytes of a column, and as base64 of its beginning."""
    raw = value.encode()
    return [raw, raw.hex().encode(), base64.b64encode(raw[: len(raw) // 3 * 3])]


def found_in(text: bytes, values: dict[str, str]) -> list[str]:
    folded = text.lower()
    return [what for what, value in values.items() if any(form.lower() in folded for form in spellings(value))]


async def every_column(world: World) -> dict[tuple[str, str], bytes]:
    """Every column of every table, all rows together, as text; bytes as hexadecimal digits."""
    columns = await world.raw(
        "SELECT table_name, column_name FROM information_schema.columns c JOIN information_schema.tables t"
        " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    found = {}
    for row in columns:
        table, column = row["table_name"], row["column_name"]
        rows = await world.raw(f'SELECT "{column}"::text AS value FROM "{table}"')
        found[table, column] = "\n".join(r["value"] or "" for r in rows).encode()
    return found


async def test_nothing_secret_or_personal_is_left_behind(nursery: Nursery, database_dsn: str, tmp_path: Path) -> None:
    smtp = f"smtp://mailer:{SMTP_PASSWORD}@127.0.0.1:{free_port()}"  # nobody listens: the failure must not tell either
    async with running(nursery, database_dsn, tmp_path, metrics_token=METRICS_TOKEN, smtp_url=smtp) as app:
        secrets = await journey(app)
        async with httpx.AsyncClient() as http:
            url = f"{app.settings.app_url}/metrics"
            metrics = await http.get(url, headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
        columns = await every_column(app.world)
    assert metrics.status_code == 200
    assert {"audit_log", "actions", "deliveries", "pgqueuer", "pgqueuer_log", "sessions", "chunks"} <= {
        table for table, _ in columns
    }
    problems = []
    outputs = {"the web's output": app.web.text(), "the worker's output": app.worker.text(), "/metrics": metrics.text}
    for where, text in outputs.items():
        assert text
        problems += [f"{what} stands in {where}" for what in found_in(text.encode(), secrets | personal())]
    for (table, column), content in sorted(columns.items()):
        problems += [f"{what} stands in {table}.{column}" for what in found_in(content, secrets)]
        if (table, column) not in ERASABLE:
            problems += [f"{what} stands in {table}.{column}" for what in found_in(content, personal())]
    assert not problems, "\n".join(problems)
    held = {place for place in ERASABLE if found_in(columns[place], personal())}
    assert {("people", "email"), ("signers", "email"), ("requests", "snapshot"), ("records", "facts")} <= held
