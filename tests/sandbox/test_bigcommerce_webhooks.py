"""Webhooks of the simulated BigCommerce: what they look like, and how they get lost, repeated and switched off."""

import base64
import hashlib
import hmac
import json

import pytest

from bcapp.sandbox.bigcommerce import LADDER
from bcapp.sandbox.ground import Clock
from tests.sandbox.vendor import Received, World, wait_for


def signature(secret: str, event: Received) -> str:
    signed = f"{event.headers['webhook-id']}.{event.headers['webhook-timestamp']}.".encode() + event.raw
    return "v1," + base64.b64encode(hmac.new(secret.encode(), signed, "sha256").digest()).decode()


def test_an_order_tells_its_story(bc: World) -> None:
    bc.hook(headers={"X-Countersign-Key": "abc"})
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()  # what is on its way at the same time may arrive in any order
    bc.store.ship(order.id)
    bc.settle()
    told = [s.removeprefix("store/order/") for s in bc.app.scopes]
    assert sorted(told) == sorted(
        ["created", "transaction/created", "statusUpdated", "updated", "statusUpdated", "updated"]
    )
    event = next(e for e in bc.app.events if e.scope == "store/order/statusUpdated")
    assert event.body["data"]["status"] == {"previous_status_id": 0, "new_status_id": 11}
    assert (event.body["store_id"], event.body["producer"]) == ("1002147", f"stores/{bc.store.hash}")
    assert event.headers["x-countersign-key"] == "abc"


def test_the_hash_is_an_unkeyed_digest_of_the_rest(bc: World) -> None:
    bc.hook("store/order/created")
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    body = bc.app.events[0].body
    claimed = body.pop("hash")
    assert claimed == hashlib.sha1(json.dumps(body).encode(), usedforsecurity=False).hexdigest()


def test_signatures_are_standard_webhooks_and_can_be_stale_or_absent(bc: World) -> None:
    bc.hook("store/order/created")
    webhooks, secret = bc.sandbox.bigcommerce.webhooks, bc.sandbox.settings.client_secret
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    webhooks.stale_seconds = 3600
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    webhooks.signed = False
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    fresh, stale, bare = bc.app.events
    assert fresh.headers["webhook-signature"] == signature(secret, fresh)
    assert stale.headers["webhook-signature"] == signature(secret, stale)
    assert int(fresh.headers["webhook-timestamp"]) - int(stale.headers["webhook-timestamp"]) >= 3590
    assert "webhook-signature" not in bare.headers


def test_the_apps_own_write_echoes(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.hook()
    bc.ok("PUT", f"/v2/orders/{order.id}", {"status_id": 12})
    bc.settle()
    assert sorted(bc.app.scopes) == ["store/order/statusUpdated", "store/order/updated"]


def test_a_channel_has_its_own_events(bc: World) -> None:
    bc.hook("store/channel/3/order/created")
    bc.store.place_order(lines=[("TENT-4", 1)], channel_id=1)
    bc.store.place_order(lines=[("TENT-4", 1)], channel_id=3)
    bc.settle()
    assert bc.app.scopes == ["store/channel/3/order/created"]


def test_a_failed_delivery_climbs_the_whole_ladder_and_switches_the_hook_off(bc: World) -> None:
    number = bc.hook("store/order/created")
    bc.app.status = 500
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    webhooks = bc.sandbox.bigcommerce.webhooks
    delivery = webhooks.deliveries[0]
    for step, seconds in enumerate(LADDER, start=1):
        assert len(delivery.attempts) == step
        bc.sandbox.clock.advance(seconds - 2)
        bc.settle()
        assert len(delivery.attempts) == step, f"retry {step} came early"
        bc.sandbox.clock.advance(3)
        bc.settle()
    assert (len(delivery.attempts), delivery.state) == (12, "exhausted")
    assert len({e.headers["webhook-id"] for e in bc.app.events}) == 1
    hook = bc.ok("GET", f"/v3/hooks/{number}")["data"]
    assert hook["is_active"] is False
    assert [m["hook_id"] for m in webhooks.emails] == [number]
    assert bc.ok("GET", "/v3/hooks/admin")["data"]["hooks_list"][0]["status"] == "deactivated"
    bc.store.place_order(lines=[("TENT-4", 1)])
    assert len(webhooks.deliveries) == 1
    bc.ok("PUT", f"/v3/hooks/{number}", {"is_active": True})
    bc.app.status = 200
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    assert webhooks.deliveries[-1].state == "delivered"


def test_a_retry_succeeds(bc: World) -> None:
    bc.hook("store/order/created")
    bc.app.status = lambda got: 503 if len(bc.app.events) == 1 else 200
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    bc.sandbox.clock.advance(61)
    bc.settle()
    assert [a["status"] for a in bc.sandbox.bigcommerce.webhooks.deliveries[0].attempts] == [503, 200]


def test_below_ninety_percent_the_domain_is_blocked_for_three_minutes(bc: World) -> None:
    bc.hook("store/order/created")
    bc.app.status = lambda got: 500 if len(bc.app.events) % 5 == 0 else 200
    for _ in range(100):
        bc.store.place_order(lines=[("DRY-35", 1)])
    bc.settle()
    webhooks = bc.sandbox.bigcommerce.webhooks
    blocked = bc.ok("GET", "/v3/hooks/admin")["data"]["blocked_domains"]
    assert [b["destination"] for b in blocked] == [bc.app.url.removeprefix("http://")]
    before = len(bc.app.events)
    bc.app.status = 200
    bc.store.place_order(lines=[("DRY-35", 1)])
    bc.settle()
    assert len(bc.app.events) == before
    assert webhooks.deliveries[-1].attempts[0]["problem"] == "blocked"
    bc.sandbox.clock.advance(181)
    wait_for(lambda: webhooks.deliveries[-1].state == "delivered")


def test_ninety_quiet_days_switch_a_hook_off(bc: World) -> None:
    number = bc.hook()
    bc.sandbox.clock.advance(91 * 86400)
    wait_for(lambda: not bc.sandbox.bigcommerce.webhooks.hooks[number].is_active)


def test_the_exception_hook_hears_of_failures(bc: World) -> None:
    bc.hook("store/order/created")
    bc.ok("POST", "/v3/hooks", {"scope": "store/hook/deliveryException", "destination": f"{bc.app.url}/alarm"})
    bc.app.status = lambda got: 200 if got.path == "/alarm" else 500
    bc.store.place_order(lines=[("TENT-4", 1)])
    wait_for(lambda: any(e.path == "/alarm" for e in bc.app.events))
    alarm = next(e for e in bc.app.events if e.path == "/alarm")
    assert alarm.body["data"]["error_code"] == 90001


def test_duplicates_carry_the_same_bytes(bc: World) -> None:
    bc.hook("store/order/created")
    bc.sandbox.bigcommerce.webhooks.plan("duplicate", copies=2)
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    assert len(bc.app.events) == 3
    assert len({e.raw for e in bc.app.events}) == 1


def test_a_lost_event_never_arrives(bc: World) -> None:
    bc.hook("store/order/*")
    bc.sandbox.bigcommerce.webhooks.plan("lose", scope="store/order/created")
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    assert "store/order/created" not in bc.app.scopes
    assert "store/order/updated" in bc.app.scopes


def test_reordered_events_arrive_backwards(bc: World) -> None:
    bc.hook("store/order/created")
    bc.sandbox.bigcommerce.webhooks.plan("reorder", times=3)
    ids = [bc.store.place_order(lines=[("TENT-4", 1)]).id for _ in range(3)]
    wait_for(lambda: len(bc.app.events) == 3)
    assert [e.body["data"]["id"] for e in bc.app.events] == ids[::-1]


def test_a_delayed_event_waits(bc: World) -> None:
    bc.hook("store/order/created")
    bc.sandbox.bigcommerce.webhooks.plan("delay", seconds=600)
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    assert bc.app.events == []
    bc.sandbox.clock.advance(601)
    wait_for(lambda: len(bc.app.events) == 1)


def test_hooks_have_limits(bc: World) -> None:
    first = {"scope": "store/order/*", "destination": f"{bc.app.url}/0"}
    bc.ok("POST", "/v3/hooks", first)
    assert bc.call("POST", "/v3/hooks", first).status_code == 422
    for number in range(1, 10):
        bc.ok("POST", "/v3/hooks", {**first, "destination": f"{bc.app.url}/{number}"})
    assert bc.call("POST", "/v3/hooks", {**first, "destination": f"{bc.app.url}/10"}).status_code == 422
    plain = {"scope": "store/cart/*", "destination": "http://app.example.com/hook"}
    assert bc.call("POST", "/v3/hooks", plain).status_code == 422
    number = bc.ok("GET", "/v3/hooks?limit=1")["data"][0]["id"]
    assert bc.call("PUT", f"/v3/hooks/{number}", {}).status_code == 422


@pytest.mark.parametrize(("age", "arrives"), [(30, False), (61, True)])
def test_a_new_hook_may_be_silent_for_a_minute(bc: World, age: int, arrives: bool) -> None:
    bc.sandbox.bigcommerce.webhooks.warmup_seconds = 60
    bc.hook("store/order/created")
    bc.sandbox.clock.advance(age)
    bc.store.place_order(lines=[("TENT-4", 1)])
    bc.settle()
    assert bool(bc.app.events) is arrives


def test_the_ladder_is_the_vendors() -> None:
    assert sum(LADDER) == 173_040
    assert len(LADDER) == 11
    assert Clock().offset == 0
