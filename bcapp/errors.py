"""The error tree. A class exists because someone catches it.

AppError
├── SettingsError           the start stops with a sentence that names the variable
├── UnreadableInput         outside data that is not what it says it is (a webhook, a JWT, a PDF)
│   └── BadProof            readable, but the signature, audience or time does not hold
├── RefusedByUs             a person asked for what is not allowed; the text is for that person
├── IllegalTransition       a state cannot take what happened
├── Stale                   somebody else was first: a generation or version moved on
├── BufferFull              the intake holds as much as it may; the sender is asked to come again
├── PassingFault            our own side is away for a moment (db.DatabaseAway): no attempt is counted
└── RemoteError             a vendor's call failed: `permanent` and `retry_after` are read by core/retry.py only
    ├── BigCommerceError
    │   ├── TokenRefused    401: postpones without counting an attempt
    │   └── B2BRefused      the store has no B2B Edition, or the app was not granted it
    ├── SignatureError
    │   └── CredentialsRefused   the token endpoint or the API refused our client
    └── CircuitOpen         not called at all: the breaker is open or the budget is spent

Beside the code that raises them, because only its callers catch them:
  db: DatabaseAway, QueryError · db/embedded: EmbeddedPostgresError · db/migrate: MigrationFailed · db/chunks: NotKept
  secrets: SealBroken, UnknownKey · documents: FieldsDiffer, DocumentTooHeavy, WorkFailed, RenderFailed
  mail: MailNotSet, MailFailed · core/agreements: MissingValue
"""


class AppError(Exception):
    """The root: everything that this app raises on purpose."""


class SettingsError(AppError):
    """A setting is missing or malformed; the text names it and says what to do."""


class UnreadableInput(AppError):
    """Data from outside cannot be read."""


class BadProof(UnreadableInput):
    """Data from outside is readable, but not proven to come from whom it says."""


class RefusedByUs(AppError):
    """A person asked for what is not allowed. The text says why and what to do next."""


class IllegalTransition(AppError):
    """A state cannot take what happened."""


class Stale(AppError):
    """Somebody else was first."""


class BufferFull(AppError):
    """The intake buffer holds as much as it may."""


class PassingFault(AppError):
    """Our own side is away for a moment; what waits for it is postponed without counting an attempt."""


class RemoteError(AppError):
    """A call to another service failed.

    status: the HTTP status, None when there was no answer.
    permanent: trying the same again cannot help.
    retry_after: seconds the service asked us to wait, None when it did not say.
    unclear: the call may have been executed (no answer, or a 5xx after sending).
    uncounted: postpones without counting an attempt (401, 429, open breaker).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        permanent: bool = False,
        retry_after: float | None = None,
        unclear: bool = False,
        uncounted: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.permanent = permanent
        self.retry_after = retry_after
        self.unclear = unclear
        self.uncounted = uncounted


class BigCommerceError(RemoteError):
    """BigCommerce answered badly or not at all."""


class TokenRefused(BigCommerceError):
    """BigCommerce answered 401: the token may be old, or the app uninstalled."""


class B2BRefused(BigCommerceError):
    """B2B Edition does not know this store, or does not let this app in; the store's own API may work well."""


class SignatureError(RemoteError):
    """The signature service answered badly or not at all."""


class CredentialsRefused(SignatureError):
    """The signature service does not accept the merchant's client id and secret."""


class CircuitOpen(RemoteError):
    """The call was not made: the circuit breaker is open, or the budget is spent until `retry_after`."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after, uncounted=True)
