"""Sessions of control-panel users: one-time code, opaque token, header or partitioned cookie, always of one store.

The control panel opens /load in a frame, which answers with an address that carries a code for one use within two
minutes. The first page trades it for a token. The token lives in the page's memory and travels as X-App-Session;
where the browser keeps partitioned cookies it also travels in one, so that reloads and plain links work. Addresses
never carry the token: the frame's script tells them to the control panel.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from bcapp.db import Database

SESSION_HEADER = "X-App-Session"
CODE_LIVES = timedelta(seconds=120)
IDLE = timedelta(hours=8)
LIVES = timedelta(hours=24)
SEEN_EVERY = timedelta(minutes=1)  # how fine the idle time is measured: not every page writes

# {store_hash}.{43 characters of base64url}: 256 bits
TOKEN = re.compile(r"([a-z0-9]{1,32})\.([A-Za-z0-9_-]{43})")
STORE_HASH = re.compile(r"[a-z0-9]{1,32}")


@dataclass(frozen=True)
class Session:
    """csrf stands in plain forms. via tells how the token arrived; `code` is a session that this request began."""

    token: str
    csrf: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    via: Literal["header", "cookie", "code"]

    @property
    def digest(self) -> bytes:
        return digest_of(self.token)


def digest_of(token: str) -> bytes:
    """What the database keeps of a token. 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def new_token(store_hash: str) -> str:
    return f"{store_hash}.{secrets.token_urlsafe(32)}"


def store_of(token: str) -> str | None:
    """Return the store that a token names, None for what is not a token of ours."""
    match = TOKEN.fullmatch(token)
    return match[1] if match else None


def cookie_name(store_hash: str) -> str:
    """One cookie per store: all control panels share one partition, a common name would overwrite."""
    return f"__Host-cs_{store_hash}"


def presented(request: Request, store_hash: str, *, secure: bool) -> tuple[str, Literal["header", "cookie"]] | None:
    """Return the token that came with the request and how, the header first; None without one.

    Cookies count on https only, where they can be Secure and Partitioned.
    """
    header = request.headers.get(SESSION_HEADER)
    if header:
        return header, "header"
    cookie = request.cookies.get(cookie_name(store_hash)) if secure else None
    return (cookie, "cookie") if cookie else None


async def add_code(db: Database, store_hash: str, user_id: int, now: datetime) -> str:
    """Return a code that opens one session of the user within two minutes."""
    code = secrets.token_urlsafe(32)
    await db.execute(
        "add_login_code",
        {
            "store_hash": store_hash,
            "code_digest": digest_of(code),
            "purpose": "load",
            "user_id": user_id,
            "subject": "",
            "now": now,
            "ends_at": now + CODE_LIVES,
        },
    )
    return code


async def use_code(db: Database, store_hash: str, code: str, now: datetime) -> Session | None:
    """Trade the code for a session; None when it is unknown, of another store, used or late."""
    async with db.transaction():
        user_id = await db.fetch_val(
            "use_login_code",
            {"store_hash": store_hash, "code_digest": digest_of(code), "purpose": "load", "now": now},
        )
        if user_id is None:
            return None
        session = Session(new_token(store_hash), secrets.token_urlsafe(24), now, now, now + LIVES, "code")
        await db.execute(
            "add_session",
            {
                "store_hash": store_hash,
                "token_digest": session.digest,
                "user_id": user_id,
                "csrf": session.csrf,
                "now": now,
                "ends_at": session.ends_at,
            },
        )
    return session


async def add_ticket(
    db: Database, store_hash: str, user_id: int, subject: str, now: datetime, lives: timedelta = timedelta(seconds=60)
) -> str:
    """Return a ticket that fetches one document once; the address that carries it opens nothing else."""
    ticket = secrets.token_urlsafe(32)
    await db.execute(
        "add_login_code",
        {
            "store_hash": store_hash,
            "code_digest": digest_of(ticket),
            "purpose": "download",
            "user_id": user_id,
            "subject": subject,
            "now": now,
            "ends_at": now + lives,
        },
    )
    return ticket


async def use_ticket(db: Database, store_hash: str, ticket: str, now: datetime) -> tuple[int, str] | None:
    """Use the ticket up; return (user id, subject), None when it is unknown, used or late."""
    row = await db.fetch_one(
        "use_download_ticket", {"store_hash": store_hash, "code_digest": digest_of(ticket), "now": now}
    )
    return (row["user_id"], row["subject"]) if row else None


def set_cookie(response: Response, session: Session, store_hash: str, *, secure: bool) -> None:
    """Keep the session in the frame's own cookie jar. Written by hand: Starlette cannot say Partitioned on 3.11."""
    if secure:
        response.headers.append(
            "set-cookie",
            f"{cookie_name(store_hash)}={session.token}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; "
            f"Max-Age={int(IDLE.total_seconds())}",
        )


def drop_cookie(response: Response, store_hash: str, *, secure: bool) -> None:
    if secure:
        response.headers.append(
            "set-cookie",
            f"{cookie_name(store_hash)}=; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=0",
        )


def same_secret(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def from_our_page(headers: Mapping[str, str], app_url: str) -> bool:
    """Tell whether the browser says that one of our own pages made the request.

    Sec-Fetch-Site where the browser sends it, and Origin equal to ours; a request with neither is not from a page.
    """
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        ours = urlsplit(app_url)
        return origin == f"{ours.scheme}://{ours.netloc}"
    return site == "same-origin"
