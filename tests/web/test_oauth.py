"""Install, open, uninstall, remove a user: what BigCommerce's callbacks may and may not do."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from bcapp import stores
from bcapp.sandbox.bigcommerce.auth import jwt
from bcapp.sandbox.bigcommerce.store import SCOPES, User
from tests.web.conftest import Web

pytestmark = pytest.mark.database

COLLEAGUE = User(id=7001, email="Kim@Example.com", name="Kim")


def callback(web: Web, door: str, claims: dict[str, Any] | None = None, *, secret: str = "", **changes: Any) -> str:
    """The address of a callback with a JWT of our making."""
    made = {**(claims or web.auth.payload(web.store)), **changes}
    token = jwt(made, secret or web.sandbox.settings.client_secret)
    return f"/{door}?{urlencode({'signed_payload_jwt': token})}"


async def state_of(web: Web) -> str:
    return str((await web.rows("SELECT state FROM stores WHERE store_hash = $1", web.store.hash))[0]["state"])


# Install


async def test_an_install_writes_the_store_down_and_asks_for_its_webhooks(web: Web) -> None:
    (row,) = await web.rows("SELECT * FROM stores")
    assert (row["store_hash"], row["state"], row["installation"]) == (web.store.hash, "active", 1)
    assert row["owner_id"] == web.store.owner.id
    assert row["profile"]["name"] == web.store.name
    assert row["profile"]["control_panel_url"]
    actions = await web.rows("SELECT kind, record_kind, record_id, state FROM actions")
    assert [tuple(a.values()) for a in actions] == [("register_hooks", "store", web.store.hash, "pending")]
    jobs = await web.rows("SELECT entrypoint FROM pgqueuer")
    assert [job["entrypoint"] for job in jobs] == ["perform"]
    assert len(await web.rows("SELECT * FROM channels")) == len(web.store.channels)


async def test_the_token_is_kept_sealed_and_opens_again(web: Web) -> None:
    assert web.store.token is not None
    (row,) = await web.rows("SELECT access_token, webhook_key, data_key FROM stores")
    dump = str(await web.contents())
    assert web.store.token not in dump
    assert web.store.token.encode() not in b"".join(bytes(v) for v in row.values())
    assert await stores.get_access_token(web.services, web.store.hash) == web.store.token
    assert len(await stores.get_webhook_key(web.services, web.store.hash)) == 43


async def test_an_install_gives_no_session(web: Web) -> None:
    response = await web.install(web.store)
    assert "set-cookie" not in response.headers
    assert await web.rows("SELECT * FROM sessions") == []
    assert await web.rows("SELECT * FROM login_codes") == []
    assert "app-session" not in response.text
    assert "Countersign is installed" in response.text


async def test_the_same_install_twice_replaces_the_token_and_nothing_else(web: Web) -> None:
    before = (await web.rows("SELECT * FROM stores"))[0]
    await web.install(web.store)
    after = (await web.rows("SELECT * FROM stores"))[0]
    assert after.pop("access_token") != before.pop("access_token")
    assert after == before


async def test_an_install_after_an_uninstall_is_a_new_installation_and_resumes(web: Web) -> None:
    before = (await web.rows("SELECT * FROM stores"))[0]
    assert (await web.visit(web.auth.uninstall_url(web.store))).status_code == 200
    await web.install(web.store)
    after = (await web.rows("SELECT * FROM stores"))[0]
    assert (after["state"], after["installation"]) == ("active", 2)
    assert after["data_key"] == before["data_key"]
    assert after["webhook_key_digest"] != before["webhook_key_digest"]
    assert after["previous_key_digest"] == before["webhook_key_digest"]
    open_probes = await web.rows("SELECT * FROM actions WHERE kind = 'probe_uninstall' AND state = 'pending'")
    assert open_probes == []


async def test_a_code_of_another_store_installs_nothing_on_this_one(web: Web) -> None:
    url = web.auth.install_url(web.stranger).replace(web.stranger.hash, web.store.hash)
    before = await web.contents()
    response = await web.visit(url)
    assert response.status_code == 403
    assert "did not confirm" in response.text
    assert await web.contents() == before


async def test_a_code_works_once(web: Web) -> None:
    url = web.auth.install_url(web.stranger)
    assert (await web.visit(url)).status_code == 200
    assert (await web.visit(url)).status_code == 403


@pytest.mark.parametrize(
    ("missing", "named"),
    [("store_v2_orders", "Orders: modify"), ("store_v2_information", "Information"), ("store_v2_products", "Products")],
)
async def test_a_missing_required_scope_is_named_and_nothing_is_installed(web: Web, missing: str, named: str) -> None:
    web.auth.profile_scopes = tuple(s if s != missing else f"{s}_read_only" for s in SCOPES)
    response = await web.visit(web.auth.install_url(web.stranger))
    assert response.status_code == 403
    assert named in response.text
    assert len(await web.rows("SELECT * FROM stores")) == 1


async def test_a_missing_optional_scope_refuses_nothing(web: Web) -> None:
    web.auth.profile_scopes = tuple(stores.REQUIRED_SCOPES)
    assert (await web.visit(web.auth.install_url(web.stranger))).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "code=x", "context=stores/abc", "code=x&context=abc", "code=x&context=stores/A_B"]
)
async def test_a_malformed_install_gets_a_styled_page(web: Web, query: str) -> None:
    response = await web.visit(f"/auth?{query}")
    assert response.status_code == 400
    assert "<html" in response.text
    assert (
        "frame-ancestors https://*.mybigcommerce.com https://login.test" in response.headers["content-security-policy"]
    )


async def test_an_install_survives_a_store_that_cannot_be_read(web: Web) -> None:
    web.sandbox.faults.add("bigcommerce", "GET", r"/v2/store|/v3/channels", "before", times=9, status=503)
    assert (await web.visit(web.auth.install_url(web.stranger))).status_code == 200
    rows = await web.rows("SELECT profile FROM stores WHERE store_hash = $1", web.stranger.hash)
    assert rows[0]["profile"] == {}


async def test_a_login_service_that_fails_installs_nothing(web: Web) -> None:
    web.sandbox.faults.add("bigcommerce", "POST", "/oauth2/token", "before", status=503)
    response = await web.visit(web.auth.install_url(web.stranger))
    assert response.status_code == 502
    assert len(await web.rows("SELECT * FROM stores")) == 1


async def test_an_external_install_goes_back_to_bigcommerce(web: Web) -> None:
    done = await web.visit(web.auth.install_url(web.stranger, external=True))
    assert done.status_code == 303
    assert done.headers["location"] == f"https://login.test/app/{web.sandbox.settings.client_id}/install/succeeded"
    failed = await web.visit(web.auth.install_url(web.stranger, external=True).replace("code=", "code=0"))
    assert failed.headers["location"].endswith("/install/failed")


# Open


async def test_opening_leads_to_the_panel_with_a_code_for_one_use(web: Web) -> None:
    response = await web.visit(web.auth.load_url(web.store))
    assert response.status_code == 303
    there = urlsplit(response.headers["location"])
    assert (there.scheme, there.netloc, there.path) == ("", "", f"/s/{web.store.hash}/")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert len(parse_qs(there.query)["x"][0]) == 43


async def test_the_owner_is_owner_and_everybody_else_begins_as_viewer(web: Web) -> None:
    await web.open(web.store)
    await web.open(web.store, COLLEAGUE)
    roles = {r["id"]: r["role"] for r in await web.rows("SELECT id, role FROM users")}
    assert roles == {web.store.owner.id: "owner", COLLEAGUE.id: "viewer"}
    people = await web.rows("SELECT p.email FROM users u JOIN people p ON p.id = u.person_id WHERE u.id = 7001")
    assert people == [{"email": "kim@example.com"}]


async def test_a_role_that_was_given_stays(web: Web) -> None:
    await web.open(web.store, COLLEAGUE)
    await web.set_role(web.store, COLLEAGUE, "manager")
    await web.open(web.store, COLLEAGUE)
    assert (await web.rows("SELECT role FROM users WHERE id = 7001"))[0]["role"] == "manager"


async def test_a_new_owner_takes_over_and_the_old_one_becomes_manager(web: Web) -> None:
    await web.open(web.store)
    claims = {"user": {"id": 7001, "email": "kim@example.com"}, "owner": {"id": 7001, "email": "kim@example.com"}}
    assert (await web.visit(callback(web, "load", **claims))).status_code == 303
    roles = {r["id"]: r["role"] for r in await web.rows("SELECT id, role FROM users")}
    assert roles == {web.store.owner.id: "manager", 7001: "owner"}
    assert (await web.rows("SELECT owner_id FROM stores"))[0]["owner_id"] == 7001


async def test_a_user_whose_address_changed_keeps_their_entry(web: Web) -> None:
    await web.open(web.store, COLLEAGUE)
    await web.open(web.store, User(id=7001, email="kim.lee@example.com", name="Kim"))
    people = await web.rows("SELECT p.email FROM users u JOIN people p ON p.id = u.person_id WHERE u.id = 7001")
    assert people == [{"email": "kim.lee@example.com"}]


HOSTILE = [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example/x", "javascript:alert(1)", "",
    "/../../load", "/nowhere", "/%2e%2e/load", "/logout", "/\r\nSet-Cookie: a=b", "?x=1", "/" + "a" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_deep_link_leads_home(web: Web, url: str) -> None:
    response = await web.visit(callback(web, "load", url=url))
    assert response.status_code == 303
    there = urlsplit(response.headers["location"])
    assert (there.scheme, there.netloc, there.path) == ("", "", f"/s/{web.store.hash}/")
    assert set(parse_qs(there.query)) == {"x"}


async def test_a_store_that_did_not_install_cannot_be_opened(web: Web) -> None:
    response = await web.visit(web.auth.load_url(web.stranger))
    assert response.status_code == 403
    assert "not installed" in response.text


# Proof: four kinds of JWT share one secret


def forgeries(web: Web) -> dict[str, str]:
    """JWTs that must open none of the three doors, by what is wrong with them."""
    good = web.auth.payload(web.store)
    secret = web.sandbox.settings.client_secret
    customer = next(iter(web.store.customers))
    now = int(web.sandbox.clock.now().timestamp())
    login = {
        "iss": web.sandbox.settings.client_id, "iat": now, "jti": "c" * 32, "operation": "customer_login",
        "store_hash": web.store.hash, "customer_id": customer, "channel_id": 1,
    }  # fmt: skip
    unsigned = jwt(good, secret).rsplit(".", 1)[0] + "."
    return {
        "current customer": web.auth.current_customer(web.store, customer),
        "current customer, HS256": web.auth.current_customer(web.store, customer, "HS256"),
        "customer login": jwt(login, secret),
        "our own session": f"{web.store.hash}.{'a' * 43}",
        "another secret": jwt(good, "another-secret-another-secret-another"),
        "HS512": jwt(good, secret, "HS512"),
        "unsigned": unsigned,
        "another audience": jwt({**good, "aud": "another-app"}, secret),
        "another issuer": jwt({**good, "iss": "bc/apps"}, secret),
        "expired": jwt({**good, "iat": now - 90_000, "nbf": now - 90_000, "exp": now - 3_600}, secret),
        "not yet": jwt({**good, "nbf": now + 3_600}, secret),
        "no expiry": jwt({k: v for k, v in good.items() if k != "exp"}, secret),
        "no store": jwt({**good, "sub": "stores/"}, secret),
        "no jti": jwt({k: v for k, v in good.items() if k != "jti"}, secret),
        "a storefront's operation": jwt({**good, "operation": "current_customer"}, secret),
        "empty": "",
        "rubbish": "a.b.c",
    }


@pytest.mark.parametrize("door", ["load", "uninstall", "remove_user"])
async def test_every_other_kind_of_jwt_is_refused_at_every_door(web: Web, door: str) -> None:
    before = await web.contents()
    for what, token in forgeries(web).items():
        response = await web.visit(f"/{door}?{urlencode({'signed_payload_jwt': token})}")
        assert response.status_code == 401, what
    assert await web.contents() == before


@pytest.mark.parametrize("door", ["uninstall", "remove_user"])
async def test_a_jwt_that_opened_the_app_ends_nothing(web: Web, door: str) -> None:
    await web.open(web.store, COLLEAGUE)
    claims = web.auth.payload(web.store, COLLEAGUE)
    assert (await web.visit(callback(web, "load", claims))).status_code == 303
    assert (await web.visit(callback(web, door, claims))).status_code == 401
    assert await state_of(web) == "active"
    assert (await web.rows("SELECT state FROM users WHERE id = 7001"))[0]["state"] == "active"


async def test_a_jwt_that_ended_something_opens_nothing_and_ends_nothing_else(web: Web) -> None:
    await web.open(web.store, COLLEAGUE)
    claims = web.auth.payload(web.store, COLLEAGUE)
    assert (await web.visit(callback(web, "remove_user", claims))).status_code == 200
    assert (await web.visit(callback(web, "load", claims))).status_code == 401
    assert (await web.visit(callback(web, "uninstall", claims))).status_code == 401
    assert await state_of(web) == "active"


async def test_a_reload_of_the_same_visit_works(web: Web) -> None:
    url = callback(web, "load")
    assert (await web.visit(url)).status_code == 303
    assert (await web.visit(url)).status_code == 303


# Uninstall


async def test_an_uninstall_stops_work_and_asks_whether_it_is_true(web: Web) -> None:
    visitor = await web.open(web.store)
    before = (await web.rows("SELECT access_token, data_key FROM stores"))[0]
    now = web.services.clock.now()
    response = await web.visit(web.auth.uninstall_url(web.store))
    assert response.status_code == 200
    assert response.json() == {}
    assert await state_of(web) == "uninstalling"
    (probe,) = await web.rows("SELECT due_at, payload FROM actions WHERE kind = 'probe_uninstall'")
    assert probe["payload"] == {"probe": 0}
    assert (probe["due_at"] - now).total_seconds() < 10
    assert (await web.rows("SELECT access_token, data_key FROM stores"))[0] == before
    assert (await visitor.post(visitor.path("/logout"))).status_code == 401


async def test_an_uninstall_twice_changes_nothing_more(web: Web) -> None:
    url = web.auth.uninstall_url(web.store)
    assert (await web.visit(url)).status_code == 200
    before = await web.contents("seen_jwts")
    assert (await web.visit(url)).status_code == 200
    assert (await web.visit(web.auth.uninstall_url(web.store))).status_code == 200
    assert await web.contents("seen_jwts") == before


async def test_somebody_unknown_uninstalls_nothing(web: Web) -> None:
    response = await web.visit(web.auth.uninstall_url(web.store, COLLEAGUE))
    assert response.status_code == 403
    assert await state_of(web) == "active"


async def test_a_store_that_uninstalls_cannot_be_opened(web: Web) -> None:
    await web.visit(web.auth.uninstall_url(web.store))
    response = await web.visit(web.auth.load_url(web.store))
    assert response.status_code == 403
    assert "being uninstalled" in response.text


# Removed users


async def test_a_removed_user_leaves_a_tombstone_and_is_out_at_once(web: Web) -> None:
    visitor = await web.open(web.store, COLLEAGUE)
    old = web.auth.load_url(web.store, COLLEAGUE)
    assert (await web.visit(web.auth.remove_user_url(web.store, COLLEAGUE))).json() == {}
    assert (await web.rows("SELECT state FROM users WHERE id = 7001"))[0]["state"] == "removed"
    assert (await visitor.post(visitor.path("/logout"))).status_code == 401
    refused = await web.visit(old)
    assert refused.status_code == 403
    assert "removed" in refused.text


async def test_a_removed_user_who_is_let_in_again_begins_as_viewer(web: Web) -> None:
    await web.open(web.store, COLLEAGUE)
    await web.set_role(web.store, COLLEAGUE, "manager")
    await web.visit(web.auth.remove_user_url(web.store, COLLEAGUE))
    web.sandbox.clock.advance(5)
    await web.open(web.store, COLLEAGUE)
    (row,) = await web.rows("SELECT role, state FROM users WHERE id = 7001")
    assert (row["role"], row["state"]) == ("viewer", "active")


async def test_the_owner_cannot_be_removed(web: Web) -> None:
    assert (await web.visit(web.auth.remove_user_url(web.store, web.store.owner))).status_code == 403


async def test_removing_a_user_of_one_store_leaves_them_in_another(web: Web) -> None:
    await web.install(web.stranger)
    await web.open(web.store, COLLEAGUE)
    await web.open(web.stranger, COLLEAGUE)
    await web.visit(web.auth.remove_user_url(web.store, COLLEAGUE))
    rows = await web.rows("SELECT store_hash, state FROM users WHERE id = 7001")
    assert {r["store_hash"]: r["state"] for r in rows} == {web.store.hash: "removed", web.stranger.hash: "active"}
