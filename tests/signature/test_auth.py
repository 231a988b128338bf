"""Tokens: the order of the forms, what each refusal means, how long one is used."""

from typing import Any

import httpx
import pytest

from bcapp.errors import CredentialsRefused, SignatureError
from bcapp.signature.auth import Account, forms_to_try, lifetime_used, read_token, token_request
from bcapp.signature.environments import ENVIRONMENTS, token_url

ACCOUNT = Account("us", "t", "https://x.test/t", "https://x.test/api/v1/", "id:1", "s&cret", "subscription:a b")


@pytest.mark.parametrize(
    ("path", "remembered", "forms"),
    [
        ("/otdstenant/t/oauth2/token", None, ["form", "basic", "json"]),
        ("/tenants/t/oauth2/token", None, ["basic", "json", "form"]),
        ("/oauth2/token", None, ["form", "basic", "json"]),
        ("/tenants/t/oauth2/token", "json", ["json", "basic", "form"]),
        ("/oauth2/token", "unheard of", ["form", "basic", "json"]),
    ],
)
def test_the_form_that_worked_comes_first(path: str, remembered: str | None, forms: list[str]) -> None:
    assert forms_to_try(f"https://x.test{path}", remembered) == forms


def test_each_form_carries_client_grant_and_subscription() -> None:
    form, basic, as_json = (token_request(ACCOUNT, f) for f in ("form", "basic", "json"))
    whole = {
        "grant_type": "client_credentials", "subscription": "subscription:a b", "client_id": "id:1",
        "client_secret": "s&cret",
    }  # fmt: skip
    assert form["data"] == as_json["json"] == whole
    assert basic["data"] == {"grant_type": "client_credentials", "subscription": "subscription:a b"}
    assert basic["headers"]["Authorization"] == "Basic aWQlM0ExOnMlMjZjcmV0"  # id%3A1:s%26cret, RFC 6749 2.3.1


@pytest.mark.parametrize(("life", "used"), [(1000, 800), (3600, 2880), (120, 60), (60, 30), (10, 5), (1, 0.5)])
def test_a_token_is_renewed_in_time(life: int, used: float) -> None:
    assert lifetime_used(life) == used


@pytest.mark.parametrize(
    ("answer", "life"),
    [({"expires_in": 1000}, 1000), ({"expires_in": "900"}, 900), ({}, 900), ({"expires_in": None}, 900)],
)
def test_a_token_is_read(answer: dict[str, Any], life: int) -> None:
    assert read_token(httpx.Response(200, json={"access_token": "abc", **answer})) == ("abc", life)


FAULT = {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, FAULT, "The client id or the client secret is not accepted."),
        (
            401,
            {"error": "invalid_client", "error_description": "x"},
            "The client id or the client secret is not accepted.",
        ),
        (400, {"error": "invalid_request"}, "Check the tenant and the subscription name"),
        (400, {"error": "unauthorized_client"}, "Use a confidential service client"),
        (400, {"error": "unsupported_grant_type"}, "Use a confidential service client"),
        (404, "<html>", "There is no token service at this address"),
        (405, "", "There is no token service at this address"),
        (302, "", "points somewhere else"),
        (403, {"fault": "odd"}, "does not let this client in"),
        (401, ["odd"], "does not let this client in"),
        (418, {"error": {"odd": 1}}, "refused the request (status 418)"),
        (200, {"token": "x"}, "not as a token service"),
        (200, "<html>secret-page</html>", "not as a token service"),
        (200, {"access_token": "a\nb"}, "not as a token service"),
        (200, {"access_token": ""}, "not as a token service"),
    ],
)
def test_a_refusal_is_a_plain_sentence(status: int, body: Any, says: str) -> None:
    answer = httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)
    with pytest.raises(CredentialsRefused) as caught:
        read_token(answer)
    assert says in str(caught.value)
    assert "secret-page" not in str(caught.value)
    assert caught.value.uncounted


@pytest.mark.parametrize(("status", "uncounted"), [(429, True), (500, False), (503, False)])
def test_a_service_that_is_unwell_refuses_nobody(status: int, uncounted: bool) -> None:
    with pytest.raises(SignatureError) as caught:
        read_token(httpx.Response(status, headers={"Retry-After": "7"}))
    assert not isinstance(caught.value, CredentialsRefused)
    assert caught.value.uncounted is uncounted


def test_a_tenant_cannot_leave_its_place_in_the_address() -> None:
    assert token_url("us", "acme") == "https://otdsauth.ot2.opentext.com/otdstenant/acme/oauth2/token"
    assert token_url("eu", "a/../b?c") == "https://otdsauth.ot2.opentext.eu/otdstenant/a%2F..%2Fb%3Fc/oauth2/token"
    assert token_url("custom", "acme") == ""
    assert all(e.api_root.endswith("/api/v1/") for e in ENVIRONMENTS.values() if e.slug != "custom")
