"""The desk."""

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

if TYPE_CHECKING:
    from bcapp.sandbox.bigcommerce import BigCommerceSandbox


class Desk:
    def __init__(self, platform: "BigCommerceSandbox") -> None:
        self.platform = platform

    @property
    def routes(self) -> list[BaseRoute]:
        return []
