"""Checks of request bodies, with the framework's words for what is wrong.

Source: core-signature.md 4.1, 5.1, 5.2, 8 and 12.4; where no text is known, the framework's own is used.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from bcapp.sandbox.signature.rest import Refusal

EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s.,;<>\"]{2,}")
REQUIRED = "This field is required."
LANGUAGES = {
    "en", "en-gb", "nl", "fr", "de", "he", "da", "fi", "hu", "it", "no", "pl", "pt", "es", "sv", "ru",
}  # fmt: skip
EVENT_TYPES = {
    "convert_error", "converted", "sending_error", "sent", "declined", "cancelled", "expired", "signed", "viewed",
    "downloaded", "signer_signed", "signer_email_bounced", "signer_viewed_email", "signer_viewed", "signer_forwarded",
    "signer_downloaded", "signrequest_received", "signature_request_received", "login_failed", "login_successful",
    "password_reset_request_sent", "password_reset_request_error",
}  # fmt: skip
TRUE, FALSE = {"true", "1", "t", "yes", "y", "on"}, {"false", "0", "f", "no", "n", "off"}


class Errors(dict[str, Any]):
    """Field names with what is wrong about them."""

    def add(self, name: str, text: str) -> None:
        self.setdefault(name, []).append(text)

    def raise_any(self) -> None:
        if self:
            raise Refusal(400, dict(self))


def check_text(errors: Errors, body: Mapping[str, Any], names: Iterable[str], limit: int) -> None:
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, (dict, list, bool)):
            errors.add(name, "Not a valid string.")
        elif len(str(value)) > limit:
            errors.add(name, f"Ensure this field has no more than {limit} characters.")


def check_url(errors: Errors, body: Mapping[str, Any], names: Iterable[str]) -> None:
    check_text(errors, body, names, 2100)
    for name in names:
        value = body.get(name)
        if value not in (None, "") and name not in errors and not _is_url(str(value)):
            errors.add(name, "Enter a valid URL.")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", value)
    except ValueError:
        return False


def check_days(errors: Errors, body: dict[str, Any], name: str) -> None:
    """Check 1..730 days and make the value an integer."""
    value = body.get(name)
    if value in (None, ""):
        body[name] = None
        return
    if isinstance(value, (bool, float, list, dict)) or not re.fullmatch(r"-?\d{1,9}", str(value)):
        errors.add(name, "A valid integer is required.")
        return
    body[name] = int(value)
    if body[name] < 1:
        errors.add(name, "Ensure this value is greater than or equal to 1.")
    elif body[name] > 730:
        errors.add(name, "Ensure this value is less than or equal to 730.")


def check_flags(errors: Errors, body: dict[str, Any], names: Iterable[str]) -> None:
    """Check booleans, which may come as words, and make them booleans."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        word = str(value).lower()
        if isinstance(value, (dict, list)) or word not in TRUE | FALSE:
            errors.add(name, "Must be a valid boolean.")
        else:
            body[name] = word in TRUE


def is_email(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 255 and EMAIL.fullmatch(value) is not None


def check_signers(errors: Errors, body: dict[str, Any]) -> None:
    """Check the list of signers; its errors stand at the signer's place in the list."""
    rows = body.get("signers")
    if rows is None:
        errors.add("signers", REQUIRED)
        return
    if not isinstance(rows, list):
        errors["signers"] = {"non_field_errors": [f'Expected a list of items but got type "{type(rows).__name__}".']}
        return
    if not rows:
        errors["signers"] = {"non_field_errors": ["This list may not be empty."]}
        return
    found = [_signer_errors(row) for row in rows]
    if any(found):
        errors["signers"] = found


def _signer_errors(row: Any) -> Errors:
    errors = Errors()
    if not isinstance(row, dict):
        errors.add("non_field_errors", "Invalid data. Expected a dictionary.")
        return errors
    email = row.get("email")
    if email is None:
        errors.add("email", REQUIRED)
    elif email == "":
        errors.add("email", "This field may not be blank.")
    elif not is_email(email):
        errors.add("email", "Enter a valid email address.")
    order = row.get("order")
    if order in (None, ""):
        row["order"] = 0
    elif isinstance(order, (bool, float, list, dict)) or not re.fullmatch(r"-?\d{1,10}", str(order)):
        errors.add("order", "A valid integer is required.")
    elif not 0 <= int(order) <= 2147483647:
        bound = "greater than or equal to 0" if int(order) < 0 else "less than or equal to 2147483647"
        errors.add("order", f"Ensure this value is {bound}.")
    else:
        row["order"] = int(order)
    flags = ("needs_to_sign", "approve_only", "notify_only", "in_person", "force_language")
    check_flags(errors, row, (*flags, "use_stamp_for_approve_only"))
    check_text(errors, row, ("first_name", "last_name", "full_name", "embed_url_user_id", "password"), 255)
    check_url(errors, row, ("redirect_url", "redirect_url_declined", "after_document"))
    language = row.get("language")
    if language not in (None, "") and language not in LANGUAGES:
        errors.add("language", f'"{language}" is not a valid choice.')
    phone = row.get("verify_phone_number")
    if phone not in (None, "") and not re.fullmatch(r"\+\d{7,15}", str(phone).replace(" ", "")):
        errors.add("verify_phone_number", "Enter a valid phone number.")
    return errors


def decode_content(errors: Errors, body: Mapping[str, Any]) -> bytes:
    """Return the bytes of file_from_content; line breaks are allowed in the base64."""
    try:
        content = base64.b64decode(re.sub(r"\s", "", str(body["file_from_content"])), validate=True)
    except (binascii.Error, ValueError):
        errors.add("file_from_content", "The value is not valid base64.")
        return b""
    if not content:
        errors.add("file_from_content", "The submitted file is empty.")
    return content
