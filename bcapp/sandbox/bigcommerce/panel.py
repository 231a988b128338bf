"""The control panel of each store: it installs, opens and removes the app, and frames it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bcapp.sandbox.bigcommerce.store import Refused, Store, User

if TYPE_CHECKING:
    from bcapp.sandbox.bigcommerce import BigCommerceSandbox

HERE = Path(__file__).parent
STORE_HOST = re.compile(r"store-([a-z0-9]+)(?:-\d+)?\.")


class Pages:
    """What the control panel and the desk share: templates, who is signed in, and where one is."""

    def __init__(self, platform: "BigCommerceSandbox") -> None:
        self.platform = platform
        self.ground = platform.ground
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    def store(self, request: Request) -> Store:
        """Return the store of the path, or of the host name, or raise 404."""
        named = request.path_params.get("hash")
        if named is None:
            match = STORE_HOST.match(request.headers.get("host", ""))
            named = match.group(1) if match else self.platform.store.hash
        store = self.platform.stores.get(named)
        if store is None:
            raise HTTPException(404, "There is no such store.")
        return store

    def user(self, request: Request, store: Store) -> User:
        chosen = request.cookies.get(f"sandbox-user-{store.hash}", "")
        return store.users.get(int(chosen), store.owner) if chosen.isdecimal() else store.owner

    def page(self, request: Request, name: str, store: Store, **context: Any) -> Response:
        user = self.user(request, store)
        menu = [
            (f"/manage/{store.hash}", "Home"), (f"/manage/{store.hash}/orders", "Orders"),
            (f"/desk/{store.hash}", "Desk"), (f"/manage/{store.hash}/apps", "My apps"),
        ]  # fmt: skip
        if store.installed:
            menu.append((f"/manage/{store.hash}/app", "Countersign"))
        said = request.query_params.get("said", "")
        shared = {
            "store": store, "user": user, "menu": menu, "here": request.url.path, "said": said,
            "bad": "bad" in request.query_params, "may_install": user is store.owner or user.may_install,
        }  # fmt: skip
        with self.ground.lock:
            html = self.templates.get_template(name).render(**shared, **context)
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    def alone(self, heading: str, text: str, *links: tuple[str, str], status: int = 200) -> Response:
        html = self.templates.get_template("alone.html").render(heading=heading, text=text, links=links)
        return HTMLResponse(html, status)

    def back(self, path: str, said: str = "", bad: bool = False) -> Response:
        query = {"said": said, **({"bad": "1"} if bad else {})} if said else {}
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


class Panel(Pages):
    """The pages under `/manage`, plus the vendor's public addresses that lead there."""

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Mount("/manage/static", StaticFiles(directory=HERE / "static")),
            Route("/sdk/bc-sdk.js", self.sdk),
            Route("/manage/app/{app_id}", self.framed),
            Route("/manage/{hash}", self.home),
            Route("/manage/{hash}/", self.home),
            Route("/manage/{hash}/orders", self.orders),
            Route("/manage/{hash}/apps", self.apps),
            Route("/manage/{hash}/app", self.framed),
            Route("/manage/{hash}/app/{app_id}", self.framed),
            Route("/manage/{hash}/user", self.switch, methods=["POST"]),
            Route("/manage/{hash}/logout", self.log_out, methods=["POST"]),
            Route("/manage/{hash}/install", self.install, methods=["POST"]),
            Route("/manage/{hash}/uninstall", self.uninstall, methods=["POST"]),
            Route("/manage/{hash}/users/{user_id:int}/remove", self.remove_user, methods=["POST"]),
            Route("/manage", self.stores),
            Route("/", self.stores),
            Route("/app/{client_id}/install", self.external),
            Route("/app/{client_id}/install/{outcome}", self.external_done),
            Route("/deep-links/manage/{rest:path}", self.deep_link),
            Route("/customer/current.jwt", self.current_customer),
        ]

    async def sdk(self, request: Request) -> Response:
        return FileResponse(HERE / "static" / "bc-sdk.js", media_type="text/javascript")

    async def stores(self, request: Request) -> Response:
        links = [(f"/manage/{s.hash}", s.name) for s in self.platform.stores.values()]
        return self.alone("Sandbox", "Simulated stores. Choose one to sign in to its control panel.", *links)

    async def home(self, request: Request) -> Response:
        store = self.store(request)
        orders = sorted(store.placed_orders(), key=lambda o: o.id, reverse=True)
        now = self.ground.clock.now()
        counts = {
            "today": sum((now - o.created).total_seconds() < 86400 for o in orders),
            "open": sum(o.status_id == 11 for o in orders),
            "held": sum(o.status_id == 12 for o in orders),
            "unpaid": sum(o.status_id == 7 for o in orders),
        }
        return self.page(request, "home.html", store, orders=orders[:10], counts=counts)

    async def orders(self, request: Request) -> Response:
        store = self.store(request)
        orders = sorted(store.placed_orders(), key=lambda o: o.id, reverse=True)[:50]
        return self.page(request, "orders.html", store, orders=orders)

    async def apps(self, request: Request) -> Response:
        return self.page(request, "apps.html", self.store(request))

    async def framed(self, request: Request) -> Response:
        """Frame the app: its auth callback during an installation, else its load callback."""
        store = self.store(request)
        user = self.user(request, store)
        auth = self.platform.auth
        try:
            if "install" in request.query_params:
                src = auth.install_url(store, user)
            else:
                src = auth.open_url(store, user, request.query_params.get("url", "/"))
        except Refused as exc:
            return self.back(f"/manage/{store.hash}/apps", str(exc), bad=True)
        return self.page(request, "framed.html", store, src=src)

    async def switch(self, request: Request) -> Response:
        store = self.store(request)
        chosen = str((await request.form()).get("user", ""))
        response = self.back(f"/manage/{store.hash}")
        response.set_cookie(f"sandbox-user-{store.hash}", chosen, path="/", httponly=True, samesite="lax")
        return response

    async def log_out(self, request: Request) -> Response:
        store = self.store(request)
        response = self.alone("You are signed out", store.name, (f"/manage/{store.hash}", "Sign in again"))
        response.delete_cookie(f"sandbox-user-{store.hash}", path="/")
        return response

    async def install(self, request: Request) -> Response:
        return self.back(f"/manage/{self.store(request).hash}/app?install=1")

    async def uninstall(self, request: Request) -> Response:
        store = self.store(request)
        try:
            # In a thread, because the app asks the sandbox something before it answers.
            await run_in_threadpool(self.platform.auth.uninstall, store, self.user(request, store))
        except Refused as exc:
            return self.back(f"/manage/{store.hash}/apps", str(exc), bad=True)
        return self.back(f"/manage/{store.hash}/apps", "The app was uninstalled.")

    async def remove_user(self, request: Request) -> Response:
        store = self.store(request)
        gone = store.users.get(request.path_params["user_id"])
        if gone is None or gone is store.owner:
            return self.back(f"/manage/{store.hash}/apps", "There is no such user.", bad=True)
        await run_in_threadpool(self.platform.auth.remove_user, store, gone)
        return self.back(f"/manage/{store.hash}/apps", f"{gone.name} has no access any more.")

    # The vendor's public addresses (bigcommerce.md 1.7, 1.10, 5.1).

    async def external(self, request: Request) -> Response:
        """Install from a button on somebody's site: choose the store, then go to the auth callback."""
        if request.path_params["client_id"] != self.ground.settings.client_id:
            raise HTTPException(404)
        store = self.platform.stores.get(request.query_params.get("store", ""))
        if store is None:
            here = quote(request.url.path)
            links = [(f"{here}?store={s.hash}", s.name) for s in self.platform.stores.values()]
            return self.alone("Install Countersign", "Choose the store to install it in.", *links)
        return RedirectResponse(self.platform.auth.install_url(store, external=True), 303)

    async def external_done(self, request: Request) -> Response:
        outcome = request.path_params["outcome"]
        if outcome not in ("succeeded", "failed"):
            raise HTTPException(404)
        text = "The app was installed." if outcome == "succeeded" else "The app could not be installed."
        return self.alone(f"Installation {outcome}", text)

    async def deep_link(self, request: Request) -> Response:
        store = self.platform.store
        place = "orders" if "orders" in request.path_params["rest"] else "apps"
        return RedirectResponse(f"/manage/{store.hash}/{place}", 303)

    async def current_customer(self, request: Request) -> Response:
        """Answer the signed-in shopper's JWT as text; a guest gets 404."""
        store = self.store(request)
        chosen = request.cookies.get(f"sandbox-shopper-{store.hash}", "")
        known = chosen.isdecimal() and int(chosen) in store.customers
        if not known or request.query_params.get("app_client_id") != self.ground.settings.client_id:
            return PlainTextResponse("The customer is not signed in.", 404)
        return PlainTextResponse(self.platform.auth.current_customer(store, int(chosen)))
