"""Logs as JSON lines, with store, record, request and action ids, and without anything secret or personal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from bcapp.settings import Settings

REDACTED = "[redacted]"

# Values under these names never reach the log, whatever they look like.
SECRET_NAMES = re.compile(
    r"secret|token|password|passwd|authorization|cookie|api_?key|data_key|webhook_key|signed_payload|jwt|csrf|nonce"
    r"|e_?mail|signers?_name|body|payload|x-auth",
    re.IGNORECASE,
)
SAFE_NAMES = frozenset({"token_ends_at", "body_bytes", "size_bytes"})

# Shapes that never reach the log, under whatever name. Order matters: the narrow ones first. Each begins where a word
# begins, so that a long text without any costs one walk through it and not one from every letter.
SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![\w-])(?=[\w-]*eyJ)[\w-]{8,}+\.[\w-]{5,}+\.[\w-]*"), "[jwt]"),
    (re.compile(r"(://)[^/\s:@]*:[^/\s@]+@"), r"\1[redacted]@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [redacted]"),
    (re.compile(r"(?i)([?&](?:x|code|token|signed_payload_jwt|signature|key|sig)=)[^&\s\"']+"), r"\1[redacted]"),
    (re.compile(r"(?i)(/(?:sign|signing|webhooks/core-signature|downloads)/)[\w.~%-]+"), r"\1[redacted]"),
    (re.compile(r"\b[a-z0-9]{1,32}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), "[token]"),
    (re.compile(r"(?<![\w.+%'-])[\w.+%'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
)


class Redactor:
    """Takes secrets and personal data out of every value of a log line, however deep it stands.

    known: texts that are secret by themselves, such as the client secret; longer ones are replaced first.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({text for text in known if len(text) >= 6}, key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {name: self.value(name, value) for name, value in event.items()}

    def value(self, name: str, value: Any) -> Any:
        if SECRET_NAMES.search(name) and name not in SAFE_NAMES and not isinstance(value, bool | int | None):
            return REDACTED
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        if isinstance(value, Mapping):
            return {str(key): self.value(str(key), part) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value("", part) for part in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))

    def text(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        for shape, instead in SHAPES:
            text = shape.sub(instead, text)
        return text


def secrets_of(settings: Settings) -> list[str]:
    """Every secret text of the settings, and the password inside of the database's address."""
    found = list(settings.keys)
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            found.append(value.get_secret_value())
            found.append(urlsplit(value.get_secret_value()).password or "")
    if settings.database_url:
        found.append(urlsplit(settings.database_url).password or "")
    return found


def to_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure_logging(settings: Settings) -> None:
    """Send our lines and those of every library to standard output as JSON, redacted.

    The access log is our own (it names routes, not addresses), so uvicorn's is switched off.
    """
    redact = Redactor(secrets_of(settings))
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, to_json],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "pgqueuer"):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    # It says "connected" before it is.
    logging.getLogger("databases").setLevel(logging.WARNING)
    # httpx names every address at INFO, and addresses of the signature service can carry what opens a document.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
