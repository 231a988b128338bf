"""App extensions of the simulated store: the little of the GraphQL Admin API that registers them.

Errors come with 200, as the vendor's do. Source: BigCommerce docs, "App extensions".
"""

from __future__ import annotations

from typing import Any

from bcapp.sandbox.bigcommerce.api import Answer, Ask, Table
from bcapp.sandbox.bigcommerce.store import Store

graphql = Table()

MODELS = ("ORDERS", "CUSTOMERS", "PRODUCTS", "PRODUCT_DESCRIPTION")
PER_MODEL = 2


def refused(message: str) -> Answer:
    return Answer(data={"data": None, "errors": [{"message": message, "path": ["appExtension"]}]})


@graphql("POST", "/graphql", "store_app_extensions_manage")
def run(ask: Ask) -> Answer:
    query, given = str(ask.object().get("query")), (ask.object().get("variables") or {}).get("input") or {}
    if "createAppExtension" in query:
        return _create(ask.store, given)
    if "updateAppExtension" in query:
        return _update(ask.store, given)
    if "deleteAppExtension" in query:
        return _delete(ask.store, given)
    if "appExtensions" in query:
        edges = [{"node": node} for node in ask.store.extensions]
        return Answer(data={"data": {"store": {"appExtensions": {"edges": edges}}}})
    return refused("Cannot query this field.")


def _create(store: Store, given: dict[str, Any]) -> Answer:
    model, url = given.get("model"), str(given.get("url"))
    if model not in MODELS or given.get("context") not in ("PANEL", "LINK") or not 0 < len(url) <= 255:
        return refused("The input is invalid.")
    if sum(e["model"] == model for e in store.extensions) >= PER_MODEL:
        return refused("You have reached the limit of app extensions for this model.")
    label = {"defaultValue": str(given["label"]["defaultValue"])}
    made = {
        "id": f"bc/store/appExtension/{store.next_id('extension')}", "context": given["context"], "model": model,
        "url": url, "label": label,
    }  # fmt: skip
    store.extensions.append(made)
    return Answer(data={"data": {"appExtension": {"createAppExtension": {"appExtension": {"id": made["id"]}}}}})


def _update(store: Store, given: dict[str, Any]) -> Answer:
    found = next((e for e in store.extensions if e["id"] == given.get("id")), None)
    data = given.get("data") or {}
    if found is None or not data.keys() <= {"label", "url"}:
        return refused("App extension not found.")
    if "label" in data:
        found["label"] = {"defaultValue": str(data["label"]["defaultValue"])}
    found["url"] = str(data.get("url", found["url"]))
    return Answer(data={"data": {"appExtension": {"updateAppExtension": {"appExtension": {"id": found["id"]}}}}})


def _delete(store: Store, given: dict[str, Any]) -> Answer:
    found = next((e for e in store.extensions if e["id"] == given.get("id")), None)
    if found is None:
        return refused("App extension not found.")
    store.extensions.remove(found)
    answer = {"deleteAppExtension": {"deletedAppExtensionId": found["id"]}}
    return Answer(data={"data": {"appExtension": answer}})
