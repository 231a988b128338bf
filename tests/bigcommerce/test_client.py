"""The client of the store's API against the simulated store, over real HTTP, one test per kind of failure."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bcapp.bigcommerce.client import BigCommerce
from bcapp.errors import BigCommerceError, RemoteError, TokenRefused, UnreadableInput
from bcapp.sandbox.app import Sandbox
from bcapp.sandbox.bigcommerce.shoppers import define_attribute
from bcapp.sandbox.ground import matching
from tests.bigcommerce.conftest import NotingGate

TENT = "TENT-1"


def place(sandbox: Sandbox, **more: Any) -> int:
    store = sandbox.bigcommerce.store
    given = {"lines": [(TENT, 2)], "customer_id": next(iter(store.customers)), **more}
    return int(store.place_order(**given).id)


async def failure(work: Any, kind: type[RemoteError] = BigCommerceError) -> RemoteError:
    with pytest.raises(kind) as caught:
        await work
    return caught.value


async def test_a_store_profile_says_who_it_is(client: BigCommerce, sandbox: Sandbox) -> None:
    profile = await client.get_store()
    assert (profile.name, profile.currency, profile.timezone) == ("Northfield Outfitters", "USD", "America/Denver")
    assert profile.control_panel_url == sandbox.bigcommerce.store.panel_url
    assert profile.default_channel_id == 1


async def test_the_vendors_time_proves_the_token(client: BigCommerce, sandbox: Sandbox) -> None:
    assert abs(await client.time() - sandbox.clock.now()) < timedelta(seconds=5)


async def test_an_order_is_read_with_its_parts(client: BigCommerce, sandbox: Sandbox) -> None:
    order_id = place(sandbox)
    order = await client.fetch_order(order_id)
    assert order is not None
    assert order["status_id"] == 11
    assert [line["sku"] for line in await client.order_products(order_id)] == [TENT]
    assert len(await client.order_shipping_addresses(order_id)) == 1
    assert [t["event"] for t in await client.order_transactions(order_id)] == ["purchase"]


async def test_a_missing_order_is_none_and_the_service_is_well(client: BigCommerce, gate: NotingGate) -> None:
    assert await client.fetch_order(424242) is None
    assert gate.left[-1]["ok"] is True


@pytest.mark.parametrize("empty", ["204", "[]"])
async def test_empty_lists_are_lists(client: BigCommerce, sandbox: Sandbox, empty: str) -> None:
    sandbox.bigcommerce.store.empty_lists = empty
    order_id = place(sandbox, payment="unpaid", lines=[("COURSE-WFA", 1)])
    assert await client.order_transactions(order_id) == []
    assert await client.order_shipping_addresses(order_id) == []
    assert [o async for o in client.list_orders(customer_id=999999)] == []


async def test_a_write_sends_only_what_changes(client: BigCommerce, sandbox: Sandbox) -> None:
    order_id = place(sandbox)
    answer = await client.put_order(order_id, status_id=12)
    assert answer["status_id"] == 12
    (call,) = matching(sandbox.calls, method="PUT")
    assert call.body == {"status_id": 12}
    with pytest.raises(ValueError):
        await client.put_order(order_id)
    with pytest.raises(ValueError):
        await client.put_order(order_id, products=[])


async def test_an_authorisation_is_captured_and_another_voided(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    one, other = place(sandbox, payment="authorized"), place(sandbox, payment="authorized")
    await client.capture(one)
    await client.void(other)
    assert store.order(one).payment_status in ("capture pending", "captured")
    assert store.order(other).payment_status in ("void pending", "void")
    assert (await failure(client.void(one))).permanent


async def test_orders_come_page_by_page_each_once(client: BigCommerce, sandbox: Sandbox) -> None:
    start = sandbox.clock.now()
    ids = [place(sandbox, at=start + timedelta(seconds=n // 3)) for n in range(11)]
    got = [o["id"] async for o in client.list_orders(modified_since=start, page_size=2)]
    assert got == ids
    newest = [o["id"] async for o in client.list_orders(newest_first=True, page_size=4, most=5)]
    assert newest == ids[::-1][:5]


async def test_an_order_changed_while_we_list_hides_none(client: BigCommerce, sandbox: Sandbox) -> None:
    """The changed one moves to the end: with page numbers its neighbour would slip onto a page already read."""
    start = sandbox.clock.now() - timedelta(minutes=10)
    ids = [place(sandbox, at=start + timedelta(seconds=5 * n)) for n in range(6)]
    got: list[int] = []
    async for order in client.list_orders(modified_since=start, page_size=2):
        got.append(order["id"])
        if len(got) == 1:
            sandbox.bigcommerce.store.set_status(ids[0], 9)
    assert set(got) == set(ids)
    assert got.count(ids[0]) == 2  # once as it was, once as it is now


async def test_orders_are_counted(client: BigCommerce, sandbox: Sandbox) -> None:
    before = sandbox.clock.now() - timedelta(days=2)
    place(sandbox, at=before)
    place(sandbox)
    place(sandbox, status_id=9)
    assert await client.count_orders() == 3
    assert await client.count_orders(created_since=before + timedelta(days=1)) == 2
    assert await client.count_orders_by_status() == {11: 2, 9: 1}


async def test_a_metafield_is_made_and_then_changed(client: BigCommerce, sandbox: Sandbox) -> None:
    order_id = place(sandbox)
    await client.put_metafield(order_id, "countersign", "state", "sent")
    await client.put_metafield(order_id, "countersign", "state", "completed")
    await client.put_metafield(order_id, "countersign", "request", "71")
    rows = await client.metafields(order_id, namespace="countersign")
    assert {r["key"]: r["value"] for r in rows} == {"state": "completed", "request": "71"}
    assert {r["permission_set"] for r in rows} == {"app_only"}


async def test_metafields_are_written_only_where_they_differ(client: BigCommerce, sandbox: Sandbox) -> None:
    order_id = place(sandbox)
    await client.put_metafield(order_id, "countersign", "request", "71")
    wanted = {"state": ("sent", "read"), "detail": ("{}", "app_only")}
    assert await client.set_metafields(order_id, "countersign", wanted) == 2
    assert await client.set_metafields(order_id, "countersign", wanted) == 0
    assert await client.set_metafields(order_id, "countersign", {**wanted, "state": ("completed", "read")}) == 1
    rows = await client.metafields(order_id, namespace="countersign")
    told = {r["key"]: (r["value"], r["permission_set"]) for r in rows}
    assert told == {"request": ("71", "app_only"), "detail": ("{}", "app_only"), "state": ("completed", "read")}


async def test_customers_are_found_by_id_and_by_address(client: BigCommerce, sandbox: Sandbox) -> None:
    customers = sandbox.bigcommerce.store.customers
    known = list(customers)[:3]
    assert {c["id"] for c in await client.customers(ids=[*known, 999999])} == set(known)
    assert [c["id"] for c in await client.customers(emails=[customers[known[0]]["email"]])] == known[:1]
    assert await client.customers() == []
    assert {g["name"] for g in await client.customer_groups()} >= {"Retail", "Wholesale"}


async def test_the_catalog_answers_rules(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    product = store.product_named("TENT-X8")
    (row,) = await client.products([product["id"], 999999])
    assert {f["name"] for f in row["custom_fields"]} == {"Warranty", "Approval"}
    assert row["categories"] == product["categories"]
    assert await client.brands([row["brand_id"]]) == {row["brand_id"]: "Granite Peak"}
    tree = await client.category_tree()
    assert tree == {c["category_id"]: c["parent_id"] for c in store.categories.values()}
    assert len(await client.order_statuses()) == 15


async def test_long_lists_of_ids_are_asked_in_parts(client: BigCommerce, sandbox: Sandbox) -> None:
    ids = [*sandbox.bigcommerce.store.products, *range(100_000, 100_400)]
    assert len(await client.products(ids)) == len(sandbox.bigcommerce.store.products)
    assert len(matching(sandbox.calls, path="/catalog/products")) == 2


async def test_channels_and_their_sites(client: BigCommerce) -> None:
    channels = {c["id"]: c for c in await client.channels()}
    assert channels[1]["type"] == "storefront"
    site = await client.channel_site(1)
    assert site is not None
    assert site["channel_id"] == 1
    assert await client.channel_site(424242) is None
    assert {s["channel_id"] for s in await client.sites()} >= {1}


async def test_hooks_are_made_changed_listed_and_deleted(client: BigCommerce) -> None:
    hook = await client.create_hook(
        "store/order/updated", "https://app.example/webhooks/bigcommerce", {"X-Countersign-Key": "k1"}
    )
    assert hook["is_active"] is True
    changed = await client.update_hook(hook["id"], is_active=False, headers={"X-Countersign-Key": "k2"})
    assert changed["is_active"] is False
    assert [h["headers"] for h in await client.hooks()] == [{"X-Countersign-Key": "k2"}]
    await client.delete_hook(hook["id"])
    await client.delete_hook(hook["id"])
    assert await client.hooks() == []


# Failures


async def test_401_is_a_refused_token(client: BigCommerce, sandbox: Sandbox, gate: NotingGate) -> None:
    sandbox.bigcommerce.auth.revoke(sandbox.bigcommerce.store)
    error = await failure(client.time(), TokenRefused)
    assert (error.status, error.uncounted, error.permanent) == (401, True, False)
    assert gate.left[-1]["ok"] is True


async def test_403_is_permanent(client: BigCommerce, sandbox: Sandbox) -> None:
    sandbox.bigcommerce.store.scopes = ("store_v2_information",)
    error = await failure(client.fetch_order(1))
    assert (error.status, error.permanent, error.uncounted) == (403, True, False)


@pytest.mark.parametrize("status", [400, 404, 409, 422, 507])
async def test_refusals_are_permanent(client: BigCommerce, sandbox: Sandbox, status: int) -> None:
    order_id = place(sandbox)
    sandbox.faults.add("bigcommerce", "PUT", "/orders/", "before", status=status)
    error = await failure(client.put_order(order_id, status_id=12))
    assert (error.status, error.permanent, error.unclear) == (status, True, False)


@pytest.mark.parametrize("status", [408, 423])
async def test_what_passes_by_itself_is_tried_again(client: BigCommerce, sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "before", status=status)
    assert not (await failure(client.time())).permanent


async def test_429_with_headers_says_how_long(client: BigCommerce, sandbox: Sandbox, gate: NotingGate) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "throttle", seconds=7)
    error = await failure(client.time())
    assert (error.status, error.retry_after, error.uncounted, error.permanent) == (429, 7.0, True, False)
    assert gate.left[-1]["wait"] == 7.0
    assert gate.left[-1]["ok"] is True


async def test_429_without_headers_leaves_the_wait_to_the_gate(
    client: BigCommerce, sandbox: Sandbox, gate: NotingGate
) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "throttle_bare")
    error = await failure(client.time())
    assert (error.retry_after, error.uncounted) == (None, True)
    assert (gate.left[-1]["ok"], gate.left[-1]["wait"]) == (False, None)


async def test_every_answer_tells_the_gate_the_budget(client: BigCommerce, gate: NotingGate) -> None:
    await client.time()
    assert gate.entered == 1
    assert gate.left[0]["ok"] is True
    assert gate.left[0]["remaining"] > 0
    assert 0 <= gate.left[0]["resets_after"] <= 30


async def test_a_5xx_after_a_write_is_unclear(client: BigCommerce, sandbox: Sandbox, gate: NotingGate) -> None:
    order_id = place(sandbox)
    sandbox.faults.add("bigcommerce", "PUT", "/orders/", "after", status=500)
    error = await failure(client.put_order(order_id, status_id=12))
    assert (error.status, error.unclear, error.permanent) == (500, True, False)
    assert gate.left[-1]["ok"] is False
    assert sandbox.bigcommerce.store.order(order_id).status_id == 12


async def test_a_5xx_after_a_read_is_not_unclear(client: BigCommerce, sandbox: Sandbox) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "before", status=503)
    error = await failure(client.time())
    assert (error.status, error.unclear, error.permanent) == (503, False, False)


@pytest.mark.parametrize("kind", ["silent", "silent_before"])
async def test_a_dropped_connection_leaves_a_write_unclear(
    client: BigCommerce, sandbox: Sandbox, gate: NotingGate, kind: Any
) -> None:
    order_id = place(sandbox)
    sandbox.faults.add("bigcommerce", "*", "/v2/", kind, times=2)
    error = await failure(client.put_order(order_id, status_id=12))
    assert (error.status, error.unclear, error.permanent) == (None, True, False)
    assert gate.left[-1]["ok"] is False
    assert not (await failure(client.time())).unclear


async def test_a_late_answer_is_a_timeout(client: BigCommerce, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
    order_id = place(sandbox)
    await client.time()
    sandbox.faults.add("bigcommerce", "PUT", "/orders/", "late", seconds=0.4)
    http.timeout = httpx.Timeout(0.1)
    error = await failure(client.put_order(order_id, status_id=12))
    assert error.unclear
    await asyncio.sleep(0.4)
    assert sandbox.bigcommerce.store.order(order_id).status_id == 12


async def test_no_connection_means_surely_not_executed(http: httpx.AsyncClient, gate: NotingGate) -> None:
    client = BigCommerce(http, "http://127.0.0.1:9", "abc", "t", gate)
    error = await failure(client.put_order(1, status_id=12))
    assert (error.unclear, error.permanent) == (False, False)
    assert gate.left[-1]["ok"] is False


def over(answer: httpx.Response, gate: NotingGate | None = None) -> BigCommerce:
    """A client whose wire gives one answer, for what no server of ours would ever send."""
    return BigCommerce(
        httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)), "https://api.test", "abc", "t", gate
    )


@pytest.mark.parametrize("body", [b'{"data": [{"id": 1', b"<html><h1>Welcome</h1></html>", b"\xff\xfe", b"[" * 100_000])
async def test_an_unreadable_success_is_an_error_and_after_a_write_unclear(body: bytes) -> None:
    answer = httpx.Response(200, content=body)
    read = await failure(over(answer).channels())
    assert (read.status, read.unclear, read.permanent) == (200, False, False)
    assert (await failure(over(answer).put_order(1, status_id=12))).unclear


async def test_a_proxys_page_is_no_answer(client: BigCommerce, sandbox: Sandbox) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "html")
    assert (await failure(client.time())).status == 503


async def test_a_redirect_is_not_followed(gate: NotingGate) -> None:
    error = await failure(over(httpx.Response(302, headers={"location": "https://evil.example"}), gate).time())
    assert (error.status, error.permanent) == (302, True)
    assert gate.entered == 1


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": [1]}, [], 7, "x"])
async def test_another_shape_is_unreadable(answer: Any) -> None:
    with pytest.raises(UnreadableInput):
        await over(httpx.Response(200, json=answer)).channels()


async def test_money_is_never_a_float() -> None:
    raw = b'{"data": [{"id": 1, "amount": 1999.10, "exact": 0.1}], "meta": {}}'
    (row,) = await over(httpx.Response(200, content=raw)).order_transactions(1)
    assert (str(row["amount"]), str(row["exact"])) == ("1999.10", "0.1")


async def test_errors_name_no_token(client: BigCommerce, sandbox: Sandbox) -> None:
    sandbox.faults.add("bigcommerce", "GET", "/time", "before", status=500)
    error = await failure(client.time())
    assert "store-token" not in f"{error} {error!r} {error.__cause__!r}"


async def test_dates_go_out_in_the_vendors_form(client: BigCommerce, sandbox: Sandbox) -> None:
    since = datetime(2026, 3, 1, 12, 0, 5, 900, tzinfo=UTC)
    assert [o async for o in client.list_orders(modified_since=since)] == []
    assert sandbox.calls[-1].query["min_date_modified"] == "Sun, 01 Mar 2026 12:00:05 +0000"


async def test_a_customer_is_moved_and_marked(client: BigCommerce, sandbox: Sandbox) -> None:
    store = sandbox.bigcommerce.store
    customer = store.register(first_name="Ada", last_name="Ito", email="ada@ito.example")
    tier = define_attribute(store, "Account state")
    answer = await client.put_customer(customer["id"], customer_group_id=3)
    assert (answer["id"], answer["customer_group_id"]) == (customer["id"], 3)
    await client.put_attribute(customer["id"], tier, "approved")
    (row,) = await client.customers(ids=[customer["id"]], include="attributes")
    assert (row["customer_group_id"], row["attributes"][0]["attribute_value"]) == (3, "approved")
    with pytest.raises(ValueError):
        await client.put_customer(customer["id"])
