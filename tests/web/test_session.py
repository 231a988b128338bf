"""Sessions: one-time code, header or cookie, one store, and no unsafe request that one of our pages did not make."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bcapp.sandbox.bigcommerce.store import User
from bcapp.web import session
from bcapp.web.forms import read_form
from bcapp.web.panel import Visit, panel
from bcapp.web.render import frame_of
from tests.web.conftest import APP_URL, Visitor, Web

pytestmark = pytest.mark.database

COLLEAGUE = User(id=7001, email="kim@example.com", name="Kim")
OURS = {"Origin": APP_URL, "Sec-Fetch-Site": "same-origin"}


@panel("home.view")
async def see(request: Request, visit: Visit) -> Response:
    frame = frame_of(request)
    assert frame is not None
    return JSONResponse({"user": visit.user.id, "role": visit.role, "csrf": visit.csrf, "token": frame.session_token})


@panel("home.view")
async def change(request: Request, visit: Visit) -> Response:
    return JSONResponse({"given": (await read_form(request)).get("given")})


@pytest.fixture(autouse=True)
def probe(web: Web) -> None:
    """A page and a form of the panel, made for these tests."""
    web.app.router.routes.append(Route("/s/{store_hash}/probe", see, methods=["GET"], name="panel:probe"))
    web.app.router.routes.append(Route("/s/{store_hash}/probe", change, methods=["POST"], name="panel:probe_change"))


async def with_cookie(web: Web) -> tuple[str, str]:
    """Open the app as a browser that keeps partitioned cookies does; return (path, csrf) of the first page."""
    response = await web.visit(web.auth.load_url(web.store, url="/probe"))
    page = await web.client.get(response.headers["location"])
    assert page.status_code == 200, page.text
    return urlsplit(response.headers["location"]).path, page.json()["csrf"]


async def test_the_code_becomes_a_session_once(web: Web) -> None:
    response = await web.visit(web.auth.load_url(web.store, url="/probe?tab=2&x=evil"))
    there = response.headers["location"]
    assert parse_qs(urlsplit(there).query).keys() == {"tab", "x"}
    first = await web.visit(there)
    assert first.status_code == 200
    token = first.json()["token"]
    assert session.store_of(token) == web.store.hash
    assert (await web.visit(there)).status_code == 401
    assert (await web.visit(f"/s/{web.store.hash}/probe", headers={session.SESSION_HEADER: token})).status_code == 200


async def test_a_code_of_one_store_opens_no_other(web: Web) -> None:
    await web.install(web.stranger)
    there = (await web.visit(web.auth.load_url(web.stranger, url="/probe"))).headers["location"]
    assert (await web.visit(there.replace(web.stranger.hash, web.store.hash))).status_code == 401
    assert (await web.visit(there)).status_code == 200


async def test_a_code_ends_after_two_minutes(web: Web) -> None:
    there = (await web.visit(web.auth.load_url(web.store, url="/probe"))).headers["location"]
    web.sandbox.clock.advance(121)
    assert (await web.visit(there)).status_code == 401


async def test_the_cookie_is_partitioned_and_of_this_store(web: Web) -> None:
    there = (await web.visit(web.auth.load_url(web.store, url="/probe"))).headers["location"]
    page = await web.visit(there)
    cookie = page.headers["set-cookie"]
    assert cookie.startswith(f"__Host-cs_{web.store.hash}={web.store.hash}.")
    for part in ("Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"):
        assert f"; {part}" in cookie


async def test_the_cookie_alone_opens_pages(web: Web) -> None:
    path, _ = await with_cookie(web)
    again = await web.client.get(path)
    assert again.status_code == 200
    assert "set-cookie" in again.headers


async def test_a_token_of_one_store_is_nothing_in_another(web: Web) -> None:
    await web.install(web.stranger)
    visitor = await web.open(web.stranger)
    assert (await visitor.get(f"/s/{web.store.hash}/probe")).status_code == 404
    cookie = f"{session.cookie_name(web.store.hash)}={visitor.token}"
    assert (await web.client.get(f"/s/{web.store.hash}/probe", headers={"Cookie": cookie})).status_code == 404
    renamed = visitor.token.replace(web.stranger.hash, web.store.hash)
    answer = await web.client.get(f"/s/{web.store.hash}/probe", headers={session.SESSION_HEADER: renamed})
    assert answer.status_code == 401


async def test_the_same_person_has_a_role_per_store(web: Web) -> None:
    await web.install(web.stranger)
    await web.open(web.store, COLLEAGUE)
    await web.set_role(web.store, COLLEAGUE, "manager")
    here, there = await web.open(web.store, COLLEAGUE), await web.open(web.stranger, COLLEAGUE)
    assert (await here.get(here.path("/probe"))).json()["role"] == "manager"
    assert (await there.get(there.path("/probe"))).json()["role"] == "viewer"


@pytest.mark.parametrize("hours", [session.IDLE, session.LIVES], ids=["idle", "absolute"])
async def test_a_session_ends(web: Web, hours: timedelta) -> None:
    visitor = await web.open(web.store)
    steps = int(hours / timedelta(hours=4)) if hours == session.LIVES else 0
    for _ in range(steps - 1):
        web.sandbox.clock.advance(4 * 3600 - 30)
        assert (await visitor.get(visitor.path("/probe"))).status_code == 200
    web.sandbox.clock.advance(hours.total_seconds() - max(steps - 1, 0) * (4 * 3600 - 30) + 1)
    ended = await visitor.get(visitor.path("/probe"))
    assert ended.status_code == 401
    assert "Open the control panel" in ended.text
    assert 'target="_top"' in ended.text


async def test_signing_out_ends_the_session_everywhere(web: Web) -> None:
    visitor = await web.open(web.store)
    other = await web.open(web.store)
    assert (await visitor.post(visitor.path("/logout"))).status_code == 204
    assert (await visitor.get(visitor.path("/probe"))).status_code == 401
    assert (await other.get(other.path("/probe"))).status_code == 200


async def test_signing_out_with_a_plain_form_takes_the_cookie_back(web: Web) -> None:
    _, csrf = await with_cookie(web)
    response = await web.client.post(f"/s/{web.store.hash}/logout", data={"csrf": csrf}, headers=OURS)
    assert response.status_code == 200
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert response.headers.get_list("set-cookie") == [response.headers["set-cookie"]]


@pytest.mark.parametrize(
    ("headers", "field", "status"),
    [
        (OURS, True, 200),
        ({"Origin": APP_URL}, True, 200),
        ({"Sec-Fetch-Site": "same-origin"}, True, 200),
        (OURS, False, 403),
        ({}, True, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True, 403),
        ({"Origin": "https://evil.example"}, True, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, True, 403),
        ({"Sec-Fetch-Site": "cross-site"}, True, 403),
        ({"Origin": APP_URL, "Sec-Fetch-Site": "same-site"}, True, 403),
        ({"Sec-Fetch-Site": "none"}, True, 403),
    ],
)
async def test_a_cookie_alone_changes_nothing_from_elsewhere(
    web: Web, headers: dict[str, str], field: bool, status: int
) -> None:
    path, csrf = await with_cookie(web)
    data = {"given": "7", **({"csrf": csrf} if field else {})}
    response = await web.client.post(path, data=data, headers=headers)
    assert response.status_code == status, response.text
    if status == 200:
        assert response.json() == {"given": "7"}


async def test_the_header_needs_no_csrf_field(web: Web) -> None:
    visitor = await web.open(web.store)
    assert (await visitor.post(visitor.path("/probe"), data={"given": "7"})).json() == {"given": "7"}


async def test_a_large_form_is_refused_and_a_small_upload_is_not(web: Web) -> None:
    visitor = await web.open(web.store)
    path = visitor.path("/probe")
    assert (await visitor.post(path, data={"given": "7" * 300_000})).status_code == 413
    assert (await visitor.post(path, content=b"{}", headers={"Content-Type": "application/json"})).status_code == 400
    upload = await visitor.post(path, data={"given": "7"}, files={"pdf": ("a.pdf", b"%PDF-" + b"0" * 400_000)})
    assert upload.json() == {"given": "7"}


async def test_pages_may_be_framed_by_this_stores_control_panel_only(web: Web) -> None:
    visitor = await web.open(web.store)
    page = await visitor.get(visitor.path("/probe"))
    policy = page.headers["content-security-policy"]
    ancestors = policy.rpartition("frame-ancestors ")[2].split()
    assert f"https://store-{web.store.hash}.mybigcommerce.com" in ancestors
    assert f"https://store-{web.store.hash}-{max(web.store.channels)}.mybigcommerce.com" in ancestors
    assert not any("*" in host or web.stranger.hash in host for host in ancestors)
    assert "x-frame-options" not in page.headers
    assert "default-src 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"


async def test_no_token_stands_in_the_database(web: Web) -> None:
    visitor: Visitor = await web.open(web.store)
    assert visitor.token.partition(".")[2] not in str(await web.contents())


async def test_a_ticket_fetches_one_document_once(web: Web) -> None:
    now = web.services.clock.now()
    db, store, user = web.services.db, web.store.hash, web.store.owner.id
    ticket = await session.add_ticket(db, store, user, "evidence:7:signed_document", now)
    assert await session.use_ticket(db, web.stranger.hash, ticket, now) is None
    assert await session.use_code(db, store, ticket, now) is None
    assert await session.use_ticket(db, store, ticket, now) == (user, "evidence:7:signed_document")
    assert await session.use_ticket(db, store, ticket, now) is None
    late = await session.add_ticket(db, store, user, "evidence:7:signed_document", now)
    assert await session.use_ticket(db, store, late, now + timedelta(seconds=61)) is None


async def test_a_form_that_is_none_is_refused(web: Web) -> None:
    visitor = await web.open(web.store)
    kinds = [
        ("multipart/form-data", b"x"), ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\nrubbish"),
        ("multipart/form-data; boundary=a", b"--a\r\n\r\n--a--"),
        ("application/x-www-form-urlencoded; charset=nowhere", b"given=%ff%00"), ("text/plain", b"a"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(2_000))),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\x00"),
    ]  # fmt: skip
    for kind, body in kinds:
        response = await visitor.post(visitor.path("/probe"), content=body, headers={"Content-Type": kind})
        assert response.status_code in (200, 400), (kind, body[:20])


async def test_a_store_that_must_accept_again_says_so_on_every_page(web: Web) -> None:
    visitor = await web.open(web.store)
    await web.rows("UPDATE stores SET state = 'reconsent'")
    home = await visitor.get(visitor.path("/"))
    assert home.status_code == 200
    assert "does not accept our access" in home.text
