"""The environment: what is missing or malformed stops the start with a sentence that names it."""

from __future__ import annotations

import pytest

from bcapp.errors import SettingsError
from bcapp.settings import Settings, load_settings

KEY = "a-test-key-of-at-least-thirty-two-characters"
GOOD = {
    "APP_URL": "https://app.example.com",
    "SECRET_KEYS": KEY,
    "BC_CLIENT_ID": "client",
    "BC_CLIENT_SECRET": "a very secret secret",
    "BC_APP_ID": "42",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing but the required variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return str(refused.value).splitlines()


def test_the_required_ones_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.app_url == "https://app.example.com"
    assert settings.secure
    assert settings.database_url is None
    assert settings.bc_api_url == "https://api.bigcommerce.com"
    assert settings.countersign_clock_url is None


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_one_is_named_in_one_sentence(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    assert refusal() == [f"{name} is not set. Set it in the environment; README says what it is."]


def test_all_that_is_missing_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environment.delenv(name)
    assert [line.split()[0] for line in refusal()] == list(GOOD)


URLS = ["APP_URL", "BC_LOGIN_URL", "BC_API_URL", "BC_B2B_URL", "BC_SDK_URL"]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "value",
    [
        "example.com",
        "ftp://example.com",
        "https://",
        "https://user:pass@example.com",
        "https://example.com/#x",
        "",
        "://",
    ],
)
def test_what_is_no_web_address_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    assert refusal() == [f"{name} is not a web address."]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "value", ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1"]
)
def test_plain_http_is_refused_beyond_this_machine(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    (sentence,) = refusal()
    assert sentence.startswith(f"{name} must begin with https://")


@pytest.mark.parametrize("value", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_plain_http_is_taken_on_this_machine(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("APP_URL", value + "/")
    settings = load_settings()
    assert settings.app_url == value
    assert not settings.secure


@pytest.mark.parametrize("value", ["", "short", f"{KEY},short", ",", "x" * 31])
def test_short_keys_are_refused_and_not_shown(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("SECRET_KEYS", value)
    (sentence,) = refusal()
    assert sentence.startswith("SECRET_KEYS needs one or more keys of at least 32 characters")
    assert KEY not in sentence


def test_several_keys_are_kept_in_their_order(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SECRET_KEYS", f" {KEY} , {'y' * 32},")
    assert load_settings().keys == [KEY, "y" * 32]


@pytest.mark.parametrize("name", ["BC_API_URL", "BC_LOGIN_URL"])
def test_the_sandbox_clock_is_refused_beside_the_real_bigcommerce(environment: pytest.MonkeyPatch, name: str) -> None:
    """One of the two addresses at the sandbox is not enough: the other one is the real thing by default."""
    environment.setenv("COUNTERSIGN_CLOCK_URL", "http://127.0.0.1:9000/clock")
    environment.setenv(name, "http://127.0.0.1:9000")
    (sentence,) = refusal()
    assert sentence.startswith("COUNTERSIGN_CLOCK_URL moves time for the sandbox")


@pytest.mark.parametrize(
    "url", ["https://api.bigcommerce.com/", "https://API.bigcommerce.com", "HTTPS://api.bigcommerce.com"]
)
def test_another_spelling_of_the_real_bigcommerce_is_the_real_one(environment: pytest.MonkeyPatch, url: str) -> None:
    environment.setenv("COUNTERSIGN_CLOCK_URL", "http://127.0.0.1:9000/clock")
    environment.setenv("BC_LOGIN_URL", "http://127.0.0.1:9000")
    environment.setenv("BC_API_URL", url)
    (sentence,) = refusal()
    assert sentence.startswith("COUNTERSIGN_CLOCK_URL")


def test_the_sandbox_clock_is_taken_beside_the_sandbox(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("COUNTERSIGN_CLOCK_URL", "http://127.0.0.1:9000/clock")
    environment.setenv("BC_LOGIN_URL", "http://127.0.0.1:9000")
    environment.setenv("BC_API_URL", "http://127.0.0.1:9000")
    assert load_settings().countersign_clock_url == "http://127.0.0.1:9000/clock"


def test_host_lists_are_split_and_lower_case(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGNATURE_HOSTS", " Sign.Example.com, other.example.com:8443 ,,")
    environment.setenv("ARCHIVE_HOSTS", "")
    settings = load_settings()
    assert settings.signature_hosts == ("sign.example.com", "other.example.com:8443")
    assert settings.archive_hosts == ()


@pytest.mark.parametrize("value", ["store", "wildcard", "https://a.example.com", "https://a.test http://localhost:1"])
def test_frame_ancestors(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("FRAME_ANCESTORS", value)
    assert load_settings().frame_ancestors == value


@pytest.mark.parametrize(
    "value", ["", "*", "everyone", "http://a.example.com", "https://a.test/x", "https://a.test; x"]
)
def test_frame_ancestors_that_are_none(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("FRAME_ANCESTORS", value)
    (sentence,) = refusal()
    assert sentence.startswith("FRAME_ANCESTORS is store, wildcard, or a list of origins")


@pytest.mark.parametrize("name", GOOD)
def test_no_secret_is_shown_by_a_refusal_or_by_the_settings(environment: pytest.MonkeyPatch, name: str) -> None:
    settings = load_settings()
    environment.setenv("APP_URL", "nonsense")
    said = repr(settings) + str(settings) + "".join(refusal())
    assert GOOD["BC_CLIENT_SECRET"] not in said
    assert KEY not in said


def test_settings_do_not_change(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.app_url = "https://elsewhere.example.com"
