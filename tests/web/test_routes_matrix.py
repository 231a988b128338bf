"""Every route of the panel with every method, as everybody who must not: nothing but refusals, nothing changed.

The routes are taken from the app, so that a new screen is covered the moment it exists.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from starlette.routing import Route

from bcapp.core.kinds import KINDS
from bcapp.sandbox.bigcommerce.store import User
from bcapp.web.panel.kinds import TABLE
from bcapp.web.roles import PERMISSIONS, Role
from bcapp.web.session import SESSION_HEADER
from tests.web.conftest import Visitor, Web

pytestmark = pytest.mark.database

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REFUSED = frozenset({401, 403, 404, 405})
PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
ORDER = "250"
REMOTE = {words.slug for words in TABLE.values() if words.name in KINDS and words.kind.is_remote}
USERS = {role: User(id=8000 + n, email=f"{role}@example.com", name=role) for n, role in enumerate(Role)}


@dataclass(frozen=True)
class Place:
    """One route with one method."""

    method: str
    template: str
    permission: str
    declared: bool  # the route takes the method

    def path(self, store_hash: str, record_id: int) -> str:
        """The address in a store, with the ids of the victim's rows. All of them were made with the same number."""

        def fill(match: re.Match[str]) -> str:
            if match[1] == "store_hash":
                return store_hash
            if match[1] in ("kind", "record_kind"):
                return "order"
            if match[1] in ("order_id", "record_id") or "/orders/{" in self.template:
                return ORDER
            return str(record_id)

        return PARAMETER.sub(fill, self.template)

    @property
    def has_ids(self) -> bool:
        """Names a row of ours. An order's number is BigCommerce's own and says nothing about another store's."""
        return len(PARAMETER.findall(self.template)) > 1 and self.template.split("/")[3] not in REMOTE

    @property
    def by_ticket(self) -> bool:
        """Proven by a one-time ticket in the address instead of a session: an unknown one is a 404 for everybody."""
        return "{ticket}" in self.template


def places(web: Web) -> list[Place]:
    """Every panel route with every method, what ends the session last."""
    found = [
        Place(method, route.path, str(getattr(route.endpoint, "permission", "")), method in (route.methods or ()))
        for route in web.app.routes
        if isinstance(route, Route) and route.name.startswith("panel:")
        for method in METHODS
    ]
    return sorted(found, key=lambda place: place.permission == "session.end")


async def fill_store(web: Web, store_hash: str) -> int:
    """Give the store one row of everything that a route may name, and return their common id."""
    now = web.services.clock.now()
    record_id = 4711

    async def add(table: str, columns: str, *values: Any) -> None:
        marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await web.rows(f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({marks})", *values)

    limit = {"person_id": record_id, "currency": "USD", "up_to": "500.00", "remove": False}
    sealed = web.services.secrets.encrypt(
        json.dumps(limit).encode(), table="pending_changes", column="payload", store_hash=store_hash, row=record_id
    )
    await add("people", "store_hash, id, name, email, created_at", store_hash, record_id, "Ann", "ann@victim.com", now)
    await add(
        "signature_accounts",
        "store_hash, id, name, environment, tenant, token_url, api_root, client_id, client_secret, created_at",
        store_hash, record_id, "Main", "us", "t", "https://otdsauth.ot2.opentext.com/t", "https://sign.core.opentext.com",
        "c", b"sealed", now,
    )  # fmt: skip
    await add("calendars", "store_hash, id, name, version, created_at", store_hash, record_id, "Office", 1, now)
    await add("calendar_versions", "store_hash, calendar_id, version, weekdays, author, created_at",
              store_hash, record_id, 1, [0, 1], 1, now)  # fmt: skip
    await add("agreements", "store_hash, id, name, version, created_at", store_hash, record_id, "Terms", 1, now)
    await add(
        "agreement_versions", "store_hash, agreement_id, version, source, author, created_at",
        store_hash, record_id, 1, "text", 1, now,
    )  # fmt: skip
    await add(
        "agreement_texts", "store_hash, agreement_id, version, language, title, body",
        store_hash, record_id, 1, "en", "Victim's terms", "Victim's body",
    )  # fmt: skip
    await add("rules", "store_hash, id, workflow, name, mode, version, created_at",
              store_hash, record_id, "order_approval", "Large orders", "off", 1, now)  # fmt: skip
    await add("rule_versions", "store_hash, rule_id, version, definition, author, created_at",
              store_hash, record_id, 1, {}, 1, now)  # fmt: skip
    await add("tryouts", "store_hash, id, kind, definition, state, author, created_at, updated_at",
              store_hash, record_id, "order", {}, "counted", 1, now, now)  # fmt: skip
    await add("records", "store_hash, kind, id, label, created_at",
              store_hash, "order", ORDER, "Order 250, Victim", now)  # fmt: skip
    await add(
        "requests",
        "store_hash, id, workflow, purpose, record_kind, record_id, round, projection, fingerprint, snapshot, "
        "account_id, agreement_id, agreement_version, nonce, external_id, created_at",
        store_hash, record_id, "order_approval", "customer", "order", ORDER, 1, 1, "f", {}, record_id,
        record_id, 1, "n", f"1:{store_hash}:{record_id}:1:n", now,
    )  # fmt: skip
    await add("signers", "store_hash, request_id, position, name, email",
              store_hash, record_id, 0, "Ann", "ann@victim.com")  # fmt: skip
    await add("imports", "store_hash, id, file_name, state, author, created_at",
              store_hash, record_id, "old.csv", "checked", 1, now)  # fmt: skip
    await add(
        "acceptances",
        "store_hash, id, party_kind, party_id, label, agreement_id, agreement_version, scope, valid_from, import_id, "
        "recorded_at",
        store_hash, record_id, "customer", "7", "Ann, ann@victim.com", record_id, 1, "customer", now, record_id, now,
    )  # fmt: skip
    await add("exemptions", "store_hash, id, party_kind, party_id, valid_from, until, why, author",
              store_hash, record_id, "customer", "7", now, now + timedelta(days=1), "family", 1)  # fmt: skip
    await add("campaigns",
              "store_hash, id, agreement_id, version, account_id, per_hour, grace_until, author, started_at",
              store_hash, record_id, record_id, 1, record_id, 5, now, 1, now)  # fmt: skip
    await add("holds", "store_hash, record_kind, record_id, method, state, wanted_at",
              store_hash, "order", ORDER, "status", "held", now)  # fmt: skip
    await add("actions", "store_hash, id, kind, record_kind, record_id, seq, priority, due_at, created_at, state",
              store_hash, record_id, "write_metafields", "order", ORDER, 1, 30, now, now, "failed")  # fmt: skip
    await add("suppliers", "store_hash, id, name, identity, created_at, created_by, modified_at",
              store_hash, record_id, "Victim's supplier", "name victim", now, 1, now)  # fmt: skip
    await add("records", "store_hash, kind, id, label, looked_at, created_at",
              store_hash, "supplier", str(record_id), "Victim's supplier", now, now)  # fmt: skip
    await add("cases", "store_hash, id, kind, state, order_id, origin, note, created_at",
              store_hash, record_id, "return", "stuck", 250, "staff", "Victim's note", now)  # fmt: skip
    await add("records", "store_hash, kind, id, label, looked_at, created_at",
              store_hash, "case", str(record_id), "Victim's case", now, now)  # fmt: skip
    await add("registrations",
              "store_hash, id, order_id, item_id, piece, quantity, product_id, sku, name, cover, starts_on, state, "
              "buyer, created_at",
              store_hash, record_id, ORDER, 1, 1, 1, 7, "TENT-1", "Victim's tent", "warranty", now.date(), "active",
              "Ann Victim", now)  # fmt: skip
    await add("supplier_imports", "store_hash, id, file_name, state, author, created_at, moved_at",
              store_hash, record_id, "victim.csv", "checked", 1, now, now)  # fmt: skip
    await add("outside_documents",
              "store_hash, id, account_id, document, record_kind, record_id, reasons, name, found_at",
              store_hash, record_id, record_id, "00000000-0000-4000-8000-000000004711", "order", ORDER, ["signer"],
              "Victim's contract", now)  # fmt: skip
    await add("tasks", "store_hash, id, kind, text, created_at", store_hash, record_id, "look", "Look", now)
    await add("questions", "store_hash, id, request_id, position, text, asked_at",
              store_hash, record_id, record_id, 0, "Victim's question", now)  # fmt: skip
    await add("api_keys", "store_hash, id, name, digest, hint, role, created_by, created_at",
              store_hash, record_id, "Victim's ERP", b"d", "abcd", "read", 1, now)  # fmt: skip
    await add("webhook_endpoints", "store_hash, id, url, description, created_by, created_at",
              store_hash, record_id, "https://erp.victim.com/", "Victim's ERP", 1, now)  # fmt: skip
    message = "INSERT INTO webhook_messages (store_hash, id, event, body, made_at) VALUES ($1, 'm', 'e', '{}', $2)"
    await web.rows(message, store_hash, now)
    await add("webhook_sends", "store_hash, id, endpoint_id, message_id, made_at, state",
              store_hash, record_id, record_id, "m", now, "delivered")  # fmt: skip
    await add(
        "pending_changes", "store_hash, id, subject, subject_id, payload, summary, asked_by, asked_at, applies_at",
        store_hash, record_id, "limit", "1", sealed, "Limit", 1, now, now,
    )  # fmt: skip
    return record_id


async def as_role(web: Web, role: Role) -> Visitor:
    user = web.store.owner if role is Role.OWNER else USERS[role]
    visitor = await web.open(web.store, user)
    if role is not Role.OWNER:
        await web.set_role(web.store, user, role)
    return visitor


def ended_long_ago(place: Place, status: int) -> bool:
    """Marking a task done that is not there leads back home, like one that is done already; nothing is changed."""
    return place.template.endswith("/tasks/{id:int}/done") and status == 303


async def try_all(web: Web, tried: list[tuple[Place, str]], headers: dict[str, str]) -> dict[str, int]:
    """Call each; return what was answered with anything but a refusal."""
    web.client.cookies.clear()
    wrong = {}
    for place, path in tried:
        response = await web.client.request(place.method, path, headers=headers)
        if response.status_code not in REFUSED and not ended_long_ago(place, response.status_code):
            wrong[f"{place.method} {place.template}"] = response.status_code
    return wrong


async def test_strangers_get_refusals_and_change_nothing(web: Web) -> None:
    await web.install(web.stranger)
    record_id = await fill_store(web, web.store.hash)
    stranger = await web.open(web.stranger)
    before = await web.contents()
    every = places(web)
    assert every
    victim = [(place, place.path(web.store.hash, record_id)) for place in every]
    own = [(place, place.path(web.stranger.hash, record_id)) for place in every if place.has_ids]
    wrong = {
        "without a session": await try_all(web, victim, {}),
        "with a made-up one": await try_all(web, victim, {SESSION_HEADER: f"{web.store.hash}.{'a' * 43}"}),
        "a stranger on the victim's prefix": await try_all(web, victim, stranger.headers),
        "a stranger's cookie on the victim's prefix": await try_all(
            web, victim, {"Cookie": f"__Host-cs_{web.store.hash}={stranger.token}"}
        ),
        "a stranger on the own prefix with the victim's ids": await try_all(web, own, stranger.headers),
    }
    assert wrong == {who: {} for who in wrong}
    assert await web.contents() == before


async def test_a_stranger_sees_nothing_of_the_victim_in_lists(web: Web) -> None:
    await web.install(web.stranger)
    await fill_store(web, web.store.hash)
    stranger = await web.open(web.stranger)
    for place in places(web):
        if place.method == "GET" and place.declared and not place.has_ids:
            response = await stranger.get(place.path(web.stranger.hash, 0))
            assert response.status_code < 500, place.template
            assert "ictim" not in response.text, place.template


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_may_what_the_table_says_and_no_more(web: Web, role: Role) -> None:
    record_id = await fill_store(web, web.store.hash)
    visitor = await as_role(web, role)
    before = await web.contents()
    every = [place for place in places(web) if place.declared]
    refused = [place for place in every if role not in PERMISSIONS[place.permission]]
    allowed = [place for place in every if role in PERMISSIONS[place.permission]]
    wrong = {}
    for place in refused:
        response = await web.client.request(
            place.method, place.path(web.store.hash, record_id), headers=visitor.headers
        )
        if response.status_code != (404 if place.by_ticket else 403):
            wrong[f"{place.method} {place.template}"] = response.status_code
    assert wrong == {}
    assert await web.contents() == before
    for place in allowed:
        response = await web.client.request(
            place.method, place.path(web.store.hash, record_id), headers=visitor.headers
        )
        if response.status_code in (401, 403) or response.status_code >= 500:
            wrong[f"{place.method} {place.template}"] = response.status_code
    assert wrong == {}


async def test_a_get_changes_nothing(web: Web) -> None:
    record_id = await fill_store(web, web.store.hash)
    visitor = await as_role(web, Role.OWNER)
    before = await web.contents()
    for place in places(web):
        if place.method in ("GET", "HEAD") and place.declared:
            await web.client.request(place.method, place.path(web.store.hash, record_id), headers=visitor.headers)
            assert await web.contents() == before, place.template
