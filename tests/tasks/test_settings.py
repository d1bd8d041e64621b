"""Settings: defaults, refusals in words, and no secret in any of them."""

import os
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.in_prefect.credentials import ReverCredentials
from tasks.policy.store import RefundsBy
from tasks.settings import (
    Settings,
    SettingsError,
    account_of,
    load_settings,
    masked_settings,
    settings_table,
)
from tasks.settings.model import known_secrets

KEY = "k3y-of-a-real-account"
LOCAL = {"REVER_BASE_URL": "http://127.0.0.1:8800", "REVER_API_KEY": KEY, "REVER_STORES": "acme,nordic"}
LIVE = {"REVER_API_KEY": KEY, "REVER_STORES": "acme", "REVER_LEDGER_URL": "postgresql://desk:s3cret@db/returns"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("REVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def problems(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(monkeypatch, values)
    whole = "".join(traceback.format_exception(caught.value))
    assert KEY not in whole
    assert "s3cret" not in whole
    assert "pydantic" not in str(caught.value)
    return str(caught.value)


def test_the_sandbox_needs_only_address_key_and_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, LOCAL)
    assert settings.stores == ("acme", "nordic")
    assert settings.refunds_by("acme") is RefundsBy.US
    assert settings.ledger_url.get_secret_value() == "sqlite:///rever-returns.sqlite"
    assert settings.rate is None
    assert settings.account == "http://127.0.0.1:8800"
    assert (settings.timeout, settings.max_in_flight, settings.settle_after, settings.lease) == (10, 8, 900, 60)


def test_a_real_account_is_careful_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, LIVE)
    assert settings.base_url == "https://api.byrever.com"
    assert settings.refunds_by("acme") is RefundsBy.UNSTATED
    assert settings.rate == 10


def test_a_shop_is_one_for_all_stores_or_one_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, LIVE).shop("acme") is None
    one = load(monkeypatch, LIVE | {"REVER_SHOP_URL": "https://shop.example.com/eu/", "REVER_SHOP_KEY": "s=k=="})
    assert one.shop("acme") == ("https://shop.example.com/eu", SecretStr("s=k=="))
    each = {
        "REVER_SHOP_URL": "acme=https://a.example.com,nordic=http://127.0.0.1:9",
        "REVER_SHOP_KEY": "acme=A==,nordic=B",
    }
    settings = load(monkeypatch, LIVE | {"REVER_STORES": "acme,nordic,third"} | each)
    assert settings.shop("acme") == ("https://a.example.com", SecretStr("A=="))
    assert settings.shop("nordic") == ("http://127.0.0.1:9", SecretStr("B"))
    assert settings.shop("third") is None
    shown = masked_settings(settings)
    assert (shown["REVER_SHOP_KEY"], "A==" in repr(settings)) == ("***", False)
    assert {"A==", "B"} <= known_secrets()


@pytest.mark.parametrize(
    ("url", "shop_key", "said"),
    [
        ("https://shop.example.com", "", "REVER_SHOP_KEY is not set, and REVER_SHOP_URL is set; set both"),
        ("", "s3cret", "REVER_SHOP_KEY is set, and REVER_SHOP_URL is not set; set both"),
        ("http://shop.example.com", "s3cret", "REVER_SHOP_URL would send the API key unencrypted"),
        (
            "https://me:s3cret@shop.example.com",
            "k",
            "must not carry a user or password; the key goes in REVER_SHOP_KEY",
        ),
        ("shop.example.com", "s3cret", "is not an http or https address; write it like https://shop.example.com"),
        (
            "nordic=https://s.example.com",
            "nordic=s3cret",
            "REVER_SHOP_URL names 'nordic', which is not among the stores",
        ),
        ("acme=https://a.example.com", "s3cret", "must have a key for each store of REVER_SHOP_URL, and for no other"),
        ("acme=https://a.example.com", "acme=", "must have a key for each store of REVER_SHOP_URL"),
        ("acme=https://a.example.com,acme=https://b.example.com", "acme=s3cret", "has two addresses for 'acme'"),
        ("https://a.example.com,acme=https://b.example.com", "acme=s3cret", "an address for all stores beside one"),
        ("https://a.example.com", "s3cret with blanks", "REVER_SHOP_KEY has a blank, a line break or a letter outside"),
    ],
)
def test_a_shop_that_cannot_be_asked_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, shop_key: str, said: str
) -> None:
    assert said in problems(monkeypatch, LIVE | {"REVER_SHOP_URL": url, "REVER_SHOP_KEY": shop_key})


def test_who_pays_is_said_per_store(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {"REVER_STORES": "acme,nordic,third", "REVER_REFUNDS_BY": " acme=us, nordic = REVER "}
    settings = load(monkeypatch, LIVE | stated)
    assert [settings.refunds_by(store) for store in settings.stores] == [
        RefundsBy.US,
        RefundsBy.REVER,
        RefundsBy.UNSTATED,
    ]
    assert load(monkeypatch, {"REVER_REFUNDS_BY": "rever,acme=us"}).refunds_by("third") is RefundsBy.REVER


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"REVER_API_KEY": ""}, "REVER_API_KEY is not set"),
        ({"REVER_API_KEY": f"{KEY}\n{KEY}"}, "REVER_API_KEY has a blank, a line break"),
        ({"REVER_STORES": " , "}, "neither is set"),
        ({"REVER_GROUP": "brands"}, "both are set"),
        ({"REVER_REFUNDS_BY": "them"}, "wrong at 'them'"),
        ({"REVER_REFUNDS_BY": "unstated"}, "wrong at 'unstated'"),
        ({"REVER_REFUNDS_BY": "=us"}, "wrong at '=us'"),
        ({"REVER_REFUNDS_BY": "acme=us,acme=rever"}, "says twice who pays for 'acme'"),
        ({"REVER_REFUNDS_BY": "acm=us"}, "names 'acm', which is not among the stores (acme, nordic)"),
        ({"REVER_TIMEOUT": "soon"}, "REVER_TIMEOUT ('soon') is wrong: a number is needed"),
        ({"REVER_TIMEOUT": "0"}, "more than 0"),
        ({"REVER_TIMEOUT": "nan"}, "a finite number"),
        ({"REVER_TIMEOUT": "10", "REVER_SETTLE_AFTER": "19.9"}, "more than half of REVER_SETTLE_AFTER (19.9 s)"),
        ({"REVER_RATE": "-1"}, "REVER_RATE ('-1') is wrong: more than 0"),
        ({"REVER_MAX_IN_FLIGHT": "2.5"}, "a whole number"),
        ({"REVER_OMITS_EMPTY_FIELDS": "perhaps"}, "true or false"),
        ({"REVER_BASE_URL": "api.byrever.com"}, "is not an http or https address"),
        ({"REVER_BASE_URL": "http://api.byrever.com"}, "unencrypted"),
        ({"REVER_BASE_URL": f"https://{KEY}@api.byrever.com"}, "must not carry a user"),
        ({"REVER_BASE_URL": "https://api.byrever.com:port"}, "the port cannot be read"),
        ({"REVER_BASE_URL": "https://api.byrever.com/?a=b"}, "no query"),
        ({"REVER_BASE_URL": "https://api.byrever.com"}, "REVER_LEDGER_URL is not set"),
        ({"REVER_BACK_OFFICE": "https://rever.example/returns"}, "must have {process_id} in it once"),
        ({"REVER_BACK_OFFICE": "rever.example/{process_id}"}, "is not an http or https address"),
        ({"REVER_BACK_OFFICE": "https://u:s3cret@rever.example/{process_id}"}, "everybody who may see a report"),
        ({"REVER_LEDGER_URL": "mysql://desk:s3cret@db/x"}, "REVER_LEDGER_URL must be"),
        ({"REVER_LEDGER_URL": "sqlite:///:memory:"}, "forgets what was paid"),
        ({"REVER_LEDGER_URL": "postgresql://desk:s3cret@db"}, "names no database"),
        ({"REVER_INBOX_URL": "mysql://desk:s3cret@db/x"}, "REVER_INBOX_URL must be"),
        ({"REVER_INBOX_URL": "sqlite:///:memory:"}, "REVER will not send again"),
        ({"REVER_INBOX_URL": "sqlite:///rever-returns.sqlite"}, "is the ledger's own file"),
        ({"REVER_WEBHOOK_SECRETS": "s3cret,"}, "REVER_WEBHOOK_SECRETS has an empty secret"),
        ({"REVER_WEBHOOK_SECRETS": "s3cret,s3cret2,s3cret3"}, "REVER_WEBHOOK_SECRETS holds 3 secrets"),
        (
            {"REVER_REFUND_BY": "us"},
            "REVER_REFUND_BY (in the environment) is no setting of rever-returns; did you mean",
        ),
    ],
)
def test_a_wrong_setting_is_a_sentence(monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], said: str) -> None:
    assert said in problems(monkeypatch, LOCAL | wrong)


def test_a_relative_ledger_is_refused_where_money_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "two ledgers" in problems(monkeypatch, LIVE | {"REVER_LEDGER_URL": "sqlite:///ledger.sqlite"})
    absolute = load(monkeypatch, {"REVER_LEDGER_URL": "sqlite:////var/lib/ledger.sqlite"})
    assert absolute.ledger_url.get_secret_value() == "sqlite:////var/lib/ledger.sqlite"


@pytest.mark.parametrize(
    ("ledger", "inbox"),
    [
        ("sqlite:////var/lib/desk/ledger.sqlite", "sqlite:////var/lib/desk/ledger-inbox.sqlite"),
        ("sqlite:////var/lib/de.sk/ledger", "sqlite:////var/lib/de.sk/ledger-inbox"),
        ("postgresql://desk:s3cret@db/returns", "postgresql://desk:s3cret@db/returns"),
    ],
)
def test_the_inbox_lives_beside_the_ledger(monkeypatch: pytest.MonkeyPatch, ledger: str, inbox: str) -> None:
    assert load(monkeypatch, LIVE | {"REVER_LEDGER_URL": ledger}).inbox_url.get_secret_value() == inbox


def test_a_relative_inbox_is_refused_where_money_is_real(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "two inboxes" in problems(monkeypatch, LIVE | {"REVER_INBOX_URL": "sqlite:///inbox.sqlite"})


def test_two_secrets_verify_while_one_is_being_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, LOCAL | {"REVER_WEBHOOK_SECRETS": " new-s3cret , old-s3cret "})
    assert [secret.get_secret_value() for secret in settings.webhook_secrets] == ["new-s3cret", "old-s3cret"]
    assert masked_settings(settings)["REVER_WEBHOOK_SECRETS"] == "***,***"
    assert "s3cret" not in repr(settings)


def test_a_timeout_of_half_the_settling_time_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, LOCAL | {"REVER_TIMEOUT": "1", "REVER_SETTLE_AFTER": "2"}).settle_delay.seconds == 2


def test_all_problems_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = problems(monkeypatch, {"REVER_TIMEOUT": "soon", "REVER_RATE": "fast"})
    assert [line.split()[0] for line in said.splitlines()] == ["REVER_API_KEY", "REVER_TIMEOUT", "REVER_RATE"]


def test_the_env_file_is_read_below_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("REVER_TIMEOUT=3\nREVER_LEASE=7\nPREFECT_API_URL=http://127.0.0.1:4200/api\n")
    settings = load(monkeypatch, LOCAL | {"REVER_LEASE": "8"})
    assert (settings.timeout, settings.lease) == (3, 8)


def test_a_slip_in_the_env_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("REVER_REFUNDSBY=rever\n")
    said = problems(monkeypatch, LOCAL)
    assert "REVER_REFUNDSBY (in .env)" in said
    assert "did you mean REVER_REFUNDS_BY" in said


def test_an_env_file_that_is_no_text_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_bytes(b"\xff\xfe\x00REVER")
    assert ".env cannot be read" in problems(monkeypatch, LOCAL)


def test_a_groups_stores_are_checked_once_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, LOCAL | {"REVER_STORES": "", "REVER_GROUP": "brands", "REVER_REFUNDS_BY": "acme=us"})
    settings.check_stores(("acme", "nordic"))
    with pytest.raises(ValueError, match="not among the stores"):
        settings.check_stores(("nordic",))


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, LIVE | {"REVER_LEDGER_URL": "postgresql://desk:s3%2Fcr@db/returns?sslpassword=s3cret"})
    shown = f"{settings!r} {settings} {masked_settings(settings)} {settings.model_dump()}"
    assert KEY not in shown
    assert "s3" not in shown
    assert masked_settings(settings)["REVER_LEDGER_URL"] == "postgresql://***@db/returns?sslpassword=***"


def test_what_is_stated_elsewhere_stands_above_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (LOCAL | {"REVER_REFUNDS_BY": "rever"}).items():
        monkeypatch.setenv(name, value)
    stated = ReverCredentials(
        api_key=SecretStr(f" {KEY}2 "), group="brands", refunds_by="us", ledger_url=SecretStr("sqlite:////a/b.sqlite")
    ).overrides()
    settings = load_settings(overrides=stated)
    assert (settings.api_key.get_secret_value(), settings.group, settings.stores) == (f"{KEY}2", "brands", ())
    assert settings.refunds_by("acme") is RefundsBy.US
    assert settings.base_url == "http://127.0.0.1:8800"
    assert load_settings(overrides=ReverCredentials().overrides()) == load_settings()


def test_another_accounts_key_needs_a_ledger_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    assert load_settings(overrides={"api_key": SecretStr(KEY)}).stores == ("acme",)
    for other in ({"api_key": SecretStr("k3y-of-another")}, {"base_url": "https://other.example"}):
        with pytest.raises(
            SettingsError, match=r"two accounts in one ledger would be mixed.*\(credentials block 'b'\)"
        ):
            load_settings(overrides=other, source="credentials block 'b'")


@pytest.mark.parametrize("field", ["api_key", "ledger_url"])
def test_a_wrong_secret_stated_elsewhere_is_not_repeated(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    for name, value in LOCAL.items():
        monkeypatch.setenv(name, value)
    wrong = "s3 cret"
    stated = {"api_key": SecretStr("k3y2"), "ledger_url": SecretStr("sqlite:////a.sqlite"), field: SecretStr(wrong)}
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=stated, source="credentials block 'b'")
    assert wrong not in "".join(traceback.format_exception(caught.value))
    assert "(credentials block 'b')" in str(caught.value)


def test_one_account_has_one_spelling() -> None:
    assert (
        account_of("HTTPS://API.byrever.com:443/") == account_of("https://api.byrever.com") == "https://api.byrever.com"
    )
    assert account_of("http://[::1]:81/Mock/") == "http://[::1]:81/Mock"


def test_the_documented_table_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == settings_table(), "run `make docs`"
