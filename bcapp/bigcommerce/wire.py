"""A call to BigCommerce and what becomes of its answer: the same for the store's API and for B2B Edition's.

Source: BigCommerce docs, "API Rate Limits", "API Status Codes".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

from bcapp.errors import BigCommerceError, TokenRefused, UnreadableInput
from bcapp.gate import Gate, OpenGate

Params = Mapping[str, str | int]


class Pace(NamedTuple):
    """What the rate headers say; None where they say nothing.

    remaining: calls left in the window. resets_after: seconds until it is new. wait: seconds that a 429 asks for.
    """

    remaining: int | None = None
    resets_after: float | None = None
    wait: float | None = None


class Wire:
    """One API as one token sees it. Adapters add the paths.

    secret: the headers that prove who is calling.
    """

    def __init__(self, http: httpx.AsyncClient, root: str, secret: Mapping[str, str], gate: Gate | None = None) -> None:
        self._http = http
        self._root = root
        self._secret = dict(secret)
        self._gate: Gate = gate or OpenGate()

    async def _found(self, method: str, path: str, *, params: Params | None = None) -> Any:
        """Call, and return None for a 404 too."""
        try:
            return await self._call(method, path, params=params)
        except BigCommerceError as exc:
            if exc.status == 404:
                return None
            raise

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Any = None,
        files: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """Return the decoded JSON, None for an empty answer. files: sent as multipart/form-data, instead of a body.

        timeout: seconds for the answer, where the client's own would be too short.

        Raises TokenRefused for 401 and BigCommerceError for everything else that is not a 2xx with JSON.
        """
        await self._gate.enter()
        what, writes = f"{method} {path}", method != "GET"
        headers = {**self._secret, "Accept": "application/json"}
        patience = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=5.0, pool=10.0)
        try:
            response = await self._http.request(
                method, self._root + path, params=dict(params or {}), json=body, files=files, headers=headers,
                follow_redirects=False, timeout=patience,
            )  # fmt: skip
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            # Nothing was sent: even a write is surely not executed.
            await self._gate.leave(ok=False, error=type(exc).__name__)
            raise BigCommerceError(f"{what}: no connection ({type(exc).__name__})") from exc
        except httpx.RequestError as exc:
            await self._gate.leave(ok=False, error=type(exc).__name__)
            raise BigCommerceError(f"{what}: no answer ({type(exc).__name__})", unclear=writes) from exc
        pace = self._pace(response)
        error, decoded = self._judge(what, writes, response)
        throttled = response.status_code == 429
        wait = error.retry_after if error is not None and throttled else None
        await self._gate.leave(
            # A 429 without headers says that the platform itself is under load: that counts for the breaker.
            ok=response.status_code < 500 and not (throttled and wait is None) and not _is_page(response),
            remaining=pace.remaining,
            resets_after=pace.resets_after,
            wait=wait,
            error=str(error) if error is not None else "",
        )
        if error is not None:
            raise error
        return decoded

    def _pace(self, response: httpx.Response) -> Pace:
        reset = number_in(response, "X-Rate-Limit-Time-Reset-Ms", int)
        seconds = None if reset is None else reset / 1000
        asked = number_in(response, "X-Retry-After", float)
        remaining = number_in(response, "X-Rate-Limit-Requests-Left", int)
        return Pace(remaining, seconds, seconds if seconds is not None else asked)

    def _judge(self, what: str, writes: bool, response: httpx.Response) -> tuple[BigCommerceError | None, Any]:
        """Return (what is wrong, or None; the decoded body)."""
        status = response.status_code
        if response.is_success:
            if not response.content.strip():
                return None, None
            try:
                return None, json.loads(response.content, parse_float=Decimal, parse_constant=_refuse)
            except (ValueError, RecursionError):
                text = f"{what}: {status} without readable JSON"
                return BigCommerceError(text, status=status, unclear=writes), None
        if status == 401:
            return TokenRefused(f"{what}: 401", status=401, uncounted=True), None
        if status == 429:
            wait = self._pace(response).wait
            return BigCommerceError(f"{what}: 429", status=429, retry_after=wait, uncounted=True), None
        # 408, 423 and 425 pass by themselves; 507 is the plan's limit and does not.
        permanent = (300 <= status < 500 and status not in (408, 423, 425, 499)) or status == 507
        unclear = writes and status >= 500 and status != 507
        return BigCommerceError(f"{what}: {status}", status=status, permanent=permanent, unclear=unclear), None

    @staticmethod
    def _object(answer: Any, what: str) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise UnreadableInput(f"{what} is not an object")
        return answer

    @staticmethod
    def _rows(answer: Any, what: str) -> list[dict[str, Any]]:
        if answer is None:
            return []
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise UnreadableInput(f"{what}: the list is not a list of objects")
        return answer

    @staticmethod
    def _data(answer: Any) -> Any:
        if answer is None:
            return None
        if not isinstance(answer, dict) or "data" not in answer:
            raise UnreadableInput("the answer has no data")
        return answer["data"]

    def _first(self, answer: Any) -> dict[str, Any]:
        """Return the object of a V3 answer; some resources put it into a list of one."""
        data = self._data(answer)
        return self._object(data[0] if isinstance(data, list) and data else data, "the answer")


def _refuse(word: str) -> None:
    """NaN and Infinity are no JSON, and no amount."""
    raise ValueError(word)


def _is_page(response: httpx.Response) -> bool:
    return response.is_success and "html" in response.headers.get("content-type", "")


def number_in(response: httpx.Response, name: str, kind: type[int] | type[float]) -> Any:
    """Return the number that a header holds, at least 0; None when it holds none."""
    try:
        return max(kind(0), kind(response.headers[name]))
    except (KeyError, ValueError):
        return None
