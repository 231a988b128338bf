"""Access tokens of the signature service: three forms of one request, two shapes of refusal.

Source: RFC 6749 sections 2.3.1, 4.4, 5.2; OpenText's public demos for the forms; the gateway's fault shape.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args
from urllib.parse import quote_plus, urlsplit

import httpx

from bcapp.errors import CredentialsRefused, SignatureError

Form = Literal["form", "basic", "json"]
FORMS: tuple[Form, ...] = get_args(Form)
TOKEN_FORM = "token"  # the key under which Account.spellings remembers the form
DEFAULT_LIFETIME = 900  # seconds, when the answer does not say
AGAIN_SECONDS = 60.0  # a refused client is not asked more often than this


@dataclass(frozen=True)
class Account:
    """How a merchant reaches the service. api_root ends with /api/v1/; spellings: what this environment answered to."""

    environment: str
    tenant: str
    token_url: str
    api_root: str
    client_id: str
    client_secret: str = field(repr=False)
    subscription: str = ""
    from_email: str = ""
    spellings: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where its documents are found: another tenant, service or client knows none of them."""
        return f"{self.tenant} {self.api_root} {self.client_id}"


@dataclass(frozen=True)
class Token:
    """use_until: when it is renewed, before it really ends."""

    value: str = field(repr=False)
    use_until: datetime


class TokenStore(Protocol):
    """Keeps the token of one account, encrypted, for all processes."""

    async def load(self) -> tuple[str, datetime] | None: ...

    async def save(self, token: str, ends_at: datetime) -> None:
        """ends_at: until when the token is used; a little before its real end."""


class MemoryTokens:
    """Keeps the token in the process: for the command line and for testing an account that is not saved yet."""

    def __init__(self) -> None:
        self.kept: tuple[str, datetime] | None = None

    async def load(self) -> tuple[str, datetime] | None:
        return self.kept

    async def save(self, token: str, ends_at: datetime) -> None:
        self.kept = (token, ends_at)


def forms_to_try(token_url: str, remembered: str | None) -> Sequence[Form]:
    """Return the forms in the order in which to try them: what worked first, then what the address suggests."""
    path = urlsplit(token_url).path
    by_shape: tuple[Form, ...] = ("basic", "json", "form") if path.startswith("/tenants/") else FORMS
    return sorted(by_shape, key=lambda form: form != remembered)


def token_request(account: Account, form: Form) -> dict[str, Any]:
    """Return the arguments of the HTTP call: headers, and data or json."""
    grant = {"grant_type": "client_credentials"}
    if account.subscription:
        grant["subscription"] = account.subscription
    client = {"client_id": account.client_id, "client_secret": account.client_secret}
    if form == "json":
        return {"headers": {"Accept": "application/json"}, "json": {**grant, **client}}
    if form == "form":
        return {"headers": {"Accept": "application/json"}, "data": {**grant, **client}}
    pair = f"{quote_plus(account.client_id)}:{quote_plus(account.client_secret)}"
    basic = base64.b64encode(pair.encode()).decode()
    return {"headers": {"Accept": "application/json", "Authorization": f"Basic {basic}"}, "data": grant}


def lifetime_used(seconds: int) -> float:
    """Return for how long a token is used: 80 % of its life or up to 60 s before its end, at least half of it."""
    return max(min(0.8 * seconds, seconds - 60), 0.5 * seconds)


def read_token(response: httpx.Response) -> tuple[str, int]:
    """Return (token, lifetime in seconds), or raise what the answer means. Raw answers never get into a text."""
    body = _body(response)
    if response.is_success:
        token = body.get("access_token") if isinstance(body, Mapping) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise CredentialsRefused(
                "The token address answers, but not as a token service. Check the token address.",
                status=response.status_code,
                uncounted=True,
                retry_after=AGAIN_SECONDS,
            )
        seconds = body.get("expires_in")
        try:
            return token, max(1, int(str(seconds)))
        except ValueError:
            return token, DEFAULT_LIFETIME
    if response.status_code == 429:
        raise SignatureError(
            "The token service asks to wait.", status=429, uncounted=True, retry_after=retry_after(response)
        )
    if response.status_code >= 500:
        raise SignatureError("The token service does not work right now.", status=response.status_code)
    raise CredentialsRefused(
        _sentence(response.status_code, error_code(body)),
        status=response.status_code,
        uncounted=True,
        retry_after=AGAIN_SECONDS,
    )


def error_code(body: Any) -> str:
    """Return the code of a refusal in either shape: RFC 6749, or the gateway's fault."""
    if not isinstance(body, Mapping):
        return ""
    fault = body.get("fault")
    if isinstance(fault, Mapping):
        detail = fault.get("detail")
        code = detail.get("errorcode") if isinstance(detail, Mapping) else ""
        return str(code or "").rpartition(".")[2]
    return str(body.get("error") or "")


def _sentence(status: int, code: str) -> str:
    match code:
        case "invalid_client" | "InvalidApiKey" | "InvalidClientIdentifier" | "InvalidClient":
            return "The client id or the client secret is not accepted."
        case "invalid_request" | "invalid_scope" | "InvalidRequest":
            return "The token service does not accept the request. Check the tenant and the subscription name."
        case "unauthorized_client" | "unsupported_grant_type" | "UnsupportedGrantType":
            return "This client may not fetch tokens by itself. Use a confidential service client."
    if status in (404, 405, 410):
        return "There is no token service at this address. Check the tenant and the token address."
    if 300 <= status < 400:
        return "The token address points somewhere else. Enter the address of the token service itself."
    if status in (401, 403):
        return "The token service does not let this client in. Check the client id, the secret and the tenant."
    return f"The token service refused the request (status {status})."


def may_be_the_form(response: httpx.Response) -> bool:
    """Tell whether a refusal may come from the form of the request, not from what it says."""
    code = error_code(_body(response))
    return response.status_code in (400, 401, 403, 411, 415, 422) and code not in ("unauthorized_client",)


def _body(response: httpx.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of a Retry-After header, None when it is not there or a date."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
