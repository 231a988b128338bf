"""The official Python client runs against the sandbox unchanged; it insists on https, hence a local authority."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from bcapp.sandbox import Sandbox, SandboxServer, SandboxSettings, find_specs

# Only the client and what it returns; it is given nothing of ours but the environment.
SCRIPT = """
import json, os, sys
from bigcommerce.api import BigcommerceApi
from bigcommerce.exception import ClientRequestException

given = json.load(sys.stdin)
api = BigcommerceApi(client_id=given["client_id"], store_hash=given["hash"])
secret = given["client_secret"]
answer = api.oauth_fetch_token(secret, given["code"], given["context"], given["scope"], given["redirect"])
claims = BigcommerceApi.oauth_verify_payload_jwt(given["jwt"], secret, given["client_id"])
order = api.Orders.get(given["order"])
products = order.products()
address = order.shipping_addresses()[0]
changed = order.update(status_id=12, staff_notes="Waiting for a signature")
shipment = api.OrderShipments.create(given["order"], items=[{"order_product_id": products[0].id, "quantity": 1}])
try:
    api.Orders.get(1)
    missing = None
except ClientRequestException as error:
    missing = error.status_code
json.dump({
    "owner": answer["owner"]["email"],
    "user": claims["user"]["email"],
    "store": api.Store.all().name,
    "time": api.Time.all().time,
    "orders": [o.id for o in api.Orders.all(limit=5, status_id=11)],
    "paged": len(list(api.Orders.iterall())),
    "count": api.Orders.count(),
    "sku": products[0].sku,
    "city": address.city,
    "status": changed.status,
    "notes": api.Orders.get(given["order"]).staff_notes,
    "shipment": shipment.order_id,
    "statuses": len(api.OrderStatuses.all()),
    "group": api.CustomerGroups.get(2).name,
    "missing": missing,
    "left": api.connection.rate_limit["requests_remaining"],
}, sys.stdout)
"""


@pytest.mark.spec
def test_the_official_client_works_unchanged(tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    key, chain, ca = tmp_path / "key.pem", tmp_path / "chain.pem", tmp_path / "ca.pem"
    leaf.private_key_pem.write_to_path(key)
    chain.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    authority.cert_pem.write_to_path(ca)
    settings = SandboxSettings(app_url="https://app.example.com", spec_dir=find_specs())
    sandbox = Sandbox(settings)
    with SandboxServer(sandbox, ssl_certfile=str(chain), ssl_keyfile=str(key)) as server:
        store, auth = sandbox.bigcommerce.store, sandbox.bigcommerce.auth
        asked = dict(pair.split("=", 1) for pair in auth.install_url(store).partition("?")[2].split("&"))
        order = store.place_order(lines=[("TENT-4", 2)], customer_id=3)
        given = {
            "client_id": settings.client_id, "client_secret": settings.client_secret, "hash": store.hash,
            "code": asked["code"], "context": f"stores/{store.hash}", "scope": " ".join(auth.profile_scopes),
            "redirect": "https://app.example.com/auth", "order": order.id,
            "jwt": auth.load_url(store).partition("signed_payload_jwt=")[2],
        }  # fmt: skip
        host = f"127.0.0.1:{server.port}"
        environment = {"BC_API_ENDPOINT": host, "BC_AUTH_SERVICE": host, "REQUESTS_CA_BUNDLE": str(ca)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], input=json.dumps(given), capture_output=True, text=True, timeout=120,
            env={**os.environ, **environment, "NO_PROXY": "127.0.0.1"},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["owner"], seen["user"], seen["store"]) == (store.owner.email, store.owner.email, store.name)
    assert (seen["sku"], seen["city"]) == ("TENT-4", order.addresses[0]["city"])
    assert (seen["status"], seen["notes"]) == ("Manual Verification Required", "Waiting for a signature")
    assert (seen["statuses"], seen["group"], seen["missing"]) == (15, "Retail", 404)
    assert seen["paged"] == seen["count"] == len(store.visible_orders())
    assert seen["shipment"] == order.id
    assert order.status_id == 3
    assert seen["left"] < store.quota
    assert sandbox.spec_errors == []
