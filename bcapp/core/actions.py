"""The kinds of action, each with its order of urgency and the way back after a crash."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class ActionKind(StrEnum):
    HOLD_ORDER = "hold_order"
    RELEASE_ORDER = "release_order"
    CAPTURE_ORDER = "capture_order"
    SWITCH_OFF_PROMOTION = "switch_off_promotion"
    SWITCH_ON_PROMOTION = "switch_on_promotion"
    SHUT_QUOTE = "shut_quote"
    OPEN_QUOTE = "open_quote"
    SEND_QUOTE = "send_quote"
    GIVE_CODE = "give_code"
    PREPARE_CASE = "prepare_case"
    EXECUTE_REFUND = "execute_refund"
    VOID_PAYMENT = "void_payment"
    CANCEL_ORDER = "cancel_order"
    FOLLOW_REFUND = "follow_refund"
    HOLD_ACCOUNT = "hold_account"
    APPROVE_ACCOUNT = "approve_account"
    UNDO_ACCOUNT = "undo_account"
    ATTACH_TO_COMPANY = "attach_to_company"
    WITHHOLD_ACCESS = "withhold_access"
    GRANT_ACCESS = "grant_access"
    HIDE_PRODUCTS = "hide_products"
    SHOW_PRODUCTS = "show_products"
    KEEP_AGREEMENT = "keep_agreement"
    COUNT_PRODUCTS = "count_products"
    IMPORT_SUPPLIERS = "import_suppliers"
    PREPARE_DOCUMENT = "prepare_document"
    CREATE_DOCUMENT = "create_document"
    SEND_REQUEST = "send_request"
    CANCEL_REQUEST = "cancel_request"
    RESEND_REQUEST = "resend_request"
    MEND_ADDRESS = "mend_address"
    CHECK_COMPLETION = "check_completion"
    FETCH_EVIDENCE = "fetch_evidence"
    REGISTER_WARRANTY = "register_warranty"
    WRITE_METAFIELDS = "write_metafields"
    WRITE_STAFF_NOTE = "write_staff_note"
    SEND_MAIL = "send_mail"
    DELIVER_WEBHOOK = "deliver_webhook"
    TEST_ACCOUNT = "test_account"
    REGISTER_HOOKS = "register_hooks"
    COUNT_BACKLOG = "count_backlog"
    IMPORT_ACCEPTANCES = "import_acceptances"
    ASK_CAMPAIGN = "ask_campaign"
    READ_PAST = "read_past"
    TRY_RULE = "try_rule"
    PROBE_UNINSTALL = "probe_uninstall"
    FINISH_UNINSTALL = "finish_uninstall"


class Recovery(StrEnum):
    """What to do with an action that is met in `started`: its runner died or its answer was lost.

    ABSOLUTE: read, write again; writing twice leaves the same state.
    ADOPTABLE: look it up by its marker; adopt what is there, make it only when nothing is.
    AT_MOST_ONCE: never again (mail): ends as skipped, and says so.
    MONEY: look for it twice, ten minutes apart; not found goes to a person.
    """

    ABSOLUTE = "absolute"
    ADOPTABLE = "adoptable"
    AT_MOST_ONCE = "at_most_once"
    MONEY = "money"


def recovery(kind: ActionKind) -> Recovery:
    """Return the way back for a kind. A kind without a class does not type-check."""
    match kind:
        case (
            ActionKind.HOLD_ORDER
            | ActionKind.RELEASE_ORDER
            | ActionKind.PREPARE_CASE
            | ActionKind.CANCEL_ORDER
            | ActionKind.FOLLOW_REFUND
            | ActionKind.PREPARE_DOCUMENT
            | ActionKind.CANCEL_REQUEST
            | ActionKind.CHECK_COMPLETION
            | ActionKind.FETCH_EVIDENCE
            | ActionKind.REGISTER_WARRANTY
            | ActionKind.WRITE_METAFIELDS
            | ActionKind.WRITE_STAFF_NOTE
            | ActionKind.TEST_ACCOUNT
            | ActionKind.REGISTER_HOOKS
            | ActionKind.COUNT_BACKLOG
            | ActionKind.IMPORT_ACCEPTANCES
            | ActionKind.ASK_CAMPAIGN
            | ActionKind.READ_PAST
            | ActionKind.TRY_RULE
            | ActionKind.PROBE_UNINSTALL
            | ActionKind.FINISH_UNINSTALL
            | ActionKind.DELIVER_WEBHOOK  # its id stays the same: who gets it twice knows it
        ):
            return Recovery.ABSOLUTE
        case (
            ActionKind.SWITCH_OFF_PROMOTION
            | ActionKind.SWITCH_ON_PROMOTION
            | ActionKind.SHUT_QUOTE
            | ActionKind.OPEN_QUOTE
        ):
            return Recovery.ABSOLUTE
        case ActionKind.SEND_QUOTE:
            return Recovery.AT_MOST_ONCE
        case ActionKind.GIVE_CODE:  # looked up by its text, which is the same each time
            return Recovery.ADOPTABLE
        case (
            ActionKind.HIDE_PRODUCTS
            | ActionKind.SHOW_PRODUCTS
            | ActionKind.KEEP_AGREEMENT
            | ActionKind.COUNT_PRODUCTS
            | ActionKind.IMPORT_SUPPLIERS
        ):
            return Recovery.ABSOLUTE
        case ActionKind.HOLD_ACCOUNT | ActionKind.APPROVE_ACCOUNT | ActionKind.UNDO_ACCOUNT:
            return Recovery.ABSOLUTE
        case ActionKind.WITHHOLD_ACCESS | ActionKind.GRANT_ACCESS:
            return Recovery.ABSOLUTE
        case ActionKind.ATTACH_TO_COMPANY:  # looked up by its name, and by what was there before
            return Recovery.ADOPTABLE
        # A capture is looked up by the order's payment state: the gateway takes an authorisation only once.
        case ActionKind.CREATE_DOCUMENT | ActionKind.SEND_REQUEST | ActionKind.MEND_ADDRESS | ActionKind.CAPTURE_ORDER:
            return Recovery.ADOPTABLE
        case ActionKind.VOID_PAYMENT:  # as a capture
            return Recovery.ADOPTABLE
        case ActionKind.EXECUTE_REFUND:
            return Recovery.MONEY
        case ActionKind.RESEND_REQUEST | ActionKind.SEND_MAIL:
            return Recovery.AT_MOST_ONCE
        case _:
            assert_never(kind)


URGENT = 10  # what holds, releases or moves money


def priority(kind: ActionKind) -> int:
    """Return the urgency, small first: hold and release, then send, write-back, upkeep, bulk."""
    match kind:
        case (
            ActionKind.SWITCH_OFF_PROMOTION
            | ActionKind.SWITCH_ON_PROMOTION
            | ActionKind.SHUT_QUOTE
            | ActionKind.OPEN_QUOTE
        ):
            return URGENT
        case ActionKind.SEND_QUOTE | ActionKind.GIVE_CODE:
            return 30
        case ActionKind.HOLD_ORDER | ActionKind.RELEASE_ORDER | ActionKind.CAPTURE_ORDER | ActionKind.CHECK_COMPLETION:
            return URGENT
        case ActionKind.EXECUTE_REFUND | ActionKind.VOID_PAYMENT | ActionKind.CANCEL_ORDER:
            return URGENT
        case ActionKind.PREPARE_CASE:
            return 20
        case ActionKind.FOLLOW_REFUND:
            return 30
        case ActionKind.HOLD_ACCOUNT | ActionKind.APPROVE_ACCOUNT | ActionKind.UNDO_ACCOUNT:
            return URGENT
        case ActionKind.WITHHOLD_ACCESS | ActionKind.GRANT_ACCESS:
            return URGENT
        case ActionKind.ATTACH_TO_COMPANY:
            return 30
        case (
            ActionKind.PREPARE_DOCUMENT
            | ActionKind.CREATE_DOCUMENT
            | ActionKind.SEND_REQUEST
            | ActionKind.CANCEL_REQUEST
            | ActionKind.MEND_ADDRESS
        ):
            return 20
        case (
            ActionKind.RESEND_REQUEST
            | ActionKind.FETCH_EVIDENCE
            | ActionKind.REGISTER_WARRANTY
            | ActionKind.WRITE_METAFIELDS
            | ActionKind.WRITE_STAFF_NOTE
            | ActionKind.SEND_MAIL
        ):
            return 30
        case (
            ActionKind.TEST_ACCOUNT
            | ActionKind.REGISTER_HOOKS
            | ActionKind.PROBE_UNINSTALL
            | ActionKind.FINISH_UNINSTALL
            | ActionKind.DELIVER_WEBHOOK
        ):
            return 40
        case ActionKind.KEEP_AGREEMENT:
            return 30
        case (
            ActionKind.HIDE_PRODUCTS
            | ActionKind.SHOW_PRODUCTS
            | ActionKind.IMPORT_SUPPLIERS
            | ActionKind.COUNT_PRODUCTS
        ):
            return 50
        case ActionKind.COUNT_BACKLOG | ActionKind.TRY_RULE | ActionKind.IMPORT_ACCEPTANCES | ActionKind.ASK_CAMPAIGN:
            return 50
        case ActionKind.READ_PAST:
            return 60
        case _:
            assert_never(kind)


# What calls the signature account of its request.
SIGNING = frozenset(
    {
        ActionKind.CREATE_DOCUMENT,
        ActionKind.SEND_REQUEST,
        ActionKind.CANCEL_REQUEST,
        ActionKind.RESEND_REQUEST,
        ActionKind.MEND_ADDRESS,
        ActionKind.CHECK_COMPLETION,
        ActionKind.FETCH_EVIDENCE,
    }
)


def lane(kind: ActionKind, request_id: int | None) -> str:
    """Return the lane in which order is kept for a record.

    The hold is placed before anything is sent, so all of it stands in "main". What only tells (write-back, mail,
    evidence, reminders) has lanes of its own: it must never delay a release.
    """
    match kind:
        case ActionKind.FETCH_EVIDENCE | ActionKind.CHECK_COMPLETION | ActionKind.RESEND_REQUEST:
            return f"{kind}:{request_id}"
        case ActionKind.WRITE_METAFIELDS | ActionKind.WRITE_STAFF_NOTE:
            return "writeback"
        case ActionKind.ATTACH_TO_COMPANY:
            return "attach"
        case ActionKind.REGISTER_WARRANTY:
            return "register"
        case ActionKind.SEND_MAIL | ActionKind.SEND_QUOTE:
            return "mail"
        case ActionKind.GIVE_CODE:
            return f"{kind}:{request_id}"
        case ActionKind.HIDE_PRODUCTS | ActionKind.SHOW_PRODUCTS:
            return "products"  # a thousand products must not keep the supplier waiting for its document
        case ActionKind.KEEP_AGREEMENT | ActionKind.COUNT_PRODUCTS:
            return str(kind)
        case ActionKind.TEST_ACCOUNT | ActionKind.COUNT_BACKLOG | ActionKind.REGISTER_HOOKS:
            return str(kind)
        case ActionKind.FOLLOW_REFUND:
            return str(kind)
        case _:
            return "main"
