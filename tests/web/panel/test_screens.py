"""Every screen of this part, as each role, whole and in part; as a stranger it does not exist."""

import pytest

from bcapp.web.panel.kinds import shown_kinds
from tests.web.panel.conftest import START, House

pytestmark = pytest.mark.database

MANAGERS = {"owner", "manager"}
EVERYBODY = MANAGERS | {"approver", "viewer"}
SCREENS = {
    "": EVERYBODY,
    "help": EVERYBODY,
    "welcome": EVERYBODY,
    "welcome?step=1": EVERYBODY,
    "welcome?step=2": EVERYBODY,
    "welcome?step=3": EVERYBODY,
    "welcome?step=4": EVERYBODY,
    "welcome?step=99": EVERYBODY,
    "settings": MANAGERS,
    "settings/alarms": MANAGERS,
    "settings/staff-note": MANAGERS,
    "settings/returns": MANAGERS,
    "settings/test-mode": MANAGERS,
    "settings/webhooks": MANAGERS,
    "settings/scopes": MANAGERS,
    "settings/data": MANAGERS,
    "settings/rates": MANAGERS,
    "settings/rates?currency=EUR": MANAGERS,
    "settings/uninstall": MANAGERS,
    "settings/hold-words?shipping_tool=shipstation&payment_mode=capture": MANAGERS,
    "settings/accounts": MANAGERS,
    "settings/accounts/new": MANAGERS,
    "settings/accounts/addresses?environment=eu": MANAGERS,
    "settings/accounts/{account}": MANAGERS,
    "people": EVERYBODY,
    "people?q=manager": EVERYBODY,
    "people?q=zzzzz": EVERYBODY,
    "people/new": MANAGERS,
    "people/me": EVERYBODY,
    "people/{person}": EVERYBODY,
    "approvals": EVERYBODY,
    "rules/new": MANAGERS,
    "rules/new?workflow=account_approval&kind=customer": MANAGERS,
    **{words.slug: EVERYBODY for words in shown_kinds() if words.has_list},
    "people/users": MANAGERS,
    "people/changes": MANAGERS,
}


async def add_account(house: House, state: str = "untested") -> int:
    return int(
        await house.run(
            "INSERT INTO signature_accounts (store_hash, name, environment, tenant, token_url, api_root, client_id,"
            " client_secret, state, created_at) VALUES ($1, 'Main', 'us', 'acme',"
            " 'https://otdsauth.ot2.opentext.com/otdstenant/acme/oauth2/token', 'https://sign.core.opentext.com/api/v1/',"
            " 'client', 'x', $2, $3) RETURNING id",
            house.store,
            state,
            START,
        )
    )


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_screen_is_there_for_its_roles_and_nobody_else(house: House, screen: str) -> None:
    account = await add_account(house)
    person = await house.run("SELECT id FROM people WHERE store_hash = $1 LIMIT 1", house.store)
    path = screen.format(account=account, person=person)
    for who in EVERYBODY:
        for part in (False, True):
            answer = await house.as_(who).get(path, part=part)
            assert answer.status_code == (200 if who in SCREENS[screen] else 403), (who, part)
            if answer.status_code == 200 and not part:
                assert answer.text.startswith("<!doctype html>")
    assert (await house.as_("intruder").get(path)).status_code == 404
    assert (await house.client.get(house.as_("owner").home + path)).status_code == 401


@pytest.mark.parametrize("path", ["settings/accounts/{account}", "people/{person}", "settings/nothing"])
async def test_what_belongs_to_another_store_is_not_found(house: House, path: str) -> None:
    account = await add_account(house)
    person = await house.run("SELECT id FROM people WHERE store_hash = $1 LIMIT 1", house.store)
    answer = await house.as_("stranger").get(path.format(account=account, person=person))
    assert answer.status_code == 404
