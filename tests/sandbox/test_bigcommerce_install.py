"""Installing, opening and leaving: codes, tokens, signed callbacks, scopes."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from bcapp.sandbox.bigcommerce import Refused
from tests.sandbox.vendor import World, exchange


def claims(bc: World, token: str, algorithm: str = "HS256") -> dict[str, Any]:
    key = OctKey.import_key(bc.sandbox.settings.client_secret)
    return dict(jwt.decode(token, key, algorithms=[algorithm]).claims)


def test_a_code_works_once_and_only_with_everything_right(bc: World) -> None:
    store, settings = bc.sandbox.bigcommerce.stranger, bc.sandbox.settings
    answer = exchange(bc, store).json()
    assert answer["context"] == f"stores/{store.hash}"
    assert answer["access_token"] == store.token
    assert answer["user"]["id"] == answer["owner"]["id"] == store.owner.id
    asked = next(r for r in bc.app.received if r.path == "/auth")
    assert asked.headers["referer"] == "https://login.bigcommerce.com/"
    good = {
        "client_id": settings.client_id, "client_secret": settings.client_secret, "code": asked.query["code"],
        "context": asked.query["context"], "scope": asked.query["scope"], "grant_type": "authorization_code",
        "redirect_uri": f"{settings.app_url}/auth",
    }  # fmt: skip
    url = f"{bc.server.url}/oauth2/token"
    used = bc.http.post(url, json=good)
    assert (used.status_code, used.json()["error"]) == (400, "invalid_grant")
    for wrong, status in (({"client_secret": "x"}, 401), ({"redirect_uri": "https://evil.example/auth"}, 400)):
        bc.sandbox.bigcommerce.auth.install(store)
        code = bc.app.received[-1].query["code"]
        assert bc.http.post(url, json={**good, "code": code, **wrong}).status_code == status
        assert bc.http.post(url, data={**good, "code": code}).status_code == 200


def test_a_load_callback_is_signed_for_this_app(bc: World) -> None:
    auth = bc.sandbox.bigcommerce.auth
    colleague = bc.store.users[2400103]
    bc.http.get(auth.load_url(bc.store, colleague, "/orders/100/sign", channel_id=1))
    got = bc.app.received[-1]
    seen = claims(bc, got.query["signed_payload_jwt"])
    assert got.path == "/load"
    assert (seen["aud"], seen["iss"], seen["sub"]) == (
        bc.sandbox.settings.client_id, "bc", f"stores/{bc.store.hash}",
    )  # fmt: skip
    assert seen["user"] == {"id": 2400103, "email": "priya.nair@northfield.example", "locale": "en-US"}
    assert seen["owner"]["id"] == bc.store.owner.id
    assert (seen["url"], seen["channel_id"]) == ("/orders/100/sign", 1)
    assert seen["exp"] - seen["nbf"] == 86_400
    again = claims(bc, auth.load_url(bc.store).partition("signed_payload_jwt=")[2])
    assert again["jti"] != seen["jti"]


def test_an_uninstall_takes_hooks_and_token_and_tells_the_app(bc: World) -> None:
    bc.hook()
    token = bc.store.token or ""
    bc.sandbox.bigcommerce.auth.uninstall(bc.store)
    assert bc.app.received[-1].path == "/uninstall"
    assert bc.sandbox.bigcommerce.webhooks.of_store(bc.store.hash) == []
    assert bc.call("GET", "/v2/time", headers={"X-Auth-Token": token}).status_code == 401


def test_a_token_may_survive_the_uninstall(bc: World) -> None:
    token, bc.store.revoke_on_uninstall = bc.store.token or "", False
    bc.sandbox.bigcommerce.auth.uninstall(bc.store, tell=False)
    assert bc.app.received == []
    assert bc.call("GET", "/v2/time", headers={"X-Auth-Token": token}).status_code == 200


def test_only_some_users_install_and_uninstall(bc: World) -> None:
    with pytest.raises(Refused):
        bc.sandbox.bigcommerce.auth.uninstall(bc.store, bc.store.users[2400103])
    with pytest.raises(Refused):
        bc.sandbox.bigcommerce.auth.install_url(bc.store, bc.store.users[2400103])


def test_changed_scopes_ask_for_consent_at_the_next_opening(bc: World) -> None:
    auth, old = bc.sandbox.bigcommerce.auth, bc.store.token
    auth.change_profile((*bc.store.scopes, "store_cart"))
    assert "/auth?" in auth.open_url(bc.store)
    assert bc.call("GET", "/v2/time").status_code == 200
    exchange(bc, bc.store)
    assert "store_cart" in bc.store.scopes
    assert bc.store.token != old
    assert "/load?" in auth.open_url(bc.store)


def test_a_removed_user_is_told_to_the_app(bc: World) -> None:
    gone = bc.store.users[2400104]
    bc.sandbox.bigcommerce.auth.remove_user(bc.store, gone)
    got = bc.app.received[-1]
    assert got.path == "/remove_user"
    assert claims(bc, got.query["signed_payload_jwt"])["user"]["id"] == gone.id
    assert gone.id not in bc.store.users


def test_the_current_customer_has_a_longer_signature(bc: World) -> None:
    seen = claims(bc, bc.sandbox.bigcommerce.auth.current_customer(bc.store, 3), "HS512")
    assert (seen["operation"], seen["store_hash"], seen["customer"]["id"]) == ("current_customer", bc.store.hash, 3)
    assert seen["exp"] - seen["iat"] == 900
    page = f"{bc.server.url}/customer/current.jwt?app_client_id={bc.sandbox.settings.client_id}"
    assert bc.http.get(page).status_code == 404
    bc.http.post(f"{bc.server.url}/desk/{bc.store.hash}/shopper", data={"customer_id": "3"})
    assert claims(bc, bc.http.get(page).text, "HS512")["customer"]["id"] == 3
