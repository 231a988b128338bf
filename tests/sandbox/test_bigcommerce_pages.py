"""The control panel, the desk, the shipping tool and the sandbox's own controls."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.sandbox.vendor import World, wait_for


def page(bc: World, path: str) -> str:
    response = bc.http.get(bc.server.url + path)
    assert response.status_code == 200, response.text
    assert not re.search(r'(src|href)="https?://(?!127\.0\.0\.1)', response.text), "nothing from elsewhere"
    return response.text


def control(bc: World, method: str, path: str, body: Any = None) -> Any:
    response = bc.http.request(method, f"{bc.server.url}/_sandbox{path}", json=body)
    assert response.is_success, response.text
    return response.json()


def test_the_panel_installs_opens_and_uninstalls(bc: World) -> None:
    base = f"/manage/{bc.store.hash}"
    assert "Uninstall" in page(bc, base)
    framed = page(bc, f"{base}/app?url=/rules")
    src = re.search(r'<iframe[^>]* src="([^"]+)"', framed)
    assert src is not None
    assert urlsplit(src.group(1)).path == "/load"
    response = bc.http.post(f"{bc.server.url}{base}/uninstall", follow_redirects=True)
    assert "The app was uninstalled." in response.text
    assert bc.app.received[-1].path == "/uninstall"
    assert "Install" in page(bc, f"{base}/apps")
    install = bc.http.post(f"{bc.server.url}{base}/install", follow_redirects=True)
    assert "/auth?" in install.text


def test_the_panel_follows_who_is_signed_in(bc: World) -> None:
    base = f"{bc.server.url}/manage/{bc.store.hash}"
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        shown = browser.post(f"{base}/user", data={"user": "2400103"}).text
        assert "Welcome, Priya" in shown
        assert "Uninstall" not in shown
        refused = browser.post(f"{base}/uninstall")
        assert "permissions" in refused.text
    assert bc.store.installed


def test_a_user_loses_access(bc: World) -> None:
    bc.http.post(f"{bc.server.url}/manage/{bc.store.hash}/users/2400104/remove")
    assert 2400104 not in bc.store.users
    assert bc.app.received[-1].path == "/remove_user"


def test_a_store_is_found_by_its_host_name(bc: World) -> None:
    other = bc.sandbox.bigcommerce.stranger
    host = {"Host": f"store-{other.hash}.mybigcommerce.test"}
    response = bc.http.get(f"{bc.server.url}/manage/app/41257", headers=host)
    assert response.headers["location"].startswith(f"/manage/{other.hash}/apps")


def test_an_external_button_leads_through_the_store(bc: World) -> None:
    link = f"{bc.server.url}/app/{bc.sandbox.settings.client_id}/install"
    assert "Choose the store" in bc.http.get(link).text
    target = bc.http.get(f"{link}?store={bc.store.hash}").headers["location"]
    assert "external_install=true" in target
    assert bc.http.get(f"{link}/succeeded").status_code == 200


def test_the_desk_places_edits_and_ships(bc: World) -> None:
    desk = f"{bc.server.url}/desk/{bc.store.hash}"
    form = {"customer_id": "0", "email": "pat@example.com", "product_1": "77", "quantity_1": "2", "payment": "paid"}
    response = bc.http.post(f"{desk}/orders", data=form, follow_redirects=True)
    order = max(bc.store.orders.values(), key=lambda o: o.id)
    assert f"Order {order.id} was placed." in response.text
    assert (order.billing["email"], order.lines[0].quantity) == ("pat@example.com", 2)
    line = order.lines[0].id
    bc.http.post(f"{desk}/orders/{order.id}/edit", data={f"quantity_{line}": "5", "staff_notes": "Checked"})
    assert (order.lines[0].quantity, order.staff_notes) == (5, "Checked")
    bc.http.post(f"{desk}/orders/{order.id}/status", data={"status_id": "12"})
    assert order.status_id == 12
    bc.http.post(f"{desk}/orders/{order.id}/ship")
    assert (order.status_id, order.items_shipped) == (2, 5)
    assert "Shipped" in page(bc, f"/desk/{bc.store.hash}/orders/{order.id}")
    refused = bc.http.post(f"{desk}/orders/{order.id}/ship", follow_redirects=True)
    assert "nothing left to ship" in refused.text
    assert str(order.id) in page(bc, f"/desk/{bc.store.hash}?status_id=2")


def test_the_desk_shows_metafields_as_text(bc: World) -> None:
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    value = "<script>alert(1)</script>"
    body = {"permission_set": "read", "namespace": "countersign", "key": "state", "value": value}
    bc.ok("POST", f"/v3/orders/{order.id}/metafields", body)
    shown = page(bc, f"/desk/{bc.store.hash}/orders/{order.id}")
    assert "countersign.state" in shown
    assert value not in shown


def test_a_plain_tool_leaves_held_orders_and_shipstation_does_not(bc: World) -> None:
    tool = bc.sandbox.bigcommerce.shipping
    tool.start(statuses=(11,))
    tool.stop()
    free, held = bc.store.place_order(lines=[("TENT-4", 1)]), bc.store.place_order(lines=[("TENT-4", 1)])
    bc.store.set_status(held.id, 12)
    tool.poll()
    assert (free.status_id, held.status_id) == (2, 12)
    tool.statuses = (11, 12)
    tool.poll()
    assert held.status_id == 2
    assert [row["what"] for row in tool.log] == ["imported", "shipped", "imported", "shipped"]


def test_the_tool_polls_by_itself_and_ships_what_it_imported(bc: World) -> None:
    tool = bc.sandbox.bigcommerce.shipping
    tool.start(statuses=(11,), every_seconds=60, ship_after_seconds=600)
    order = bc.store.place_order(lines=[("TENT-4", 1)])
    bc.sandbox.clock.advance(61)
    wait_for(lambda: (bc.store.hash, order.id) in tool.imported)
    bc.store.set_status(order.id, 12)
    bc.sandbox.clock.advance(660)
    wait_for(lambda: order.status_id == 2)


def test_the_controls_do_what_a_driver_needs(bc: World) -> None:
    store = bc.store.hash
    seen = control(bc, "GET", "")
    assert [s["installed"] for s in seen["stores"]] == [True, False]
    bc.hook()
    placed = control(bc, "POST", f"/stores/{store}/orders", {"lines": [["TENT-X8", 2]], "customer_id": 3})
    assert placed["status_id"] == 11
    path = f"/stores/{store}/orders/{placed['id']}"
    line = placed["lines"][0]["id"]
    assert control(bc, "POST", f"{path}/edit", {"quantities": {str(line): 1}})["items_total"] == 1
    assert control(bc, "POST", f"{path}/status", {"status_id": 12})["status_id"] == 12
    assert control(bc, "GET", path)["history"][-1]["who"] == "merchant"
    assert control(bc, "GET", f"/stores/{store}/orders?status_id=12")[0]["id"] == placed["id"]
    bc.settle()
    delivered = control(bc, "GET", "/deliveries?state=delivered&scope=store/order/created")
    assert delivered[0]["body"]["data"]["id"] == placed["id"]
    control(bc, "POST", f"/deliveries/{delivered[0]['id']}/resend")
    control(bc, "POST", "/webhooks", {"stale_seconds": 900})
    control(bc, "POST", "/webhooks/plan", {"kind": "lose", "times": 2})
    fault = {"method": "PUT", "path": "/orders/", "kind": "before", "status": 503}
    control(bc, "POST", "/faults", fault)
    assert bc.call("PUT", f"/v2/orders/{placed['id']}", {"status_id": 11}).status_code == 503
    assert control(bc, "GET", "/calls?method=PUT&service=bigcommerce")[-1]["executed"] is False
    assert control(bc, "POST", "/clock", {"advance": 60})["offset"] == 60
    assert control(bc, "POST", "/shipping", {"statuses": [11, 12], "every_seconds": 30})["active"] is True
    assert control(bc, "GET", f"/stores/{store}/load_url?url=/rules")["url"].startswith(f"{bc.app.url}/load?")
    refused = bc.http.post(f"{bc.server.url}/_sandbox{path}/dance", json={})
    assert refused.json() == {"error": "An order cannot 'dance'."}
    assert control(bc, "POST", f"/stores/{store}/uninstall", {"tell": False})["installed"] is False
    control(bc, "POST", "/reset")
    assert placed["id"] not in bc.store.orders
    assert control(bc, "GET", "/hooks")["hooks"] == []


def test_buyers_apply_and_staff_decide_at_the_desk(bc: World) -> None:
    base, store = f"/desk/{bc.store.hash}/accounts", bc.store
    sent = {"name": "Huber", "extra_0": "DE123"}
    assert "has applied" in bc.http.post(bc.server.url + base + "/companies", data=sent, follow_redirects=True).text
    (company,) = store.b2b.companies.values()
    assert (company.status, company.extra) == (0, {"Tax number": "DE123"})
    bc.http.post(f"{bc.server.url}{base}/companies/{company.id}/status", data={"status": "1"}, follow_redirects=True)
    assert company.status == 1
    mara = {"email": "mara@xu.example", "field": "Trade account", "value": "yes"}
    assert "has registered" in bc.http.post(bc.server.url + base + "/customers", data=mara, follow_redirects=True).text
    assert "Huber" in page(bc, base)
    told = control(bc, "GET", f"/stores/{store.hash}/companies/{company.id}")
    assert [h["status"] for h in told["history"]] == [0, 1]
    assert control(bc, "POST", f"/stores/{store.hash}/b2b", {"auto_approve": True})["auto_approve"] is True
    assert control(bc, "POST", f"/stores/{store.hash}/companies", {"name": "Xu"})["status"] == 1


def test_products_and_offers_change_at_the_desk(bc: World) -> None:
    base, store = f"/desk/{bc.store.hash}/offers", bc.store

    def send(act: str, **form: str) -> str:
        return str(bc.http.post(f"{bc.server.url}{base}/{act}", data=form, follow_redirects=True).text)

    product = next(iter(store.products.values()))
    assert "was added" in send("add_product", like=str(product["id"]), name="Rope bag")
    assert "was changed" in send("change_product", id=str(product["id"]), is_visible="no", price="12.5")
    assert (product["is_visible"], product["price"]) == (False, 12.5)
    assert "was made" in send("promote", name="Summer", percent="40")
    number, promotion = list(store.promotions.items())[-1]
    assert (promotion["name"], promotion["status"]) == ("Summer", "ENABLED")
    send("edit_promotion", id=str(number), do="DISABLED")
    assert promotion["status"] == "DISABLED"
    assert f"Promotion {number} is not on." in send("edit_promotion", id=str(number), do="use")
    assert "was made" in send("raise_quote", product_id=str(product["id"]), quantity="10", off="20")
    quote = list(store.b2b.quotes.values())[-1]
    before = quote["grandTotal"]
    send("edit_quote", id=str(quote["quoteId"]), do="off", off="30")
    assert quote["grandTotal"] != before
    assert "became order" in send("edit_quote", id=str(quote["quoteId"]), do="order")
    (prices, records), *_ = store.prices.items()
    assert "was changed" in send("set_price", list=str(prices), sku=records[0]["sku"], price="1")
    assert records[0]["price"] == 1
    group = next(iter(store.groups))
    assert "was given to the group" in send("assign", list=str(prices), group=str(group))
    assert "There is no promotion 999." in send("edit_promotion", id="999", do="ENABLED")
    assert "holds no price of" in send("set_price", list=str(prices), sku="nothing", price="1")
    assert "There is no such" in send("assign", list="999", group="1")
    assert "Summer" in page(bc, base)


def test_money_is_refunded_by_hand_at_the_desk(bc: World) -> None:
    order = bc.store.place_order(lines=[(next(iter(bc.store.products)), 2)], payment="paid")
    path = f"{bc.server.url}/desk/{bc.store.hash}/orders/{order.id}/refund"
    bc.http.post(path, data={f"refund_{order.lines[0].id}": "1", "reason": "Torn"})
    assert order.lines[0].quantity_refunded == 1
    assert "can be refunded" in bc.http.post(path, data={"amount": "99999"}, follow_redirects=True).text
