"""Accounts at the desk and among the sandbox's controls: buyers apply, shoppers register, staff decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bcapp.sandbox.bigcommerce.b2b import Company
from bcapp.sandbox.bigcommerce.panel import Pages
from bcapp.sandbox.bigcommerce.shoppers import define_attribute, move, register
from bcapp.sandbox.bigcommerce.store import Refused, Store

STATUSES = {0: "Pending", 1: "Approved", 2: "Rejected", 3: "Inactive"}
SETTINGS = (
    "enabled", "credit_on", "terms_on", "independent", "auto_approve", "absent_answer", "quota", "default_terms",
)  # fmt: skip
Act = Callable[[dict[str, Any], Request], Any]


def company_shape(store: Store, company: Company) -> dict[str, Any]:
    """Return everything that a test or the demo asks of a company, files without their bytes."""
    users = [u for u in store.b2b.users.values() if u["companyId"] == company.id]
    return {
        "id": company.id, "name": company.name, "status": company.status, "group_id": company.group_id,
        "credit": company.credit, "terms": company.terms, "methods": sorted(company.methods), "extra": company.extra,
        "files": [{k: f[k] for k in ("id", "name", "attachmentFile")} for f in company.files], "users": users,
        "history": [{"at": at.isoformat(), "status": s, "who": who} for at, s, who in company.history],
    }  # fmt: skip


class AccountControl:
    """GET|POST  /_sandbox/stores/{hash}/companies            POST: the arguments of B2BEdition.apply
    GET       /_sandbox/stores/{hash}/companies/{id}
    POST      /_sandbox/stores/{hash}/companies/{id}/{act} status, edit, user, delete
    POST      /_sandbox/stores/{hash}/customers            the arguments of shoppers.register
    GET|POST  /_sandbox/stores/{hash}/customers/{id}       POST {"group_id"}: moved by staff
    POST      /_sandbox/stores/{hash}/b2b                  settings of B2BEdition; {"attribute": name} defines one
    """

    def __init__(self, find: Callable[[Request], Store]) -> None:
        self._store = find

    def routes(self, at: Callable[..., Route]) -> list[Route]:
        return [
            at("/stores/{hash}/companies", self.companies, "GET"),
            at("/stores/{hash}/companies", self.apply, "POST"),
            at("/stores/{hash}/companies/{number:int}", self.company, "GET"),
            at("/stores/{hash}/companies/{number:int}/{act}", self.act, "POST"),
            at("/stores/{hash}/customers", self.register, "POST"),
            at("/stores/{hash}/customers/{number:int}", self.customer, "GET"),
            at("/stores/{hash}/customers/{number:int}", self.move, "POST"),
            at("/stores/{hash}/b2b", self.settings, "POST"),
        ]

    def companies(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        return [company_shape(store, c) for c in store.b2b.companies.values()]

    def apply(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        return company_shape(store, store.b2b.apply(**body))

    def company(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        return company_shape(store, store.b2b.company(request.path_params["number"]))

    def act(self, body: dict[str, Any], request: Request) -> Any:
        store, number = self._store(request), request.path_params["number"]
        match request.path_params["act"]:
            case "status":
                store.b2b.set_status(number, int(body["status"]))
            case "edit":
                store.b2b.edit(number, **body)
            case "user":
                return store.b2b.add_user(number, **body)
            case "delete":
                store.b2b.delete(number)
                return {"id": number}
            case act:
                raise Refused(f"A company cannot {act!r}.")
        return company_shape(store, store.b2b.company(number))

    def register(self, body: dict[str, Any], request: Request) -> Any:
        return register(self._store(request), **body)

    def customer(self, body: dict[str, Any], request: Request) -> Any:
        found = self._store(request).customers.get(request.path_params["number"])
        if found is None:
            raise Refused("There is no such customer.")
        return found

    def move(self, body: dict[str, Any], request: Request) -> Any:
        move(self._store(request), request.path_params["number"], int(body["group_id"]))
        return self.customer({}, request)

    def settings(self, body: dict[str, Any], request: Request) -> Any:
        store = self._store(request)
        if name := body.pop("attribute", ""):
            return {"attribute": define_attribute(store, str(name))}
        for name, value in body.items():
            if name not in SETTINGS:
                raise Refused(f"B2B Edition has no setting {name!r}.")
            setattr(store.b2b, name, value)
        return {name: getattr(store.b2b, name) for name in SETTINGS}


class AccountDesk(Pages):
    """The pages under `/desk/{hash}/accounts`: apply for a company account, register, decide by hand."""

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route("/desk/{hash}/accounts", self.show),
            Route("/desk/{hash}/accounts/companies", self.apply, methods=["POST"]),
            Route("/desk/{hash}/accounts/companies/{number:int}/status", self.decide, methods=["POST"]),
            Route("/desk/{hash}/accounts/customers", self.register, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        store = self.store(request)
        companies = sorted(store.b2b.companies.values(), key=lambda c: c.id, reverse=True)
        newest = sorted(store.customers.values(), key=lambda c: c["id"], reverse=True)[:20]
        names = store.b2b.extra_names
        return self.page(
            request, "desk_accounts.html", store, companies=companies, customers=newest, statuses=STATUSES, names=names
        )

    async def apply(self, request: Request) -> Response:
        store, form = self.store(request), await request.form()
        extra = {n: v for i, n in enumerate(store.b2b.extra_names) if (v := _text(form, f"extra_{i}"))}
        try:
            company = store.b2b.apply(
                name=_text(form, "name") or "Bergsport Huber GmbH", first_name=_text(form, "first_name") or "Lena",
                last_name=_text(form, "last_name") or "Hartmann", email=_text(form, "email") or None, extra=extra,
            )  # fmt: skip
        except (Refused, ValueError) as exc:
            return self.back(f"/desk/{store.hash}/accounts", str(exc), bad=True)
        return self.back(f"/desk/{store.hash}/accounts", f"Company {company.id} has applied.")

    async def decide(self, request: Request) -> Response:
        store, form = self.store(request), await request.form()
        try:
            store.b2b.set_status(request.path_params["number"], int(_text(form, "status") or 0))
        except (Refused, ValueError) as exc:
            return self.back(f"/desk/{store.hash}/accounts", str(exc), bad=True)
        return self.back(f"/desk/{store.hash}/accounts", "Done.")

    async def register(self, request: Request) -> Response:
        store, form = self.store(request), await request.form()
        field, value = _text(form, "field"), _text(form, "value")
        try:
            customer = register(
                store, first_name=_text(form, "first_name") or "Mara", last_name=_text(form, "last_name") or "Xu",
                email=_text(form, "email"), company=_text(form, "company"),
                form_fields={field: value} if field and value else None,
            )  # fmt: skip
        except (Refused, ValueError) as exc:
            return self.back(f"/desk/{store.hash}/accounts", str(exc), bad=True)
        return self.back(f"/desk/{store.hash}/accounts", f"Customer {customer['id']} has registered.")


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""
