"""Installing, opening and leaving the app: codes, tokens, signed callbacks (bigcommerce.md section 1)."""

import base64
import hmac
import secrets
import uuid
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bcapp.sandbox.bigcommerce.store import SCOPES, Refused, Store, User
from bcapp.sandbox.bigcommerce.webhooks import Webhooks
from bcapp.sandbox.ground import Ground, parse_body
from bcapp.sandbox.reach import hooks

CALLBACK_SECONDS = 30.0
JWT_SECONDS = 24 * 3600
CUSTOMER_SECONDS = 15 * 60


def jwt(claims: Mapping[str, Any], secret: str, algorithm: Literal["HS256", "HS512"] = "HS256") -> str:
    """Return a signed JWT in compact form. Source: RFC 7515 section 7.1."""
    digest = {"HS256": "sha256", "HS512": "sha512"}[algorithm]
    header = _base64url(orjson.dumps({"typ": "JWT", "alg": algorithm}))
    signed = f"{header}.{_base64url(orjson.dumps(dict(claims)))}"
    mac = hmac.new(secret.encode(), signed.encode(), digest).digest()
    return f"{signed}.{_base64url(mac)}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Auth:
    """What BigCommerce does when a person installs, opens or removes the app in the control panel."""

    def __init__(self, ground: Ground, stores: Mapping[str, Store], webhooks: Webhooks) -> None:
        self.ground = ground
        self.stores = stores
        self.webhooks = webhooks
        self.profile_scopes: tuple[str, ...] = SCOPES
        self.developer_uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, "countersign.sandbox"))

    # Addresses at the app.

    @property
    def app_url(self) -> str:
        return self.ground.settings.app_url.rstrip("/")

    def install_url(self, store: Store, user: User | None = None, *, external: bool = False) -> str:
        """Return the auth callback of an install or re-consent, with a one-time code; by default the owner's."""
        who = user or store.owner
        if who is not store.owner and not who.may_install:
            raise Refused("User does not have app install or uninstall permissions")
        code = secrets.token_hex(20)
        store.codes[code] = (who.id, self.profile_scopes)
        query = {
            "account_uuid": self.developer_uuid,
            "code": code,
            "context": f"stores/{store.hash}",
            "scope": " ".join(self.profile_scopes),
        }
        if external:
            query["external_install"] = "true"
        return f"{self.app_url}/auth?{urlencode(query)}"

    def open_url(self, store: Store, user: User | None = None, url: str = "/", channel_id: int | None = None) -> str:
        """Return where the frame goes when somebody opens the app: consent first when scopes have changed."""
        if not store.installed:
            raise Refused("The app is not installed in this store.")
        if store.needs_consent:
            return self.install_url(store, user)
        return self.load_url(store, user, url, channel_id)

    def load_url(self, store: Store, user: User | None = None, url: str = "/", channel_id: int | None = None) -> str:
        return self._callback("load", self.payload(store, user, url, channel_id))

    def uninstall_url(self, store: Store, user: User | None = None) -> str:
        return self._callback("uninstall", self.payload(store, user))

    def remove_user_url(self, store: Store, user: User) -> str:
        return self._callback("remove_user", self.payload(store, user))

    def _callback(self, name: str, claims: Mapping[str, Any]) -> str:
        token = jwt(claims, self.ground.settings.client_secret)
        return f"{self.app_url}/{name}?{urlencode({'signed_payload_jwt': token})}"

    def payload(
        self, store: Store, user: User | None = None, url: str = "/", channel_id: int | None = None
    ) -> dict[str, Any]:
        """Return the claims of a signed callback; they do not name the callback (bigcommerce.md 1.6)."""
        who = user or store.owner
        now = int(self.ground.clock.now().timestamp())
        return {
            "aud": self.ground.settings.client_id,
            "iss": "bc",
            "iat": now,
            "nbf": now - 5,
            "exp": now - 5 + JWT_SECONDS,
            "jti": str(uuid.uuid4()),
            "sub": f"stores/{store.hash}",
            "user": {"id": who.id, "email": who.email, "locale": who.locale},
            "owner": {"id": store.owner.id, "email": store.owner.email},
            "url": url,
            "channel_id": channel_id,
        }

    def current_customer(self, store: Store, customer_id: int, algorithm: Literal["HS256", "HS512"] = "HS512") -> str:
        """Return the Current Customer JWT of a signed-in shopper (bigcommerce.md 5.1)."""
        customer = store.customers[customer_id]
        now = int(self.ground.clock.now().timestamp())
        group = customer["customer_group_id"]
        claims = {
            "customer": {"id": customer_id, "email": customer["email"], "group_id": str(group) if group else ""},
            "iss": "bc/apps",
            "sub": store.hash,
            "iat": now,
            "exp": now + CUSTOMER_SECONDS,
            "version": 1,
            "aud": self.ground.settings.client_id,
            "application_id": self.ground.settings.client_id,
            "store_hash": store.hash,
            "operation": "current_customer",
        }
        return jwt(claims, self.ground.settings.client_secret, algorithm)

    # What happens, seen from a test or a demo; none of it may be called in the sandbox's own event loop.

    def install(self, store: Store, user: User | None = None) -> httpx.Response:
        """Install the app by calling its auth callback, and return the page that the frame would show."""
        return self._visit(self.install_url(store, user))

    def uninstall(self, store: Store, user: User | None = None, *, tell: bool = True) -> httpx.Response | None:
        """Remove the app from the store, then call it (unless the callback gets lost: tell=False)."""
        who = user or store.owner
        if who is not store.owner and not who.may_install:
            raise Refused("User does not have app install or uninstall permissions")
        self.forget(store)
        return self._visit(self.uninstall_url(store, who)) if tell else None

    def forget(self, store: Store) -> None:
        """Do what an uninstall does in the store: its hooks are gone, its token usually is."""
        with self.ground.lock:
            self.webhooks.forget_store(store.hash)
            store.installed = False
            if store.token is not None:
                store.old_tokens.add(store.token)
            if store.revoke_on_uninstall:
                store.token = None

    def remove_user(self, store: Store, user: User, *, tell: bool = True) -> httpx.Response | None:
        """Take a user's access to the app away, then call the app."""
        store.users.pop(user.id, None)
        return self._visit(self.remove_user_url(store, user)) if tell else None

    def change_profile(self, scopes: tuple[str, ...]) -> None:
        """Give the app's profile other scopes: every store is asked for consent at its next opening (1.5)."""
        self.profile_scopes = scopes
        for store in self.stores.values():
            store.needs_consent = store.installed

    def revoke(self, store: Store) -> None:
        """Invalidate the store's token without a word."""
        if store.token is not None:
            store.old_tokens.add(store.token)
        store.token = None

    def _visit(self, url: str) -> httpx.Response:
        # Apps under test have certificates of a local authority.
        with httpx.Client(
            verify=False,
            timeout=CALLBACK_SECONDS,
            trust_env=False,
            follow_redirects=True,
            event_hooks=hooks(self.ground.settings.reach),
        ) as http:
            return http.get(url, headers={"Referer": "https://login.bigcommerce.com/"})

    # The token endpoint.

    async def token(self, request: Request) -> Response:
        """Exchange a code. Source: bigcommerce.md 1.4; the error shapes are unconfirmed there and follow RFC 6749."""
        body = parse_body(await request.body(), request.headers.get("content-type", ""))
        settings = self.ground.settings
        if not isinstance(body, dict):
            return refusal("invalid_request", "The request body cannot be read.")
        if body.get("client_id") != settings.client_id or body.get("client_secret") != settings.client_secret:
            return refusal("invalid_client", "The client credentials are invalid.", 401)
        if body.get("grant_type") != "authorization_code":
            return refusal("unsupported_grant_type", "The grant type is not supported.")
        if body.get("redirect_uri") != f"{self.app_url}/auth":
            return refusal("invalid_grant", "The redirect_uri does not match the app's auth callback.")
        with self.ground.lock:
            store = self.stores.get(str(body.get("context", "")).removeprefix("stores/"))
            grant = store.codes.pop(str(body.get("code", "")), None) if store is not None else None
            if store is None or grant is None:
                return refusal("invalid_grant", "The code is invalid or was used already.")
            user_id, scopes = grant
            return JSONResponse(self._grant(store, store.users.get(user_id, store.owner), scopes))

    def _grant(self, store: Store, user: User, scopes: tuple[str, ...]) -> dict[str, Any]:
        if store.token is not None:
            store.old_tokens.add(store.token)
        store.token = secrets.token_hex(16)
        store.scopes = scopes
        store.installed = True
        store.needs_consent = False
        return {
            "access_token": store.token,
            "scope": " ".join(scopes),
            "user": {"id": user.id, "username": user.email, "email": user.email},
            "owner": {"id": store.owner.id, "username": store.owner.email, "email": store.owner.email},
            "context": f"stores/{store.hash}",
            "account_uuid": self.developer_uuid,
        }


def refusal(error: str, why: str, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": why}, status)
