"""Accounts of the signature service, their access tokens and the token endpoint in its three forms.

Source: core-signature.md 2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bcapp.sandbox.ground import Ground
from bcapp.sandbox.signature.records import Account, Store, new_token
from bcapp.sandbox.signature.rest import detail


@dataclass(frozen=True)
class Token:
    """An access or refresh token; `entitled` is False when the bought subscription was not named."""

    account: Account
    expires_on: datetime
    entitled: bool


@dataclass
class TokenRefused(Exception):
    """Why no token was given, in the words of RFC 6749."""

    status: int
    error: str
    description: str


class Accounts:
    """Who may call the service."""

    def __init__(self, store: Store, ground: Ground) -> None:
        self._store, self._ground = store, ground
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}

    def add(self, account: Account) -> Account:
        """Add an account; its tenant must be new. Raises ValueError."""
        if account.tenant in self._store.accounts:
            raise ValueError(f"there is already a tenant {account.tenant}")
        account.event_key = account.event_key or f"{account.tenant}-event-key"
        self._store.accounts[account.tenant] = account
        return account

    def issue(self, account: Account, *, entitled: bool = True) -> str:
        """Return a fresh access token, as the token endpoint would give it."""
        token = new_token()
        lifetime = timedelta(seconds=self._store.options.token_seconds)
        self._access[token] = Token(account, self._ground.clock.now() + lifetime, entitled)
        return token

    def kill_tokens(self, account: Account | None = None) -> None:
        """Let every access and refresh token die, or only those of one account."""
        for tokens in (self._access, self._refresh):
            for key in [k for k, t in tokens.items() if account is None or t.account is account]:
                del tokens[key]

    def authenticate(self, request: Request) -> Account:
        """Return whose call this is. Raises a 401, or a 403 for a token without the subscription."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if not key or scheme.lower() not in ("bearer", "token"):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise detail(401, "Authentication credentials were not provided.", challenge)
        for account in self._store.accounts.values():
            if hmac.compare_digest(account.event_key.encode(), key.encode()):
                return account
        token = self._access.get(key)
        if token is None or token.expires_on <= self._ground.clock.now():
            raise detail(401, "Invalid token", {"WWW-Authenticate": "Bearer"})
        if not token.entitled:
            raise detail(403, "You do not have permission to perform this action.")
        return token.account

    async def token(self, request: Request) -> Response:
        """POST /otdstenant/{tenant}/oauth2/token, /tenants/{tenant}/oauth2/token, /oauth2/token."""
        tenant = request.path_params.get("tenant")
        through_gateway = request.url.path.startswith("/tenants/")
        try:
            fields = await _fields(request)
            with self._ground.lock:
                body = self._grant(fields, request.headers.get("authorization", ""), tenant)
        except TokenRefused as refused:
            return self._refusal(refused, through_gateway=through_gateway)
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    def _grant(self, fields: Mapping[str, str], authorization: str, tenant: str | None) -> dict[str, object]:
        client_id, secret = _client(fields, authorization)
        account = next((a for a in self._store.accounts.values() if a.client_id == client_id), None)
        if account is None or not hmac.compare_digest(account.client_secret.encode(), secret.encode()):
            raise TokenRefused(401, "invalid_client", "Client authentication failed")
        if tenant is not None and tenant != account.tenant:
            raise TokenRefused(401, "invalid_client", "The client is unknown in this tenant")
        grant = fields.get("grant_type", "")
        if grant == "password":
            username, password = fields.get("username", ""), fields.get("password", "")
            if not password or account.passwords.get(username) != password:
                raise TokenRefused(400, "invalid_grant", "Invalid user name or password")
        elif grant == "refresh_token":
            old = self._refresh.pop(fields.get("refresh_token", ""), None)
            if old is None or old.account is not account or old.expires_on <= self._ground.clock.now():
                raise TokenRefused(400, "invalid_grant", "The refresh token is not valid")
        elif grant != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type", f"The grant type {grant!r} is not supported")
        named = fields.get("subscription")
        if named is not None and account.subscription is not None and named != account.subscription:
            raise TokenRefused(400, "invalid_request", "The subscription is unknown")
        entitled = named is not None or not self._store.options.require_subscription
        seconds = self._store.options.token_seconds
        answer: dict[str, object] = {
            "access_token": self.issue(account, entitled=entitled),
            "token_type": "Bearer",
            "expires_in": seconds,
        }
        if grant != "client_credentials":
            refresh = new_token()
            self._refresh[refresh] = Token(account, self._ground.clock.now() + timedelta(seconds=20 * seconds), True)
            answer["refresh_token"] = refresh
        return answer

    def _refusal(self, refused: TokenRefused, *, through_gateway: bool) -> Response:
        shape = self._store.options.token_errors
        if shape == "fault" or (shape == "by_path" and through_gateway):
            codes = {"invalid_client": ("Invalid ApiKey", "oauth.v2.InvalidApiKey")}
            text, code = codes.get(refused.error, (refused.description, f"oauth.v2.{refused.error}"))
            return JSONResponse({"fault": {"faultstring": text, "detail": {"errorcode": code}}}, refused.status)
        return JSONResponse({"error": refused.error, "error_description": refused.description}, refused.status)


async def _fields(request: Request) -> dict[str, str]:
    """Return the fields of a token request from its form or its JSON body."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = json.loads(await request.body())
        except ValueError as exc:
            raise TokenRefused(400, "invalid_request", "The body is not JSON") from exc
        if not isinstance(body, dict):
            raise TokenRefused(400, "invalid_request", "The body is not an object")
        return {str(k): str(v) for k, v in body.items() if v is not None}
    return {k: v for k, v in (await request.form()).items() if isinstance(v, str)}


def _client(fields: Mapping[str, str], authorization: str) -> tuple[str, str]:
    """Return client id and secret from the Basic header, else from the fields. Source: RFC 6749, 2.3.1."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise TokenRefused(401, "invalid_client", "The Basic header is not readable") from exc
        return unquote_plus(client_id), unquote_plus(secret)
    return fields.get("client_id", ""), fields.get("client_secret", "")
