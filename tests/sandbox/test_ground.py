"""The ground: faults happen as planned, calls are written down, time can be moved."""

import time

import httpx
import pytest

from bcapp.sandbox.ground import Clock, matching
from tests.sandbox.vendor import World

TIME = "/v2/time"


def status(bc: World) -> list[tuple[int | None, bool]]:
    return [(c.status, c.executed) for c in matching(bc.sandbox.calls, service="bigcommerce", path="metafields$")]


def write(bc: World, order_id: int, key: str = "state") -> httpx.Response:
    body = {"permission_set": "app_only", "namespace": "cs", "key": key, "value": "x"}
    return bc.call("POST", f"/v3/orders/{order_id}/metafields", body)


def test_before_answers_without_executing(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.sandbox.faults.add("bigcommerce", "POST", "/metafields$", "before", status=502)
    assert write(bc, order.id).status_code == 502
    assert bc.store.metafields_of("order", order.id) == []
    assert write(bc, order.id).status_code == 200
    assert status(bc) == [(502, False), (200, True)]


def test_after_executes_and_answers_the_planned_status(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.sandbox.faults.add("bigcommerce", "POST", "/metafields$", "after", status=500)
    assert write(bc, order.id).status_code == 500
    assert len(bc.store.metafields_of("order", order.id)) == 1
    assert status(bc) == [(500, True)]


@pytest.mark.parametrize(("kind", "done"), [("silent", 1), ("silent_before", 0)])
def test_silence_breaks_the_connection_and_runs_the_hook_first(bc: World, kind: str, done: int) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    seen: list[int] = []
    bc.sandbox.faults.add(
        "bigcommerce", "POST", "/metafields$", kind,  # type: ignore[arg-type]
        hook=lambda: seen.append(len(bc.store.metafields_of("order", order.id))),
    )  # fmt: skip
    with pytest.raises(httpx.TransportError):
        write(bc, order.id)
    assert seen == [done]
    assert status(bc) == [(None, bool(done))]


def test_late_executes_at_once_and_answers_late(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.sandbox.faults.add("bigcommerce", "POST", "/metafields$", "late", seconds=0.3)
    started = time.monotonic()
    assert write(bc, order.id).status_code == 200
    assert time.monotonic() - started >= 0.3


def test_throttle_comes_in_both_kinds(bc: World) -> None:
    bc.sandbox.faults.add("bigcommerce", "GET", "/time$", "throttle", seconds=1.5)
    bc.sandbox.faults.add("bigcommerce", "GET", "/time$", "throttle_bare")
    first, second, third = bc.call("GET", TIME), bc.call("GET", TIME), bc.call("GET", TIME)
    assert (first.status_code, first.headers["X-Rate-Limit-Time-Reset-Ms"]) == (429, "1500")
    assert (second.status_code, "X-Rate-Limit-Time-Reset-Ms" in second.headers) == (429, False)
    assert third.status_code == 200


def test_html_is_a_proxy_page(bc: World) -> None:
    bc.sandbox.faults.add("bigcommerce", "GET", "/time$", "html")
    response = bc.call("GET", TIME)
    assert response.status_code == 503
    assert response.headers["content-type"].startswith("text/html")


def test_a_fault_may_be_bound_to_a_body(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.sandbox.faults.add("bigcommerce", "POST", "/metafields$", "before", body_regex='"hash"')
    assert write(bc, order.id, "state").status_code == 200
    assert write(bc, order.id, "hash").status_code == 503


def test_calls_hold_query_and_body(bc: World) -> None:
    bc.call("GET", "/v2/orders?status_id=11")
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.call("PUT", f"/v2/orders/{order.id}", {"status_id": 12})
    listing, put = bc.sandbox.calls[-2:]
    assert (listing.query, listing.body) == ({"status_id": "11"}, None)
    assert (put.method, put.body, put.status) == ("PUT", {"status_id": 12}, 200)


def test_the_clock_moves_forward_only(bc: World) -> None:
    assert bc.http.post(f"{bc.server.url}/clock", json={"advance": 3600}).json() == {"offset": 3600.0}
    assert bc.http.get(f"{bc.server.url}/clock").json() == {"offset": 3600.0}
    with pytest.raises(ValueError):
        Clock().advance(-1)


def test_the_server_has_two_names(bc: World) -> None:
    assert bc.http.get(f"{bc.server.download_url}/clock").status_code == 200
