"""Install and proof: the code exchange, and the four kinds of JWT that one client secret signs.

Source: BigCommerce docs, "Implementing the auth callback", "Handle the auth callback" and "Current Customer API".
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from bcapp.errors import BadProof, BigCommerceError

with warnings.catch_warnings():
    # Authlib announces that it will prefer another HTTP client; ours is httpx, and a test holds it to that.
    from authlib.deprecate import AuthlibDeprecationWarning

    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from authlib.integrations.httpx_client import AsyncOAuth2Client as AsyncOAuth2Client
    from authlib.integrations.httpx_client import OAuthError

CONTEXT = re.compile(r"stores/([a-z0-9]{1,32})")
LEEWAY_SECONDS = 60
LONGEST = 8192  # characters of a JWT; real ones have about 700


@dataclass(frozen=True)
class Install:
    """What the token endpoint answered; the only source for who installed on which store."""

    store_hash: str
    access_token: str
    scope: str  # separated by spaces
    user_id: int
    user_email: str
    owner_id: int  # of the user when the answer names no owner
    owner_email: str
    account_uuid: str


@dataclass(frozen=True)
class SignedPayload:
    """A proven load, uninstall or remove_user call; the JWT itself does not say which of them it is."""

    store_hash: str
    user_id: int
    user_email: str
    locale: str
    owner_id: int
    owner_email: str
    url: str
    channel_id: int | None
    jti: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class CurrentCustomer:
    """A shopper who is logged in to the storefront right now; the group may be stale."""

    store_hash: str
    customer_id: int
    email: str
    group_id: int
    issued_at: datetime
    expires_at: datetime


async def exchange_code(
    http: httpx.AsyncClient,
    login_url: str,
    *,
    client_id: str,
    client_secret: str,
    redirect_uri: str,
    code: str,
    scope: str,
    context: str,
) -> Install:
    """Exchange the one-time code of an install for the store's access token.

    code, scope, context: from the callback's query; they are only passed on, the answer alone is trusted.
    Raises BigCommerceError for a refusal, no answer, or an answer that does not say which store it is for.
    """
    # A client of its own, because Authlib subclasses httpx's; connections are rare here and not worth sharing.
    async with AsyncOAuth2Client(
        client_id=client_id,
        client_secret=client_secret,
        token_endpoint_auth_method="client_secret_post",
        redirect_uri=redirect_uri,
        timeout=http.timeout,
        trust_env=False,
        follow_redirects=False,
        transport=SharedTransport(http),
    ) as oauth:
        oauth.headers["User-Agent"] = http.headers.get("User-Agent", "Countersign")
        try:
            answer = await oauth.fetch_token(
                f"{login_url.rstrip('/')}/oauth2/token",
                grant_type="authorization_code",
                code=code,
                scope=scope,
                context=context,
            )
        except OAuthError as exc:
            raise BigCommerceError("the code was refused", permanent=True) from exc
        except httpx.HTTPStatusError as exc:
            raise BigCommerceError("the login service does not work", status=exc.response.status_code) from exc
        except httpx.HTTPError as exc:
            raise BigCommerceError(f"the login service did not answer ({type(exc).__name__})") from exc
        except (ValueError, AttributeError, TypeError, KeyError) as exc:
            # Authlib reads the answer without looking whether it is an object.
            raise BigCommerceError("the login service answered something else than a token") from exc
    return parse_install(answer)


class SharedTransport(httpx.AsyncBaseTransport):
    """Send through the app's one client, and refuse what is not a plain 2xx before Authlib reads it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._http.send(request, auth=None, follow_redirects=False)
        if not response.is_success:
            raise httpx.HTTPStatusError(f"{response.status_code}", request=request, response=response)
        return response


def parse_install(answer: Any) -> Install:
    """Read the token answer. Raises BigCommerceError that names what is missing, never its values."""
    if not isinstance(answer, Mapping):
        raise BigCommerceError("the login service answered something else than a token", permanent=True)
    token, user, context = answer.get("access_token"), answer.get("user"), CONTEXT.fullmatch(str(answer.get("context")))
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise BigCommerceError("the login service gave no token", permanent=True)
    if context is None:
        raise BigCommerceError("the login service did not say which store the token is for", permanent=True)
    user_id, user_email = _person(user)
    if user_id is None:
        raise BigCommerceError("the login service did not say who installed the app", permanent=True)
    owner_id, owner_email = _person(answer.get("owner"))
    return Install(
        store_hash=context[1],
        access_token=token,
        scope=str(answer.get("scope") or ""),
        user_id=user_id,
        user_email=user_email,
        owner_id=user_id if owner_id is None else owner_id,
        owner_email=user_email if owner_id is None else owner_email,
        account_uuid=str(answer.get("account_uuid") or ""),
    )


def _person(value: Any) -> tuple[int | None, str]:
    """Return (id, e-mail) of a user or owner; the id is None when there is none that can be one."""
    if not isinstance(value, Mapping):
        return None, ""
    number = value.get("id")
    if isinstance(number, bool) or not re.fullmatch(r"[0-9]{1,18}", str(number)):
        return None, ""
    return int(str(number)), str(value.get("email") or "")


def _claims(token: str, secret: str, algorithms: list[str], *, audience: str, issuer: str, now: datetime) -> Any:
    """Return the claims of a JWT that is signed, in time, ours and from that issuer. Raises BadProof."""
    if not isinstance(token, str) or not token or len(token) > LONGEST:
        raise BadProof("not a JWT")
    try:
        with warnings.catch_warnings():
            # The vendor chooses the secret's length; a short one is no reason to let nobody in.
            warnings.simplefilter("ignore")
            key = OctKey.import_key(secret)
        claims = jwt.decode(token, key, algorithms=algorithms).claims
        must: dict[str, Any] = {name: {"essential": True} for name in ("iat", "exp", "sub")}
        must |= {"aud": {"essential": True, "value": audience}, "iss": {"essential": True, "value": issuer}}
        registry = jwt.JWTClaimsRegistry(now=int(now.timestamp()), leeway=LEEWAY_SECONDS, **must)
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, RecursionError) as exc:
        raise BadProof(f"the JWT does not hold ({type(exc).__name__})") from None
    return claims


def _when(claims: Mapping[str, Any], name: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(claims[name]), UTC)
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        raise BadProof(f"{name} is not a time") from None


def verify_signed_payload(token: str, *, client_id: str, client_secret: str, now: datetime) -> SignedPayload:
    """Prove a control-panel callback (load, uninstall, remove_user) and return what it says.

    Only HS256; audience, issuer "bc", times with a minute of leeway. The JWTs of the storefront are signed with the
    same secret and refused here: they have another issuer, and an `operation`.
    Raises BadProof.
    """
    claims = _claims(token, client_secret, ["HS256"], audience=client_id, issuer="bc", now=now)
    if "operation" in claims or "customer" in claims:
        raise BadProof("a JWT of the storefront")
    context = CONTEXT.fullmatch(str(claims["sub"]))
    user_id, user_email = _person(claims.get("user"))
    owner_id, owner_email = _person(claims.get("owner"))
    jti, url, channel = claims.get("jti"), claims.get("url"), claims.get("channel_id")
    if context is None:
        raise BadProof("sub names no store")
    if user_id is None or owner_id is None:
        raise BadProof("user or owner is missing")
    if not isinstance(jti, str) or not 8 <= len(jti) <= 128:
        raise BadProof("jti is missing")
    user = claims["user"]
    return SignedPayload(
        store_hash=context[1],
        user_id=user_id,
        user_email=user_email,
        locale=str(user.get("locale") or "en"),
        owner_id=owner_id,
        owner_email=owner_email,
        url=url if isinstance(url, str) and url else "/",
        channel_id=channel if isinstance(channel, int) and not isinstance(channel, bool) else None,
        jti=jti,
        issued_at=_when(claims, "iat"),
        expires_at=_when(claims, "exp"),
    )


def verify_current_customer(token: str, *, client_id: str, client_secret: str, now: datetime) -> CurrentCustomer:
    """Prove that a shopper is logged in to the storefront. Raises BadProof; it has no jti and lives 15 minutes."""
    claims = _claims(token, client_secret, ["HS512", "HS256"], audience=client_id, issuer="bc/apps", now=now)
    if claims.get("operation") != "current_customer":
        raise BadProof("not a JWT of the current customer")
    customer, store = claims.get("customer"), claims.get("store_hash")
    customer_id, email = _person(customer)
    if not customer_id or not isinstance(customer, Mapping):
        raise BadProof("customer is missing")
    if not isinstance(store, str) or not CONTEXT.fullmatch(f"stores/{store}") or claims["sub"] != store:
        raise BadProof("store_hash is missing")
    group = str(customer.get("group_id") or 0)
    return CurrentCustomer(
        store_hash=store,
        customer_id=customer_id,
        email=email,
        group_id=int(group) if re.fullmatch(r"[0-9]{1,18}", group) else 0,
        issued_at=_when(claims, "iat"),
        expires_at=_when(claims, "exp"),
    )
