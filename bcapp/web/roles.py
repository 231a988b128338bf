"""Who may do what in the panel: one table, asked by every route."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    APPROVER = "approver"
    VIEWER = "viewer"


EVERYBODY = frozenset(Role)
DECIDERS = frozenset({Role.OWNER, Role.MANAGER, Role.APPROVER})
MANAGERS = frozenset({Role.OWNER, Role.MANAGER})
OWNER = frozenset({Role.OWNER})

# permission -> roles. A panel route names one of these; a name that is missing here stops the start.
PERMISSIONS: dict[str, frozenset[Role]] = {
    "home.view": EVERYBODY,
    "session.end": EVERYBODY,
    "profile.edit": EVERYBODY,  # one's own language, absence and deputy
    "approvals.view": EVERYBODY,  # one's own
    "approvals.mail": EVERYBODY,  # one's own invitation again
    "requests.view": EVERYBODY,
    "requests.facts": DECIDERS,  # personal data and money of the record, what signers typed
    "requests.download": DECIDERS,  # the PDF, the signed PDF, the signing log
    "requests.send": MANAGERS,  # by hand, without a rule
    "requests.remind": DECIDERS,
    "requests.mend": MANAGERS,  # another address after a bounce
    "requests.cancel": MANAGERS,
    "requests.repeat": MANAGERS,  # ask again: a new round with a reason
    "requests.confirm": MANAGERS,  # a conflict, or a document signed outside
    "holds.override": MANAGERS,  # let the record go without a signature
    "actions.retry": MANAGERS,
    "tasks.done": DECIDERS,
    "rules.view": EVERYBODY,
    "rules.edit": MANAGERS,
    "rules.live": MANAGERS,  # switch a rule on or off; a live rule also needs a second manager or 24 h
    "agreements.view": EVERYBODY,
    "agreements.edit": MANAGERS,
    "acceptances.view": EVERYBODY,
    "acceptances.edit": MANAGERS,  # exempt, revoke, import, campaigns
    "quotes.edit": DECIDERS,  # make, change and withdraw quotes by hand; send a link again
    "cases.view": EVERYBODY,
    "cases.open": DECIDERS,  # and say whether the goods are back
    "cases.decide": MANAGERS,  # withdraw, refuse, try again, close as paid
    "suppliers.view": EVERYBODY,
    "papers.edit": MANAGERS,  # upload papers of suppliers and applicants, accept or refuse what they sent
    "suppliers.edit": MANAGERS,  # add, invite, import, deactivate; hiding what they sell
    "registrations.view": EVERYBODY,  # found by order or serial number; by person needs requests.facts
    "registrations.edit": DECIDERS,  # serial numbers, forms on paper, ending one
    "people.view": EVERYBODY,
    "people.addresses": DECIDERS,  # e-mail addresses of the directory
    "people.edit": MANAGERS,
    "limits.edit": MANAGERS,
    "calendars.edit": MANAGERS,  # the days by which open steps are counted
    "users.view": MANAGERS,
    "users.edit": OWNER,  # who has which role
    "account.view": MANAGERS,
    "account.edit": MANAGERS,
    "account.test": MANAGERS,
    "changes.view": MANAGERS,
    "changes.decide": MANAGERS,  # never one's own
    "settings.view": MANAGERS,
    "settings.edit": MANAGERS,
    "audit.view": MANAGERS,
    "api.view": MANAGERS,
    "api.edit": MANAGERS,  # keys of the API
    "endpoints.view": MANAGERS,
    "endpoints.edit": MANAGERS,  # outgoing webhooks
    "health.view": EVERYBODY,
    "welcome.view": EVERYBODY,
    "welcome.edit": MANAGERS,
}


def may(role: Role, permission: str) -> bool:
    """Tell whether the role has the permission. An unknown permission raises KeyError: it is a bug, not a refusal."""
    return role in PERMISSIONS[permission]
