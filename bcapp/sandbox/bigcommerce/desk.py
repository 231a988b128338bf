"""The desk: a person places, edits, pays, ships, refunds and moves orders, as shoppers and staff do."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce.orders import STATUSES
from bcapp.sandbox.bigcommerce.panel import Pages
from bcapp.sandbox.bigcommerce.store import PAYMENTS, Refused, Store

SHOWN = 60


class Desk(Pages):
    """The pages under `/desk`: plain forms that need no script."""

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/desk/{hash}", self.show),
            Route("/desk/{hash}/orders", self.place, methods=["POST"]),
            Route("/desk/{hash}/orders/{order_id:int}", self.order),
            Route("/desk/{hash}/orders/{order_id:int}/{act}", self.act, methods=["POST"]),
            Route("/desk/{hash}/shopper", self.shopper, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        store = self.store(request)
        asked = request.query_params.get("status_id", "")
        chosen = int(asked) if asked.isdecimal() else None
        orders = [o for o in store.orders.values() if chosen is None or o.status_id == chosen]
        orders.sort(key=lambda o: o.id, reverse=True)
        customers = sorted(store.customers.values(), key=lambda c: (c["last_name"], c["first_name"]))
        return self.page(
            request, "desk.html", store, orders=orders[:SHOWN], customers=customers, payments=PAYMENTS,
            statuses=STATUSES, chosen=chosen,
        )  # fmt: skip

    async def order(self, request: Request) -> Response:
        store = self.store(request)
        order = store.orders.get(request.path_params["order_id"])
        if order is None:
            raise HTTPException(404, "There is no such order.")
        return self.page(request, "desk_order.html", store, order=order, statuses=STATUSES)

    async def place(self, request: Request) -> Response:
        store = self.store(request)
        form = await request.form()
        try:
            order = store.place_order(
                lines=_lines(form), customer_id=_number(form, "customer_id"), payment=_text(form, "payment", "paid"),
                method=_text(form, "method", "card"), email=_text(form, "email") or None,
                channel_id=_number(form, "channel_id", 1), message=_text(form, "message"),
            )  # fmt: skip
        except (Refused, KeyError, ValueError) as exc:
            return self.back(f"/desk/{store.hash}", f"Not placed: {exc}", bad=True)
        return self.back(f"/desk/{store.hash}/orders/{order.id}", f"Order {order.id} was placed.")

    async def act(self, request: Request) -> Response:
        store = self.store(request)
        order_id, act = request.path_params["order_id"], request.path_params["act"]
        form = await request.form()
        path = f"/desk/{store.hash}/orders/{order_id}"
        try:
            self._do(store, order_id, act, form)
        except (Refused, ValueError) as exc:
            return self.back(path, str(exc), bad=True)
        return self.back(path, "Done.")

    def _do(self, store: Store, order_id: int, act: str, form: FormData) -> None:
        if act == "pay":
            store.pay(order_id)
        elif act == "ship":
            store.ship(order_id)
        elif act == "cancel":
            store.cancel(order_id)
        elif act == "archive":
            store.archive(order_id)
        elif act == "capture":
            with self.ground.lock:
                store.start_capture(store.order(order_id))
        elif act == "status":
            store.set_status(order_id, _number(form, "status_id"))
        elif act == "refund":
            pieces = {line.id: n for line in store.order(order_id).lines if (n := _number(form, f"refund_{line.id}"))}
            store.refund_by_hand(order_id, amount=_text(form, "amount"), lines=pieces, reason=_text(form, "reason"))
        elif act == "edit":
            self._edit(store, order_id, form)
        else:
            raise Refused(f"The desk cannot {act!r}.")

    def _edit(self, store: Store, order_id: int, form: FormData) -> None:
        """Change only what the form changed, so that an untouched line keeps its discounts."""
        order = store.order(order_id)
        quantities = {
            line.id: wanted
            for line in order.lines
            if (wanted := _number(form, f"quantity_{line.id}", line.quantity)) != line.quantity
        }
        add = [(_number(form, "add"), _number(form, "add_quantity", 1))] if _text(form, "add") else []
        address = {name: _text(form, name) for name in ("street_1", "city") if _text(form, name)}
        store.edit(
            order_id, quantities=quantities, add=add, shipping_address=address,
            staff_notes=_text(form, "staff_notes", order.staff_notes),
        )  # fmt: skip

    async def shopper(self, request: Request) -> Response:
        """Sign a shopper in to the storefront, for the Current Customer address."""
        store = self.store(request)
        chosen = _text(await request.form(), "customer_id")
        response = self.back(f"/desk/{store.hash}", "The shopper is signed in.")
        response.set_cookie(f"sandbox-shopper-{store.hash}", chosen, path="/", httponly=True, samesite="lax")
        return response


def _text(form: FormData, name: str, default: str = "") -> str:
    value = form.get(name, default)
    return value.strip() if isinstance(value, str) else default


def _number(form: FormData, name: str, default: int = 0) -> int:
    raw = _text(form, name)
    return int(raw) if raw else default


def _lines(form: FormData) -> list[tuple[int | str, int]]:
    rows = [(_number(form, f"product_{n}"), _number(form, f"quantity_{n}", 1)) for n in (1, 2, 3)]
    wanted: list[tuple[int | str, int]] = [row for row in rows if row[0]]
    if not wanted:
        raise Refused("An order needs a product.")
    return wanted
