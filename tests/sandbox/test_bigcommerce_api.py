"""The simulated API: shapes held against the vendor's files, errors, filters, pages, limits, scopes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bcapp.sandbox.spec import SpecChecker
from tests.sandbox.vendor import World, wait_for, world


@pytest.fixture(scope="module")
def past() -> Iterator[World]:
    """A store with its 500 past orders; only read by the tests that share it."""
    with world(history=True) as made:
        yield made


METAFIELD = {"permission_set": "app_only", "namespace": "countersign", "key": "state", "value": "waiting"}


@pytest.mark.spec
def test_everything_it_answers_is_declared(past: World, specs: Path) -> None:
    """A tour through all operations, good and bad; every exception in the file is met on the way."""
    store = past.store
    store.empty_lists = "204"
    order = store.place_order(lines=[("TENT-4", 2), ("COURSE-WFA", 1)], customer_id=3, payment="authorized")
    store.write_message(order.id, "When does it ship?")
    base, v3 = f"/v2/orders/{order.id}", f"/v3/orders/{order.id}"
    get = [
        "/v2/time", "/v2/store", "/v2/orders?limit=3&sort=date_modified:desc", "/v2/orders?email=nobody@example.com",
        "/v2/orders/count", base, f"{base}/products", f"{base}/products/{order.lines[0].id}", f"{base}/coupons",
        f"{base}/shipping_addresses", f"{base}/messages", f"{base}/taxes", f"{base}/shipments", "/v2/order_statuses",
        "/v2/order_statuses/12", "/v2/customer_groups", "/v2/customer_groups/2", "/v2/customer_groups/count",
        f"{v3}/transactions", f"{v3}/metafields", "/v3/orders/metafields", "/v3/orders/payment_actions/refunds",
        f"{v3}/payment_actions/refunds", "/v3/customers?include=addresses,storecredit,attributes,formfields&limit=2",
        "/v3/catalog/products?id:in=77,78&include=custom_fields", "/v3/catalog/products/77?include=custom_fields",
        "/v3/catalog/products/77/custom-fields", "/v3/catalog/brands", "/v3/catalog/brands/30", "/v3/catalog/trees",
        "/v3/catalog/trees/categories", "/v3/catalog/trees/1/categories", "/v3/channels", "/v3/channels/1",
        "/v3/channels/1/site", "/v3/sites", "/v3/hooks", "/v3/hooks/admin", "/v2/currencies",
        "/v3/customers/attributes", "/v3/customers?sort=date_modified:desc&date_modified:min=2020-01-01T00:00:00Z",
        "/v3/catalog/products?include=custom_fields,channels&sort=id&direction=desc&limit=3",
    ]  # fmt: skip
    for path in get:
        past.ok("GET", path)
    for path in ("/v2/orders/1", "/v3/orders/1/transactions", f"{v3}/metafields/9999", "/v3/catalog/products/1",
                 "/v3/catalog/brands/1", "/v3/channels/99", "/v3/hooks/1"):  # fmt: skip
        assert past.call("GET", path).status_code == 404
    past.ok("PUT", base, {"status_id": 12, "staff_notes": "Waiting for a signature"})
    for owner in (v3, "/v3/customers/3", "/v3/catalog/products/77"):
        made = past.ok("POST", f"{owner}/metafields", METAFIELD)["data"]
        number = (made[0] if isinstance(made, list) else made)["id"]
        assert past.call("POST", f"{owner}/metafields", METAFIELD).status_code == 409
        assert past.call("POST", f"{owner}/metafields", {**METAFIELD, "key": "x" * 65}).status_code == 422
        past.ok("PUT", f"{owner}/metafields/{number}", {**METAFIELD, "value": "signed"})
        past.ok("GET", f"{owner}/metafields?namespace=countersign")
        past.ok("DELETE", f"{owner}/metafields/{number}")
    past.ok("POST", f"{v3}/payment_actions/capture")
    wait_for(lambda: order.payment_status == "captured")
    assert past.call("POST", f"{v3}/payment_actions/void").status_code == 422
    items = {"items": [{"item_type": "PRODUCT", "item_id": order.lines[0].id, "quantity": 1, "reason": "CS-1"}]}
    amount = past.ok("POST", f"{v3}/payment_actions/refund_quotes", items)["data"]["total_refund_amount"]
    payment = {"provider_id": "braintree", "amount": amount, "offline": False}
    past.ok("POST", f"{v3}/payment_actions/refunds", {**items, "payments": [payment]})
    past.ok("GET", f"{v3}/payment_actions/refunds")
    shipment = {"items": [{"order_product_id": order.lines[0].id, "quantity": 1}], "tracking_number": "1Z"}
    past.ok("POST", f"{base}/shipments", shipment)
    past.ok("GET", f"{base}/shipments")
    past.ok("PUT", "/v3/customers", [{"id": 3, "customer_group_id": 3}])
    past.ok("PUT", "/v2/customer_groups/3", {"name": "Wholesale partners"})
    hook = past.hook("store/shipment/*", headers={"X-Key": "1"})
    past.ok("PUT", f"/v3/hooks/{hook}", {"is_active": False})
    past.ok("GET", f"/v3/hooks/{hook}")
    past.ok("PUT", "/v3/hooks/admin", {"emails": ["ops@example.com"]})
    past.ok("DELETE", f"/v3/hooks/{hook}")
    past.ok("DELETE", base)
    assert past.sandbox.spec_errors == []
    checker = past.sandbox.checker
    assert isinstance(checker, SpecChecker)
    # Tried where their client is: tests/bigcommerce, tests/journeys.
    elsewhere = ("/api/v3/io/", "/v3/promotions/", "/graphql")
    needed = {e for e in checker.exceptions if not any(path in e.operation for path in elsewhere)}
    assert needed == checker.used, "an exception that nothing needs"


@pytest.mark.spec
@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("GET", "/v2/invoices", None, "GET /v2/invoices: path is not declared"),
        ("GET", "/v2/orders?min_modified=1", None, "GET /v2/orders: query min_modified is not declared"),
        ("PUT", "/v2/orders/100", {"state": 12}, "PUT /v2/orders/{order_id}: body state is not declared"),
        ("PUT", "/v2/orders/100", {"status_id": "12"}, "body status_id is str, declared integer"),
        ("POST", "/v3/hooks", {"scope": "store/order/*"}, "POST /v3/hooks: body destination is required"),
        ("POST", "/v3/hooks", {"scope": "a", "destination": "b", "events_history_enabled": True}, "is not declared"),
    ],
)
def test_what_the_vendor_does_not_declare_is_an_error(
    bc: World, specs: Path, method: str, path: str, body: Any, complaint: str
) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    assert bc.call(method, path, body).status_code == 500
    assert complaint in bc.sandbox.spec_errors[0]
    assert order.status_id == 11


def test_errors_have_the_shape_of_their_version(bc: World) -> None:
    assert bc.call("GET", "/v2/orders/1").json() == [
        {"status": 404, "message": "The requested resource was not found."}
    ]
    body = bc.call("GET", "/v3/channels/99").json()
    assert (body["status"], body["title"]) == (404, "The resource was not found.")


def test_orders_are_filtered_sorted_and_paged(past: World) -> None:
    orders = past.store.visible_orders()
    assert len(orders) >= 500
    newest = past.ok("GET", "/v2/orders?sort=date_modified:desc&limit=5")
    stamps = [past.store.orders[o["id"]].modified for o in newest]
    assert stamps == sorted(stamps, reverse=True)
    open_ones = past.ok("GET", "/v2/orders?status_id=11&limit=250")
    assert {o["id"] for o in open_ones} == {o.id for o in orders if o.status_id == 11}
    since = past.sandbox.clock.now() - timedelta(days=10)
    wanted = {o.id for o in orders if o.modified.replace(microsecond=0) >= since.replace(microsecond=0)}
    for written in (since.strftime("%a, %d %b %Y %H:%M:%S +0000"), since.strftime("%Y-%m-%dT%H:%M:%SZ")):
        response = past.call("GET", "/v2/orders", params={"min_date_modified": written, "limit": "250"})
        assert {o["id"] for o in response.json()} == wanted
    rich = past.ok("GET", "/v2/orders?min_total=5000&limit=250")
    assert all(Decimal(o["total_inc_tax"]) >= 5000 for o in rich)
    first, second = past.ok("GET", "/v2/orders?limit=2&page=1"), past.ok("GET", "/v2/orders?limit=2&page=2")
    assert [o["id"] for o in first + second] == sorted(o.id for o in orders)[:4]
    assert past.call("GET", "/v2/orders?sort=colour").status_code == 400


def test_an_empty_v2_list_has_two_forms(bc: World) -> None:
    assert bc.call("GET", "/v2/orders?customer_id=5").status_code == 204
    bc.store.empty_lists = "[]"
    assert bc.call("GET", "/v2/orders?customer_id=5").json() == []


def test_v3_lists_are_paged(bc: World) -> None:
    meta = bc.ok("GET", "/v3/catalog/products?limit=15&page=3")["meta"]["pagination"]
    assert (meta["total"], meta["count"], meta["current_page"], meta["total_pages"]) == (40, 10, 3, 3)
    assert set(meta["links"]) == {"previous", "current"}


def test_an_unknown_or_revoked_token_is_401_everywhere(bc: World) -> None:
    assert bc.call("GET", "/v2/time", headers={"X-Auth-Token": "guess"}).status_code == 401
    stranger = f"{bc.server.url}/stores/{bc.sandbox.bigcommerce.stranger.hash}/v2/time"
    assert bc.http.get(stranger, headers={"X-Auth-Token": bc.store.token or ""}).status_code == 401
    token = bc.store.token or ""
    bc.sandbox.bigcommerce.auth.revoke(bc.store)
    assert bc.call("GET", "/v2/time", headers={"X-Auth-Token": token}).status_code == 401


def test_a_missing_scope_is_403(bc: World) -> None:
    bc.store.scopes = ("store_v2_orders_read_only", "store_v2_products")
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    assert bc.call("GET", f"/v2/orders/{order.id}").status_code == 200
    assert bc.call("PUT", f"/v2/orders/{order.id}", {"status_id": 12}).status_code == 403
    assert bc.call("GET", "/v2/store").status_code == 403
    assert bc.call("GET", "/v3/hooks").status_code == 200


def test_the_quota_is_per_store_and_window(bc: World) -> None:
    bc.store.quota, bc.store.window_start = 3, None
    answers = [bc.call("GET", "/v2/time") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert [a.headers["X-Rate-Limit-Requests-Left"] for a in answers] == ["2", "1", "0", "0"]
    assert 0 < int(answers[3].headers["X-Rate-Limit-Time-Reset-Ms"]) <= 30_000
    bc.sandbox.clock.advance(31)
    assert bc.call("GET", "/v2/time").status_code == 200


def test_too_many_at_once_is_429_without_headers(bc: World) -> None:
    bc.store.latency = 0.3
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda n: bc.call("PUT", "/v3/customers", [{"id": n, "notes": "x"}]), range(1, 6)))
    refused = [a for a in answers if a.status_code == 429]
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 429, 429]
    assert all("X-Rate-Limit-Requests-Left" not in a.headers for a in refused)


def test_a_put_of_lines_clears_their_discounts_and_only_theirs(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 2), ("DRY-35", 1)], line_discount="5.00")
    first, second = order.lines
    bc.ok("PUT", f"/v2/orders/{order.id}", {"status_id": 12})
    assert first.discounts
    bc.ok("PUT", f"/v2/orders/{order.id}", {"products": [{"id": first.id, "quantity": 3}]})
    assert (first.quantity, first.discounts) == (3, [])
    assert second.discounts


def test_staff_notes_are_overwritten(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.store.edit(order.id, staff_notes="Call before delivery")
    assert bc.ok("PUT", f"/v2/orders/{order.id}", {"staff_notes": "Signed"})["staff_notes"] == "Signed"


def test_a_capture_takes_a_moment(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)], payment="authorized")
    assert (order.status_id, order.payment_status) == (7, "authorized")
    assert bc.call("POST", f"/v3/orders/{order.id}/payment_actions/capture").status_code == 201
    assert bc.ok("GET", f"/v2/orders/{order.id}")["payment_status"] == "capture pending"
    bc.sandbox.clock.advance(3)
    wait_for(lambda: order.payment_status == "captured")
    assert order.status_id == 11
    events = [t["event"] for t in bc.ok("GET", f"/v3/orders/{order.id}/transactions")["data"]]
    assert events == ["authorization", "capture"]


def test_a_void_ends_an_authorisation(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)], payment="authorized")
    bc.ok("POST", f"/v3/orders/{order.id}/payment_actions/void")
    bc.sandbox.clock.advance(3)
    wait_for(lambda: order.payment_status == "void")
    assert bc.call("POST", f"/v3/orders/{order.id}/payment_actions/capture").status_code == 422


def test_a_refund_must_equal_its_quote(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 2)])
    items = {"items": [{"item_type": "PRODUCT", "item_id": order.lines[0].id, "quantity": 2}]}
    path = f"/v3/orders/{order.id}/payment_actions/refunds"
    wrong = {**items, "payments": [{"provider_id": "braintree", "amount": 1.0, "offline": False}]}
    assert bc.call("POST", path, wrong).status_code == 422
    amount = bc.ok("POST", f"/v3/orders/{order.id}/payment_actions/refund_quotes", items)["data"]["total_refund_amount"]
    bc.ok("POST", path, {**items, "payments": [{"provider_id": "braintree", "amount": amount, "offline": False}]})
    assert order.status_id == 14
    assert bc.call("POST", path, wrong).status_code == 422
    assert order.refunded == Decimal(str(amount))


def test_customers_change_ten_at_a_time(bc: World) -> None:
    assert bc.call("PUT", "/v3/customers", [{"id": n} for n in range(1, 12)]).status_code == 413
    assert bc.call("PUT", "/v3/customers", [{"id": 1, "customer_group_id": 99}]).status_code == 422
    assert bc.ok("PUT", "/v3/customers", [{"id": 1, "customer_group_id": 4}])["data"][0]["customer_group_id"] == 4
    both = bc.ok("GET", "/v3/customers?id:in=1,2")["data"]
    assert {c["id"] for c in both} == {1, 2}
    assert "addresses" not in both[0]
    mail = both[0]["email"]
    assert [c["id"] for c in bc.ok("GET", f"/v3/customers?email:in={mail}")["data"]] == [both[0]["id"]]


def test_the_category_tree_has_descendants(bc: World) -> None:
    tree = bc.ok("GET", "/v3/catalog/trees/1/categories")["data"]
    camping = next(c for c in tree if c["name"] == "Camping")
    tents = next(c for c in camping["children"] if c["name"] == "Tents")
    assert [c["name"] for c in tents["children"]] == ["Expedition tents"]


def test_a_digital_order_has_nothing_to_ship(bc: World) -> None:
    order = bc.store.place_order(lines=[("COURSE-WFA", 1)])
    shown = bc.ok("GET", f"/v2/orders/{order.id}")
    assert (shown["order_is_digital"], shown["status_id"], shown["shipping_address_count"]) == (True, 10, 0)


def test_the_same_seed_gives_the_same_store() -> None:
    with world(history=True) as one, world(history=True) as two, world(history=True, seed=8) as three:

        def totals(made: World) -> list[str]:
            return [f"{o.total} {o.currency} {o.status_id}" for o in made.store.orders.values()]

        assert totals(one) == totals(two)
        assert totals(one) != totals(three)
        assert len(totals(one)) == 500
        assert len(one.store.products) == 40
        assert len(one.store.customers) == 60
        assert {o.currency for o in one.store.orders.values()} == {"USD", "EUR"}
