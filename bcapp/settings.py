"""Settings, frozen. The environment is read here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bcapp.errors import SettingsError

BIGCOMMERCE_LOGIN = "https://login.bigcommerce.com"
BIGCOMMERCE_API = "https://api.bigcommerce.com"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# The service's own hosts, from its developer guide; a merchant's custom environment adds its own.
SIGNATURE_HOSTS = (
    "sign.core.opentext.com",
    "sign.core.opentext.eu",
    "staging.sign.core.opentext.com",
    "otdsauth.ot2.opentext.com",
    "otdsauth.ot2.opentext.eu",
    "us.api.opentext.com",
    "eu.api.opentext.com",
)

HostList = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Everything that differs between two installations of the app."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    app_url: str
    secret_keys: SecretStr
    bc_client_id: str
    bc_client_secret: SecretStr
    bc_app_id: str

    database_url: str | None = None
    countersign_data: Path = Path("./var")
    dyno: str | None = Field(default=None, description="Set on machines whose disks are thrown away")
    bc_login_url: str = BIGCOMMERCE_LOGIN
    bc_api_url: str = BIGCOMMERCE_API
    bc_b2b_url: str = "https://api-b2b.bigcommerce.com"
    bc_sdk_url: str = "https://cdn.bigcommerce.com/jssdk/bc-sdk.js"
    signature_hosts: HostList = SIGNATURE_HOSTS
    signature_download_hosts: HostList = ()
    frame_ancestors: str = "store"
    metrics_token: SecretStr | None = None
    smtp_url: SecretStr | None = None
    archive_hosts: HostList = ()
    log_level: str = "INFO"
    countersign_clock_url: str | None = None

    @field_validator("signature_hosts", "signature_download_hosts", "archive_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("app_url", "bc_login_url", "bc_api_url", "bc_b2b_url", "bc_sdk_url", "countersign_clock_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("is not a web address")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("must begin with https:// (plain http is accepted for this machine only)")
        return value.rstrip("/")

    @field_validator("secret_keys")
    @classmethod
    def _keys_are_long(cls, value: SecretStr) -> SecretStr:
        keys = [k.strip() for k in value.get_secret_value().split(",") if k.strip()]
        if not keys or any(len(k) < 32 for k in keys):
            raise ValueError("needs one or more keys of at least 32 characters, separated by commas")
        return value

    @field_validator("frame_ancestors")
    @classmethod
    def _store_or_wildcard(cls, value: str) -> str:
        if value not in ("store", "wildcard") and not (value.split() and all(map(_is_origin, value.split()))):
            raise ValueError("is store, wildcard, or a list of origins (https://host) separated by spaces")
        return value

    @model_validator(mode="after")
    def _no_sandbox_clock_beside_the_real_thing(self) -> Settings:
        real = {urlsplit(url).hostname for url in (BIGCOMMERCE_API, BIGCOMMERCE_LOGIN)}
        used = {urlsplit(url).hostname for url in (self.bc_api_url, self.bc_login_url)}
        if self.countersign_clock_url and real & used:
            raise ValueError(
                "COUNTERSIGN_CLOCK_URL moves time for the sandbox and is refused beside the real BigCommerce"
            )
        return self

    @property
    def keys(self) -> list[str]:
        return [k.strip() for k in self.secret_keys.get_secret_value().split(",") if k.strip()]

    @property
    def secure(self) -> bool:
        """Whether the app is served over https; only then can cookies be Secure and Partitioned."""
        return self.app_url.startswith("https://")


def _is_origin(value: str) -> bool:
    """Tell whether a value is an origin that may frame us: https, or plain http on this machine."""
    parts = urlsplit(value)
    host = parts.hostname or ""
    local = host in LOOPBACK or host.endswith(".localhost")
    return bool(host) and not parts.path and (parts.scheme == "https" or (parts.scheme == "http" and local))


def load_settings(**given: Any) -> Settings:
    """Read the environment; raise SettingsError with one sentence per missing or malformed variable."""
    try:
        return Settings(**given)
    except ValidationError as exc:
        lines = []
        for error in exc.errors():
            name = str(error["loc"][0]).upper() if error["loc"] else ""
            if error["type"] == "missing":
                lines.append(f"{name} is not set. Set it in the environment; README says what it is.")
            else:
                lines.append(f"{name} {error['msg'].removeprefix('Value error, ')}.".strip())
        raise SettingsError("\n".join(lines)) from None
