"""The sandbox's own controls under `/_sandbox`: for the demo's driver and for tests in another process."""

import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce.accounts import AccountControl
from bcapp.sandbox.bigcommerce.offers_control import act_on_offers
from bcapp.sandbox.bigcommerce.orders import line_shape
from bcapp.sandbox.bigcommerce.store import Refused, Store, User
from bcapp.sandbox.ground import FAULT_KINDS

if TYPE_CHECKING:
    from bcapp.sandbox.bigcommerce import BigCommerceSandbox

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
Act = Callable[[dict[str, Any], Request], Any]


class Control:
    """Every address takes and answers JSON; a refusal is 422 with {"error": sentence}.

    GET  /_sandbox                        stores, users, the app's state in each, all addresses
    POST /_sandbox/reset                  start over (also clears the record of calls and the faults)
    GET|POST /_sandbox/clock              {"advance": seconds}
    GET  /_sandbox/calls                  ?service= &method= &path= (a regular expression) &after= (index)
    DELETE /_sandbox/calls                forget the record
    GET|POST|DELETE /_sandbox/faults      {"service","method","path","kind","times","seconds","status","body"}
    GET  /_sandbox/spec                   what was not in the vendor's files
    POST /_sandbox/app                    {"app_url","public_url"}: where the app lives
    POST /_sandbox/stores/{hash}/install | uninstall | remove_user | revoke   {"user": id, "tell": bool}
    GET  /_sandbox/stores/{hash}/load_url ?user=&url=     what the frame would open
    GET  /_sandbox/stores/{hash}/customer_jwt ?customer=
    POST /_sandbox/stores/{hash}/settings {"quota","latency","empty_lists","revoke_on_uninstall","decline_captures"}
    GET|POST /_sandbox/stores/{hash}/orders               POST: the arguments of Store.place_order
    GET  /_sandbox/stores/{hash}/orders/{id}              order, lines, metafields, history, transactions, refunds
    POST /_sandbox/stores/{hash}/orders/{id}/{act}        edit, pay, ship, cancel, status, complete, archive, vanish,
                                                          message, review, refund (by hand)
    GET|POST /_sandbox/stores/{hash}/offers/{act}         list, promote, edit_promotion, use_promotion, raise_quote,
                                                          edit_quote, order_quote
    GET|POST /_sandbox/stores/{hash}/products             ?brand=; POST: {"like", ...} adds one, {"id", ...} changes it
    (accounts.py)                         companies, customers, settings of B2B Edition
    GET  /_sandbox/hooks                  hooks, blocklist, mails about them
    GET  /_sandbox/deliveries             ?store=&scope=&state=&after= (id)
    POST /_sandbox/deliveries/{id}/resend
    POST /_sandbox/webhooks               {"signed","stale_seconds","warmup_seconds","paused"}
    POST /_sandbox/webhooks/plan          {"kind": duplicate|lose|delay|reorder, "times","scope","seconds","copies"}
    GET|POST /_sandbox/shipping           {"active","statuses","every_seconds","ship_after_seconds"} or {"poll": true}
    """

    def __init__(self, platform: "BigCommerceSandbox") -> None:
        self.platform = platform
        self.ground = platform.ground

    @property
    def routes(self) -> list[BaseRoute]:
        def at(path: str, act: Act, *methods: str) -> Route:
            return Route(f"/_sandbox{path}", _endpoint(act), methods=list(methods))

        return [
            at("", self.overview, "GET"),
            at("/reset", self.reset, "POST"),
            at("/clock", self.clock, "GET", "POST"),
            at("/calls", self.calls, "GET"),
            at("/calls", self.forget_calls, "DELETE"),
            at("/faults", self.faults, "GET"),
            at("/faults", self.add_fault, "POST"),
            at("/faults", self.clear_faults, "DELETE"),
            at("/spec", self.spec, "GET"),
            at("/app", self.app, "POST"),
            at("/stores/{hash}/load_url", self.load_url, "GET"),
            at("/stores/{hash}/customer_jwt", self.customer_jwt, "GET"),
            at("/stores/{hash}/settings", self.store_settings, "POST"),
            at("/stores/{hash}/orders", self.orders, "GET"),
            at("/stores/{hash}/orders", self.place, "POST"),
            at("/stores/{hash}/orders/{order_id:int}", self.order, "GET"),
            at("/stores/{hash}/orders/{order_id:int}/{act}", self.act_on_order, "POST"),
            at("/stores/{hash}/offers/{act}", self.offers, "GET", "POST"),
            at("/stores/{hash}/products", self.products, "GET", "POST"),
            *AccountControl(self._store).routes(at),
            at("/stores/{hash}/{act}", self.act_on_store, "POST"),
            at("/hooks", self.hooks, "GET"),
            at("/deliveries", self.deliveries, "GET"),
            at("/deliveries/{delivery_id:int}/resend", self.resend, "POST"),
            at("/webhooks", self.webhooks, "POST"),
            at("/webhooks/plan", self.plan, "POST"),
            at("/shipping", self.shipping, "GET", "POST"),
        ]

    # Helpers.

    def _store(self, request: Request) -> Store:
        store = self.platform.stores.get(request.path_params["hash"])
        if store is None:
            raise Refused("There is no such store.")
        return store

    def _user(self, store: Store, number: Any) -> User:
        if number is None:
            return store.owner
        user = store.users.get(int(number))
        if user is None:
            raise Refused(f"There is no user {number}.")
        return user

    # The ground.

    def overview(self, body: dict[str, Any], request: Request) -> Any:
        stores = [
            {
                "hash": s.hash,
                "name": s.name,
                "installed": s.installed,
                "scopes": list(s.scopes),
                "owner": s.owner.id,
                "users": [
                    {"id": u.id, "email": u.email, "name": u.name, "may_install": u.may_install}
                    for u in s.users.values()
                ],
                "orders": len(s.orders),
                "manage": f"{self.ground.settings.public_url}/manage/{s.hash}",
                "desk": f"{self.ground.settings.public_url}/desk/{s.hash}",
            }
            for s in self.platform.stores.values()
        ]
        return {"stores": stores, "app_url": self.ground.settings.app_url, "speed": self.ground.settings.speed}

    def reset(self, body: dict[str, Any], request: Request) -> Any:
        self.ground.calls.clear()
        self.ground.faults.clear()
        self.platform.reset()
        return {"reset": True}

    def clock(self, body: dict[str, Any], request: Request) -> Any:
        if "advance" in body:
            self.ground.clock.advance(float(body["advance"]))
        return {"offset": self.ground.clock.offset, "now": self.ground.clock.now().isoformat()}

    def calls(self, body: dict[str, Any], request: Request) -> Any:
        query = request.query_params
        rows = list(enumerate(self.ground.calls))[int(query.get("after", 0)) :]
        for name in ("service", "method"):
            rows = [r for r in rows if getattr(r[1], name) == query[name]] if name in query else rows
        if "path" in query:
            pattern = re.compile(query["path"])
            rows = [r for r in rows if pattern.search(r[1].path)]
        return [{"index": index, **call.as_json()} for index, call in rows]

    def forget_calls(self, body: dict[str, Any], request: Request) -> Any:
        self.ground.calls.clear()
        return {"calls": 0}

    def faults(self, body: dict[str, Any], request: Request) -> Any:
        return [
            {"id": f.id, "service": f.service, "method": f.method, "path": f.path.pattern, "kind": f.kind,
             "times": f.times, "seconds": f.seconds, "status": f.status}
            for f in self.ground.faults.planned
        ]  # fmt: skip

    def add_fault(self, body: dict[str, Any], request: Request) -> Any:
        if body.get("kind") not in FAULT_KINDS:
            raise Refused(f"A fault is one of {', '.join(FAULT_KINDS)}.")
        fault = self.ground.faults.add(
            body.get("service", "bigcommerce"), body.get("method", "*"), body.get("path", ""), body["kind"],
            times=int(body.get("times", 1)), seconds=float(body.get("seconds", 0)), status=int(body.get("status", 503)),
            body_regex=body.get("body"),
        )  # fmt: skip
        return {"id": fault.id}

    def clear_faults(self, body: dict[str, Any], request: Request) -> Any:
        self.ground.faults.clear()
        return {"faults": 0}

    def spec(self, body: dict[str, Any], request: Request) -> Any:
        return {"checked": self.platform.api.check is not None, "errors": self.ground.spec_errors}

    def app(self, body: dict[str, Any], request: Request) -> Any:
        for name in ("app_url", "public_url", "panel_url"):
            if name in body:
                setattr(self.ground.settings, name, str(body[name]).rstrip("/"))
        return {"app_url": self.ground.settings.app_url, "public_url": self.ground.settings.public_url}

    # Stores.

    def act_on_store(self, body: dict[str, Any], request: Request) -> Any:
        store, auth = self._store(request), self.platform.auth
        act = request.path_params["act"]
        user = self._user(store, body.get("user"))
        if act == "install":
            response = auth.install(store, user)
            return {"status": response.status_code, "installed": store.installed}
        if act == "uninstall":
            answer = auth.uninstall(store, user, tell=bool(body.get("tell", True)))
            return {"status": answer.status_code if answer is not None else None, "installed": store.installed}
        if act == "remove_user":
            answer = auth.remove_user(store, user, tell=bool(body.get("tell", True)))
            return {"status": answer.status_code if answer is not None else None}
        if act == "revoke":
            auth.revoke(store)
            return {"token": None}
        raise Refused(f"A store cannot {act!r}.")

    def products(self, body: dict[str, Any], request: Request) -> Any:
        """List the products of a brand, or add or change one."""
        store = self._store(request)
        if request.method == "GET":
            brand = request.query_params.get("brand")
            numbers = {b["id"] for b in store.brands.values() if b["name"] == brand}
            return [p for p in store.products.values() if brand is None or p["brand_id"] in numbers]
        if "like" in body:
            return store.add_product(body.pop("like"), **body)
        return store.change_product(int(body.pop("id")), body)

    def offers(self, body: dict[str, Any], request: Request) -> Any:
        return act_on_offers(self._store(request), request.path_params["act"], body)

    def load_url(self, body: dict[str, Any], request: Request) -> Any:
        store, query = self._store(request), request.query_params
        user = self._user(store, query.get("user"))
        return {"url": self.platform.auth.open_url(store, user, query.get("url", "/"))}

    def customer_jwt(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        number = int(request.query_params["customer"])
        if number not in store.customers:
            raise Refused(f"There is no customer {number}.")
        return {"token": self.platform.auth.current_customer(store, number)}

    def store_settings(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        known = ("quota", "latency", "empty_lists", "revoke_on_uninstall", "decline_captures", "needs_consent",
                 "refund_payments", "refund_seconds")  # fmt: skip
        for name, value in body.items():
            if name not in known:
                raise Refused(f"A store has no setting {name!r}.")
            setattr(store, name, value)
        return {name: getattr(store, name) for name in known}

    # Orders.

    def _order(self, store: Store, order_id: int) -> dict[str, Any]:
        order = store.order(order_id)
        return {
            **store.order_shape(order),
            "lines": [line_shape(order, line) for line in order.lines],
            "shipping": order.addresses,
            "metafields": store.metafields_of("order", order.id),
            "transactions": order.transactions,
            "refunds": order.refunds,
            "shipments": order.shipments,
            "history": [{"at": at.isoformat(), "status_id": s, "who": who} for at, s, who in order.history],
        }

    def orders(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        rows = sorted(store.orders.values(), key=lambda o: o.id, reverse=True)
        if "status_id" in request.query_params:
            rows = [o for o in rows if o.status_id == int(request.query_params["status_id"])]
        return [store.order_shape(o) for o in rows[: int(request.query_params.get("limit", 50))]]

    def order(self, body: dict[str, Any], request: Request) -> Any:
        return self._order(self._store(request), request.path_params["order_id"])

    def place(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        lines = [(key, int(quantity)) for key, quantity in body.pop("lines")]
        order = store.place_order(lines=lines, **body)
        return self._order(store, order.id)

    def act_on_order(self, body: dict[str, Any], request: Request) -> Any:
        store, order_id = self._store(request), request.path_params["order_id"]
        act = request.path_params["act"]
        if act == "edit":
            for name in ("quantities", "prices"):
                if name in body:
                    body[name] = {int(k): v for k, v in body[name].items()}
            store.edit(order_id, **body)
        elif act == "pay":
            store.pay(order_id)
        elif act == "ship":
            store.ship(order_id)
        elif act == "cancel":
            store.cancel(order_id)
        elif act == "status":
            store.set_status(order_id, int(body["status_id"]), str(body.get("who", "merchant")))
        elif act == "complete":
            store.complete_order(order_id, str(body.get("payment", "paid")))
        elif act == "archive":
            store.archive(order_id)
        elif act == "vanish":
            store.vanish(order_id)
            return {"id": order_id}
        elif act == "refund":
            body["lines"] = {int(k): v for k, v in body.get("lines", {}).items()}
            store.refund_by_hand(order_id, **body)
        elif act == "message":
            store.write_message(order_id, str(body["text"]))
        elif act == "review":
            store.review_done(order_id, bool(body.get("accepted", True)))
        else:
            raise Refused(f"An order cannot {act!r}.")
        return self._order(store, order_id)

    # Webhooks.

    def hooks(self, body: dict[str, Any], request: Request) -> Any:
        webhooks = self.platform.webhooks
        rows = [{**h.shape(), "deactivated": h.deactivated} for h in webhooks.hooks.values()]
        return {"hooks": rows, "blocked": webhooks.blocked_shape(), "emails": webhooks.emails}

    def deliveries(self, body: dict[str, Any], request: Request) -> Any:
        query = request.query_params
        rows = [d for d in self.platform.webhooks.deliveries if d.id > int(query.get("after", 0))]
        for name, attribute in (("store", "store_hash"), ("scope", "scope"), ("state", "state")):
            rows = [d for d in rows if getattr(d, attribute) == query[name]] if name in query else rows
        return [d.as_json() for d in rows]

    def resend(self, body: dict[str, Any], request: Request) -> Any:
        wanted = request.path_params["delivery_id"]
        found = next((d for d in self.platform.webhooks.deliveries if d.id == wanted), None)
        if found is None:
            raise Refused(f"There is no delivery {wanted}.")
        return self.platform.webhooks.resend(found).as_json()

    def webhooks(self, body: dict[str, Any], request: Request) -> Any:
        known = ("signed", "stale_seconds", "warmup_seconds", "paused")
        for name, value in body.items():
            if name not in known:
                raise Refused(f"Webhooks have no setting {name!r}.")
            setattr(self.platform.webhooks, name, value)
        return {name: getattr(self.platform.webhooks, name) for name in known}

    def plan(self, body: dict[str, Any], request: Request) -> Any:
        if body.get("kind") not in ("duplicate", "lose", "delay", "reorder"):
            raise Refused("A plan is one of duplicate, lose, delay, reorder.")
        self.platform.webhooks.plan(**body)
        return {"plans": len(self.platform.webhooks.plans)}

    # The shipping tool.

    def shipping(self, body: dict[str, Any], request: Request) -> Any:
        tool = self.platform.shipping
        if body.pop("poll", False):
            tool.poll()
        elif body.get("active") is False:
            tool.stop()
        elif body:
            body.pop("active", None)
            if "statuses" in body:
                body["statuses"] = tuple(int(s) for s in body["statuses"])
            tool.start(**body)
        return {"active": tool.active, "statuses": list(tool.statuses), "log": tool.log}


def _endpoint(act: Act) -> Endpoint:
    """Return an endpoint that runs in a thread, because some acts call the app, which calls the sandbox."""

    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError:
            return JSONResponse({"error": "The body is not JSON."}, 400)
        if not isinstance(body, dict):
            return JSONResponse({"error": "The body is not an object."}, 400)
        try:
            return JSONResponse(await run_in_threadpool(act, body, request))
        except Refused as exc:
            return JSONResponse({"error": str(exc)}, 422)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, 422)

    return endpoint
