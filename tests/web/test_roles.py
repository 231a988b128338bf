"""Roles: one table, and nobody but the named roles."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from bcapp.app import routes
from bcapp.web.panel import panel
from bcapp.web.roles import EVERYBODY, MANAGERS, PERMISSIONS, Role, may

PANEL = [route for route in routes() if isinstance(route, Route) and route.name.startswith("panel:")]


def permission_of(route: Route) -> str:
    return str(getattr(route.endpoint, "permission", ""))


@pytest.mark.unit
def test_every_panel_route_names_a_permission_of_the_table() -> None:
    assert PANEL
    assert {route.path: permission_of(route) for route in PANEL if permission_of(route) not in PERMISSIONS} == {}


@pytest.mark.unit
def test_every_panel_route_stands_under_its_store() -> None:
    assert [route.path for route in PANEL if not route.path.startswith("/s/{store_hash}/")] == []


@pytest.mark.unit
def test_route_names_are_used_once() -> None:
    names = [route.name for route in PANEL]
    assert sorted(names) == sorted(set(names))


@pytest.mark.unit
def test_a_permission_that_does_not_exist_stops_the_start() -> None:
    with pytest.raises(KeyError):
        panel("rules.everything")
    with pytest.raises(KeyError):
        may(Role.OWNER, "rules.everything")


@pytest.mark.unit
@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_the_owner_may_everything_and_a_viewer_changes_nothing_of_the_store(permission: str) -> None:
    assert may(Role.OWNER, permission)
    ones_own = {"session.end", "profile.edit", "approvals.mail"}
    if may(Role.VIEWER, permission):
        assert permission.endswith(".view") or permission in ones_own


@pytest.mark.unit
def test_an_approver_decides_no_settings() -> None:
    settings = (
        "rules.edit",
        "rules.live",
        "account.edit",
        "limits.edit",
        "calendars.edit",
        "people.edit",
        "users.edit",
        "changes.decide",
        "api.view",
        "api.edit",
        "endpoints.edit",
    )
    assert not [name for name in settings if may(Role.APPROVER, name)]


@pytest.mark.unit
def test_the_sets_of_roles_are_what_they_are_called() -> None:
    assert set(Role) == EVERYBODY
    assert {Role.OWNER, Role.MANAGER} == MANAGERS
