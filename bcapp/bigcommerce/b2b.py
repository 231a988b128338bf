"""B2B Edition's API: companies, their users, money and files. One method per call.

Its address names no store, so two headers do: the store's own access token and its hash, always together. Answers come
in an envelope with a code of its own. Source: BigCommerce docs, "B2B Edition" and the OpenAPI file of each resource.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from bcapp.bigcommerce.wire import Pace, Params, Wire
from bcapp.errors import B2BRefused, BigCommerceError, UnreadableInput
from bcapp.gate import Gate

PAGE = 250  # the most rows of a list
MOST_PAGES = 400
MOST_ATTACHMENTS = 10  # of one company
LARGEST_ATTACHMENT = 10 * 1024 * 1024  # bytes
TERMS = (0, 5, 15, 30, 45, 60)  # days; the only payment terms that there are
FIRST_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Edition(Wire):
    """How B2B Edition answers: headers that are texts, and an envelope with a code of its own."""

    def _one(self, answer: Any, what: str) -> dict[str, Any]:
        return self._object(self._data(answer), what)

    def _pace(self, response: httpx.Response) -> Pace:
        """Read headers that are texts: "150 times/60 s", "0.39 s"."""
        remaining, reset = (
            _in_text(response.headers.get(name)) for name in ("X-Requests-Remaining", "X-Request-Window-Resets-After")
        )
        return Pace(None if remaining is None else int(remaining), reset, reset)

    def _judge(self, what: str, writes: bool, response: httpx.Response) -> tuple[BigCommerceError | None, Any]:
        """Look at the code of the envelope too: a failure may come with an HTTP status of success."""
        if response.status_code in (401, 403):
            # The token is good or bad for the store's API as well, and is judged there: here it only means "not you".
            return B2BRefused(f"{what}: {_message(response)}", status=response.status_code, permanent=True), None
        error, decoded = super()._judge(what, writes, response)
        if error is not None and error.status in (400, 404, 405, 422):
            text = f"{what}: {error.status} {_message(response)}".rstrip()
            return BigCommerceError(text, status=error.status, permanent=True), None
        if error is None and isinstance(decoded, dict):
            code = decoded.get("code")
            if isinstance(code, int) and code >= 400:
                kind = B2BRefused if code in (401, 403) else BigCommerceError
                text = f"{what}: {code} {_message(response)}".rstrip()
                return kind(text, status=code, permanent=code < 500, unclear=writes and code >= 500), None
        return error, decoded


class B2B(Edition):
    """One store's B2B Edition. Where it is absent or not granted, every call raises B2BRefused.

    file_gate: of the calls about files, which have a smaller budget of their own.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        b2b_url: str,
        store_hash: str,
        token: str,
        gate: Gate | None = None,
        file_gate: Gate | None = None,
    ) -> None:
        self.store_hash = store_hash
        root, secret = f"{b2b_url.rstrip('/')}/api/v3/io", {"X-Auth-Token": token, "X-Store-Hash": store_hash}
        super().__init__(http, root, secret, gate)
        self._files = Edition(http, root, secret, file_gate or gate)

    async def probe(self) -> None:
        """Ask the cheapest question there is. Raises B2BRefused when B2B Edition is absent or not granted."""
        try:
            await self._call("GET", "/companies", params={"limit": 1})
        except BigCommerceError as exc:
            if exc.status == 404:  # the list itself is not there
                raise B2BRefused("GET /companies: 404", status=404, permanent=True) from None
            raise

    # Companies

    async def fetch_company(self, company_id: int) -> dict[str, Any] | None:
        """Return the raw company with its extra fields, or None when there is none."""
        answer = await self._found("GET", f"/companies/{company_id}")
        return None if answer is None else self._one(answer, "the company")

    async def companies(
        self,
        *,
        modified_since: datetime | None = None,
        created_since: datetime | None = None,
        status: int | None = None,
        customer_id: int | None = None,
        group_id: int | None = None,
        newest_first: bool = False,
        page_size: int = PAGE,
        most: int | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield raw companies by their last change; each (company, time of change) comes once.

        A change while we read moves a company to the end and shifts the rest; so a read that goes forward goes on from
        the last time seen instead of by number.
        """
        given = {
            "minModified": _seconds(modified_since),
            "minCreated": _seconds(created_since),
            "companyStatus": status,
            "customerId": customer_id,
            "bcGroupId": None if group_id is None else str(group_id),
        }
        params: dict[str, str | int] = {k: v for k, v in given.items() if v is not None}
        params |= {"isIncludeExtraFields": "1", "sortBy": "updatedAt", "orderBy": "DESC" if newest_first else "ASC"}
        seen: set[tuple[int, str]] = set()
        offset = 0
        for _ in range(MOST_PAGES):
            rows = await self._page("/companies", {**params, "limit": page_size, "offset": offset})
            for row in rows:
                key = (int(row.get("companyId") or 0), str(row.get("updatedAt")))
                if key in seen:
                    continue
                seen.add(key)
                yield row
                if most is not None and len(seen) >= most:
                    return
            if len(rows) < page_size:
                return
            last = _whole(rows[-1].get("updatedAt")) - 1  # whether the filter includes its own second is not written
            if modified_since is not None and not newest_first and last > int(params["minModified"]):
                params["minModified"], offset = last, 0
            else:
                offset += page_size
        raise BigCommerceError(f"the list of companies does not end after {MOST_PAGES} pages", permanent=True)

    async def count_companies(self, *, created_since: datetime | None = None, status: int | None = None) -> int:
        given = {"minCreated": _seconds(created_since), "companyStatus": status}
        params = {k: v for k, v in given.items() if v is not None}
        answer = await self._call("GET", "/companies", params={**params, "limit": 1, "offset": 0})
        return _total(answer)

    async def put_company(self, company_id: int, **only_changed: Any) -> None:
        """Write the fields that change.

        The store's required extra fields must come along each time: give `extraFields` as they were read. Nothing is
        said of what happens to a field that is left out; the caller reads the company back.
        """
        if not only_changed:
            raise ValueError("name the fields that change")
        await self._call("PUT", f"/companies/{company_id}", body=only_changed)

    async def set_status(self, company_id: int, status: int) -> None:
        """status: 0 pending, 1 approved, 2 rejected, 3 inactive."""
        await self._call("PUT", f"/companies/{company_id}/status", body={"companyStatus": status})

    async def company_addresses(self, company_id: int) -> list[dict[str, Any]]:
        """Return addressId, addressLine1, city, stateName, zipCode, countryCode, isDefaultBilling ..."""
        return await self._list("/addresses", {"companyId": company_id})

    async def extra_fields(self) -> list[dict[str, Any]]:
        """Return which extra fields companies have: fieldName, fieldType, isRequired ..."""
        return await self._list("/companies/extra-fields", {})

    # Money

    async def credit(self, company_id: int) -> dict[str, Any] | None:
        """Return creditEnabled, creditCurrency, availableCredit, limitPurchases and creditHold.

        None when the store does not sell on credit.
        """
        try:
            return self._one(await self._call("GET", f"/companies/{company_id}/credit"), "the credit")
        except BigCommerceError as exc:
            if exc.status == 400 and not isinstance(exc, B2BRefused):  # "Store company credit is not enabled"
                return None
            raise

    async def set_credit(self, company_id: int, **changes: Any) -> dict[str, Any]:
        """Change the credit; an empty body has unexpected effects and is not sent. Amounts: Decimal."""
        if not changes:
            raise ValueError("name what changes")
        body = {k: float(v) if isinstance(v, Decimal) else v for k, v in changes.items()}
        return self._one(await self._call("PUT", f"/companies/{company_id}/credit", body=body), "the credit")

    async def payment_terms(self, company_id: int) -> dict[str, Any] | None:
        """Return isEnabled and paymentTerms (days); None when the store does not sell on terms."""
        try:
            answer = await self._call("GET", f"/companies/{company_id}/payment-terms")
        except BigCommerceError as exc:
            if exc.status == 400 and not isinstance(exc, B2BRefused):
                return None
            raise
        return self._one(answer, "the payment terms")

    async def set_payment_terms(self, company_id: int, *, enabled: bool, days: int) -> dict[str, Any]:
        """days: one of TERMS; not looked at when the terms are switched off."""
        body = {"isEnabled": enabled, "paymentTerms": days}
        answer = await self._call("PUT", f"/companies/{company_id}/payment-terms", body=body)
        return self._one(answer, "the payment terms")

    async def store_payment_methods(self) -> list[dict[str, Any]]:
        """Return all that the store offers: id, paymentCode, paymentTitle."""
        return self._rows(self._data(await self._call("GET", "/payments")), "payment methods")

    async def payment_methods(self, company_id: int) -> list[dict[str, Any]]:
        """Return the store's methods as one company may use them: code, paymentTitle, isEnabled."""
        return self._rows(self._data(await self._call("GET", f"/companies/{company_id}/payments")), "payment methods")

    async def set_payment_methods(self, company_id: int, enabled: Mapping[str, bool]) -> None:
        """Switch methods on or off by their code; others stay as they are."""
        rows = [{"code": code, "isEnabled": on} for code, on in enabled.items()]
        await self._call("PUT", f"/companies/{company_id}/payments", body={"payments": rows})

    # Attachments

    async def attachments(self, company_id: int) -> list[dict[str, Any]]:
        """Return the files of a company: id, attachmentFile (address). The oldest comes first, as far as is known."""
        data = self._data(await self._files._call("GET", f"/companies/{company_id}/attachments"))
        if isinstance(data, dict):  # declared as one object, answered as a list
            data = [data] if data.get("id") else []
        return self._rows(data, "attachments")

    async def attach(self, company_id: int, name: str, content: bytes, media_type: str = "application/pdf") -> str:
        """Attach a file and return its id. At most MOST_ATTACHMENTS files, 15 calls a minute."""
        files = {"attachmentFile": (name, content, media_type)}
        answer = await self._files._call("POST", f"/companies/{company_id}/attachments", files=files)
        return str(self._one(answer, "the attachment").get("id") or "")

    async def detach(self, company_id: int, attachment_id: str) -> None:
        """Delete a file; one that is gone already is fine."""
        await self._files._found("DELETE", f"/companies/{company_id}/attachments/{attachment_id}")

    # Users

    async def users(self, company_id: int) -> list[dict[str, Any]]:
        """Return the company's users: id, firstName, lastName, email, role (0 admin), customerId ..."""
        return await self._list("/users", {"companyId": company_id})

    async def user_of_customer(self, customer_id: int) -> dict[str, Any] | None:
        """Return the company user behind a customer of the store, with companyId; None for a plain customer."""
        answer = await self._found("GET", f"/users/customer/{customer_id}")
        return None if answer is None else self._one(answer, "the user")

    async def channels(self) -> list[dict[str, Any]]:
        """Return the storefronts: channelId, name, b2bEnabled ...; empty where the store has one storefront only."""
        try:
            return self._rows(self._data(await self._call("GET", "/channels")), "channels")
        except B2BRefused as exc:
            if "Multi storefront" in str(exc):
                return []
            raise

    # The wire

    async def _page(self, path: str, params: Params) -> list[dict[str, Any]]:
        data = self._data(await self._call("GET", path, params=params))
        if isinstance(data, dict):  # the list of addresses is declared as one object
            data = [data] if data else []
        return self._rows(data, path)

    async def _list(self, path: str, params: Params) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in range(MOST_PAGES):
            rows = await self._page(path, {**params, "limit": PAGE, "offset": page * PAGE})
            found += rows
            if len(rows) < PAGE:
                return found
        raise BigCommerceError(f"GET {path}: the list does not end", permanent=True)


def _message(response: httpx.Response) -> str:
    """Return what the service says about a refusal, without values of ours: they may name people."""
    try:
        body = response.json()
    except ValueError:
        return str(response.status_code)
    meta = body.get("meta") if isinstance(body, dict) else None
    data = body.get("data") if isinstance(body, dict) else None
    found = data.get("errMsg") if isinstance(data, dict) else None
    said = found if isinstance(found, str) else meta.get("message") if isinstance(meta, dict) else None
    if said is None and isinstance(body, dict):
        said = body.get("message") or body.get("title")
    return re.sub(r"\S+@\S+|\"[^\"]*\"", "…", str(said or ""))[:200]


def _in_text(text: str | None) -> float | None:
    found = FIRST_NUMBER.search(text or "")
    return float(found[0]) if found else None


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.astimezone(UTC).timestamp())


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise UnreadableInput("a company has no time of its last change") from None


def _total(answer: Any) -> int:
    try:
        return int(answer["meta"]["pagination"]["totalCount"])
    except (KeyError, TypeError, ValueError):
        raise UnreadableInput("the answer has no total") from None


def known_extra_fields(raw: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a company's extra fields as a write takes them: those with a value."""
    rows = raw.get("extraFields")
    found = []
    for row in rows if isinstance(rows, list) else []:
        name, value = str(row.get("fieldName") or ""), row.get("fieldValue")
        if name and value not in (None, ""):
            found.append({"fieldName": name, "fieldValue": str(value)})
    return found
