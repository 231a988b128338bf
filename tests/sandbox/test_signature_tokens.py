"""The token endpoint in its three forms and both error shapes. Source: core-signature.md 2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.signature_service import Service, running

FORM = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as running_service:
        yield running_service


@pytest.fixture
def client(service: Service) -> dict[str, str]:
    return {"client_id": service.account.client_id, "client_secret": service.account.client_secret}


def test_a_form_with_the_client_in_it(service: Service, client: dict[str, str]) -> None:
    form = {**FORM, **client, "subscription": service.account.subscription}
    for path in ("/otdstenant/northwind/oauth2/token", "/oauth2/token"):
        token = service.web.post(path, data=form).json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 120)
        header = {"Authorization": f"Bearer {token['access_token']}"}
        assert service.api.get("/templates/?limit=1", headers=header).status_code == 200


def test_a_form_with_a_basic_header(service: Service, client: dict[str, str]) -> None:
    basic = (client["client_id"], client["client_secret"])
    assert "access_token" in service.web.post("/tenants/northwind/oauth2/token", data=FORM, auth=basic).json()


def test_a_json_body(service: Service, client: dict[str, str]) -> None:
    assert "access_token" in service.web.post("/tenants/northwind/oauth2/token", json={**FORM, **client}).json()


def test_a_password_gives_a_refresh_token_that_works_once(service: Service, client: dict[str, str]) -> None:
    path = "/otdstenant/northwind/oauth2/token"
    user = {"grant_type": "password", "username": "contracts@northwind.example", "password": "demo-password-1"}
    refresh = service.web.post(path, data={**client, **user}).json()["refresh_token"]
    renewal = {**client, "grant_type": "refresh_token", "refresh_token": refresh}
    assert [service.web.post(path, data=renewal).status_code for _ in range(2)] == [200, 400]


@pytest.mark.parametrize(
    ("path", "shape", "expected"),
    [
        ("/tenants/northwind/oauth2/token", "by_path", "fault"),
        ("/otdstenant/northwind/oauth2/token", "by_path", "error"),
        ("/tenants/northwind/oauth2/token", "oauth", "error"),
        ("/otdstenant/northwind/oauth2/token", "fault", "fault"),
    ],
)
def test_a_wrong_secret_has_two_shapes(
    service: Service, client: dict[str, str], path: str, shape: Any, expected: str
) -> None:
    service.signature.options.token_errors = shape
    answer = service.web.post(path, data={**FORM, **client, "client_secret": "wrong"})
    service.signature.options.token_errors = "by_path"
    bodies = {
        "fault": {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}},
        "error": {"error": "invalid_client", "error_description": "Client authentication failed"},
    }
    assert (answer.status_code, answer.json()) == (401, bodies[expected])


def test_another_tenant_and_another_grant_are_refused(service: Service, client: dict[str, str]) -> None:
    assert service.web.post("/otdstenant/other/oauth2/token", data={**FORM, **client}).status_code == 401
    form = {**client, "grant_type": "implicit"}
    answer = service.web.post("/oauth2/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_token_without_the_bought_subscription_will_not_do(service: Service, client: dict[str, str]) -> None:
    service.signature.options.require_subscription = True
    try:
        statuses = []
        for form in ({**FORM, **client}, {**FORM, **client, "subscription": service.account.subscription}):
            token = service.web.post("/oauth2/token", data=form).json()["access_token"]
            header = {"Authorization": f"Bearer {token}"}
            statuses.append(service.api.get("/teams/", headers=header).status_code)
        assert statuses == [403, 200]
    finally:
        service.signature.options.require_subscription = False


def test_a_token_dies_with_time_and_with_its_account(service: Service) -> None:
    service.log_in()
    assert service.api.get("/teams/").status_code == 200
    service.sandbox.clock.advance(121)
    assert service.api.get("/teams/").status_code == 401
    service.log_in()
    service.signature.accounts.kill_tokens()
    assert service.api.get("/teams/").status_code == 401
