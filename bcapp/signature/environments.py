"""Where the signature service lives, per environment; every address can be overwritten by the merchant.

Source: the service's developer guide ("Core Signature Service OCP Developer Guide") for the sites and OpenText's own
demo for the token addresses. The token host of staging is nowhere published: it is a guess that can be edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Environment:
    """token_url holds {tenant}; both addresses are empty where the merchant must give them."""

    slug: str
    label: str
    token_url: str
    api_root: str


ENVIRONMENTS: dict[str, Environment] = {
    e.slug: e
    for e in (
        Environment(
            "us",
            "North America",
            "https://otdsauth.ot2.opentext.com/otdstenant/{tenant}/oauth2/token",
            "https://sign.core.opentext.com/api/v1/",
        ),
        Environment(
            "eu",
            "Europe",
            "https://otdsauth.ot2.opentext.eu/otdstenant/{tenant}/oauth2/token",
            "https://sign.core.opentext.eu/api/v1/",
        ),
        Environment(
            "staging",
            "Staging",
            "https://otdsauth.preprod.ot2.opentext.com/otdstenant/{tenant}/oauth2/token",
            "https://staging.sign.core.opentext.com/api/v1/",
        ),
        Environment("custom", "Other", "", ""),
    )
}


def token_url(environment: str, tenant: str) -> str:
    """Return the token address of an environment for a tenant, "" when the merchant must give it."""
    return ENVIRONMENTS[environment].token_url.replace("{tenant}", quote(tenant, safe=""))
