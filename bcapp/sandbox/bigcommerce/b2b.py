"""The simulated B2B Edition: companies of a store, their users, credit, terms, payment methods and files.

Source: bigcommerce.md 3.11 and the OpenAPI files of B2B Edition.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bcapp.sandbox.bigcommerce.api import Answer, ApiError, Ask, Checker, Table, number_in
from bcapp.sandbox.bigcommerce.orders import v3_date
from bcapp.sandbox.bigcommerce.store import Refused, Store
from bcapp.sandbox.ground import Ground

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile

ROOT = "/api/v3/io"
SCOPES = ("store_b2b_edition", "store_b2b_edition_read_only")  # names of our own: the vendor's are in no document
WINDOW_SECONDS = 60
SLOW_CALLS = 15  # a minute, for attachments and hierarchies
MOST_FILES = 10
LARGEST_FILE = 10 * 1024 * 1024
FILE_TYPES = ("bmp", "gif", "ico", "jpg", "jpeg", "png", "svg", "tif", "tiff", "webp", "wbmp", "xbm", "pdf", "doc",
              "docx", "xls", "xlsx", "csv")  # fmt: skip
TERMS = (0, 5, 15, 30, 45, 60)
PAYMENT_METHODS = {"braintree": "Credit card", "cheque": "Purchase order", "bankdeposit": "Bank deposit"}

b2b = Table()


@dataclass(kw_only=True)
class Company:
    id: int
    name: str
    email: str
    phone: str
    status: int
    group_id: int
    created: datetime
    updated: datetime
    extra: dict[str, str] = field(default_factory=dict)
    parent_id: int = 0
    external_id: str = ""
    credit: dict[str, Any] = field(default_factory=dict)
    terms: int | None = None  # days; None: the store's default
    methods: set[str] = field(default_factory=set)
    files: list[dict[str, Any]] = field(default_factory=list)
    price_lists: dict[int, int] = field(default_factory=dict)  # by channel; where each company has a group of its own
    history: list[tuple[datetime, int, str]] = field(default_factory=list)


class B2BEdition:
    """B2B Edition of one store. Every public method may be called from any thread and fires its events.

    enabled: whether the store has it. credit_on, terms_on: features of the store. independent: companies choose their
    group. auto_approve: an application is approved at once. portal: the storefronts with a Buyer Portal.
    required: extra fields that every write of a company must carry. quota: calls a minute.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.enabled = True
        self.credit_on = True
        self.terms_on = True
        self.independent = True
        self.auto_approve = False
        self.absent_answer = 403
        self.quota = 150
        self.default_terms = 30
        self.portal: set[int] = {1}
        self.required: tuple[str, ...] = ()
        self.extra_names: tuple[str, ...] = ("Tax number", "Credit asked for", "Years in business")
        self.companies: dict[int, Company] = {}
        self.users: dict[int, dict[str, Any]] = {}
        self.addresses: dict[int, dict[str, Any]] = {}
        self.quotes: dict[int, dict[str, Any]] = {}
        self.quote_mails: list[dict[str, Any]] = []
        self.windows: dict[str, tuple[datetime, int]] = {}
        firsts = (("company", 7001), ("user", 301), ("address", 51), ("quote", 501))
        self.ids = {name: itertools.count(first) for name, first in firsts}

    @property
    def lock(self) -> Any:
        return self.store.ground.lock

    def company(self, company_id: int) -> Company:
        found = self.companies.get(company_id)
        if found is None:
            raise Refused(f"There is no company {company_id}.")
        return found

    # What buyers do.

    def apply(
        self,
        *,
        name: str,
        first_name: str = "Lena",
        last_name: str = "Hartmann",
        email: str | None = None,
        phone: str = "+1 303 555 0199",
        address: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
        channel_id: int = 1,
        status: int | None = None,
        group_id: int = 0,
        parent_id: int = 0,
        quiet: bool = False,
    ) -> Company:
        """Apply for a company account on the storefront, as its first admin. quiet: as Bulk Create, without events."""
        with self.lock:
            now = self.store.now()
            number = next(self.ids["company"])
            mail = email or f"{first_name}.{last_name}@{_slug(name)}.example".lower()
            company = Company(
                id=number, name=name, email=f"office@{mail.rpartition('@')[2]}", phone=phone,
                status=status if status is not None else 1 if self.auto_approve else 0,
                group_id=group_id, created=now, updated=now, extra=dict(extra or {}), parent_id=parent_id,
                methods=set(PAYMENT_METHODS) - {"cheque"},
                credit={
                    "creditEnabled": False, "creditCurrency": self.store.currency, "availableCredit": 0.0,
                    "limitPurchases": True, "creditHold": False,
                },
            )  # fmt: skip
            company.history.append((now, company.status, "buyer"))
            self.companies[number] = company
            if not self.independent:
                company.group_id = self._own_group(name)
            where = {"addressLine1": "410 Pine Street", "city": "Boulder", "stateName": "Colorado", "stateCode": "CO",
                     "zipCode": "80302", "countryName": "United States", "countryCode": "US"}  # fmt: skip
            place = next(self.ids["address"])
            self.addresses[place] = {
                "addressId": place, "companyId": number, "firstName": first_name, "lastName": last_name,
                "phoneNumber": phone, "addressLine2": "", "isBilling": True, "isShipping": True,
                "isDefaultBilling": True, "isDefaultShipping": True, "label": "", "externalId": "",
                **where, **dict(address or {}),
            }  # fmt: skip
            if not quiet:
                self.emit("created", company)
            self._add_user(company, first_name, last_name, mail, 0, channel_id, quiet)
            return company

    def add_user(
        self, company_id: int, *, first_name: str, last_name: str, email: str, role: int = 2, channel_id: int = 1
    ) -> dict[str, Any]:
        """Give a company another buyer."""
        with self.lock:
            return self._add_user(self.company(company_id), first_name, last_name, email, role, channel_id, False)

    def _add_user(
        self, company: Company, first: str, last: str, email: str, role: int, channel_id: int, quiet: bool
    ) -> dict[str, Any]:
        number, now = next(self.ids["user"]), self.store.now()
        customer = next((c for c in self.store.customers.values() if c["email"].lower() == email.lower()), None)
        if customer is None:
            customer = self.store.register(
                first_name=first, last_name=last, email=email, company=company.name, group_id=company.group_id,
                channel_id=channel_id, quiet=quiet,
            )  # fmt: skip
        channel = self.store.channels.get(channel_id, {})
        self.users[number] = {
            "id": number, "firstName": first, "lastName": last, "email": email, "phoneNumber": company.phone,
            "role": role, "companyRoleId": role + 1, "companyRoleName": ("Admin", "Senior Buyer", "Junior Buyer")[role],
            "uuid": "", "companyId": company.id, "customerId": customer["id"], "extraFields": [],
            "channelList": [{"channelId": channel_id, "channelName": channel.get("name", ""), "iconUrl": ""}],
            "createdAt": int(now.timestamp()), "updatedAt": int(now.timestamp()),
        }  # fmt: skip
        if not quiet:
            data = {"company_id": company.id, "user_id": number}
            self.store.emit("store/company/user/created", data)
        return self.users[number]

    # What merchants do, and the API.

    def set_status(self, company_id: int, status: int, who: str = "merchant") -> Company:
        with self.lock:
            if status not in (0, 1, 2, 3):
                raise Refused(f"{status} is no company status.")
            company = self.company(company_id)
            changed = company.status != status
            company.status = status
            self.touch(company)
            if changed:
                company.history.append((company.updated, status, who))
                self.emit("statusUpdated", company)
            self.emit("updated", company)
            return company

    def edit(self, company_id: int, **changes: Any) -> Company:
        """Change name, email, phone, extra (merged), group_id or parent_id by hand."""
        with self.lock:
            company = self.company(company_id)
            company.extra |= changes.pop("extra", {})
            for name, value in changes.items():
                if name not in ("name", "email", "phone", "group_id", "parent_id"):
                    raise Refused(f"A company has no {name!r} to edit.")
                setattr(company, name, value)
            if "group_id" in changes:
                self.move_users(company)
            self.touch(company)
            self.emit("updated", company)
            return company

    def delete(self, company_id: int) -> None:
        with self.lock:
            company = self.company(company_id)
            del self.companies[company_id]
            self.users = {k: u for k, u in self.users.items() if u["companyId"] != company_id}
            self.addresses = {k: a for k, a in self.addresses.items() if a["companyId"] != company_id}
            self.emit("deleted", company)

    def touch(self, company: Company) -> None:
        company.updated = max(company.updated, self.store.now())

    def emit(self, what: str, company: Company) -> None:
        self.store.emit(f"store/company/{what}", {"company_id": company.id})

    def move_users(self, company: Company) -> None:
        """The company says in which group its users are."""
        for user in self.users.values():
            customer = self.store.customers.get(user["customerId"])
            if user["companyId"] == company.id and customer is not None:
                customer["customer_group_id"] = company.group_id
                customer["date_modified"] = v3_date(self.store.now())

    def _own_group(self, name: str) -> int:
        number, at = self.store.next_id("group"), v3_date(self.store.now())
        self.store.groups[number] = {
            "id": number, "name": name, "is_default": False, "is_group_for_guests": False,
            "category_access": {"type": "all"}, "discount_rules": [], "date_created": at, "date_modified": at,
        }  # fmt: skip
        return number

    # Shapes.

    def _price_lists(self, company: Company) -> list[dict[str, Any]]:
        return [
            {
                "channelId": channel, "priceListId": number, "channelName": "",
                "priceListName": self.store.price_lists.get(number, {}).get("name", ""),
            }
            for channel, number in company.price_lists.items()
        ]  # fmt: skip

    def shape(self, company: Company, *, listed: bool, extra: bool) -> dict[str, Any]:
        """Return a company as the list or the detail call does: ids are texts in one and numbers in the other."""
        group = self.store.groups.get(company.group_id, {})
        parent = self.companies.get(company.parent_id)
        row: dict[str, Any] = {
            "companyId": company.id, "companyName": company.name, "companyEmail": company.email,
            "companyPhone": company.phone, "companyStatus": str(company.status), "catalogId": "",
            "catalogName": "", "bcGroupName": group.get("name", ""), "priceListAssign": self._price_lists(company),
            "uuid": company.external_id,
            "bcGroupId": company.group_id if listed else str(company.group_id),
            "createdAt": str(int(company.created.timestamp())), "updatedAt": str(int(company.updated.timestamp())),
            "parentCompany": {"id": parent.id, "name": parent.name} if parent else {},
        }  # fmt: skip
        if extra:
            row["extraFields"] = [
                {"fieldName": name, "fieldValue": company.extra.get(name, ""), "labelName": name,
                 "isRequired": "1" if name in self.required else "0", "dataType": "0", "fieldType": 0}
                for name in dict.fromkeys((*self.extra_names, *company.extra))
            ]  # fmt: skip
        return row


def _slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in name.lower()).split()) or "company"


# The door --------------------------------------------------------------------------------------------------


class B2BApi:
    """Answers `/api/v3/io/...`: no store in the path, two headers instead."""

    def __init__(self, ground: Ground, stores: Mapping[str, Store], check: Checker | None = None) -> None:
        self.ground = ground
        self.stores = stores
        self.check = check

    async def handle(self, request: Request) -> Response:
        path = f"{ROOT}/{request.path_params['rest']}"
        query = dict(request.query_params.multi_items())
        body, upload = None, None
        if "multipart" in request.headers.get("content-type", ""):
            upload = await _upload(request)
        elif raw := await request.body():
            try:
                body = orjson.loads(raw)
            except orjson.JSONDecodeError:
                return self._error(ApiError(400, "The JSON cannot be read."), {})
        if self.check is not None:
            problem = self.check.request(request.method, path, query, body)
            if problem:
                return self._error(ApiError(500, f"Not in the vendor's specification: {problem}"), {})
        headers: dict[str, str] = {}
        try:
            store = self._let_in(request)
            headers = self._spend(store.b2b, path)
            answer = self._run(store, request.method, path, query, upload if upload is not None else body)
        except ApiError as exc:
            return self._error(exc, headers or exc.more or {})
        data = {"code": 200, "data": answer.data, "meta": {"message": "SUCCESS"}}
        if isinstance(answer.data, Said):
            data = {"code": 200, "data": answer.data.data, "message": "SUCCESS"}
        if isinstance(answer.data, Paged):
            data = {"code": 200, "data": answer.data.rows, "meta": {"message": "SUCCESS", "pagination": answer.data.of}}
        if self.check is not None:
            problem = self.check.response(request.method, path, answer.status, data)
            if problem:
                return self._error(ApiError(500, f"Not in the vendor's specification: {problem}"), {})
        return Response(orjson.dumps(data), answer.status, headers, media_type="application/json")

    def _let_in(self, request: Request) -> Store:
        store = self.stores.get(request.headers.get("X-Store-Hash", ""))
        token = request.headers.get("X-Auth-Token", "")
        if store is None or not token:
            raise ApiError(500, "Server error")  # so the vendor says of a missing or a wrong hash
        if token != store.token or not store.installed:
            raise ApiError(401, "Unauthorized")
        if not store.b2b.enabled:
            raise ApiError(store.b2b.absent_answer, "B2B Edition is not enabled on this store")
        allowed = SCOPES if request.method == "GET" else SCOPES[:1]
        if not set(allowed) & set(store.scopes):
            raise ApiError(403, "You don't have a required scope to access the endpoint")
        return store

    def _spend(self, edition: B2BEdition, path: str) -> dict[str, str]:
        """Count the call; raise 429 when the minute's calls are used up. The headers are texts with units."""
        with self.ground.lock:
            slow = path.endswith(("/attachments", "/hierarchy")) or "/attachments/" in path
            headers = self._window(edition, "all", edition.quota)
            return self._window(edition, "slow", SLOW_CALLS) if slow else headers

    def _window(self, edition: B2BEdition, name: str, quota: int) -> dict[str, str]:
        now = self.ground.clock.now()
        began, calls = edition.windows.get(name, (now, 0))
        if (now - began).total_seconds() >= WINDOW_SECONDS:
            began, calls = now, 0
        calls += 1
        edition.windows[name] = (began, calls)
        left = WINDOW_SECONDS - (now - began).total_seconds()
        headers = {
            "X-Requests-Allocated": f"{quota} times/{WINDOW_SECONDS} s",
            "X-Requests-Window-Length": f"{WINDOW_SECONDS} s",
            "X-Requests-Remaining": str(max(0, quota - calls)),
            "X-Request-Window-Resets-After": f"{max(0.05, left):.4f} s",
        }
        if calls > quota:
            raise ApiError(429, "Too many requests", more=headers)
        return headers

    def _run(self, store: Store, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        others = False
        for operation in b2b.operations:
            match = operation.pattern.fullmatch(path)
            if match is None:
                continue
            if operation.method == method:
                ask = Ask(store=store, params=match.groupdict(), query=query, body=body, path=path, client_id="")
                try:
                    with self.ground.lock:
                        return operation.handler(ask)
                except Refused as exc:
                    raise ApiError(422, str(exc)) from exc
            others = True
        raise ApiError(405 if others else 404, "Not allowed" if others else "This resource is not found.")

    def _error(self, error: ApiError, headers: Mapping[str, str]) -> Response:
        data = {"code": error.status, "data": error.errors or {}, "meta": {"message": error.title}}
        return Response(orjson.dumps(data), error.status, dict(headers), media_type="application/json")


async def _upload(request: Request) -> dict[str, Any]:
    async with request.form() as form:
        sent: Any = form.get("attachmentFile")
        if sent is None or isinstance(sent, str):
            return {}
        file: UploadFile = sent
        return {"name": file.filename or "", "content": await file.read(), "type": file.content_type or ""}


@dataclass(frozen=True)
class Said:
    """What comes with its message beside the data and not in "meta", as the calls about quotes do."""

    data: Any


@dataclass(frozen=True)
class Paged:
    rows: list[Any]
    of: dict[str, int]


def _paged(ask: Ask, rows: list[Any]) -> Answer:
    limit, offset = number_in(ask.query, "limit", 10), number_in(ask.query, "offset", 0)
    limit = min(max(limit, 1), 250)
    of = {"totalCount": len(rows), "limit": limit, "offset": offset}
    return Answer(data=Paged(rows[offset : offset + limit], of))


def _not_found(message: str = "This resource is not found.") -> ApiError:
    return ApiError(404, message)


def _company(ask: Ask) -> Company:
    company = ask.store.b2b.companies.get(ask.number("company_id"))
    if company is None:
        raise _not_found()
    return company


def _number(ask: Ask, name: str) -> int | None:
    return number_in(ask.query, name, 0) if ask.query.get(name, "") != "" else None


# Companies -------------------------------------------------------------------------------------------------


@b2b("GET", f"{ROOT}/companies")
def get_companies(ask: Ask) -> Answer:
    edition = ask.store.b2b
    rows = list(edition.companies.values())
    status, customer, group = _number(ask, "companyStatus"), _number(ask, "customerId"), _number(ask, "bcGroupId")
    rows = rows if status is None else [c for c in rows if c.status == status]
    rows = rows if group is None else [c for c in rows if c.group_id == group]
    if customer is not None:
        of = {u["companyId"] for u in edition.users.values() if u["customerId"] == customer}
        rows = [c for c in rows if c.id in of]
    if "q" in ask.query:
        rows = [c for c in rows if ask.query["q"].lower() in c.name.lower()]
    for name, attribute in (("Modified", "updated"), ("Created", "created")):
        least, most = _number(ask, f"min{name}"), _number(ask, f"max{name}")
        rows = rows if least is None else [c for c in rows if int(getattr(c, attribute).timestamp()) >= least]
        rows = rows if most is None else [c for c in rows if int(getattr(c, attribute).timestamp()) <= most]
    backwards = ask.query.get("orderBy", "DESC") == "DESC"
    if ask.query.get("sortBy") == "companyName":
        rows.sort(key=lambda c: (c.name, c.id), reverse=backwards)
    else:
        rows.sort(key=lambda c: (int(c.updated.timestamp()), c.id), reverse=backwards)
    extra = ask.query.get("isIncludeExtraFields") == "1"
    return _paged(ask, [edition.shape(c, listed=True, extra=extra) for c in rows])


@b2b("GET", f"{ROOT}/companies/extra-fields")
def get_extra_fields(ask: Ask) -> Answer:
    edition = ask.store.b2b
    rows = [
        {
            "id": place, "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), "fieldName": name, "fieldType": 0,
            "isRequired": name in edition.required, "isUnique": False, "visibleToEnduser": True, "configType": 2,
        }
        for place, name in enumerate(edition.extra_names, start=1)
    ]  # fmt: skip
    return _paged(ask, rows)


@b2b("GET", f"{ROOT}/companies/{{company_id}}")
def get_company(ask: Ask) -> Answer:
    return Answer(data=ask.store.b2b.shape(_company(ask), listed=False, extra=True))


@b2b("PUT", f"{ROOT}/companies/{{company_id}}")
def put_company(ask: Ask) -> Answer:
    edition, company, body = ask.store.b2b, _company(ask), ask.object()
    given = {row["fieldName"]: str(row["fieldValue"]) for row in body.get("extraFields", ())}
    missing = [name for name in edition.required if not given.get(name)]
    if missing:
        raise ApiError(422, f"{missing[0]} is required.")
    if set(given) - set(edition.extra_names):
        raise ApiError(422, "The extra field does not exist.")
    group = body.get("customerGroupId", company.group_id)
    if group and group not in ask.store.groups:
        raise ApiError(422, "The customer group does not exist.")
    for name, attribute in (("companyName", "name"), ("companyEmail", "email"), ("companyPhone", "phone")):
        if name in body:
            setattr(company, attribute, str(body[name]))
    company.extra |= given
    company.external_id = str(body.get("uuid", company.external_id))
    if edition.independent and group != company.group_id:
        company.group_id = int(group)
        edition.move_users(company)
    for row in () if edition.independent else body.get("priceListAssign", ()):
        company.price_lists[int(row["channelId"])] = int(row["priceListId"])
    edition.touch(company)
    edition.emit("updated", company)
    return Answer(data={"companyId": company.id})


@b2b("PUT", f"{ROOT}/companies/{{company_id}}/status")
def put_status(ask: Ask) -> Answer:
    company = _company(ask)
    ask.store.b2b.set_status(company.id, int(ask.object().get("companyStatus", -1)), "api")
    return Answer(data={"companyId": company.id})


@b2b("GET", f"{ROOT}/addresses")
def get_addresses(ask: Ask) -> Answer:
    rows = list(ask.store.b2b.addresses.values())
    company = _number(ask, "companyId")
    return _paged(ask, [a for a in rows if company is None or a["companyId"] == company])


# Money -----------------------------------------------------------------------------------------------------


def _credit(ask: Ask) -> Company:
    company = _company(ask)
    if not ask.store.b2b.credit_on:
        raise ApiError(400, "API logic error", {"errMsg": "Store company credit is not enabled"})
    return company


@b2b("GET", f"{ROOT}/companies/{{company_id}}/credit")
def get_credit(ask: Ask) -> Answer:
    return Answer(data=dict(_credit(ask).credit))


@b2b("PUT", f"{ROOT}/companies/{{company_id}}/credit")
def put_credit(ask: Ask) -> Answer:
    company, body = _credit(ask), ask.object()
    if not body:
        raise ApiError(500, "Server error")
    company.credit |= {k: v for k, v in body.items() if k in company.credit}
    return Answer(data=dict(company.credit))


def _terms(ask: Ask, company: Company) -> dict[str, Any]:
    days = company.terms
    return {"isEnabled": days is not None, "paymentTerms": ask.store.b2b.default_terms if days is None else days}


def _with_terms(ask: Ask) -> Company:
    if not ask.store.b2b.terms_on:
        raise ApiError(400, "API logic error", {"errMsg": "Payment on terms is not enabled"})
    return _company(ask)


@b2b("GET", f"{ROOT}/companies/{{company_id}}/payment-terms")
def get_terms(ask: Ask) -> Answer:
    return Answer(data=_terms(ask, _with_terms(ask)))


@b2b("PUT", f"{ROOT}/companies/{{company_id}}/payment-terms")
def put_terms(ask: Ask) -> Answer:
    company, body = _with_terms(ask), ask.object()
    if body.get("paymentTerms") not in TERMS:
        text = "Payment terms value error, must be in [0, 5, 15, 30, 45, 60]; "
        raise ApiError(400, "Bad Requests Error", {"errMsg": text})
    company.terms = body["paymentTerms"] if body.get("isEnabled") else None
    return Answer(data=_terms(ask, company))


@b2b("GET", f"{ROOT}/payments")
def get_store_payments(ask: Ask) -> Answer:
    rows = [{"id": n, "paymentCode": code, "paymentTitle": title} for n, (code, title) in _methods()]
    return Answer(data=rows)


def _methods() -> list[tuple[int, tuple[str, str]]]:
    return list(enumerate(PAYMENT_METHODS.items(), start=1))


@b2b("GET", f"{ROOT}/companies/{{company_id}}/payments")
def get_payments(ask: Ask) -> Answer:
    company = _company(ask)
    rows = [
        {"paymentId": number, "code": code, "paymentTitle": title, "isEnabled": code in company.methods}
        for number, (code, title) in _methods()
    ]
    return Answer(data=rows)


@b2b("PUT", f"{ROOT}/companies/{{company_id}}/payments")
def put_payments(ask: Ask) -> Answer:
    company = _company(ask)
    rows = ask.object().get("payments") or []
    for row in rows:
        if not isinstance(row, dict) or not row.get("code") or "isEnabled" not in row:
            raise ApiError(400, "Bad Requests Error", {"errMsg": "Code is required.; "})
        if row["code"] not in PAYMENT_METHODS:
            raise ApiError(404, "Payment Does not Exist", {"errMsg": "Payment Does not Exist"})
    for row in rows:
        (company.methods.add if row["isEnabled"] else company.methods.discard)(row["code"])
    return Answer(data=[])


# Files -----------------------------------------------------------------------------------------------------


@b2b("GET", f"{ROOT}/companies/{{company_id}}/attachments")
def get_files(ask: Ask) -> Answer:
    return Answer(data=[{k: f[k] for k in ("id", "attachmentFile")} for f in _company(ask).files])


@b2b("POST", f"{ROOT}/companies/{{company_id}}/attachments")
def post_file(ask: Ask) -> Answer:
    company, file = _company(ask), ask.object()
    name = str(file.get("name", ""))
    if not file.get("content") or name.rpartition(".")[2].lower() not in FILE_TYPES:
        raise ApiError(422, "The file type is not supported.")
    if len(file["content"]) > LARGEST_FILE:
        raise ApiError(422, "The file is larger than 10 MB.")
    if len(company.files) >= MOST_FILES:
        raise ApiError(422, f"A company has at most {MOST_FILES} attachments.")
    number = str(uuid.uuid4())
    address = f"{ask.store.ground.settings.public_url}/b2b-files/{number}/{name}"
    row = {"id": number, "attachmentFile": address, "name": name, "content": file["content"]}
    company.files.append(row)
    return Answer(data={"id": number, "attachmentFile": address})


@b2b("DELETE", f"{ROOT}/companies/{{company_id}}/attachments/{{file_id:s}}")
def delete_file(ask: Ask) -> Answer:
    company = _company(ask)
    kept = [f for f in company.files if f["id"] != ask.params["file_id"]]
    if len(kept) == len(company.files):
        raise _not_found()
    company.files = kept
    return Answer(data={})


# Users and storefronts -------------------------------------------------------------------------------------


@b2b("GET", f"{ROOT}/users")
def get_users(ask: Ask) -> Answer:
    rows = sorted(ask.store.b2b.users.values(), key=lambda u: u["id"], reverse=True)
    company = _number(ask, "companyId")
    rows = [u for u in rows if company is None or u["companyId"] == company]
    rows = [u for u in rows if "email" not in ask.query or u["email"].lower() == ask.query["email"].lower()]
    return _paged(ask, [{k: v for k, v in u.items() if k != "extraFields"} for u in rows])


@b2b("GET", f"{ROOT}/users/customer/{{customer_id}}")
def get_user_of_customer(ask: Ask) -> Answer:
    wanted = ask.number("customer_id")
    found = next((u for u in ask.store.b2b.users.values() if u["customerId"] == wanted), None)
    if found is None:
        raise _not_found("No resource found.")
    return Answer(data=found)


@b2b("GET", f"{ROOT}/channels")
def get_channels(ask: Ask) -> Answer:
    rows = [
        {
            "id": place, "channelId": c["id"], "name": c["name"], "type": "storefront", "platform": "bigcommerce",
            "status": "active", "site": "", "isVisible": True, "isEnabled": True, "iconUrl": "",
            "b2bEnabled": c["id"] in ask.store.b2b.portal, "allowGlobalLogins": True,
        }
        for place, c in enumerate(ask.store.channels.values(), start=1)
        if c["type"] == "storefront"
    ]  # fmt: skip
    return Answer(data=rows)
