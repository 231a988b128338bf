"""What a person is told who may not go on: one sentence on what happened, one on what to do."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from bcapp.core.stores import StoreState
from bcapp.db.stores import Store, fetch_store
from bcapp.errors import AppError
from bcapp.services import Services
from bcapp.settings import Settings
from bcapp.web.render import message_page
from bcapp.web.roles import Role


class Refusal(AppError):
    """A styled answer instead of the page that was asked for. `action` is (label, address); it leaves the frame."""

    def __init__(
        self, status: int, title: str, text: str, action: tuple[str, str] | None = None, *, kind: str = "error"
    ) -> None:
        super().__init__(f"{status}: {title}")
        self.status, self.title, self.text, self.action, self.kind = status, title, text, action, kind

    def page(self, request: Request) -> Response:
        return message_page(request, self.status, self.title, self.text, self.action, kind=self.kind, action_top=True)


def apps_address(settings: Settings, control_panel_url: str) -> str:
    """Where the control panel shows this app."""
    return f"{control_panel_url}/manage/app/{settings.bc_app_id}"


async def no_session(services: Services, store_hash: str) -> Refusal:
    """The way back leads to the store's own control panel, or to BigCommerce's usual address of it."""
    store = await fetch_store(services.db, store_hash)
    control_panel = store.control_panel_url if store else f"https://store-{store_hash}.mybigcommerce.com"
    return Refusal(
        401,
        "Your session ended",
        "Open Countersign again from Apps in your control panel.",
        ("Open the control panel", apps_address(services.settings, control_panel)),
        kind="unauthorized",
    )


def not_found() -> Refusal:
    return Refusal(404, "There is nothing here", "The page does not exist, or it was removed.", kind="not-found")


def not_ours() -> Refusal:
    return Refusal(
        403,
        "This was not sent from Countersign",
        "Nothing was changed. Go back, load the page again and repeat the step.",
        kind="unauthorized",
    )


def not_permitted(role: Role, permission: str) -> Refusal:
    return Refusal(
        403,
        "Your role does not allow this",
        f"You are {'an' if role in (Role.OWNER, Role.APPROVER) else 'a'} {role.value} here. "
        "Ask the store owner to change your role under People.",
        kind="unauthorized",
    )


def store_is_away(store: Store) -> Refusal:
    if store.state is StoreState.UNINSTALLING:
        return Refusal(
            403,
            "Countersign is being uninstalled",
            "We stopped working and are asking BigCommerce whether the app was removed. "
            "If it was not, open it again from Apps in about an hour.",
            kind="warning",
        )
    return Refusal(
        403, "Countersign is not installed", "Install it again from Apps in your control panel.", kind="warning"
    )
