"""The settings themselves: names, types, defaults, and what must fit together."""

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rever_api.config import DEFAULT_BASE_URL, DEFAULT_RATE, is_loopback
from tasks.policy.store import RefundsBy
from tasks.settings.addresses import (
    account_of,
    checked_base_url,
    checked_inbox_url,
    checked_ledger_url,
    checked_link,
    inbox_beside,
)

# How single values are read from text: lists, the payer per store, a rate that may be absent, the key.


ANY_STORE = "*"
"""The key under which the payer of every store not named stands."""

_MOST_SECRETS = 2
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?")
_PAYERS = "us or rever"


def names(value: Any) -> Any:
    """Comma-separated names, in order, without repeats."""
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(name for part in value.split(",") if (name := part.strip())))


def hosts(value: Any) -> Any:
    """Comma-separated host names, without a scheme, a port or a path."""
    if not isinstance(value, str):
        return value
    found = names(value.lower())
    for name in found:
        if not _HOST.fullmatch(name):
            raise ValueError(f"is wrong at {name!r}: write host names alone, such as returns.example.com")
    return found


def payers(value: Any) -> Any:
    """`us`, `rever`, or `acme=us,nordic=rever`: store id -> who pays there; `*` for every store."""
    if not isinstance(value, str):
        return value
    found: dict[str, RefundsBy] = {}
    for part in names(value):
        store, equals, payer = (piece.strip() for piece in part.rpartition("="))
        key = store if equals else ANY_STORE
        if payer.lower() not in {RefundsBy.US, RefundsBy.REVER} or (equals and not store):
            raise ValueError(f"is wrong at {part!r}: write {_PAYERS}, or one for each store: acme=us,nordic=rever")
        if key in found:
            raise ValueError(f"says twice who pays for {'all stores' if key == ANY_STORE else key!r}")
        found[key] = RefundsBy(payer.lower())
    return found


def shops(value: Any) -> Any:
    """A shop's address, or `acme=https://...,nordic=https://...`: store id -> the address of its shop; `*` for all."""
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in names(value):
        store, equals, url = (piece.strip() for piece in part.partition("="))
        store, url = (store, url) if equals and not store.startswith("http") else (ANY_STORE, part)
        if store in found:
            raise ValueError(f"has two addresses for {'all stores' if store == ANY_STORE else repr(store)}")
        found[store] = checked_base_url(url, like="https://shop.example.com", key="REVER_SHOP_KEY")
    if ANY_STORE in found and len(found) > 1:
        raise ValueError("has an address for all stores beside one for a single store; name each: acme=https://...")
    return found


def rate(value: Any) -> Any:
    """A number, or `none` for no limit of our own."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def number(value: Any) -> Any:
    """A number in plain digits: `1_0`, full-width digits and `1e2` are none, though Python reads them."""
    if isinstance(value, str) and (re.search("[_eE]", value) or not value.isascii()):
        raise ValueError("is wrong: a number in plain digits is needed")
    return value


def key(value: Any) -> Any:
    """The API key, fit for an HTTP header: a line break in it would otherwise surface, key and all, in an error."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str):
        return value
    text = text.strip()
    if not text:
        raise ValueError("is empty; set the key your REVER account manager gave you")
    if not all("!" <= sign <= "~" for sign in text):
        raise ValueError("has a blank, a line break or a letter outside ASCII in it; copy it again")
    return SecretStr(text)


def secrets(value: Any) -> Any:
    """One secret, or two, comma-separated: while the old one is being replaced both verify."""
    if not isinstance(value, str):
        return value
    found = tuple(SecretStr(part.strip()) for part in value.split(","))
    if not all(secret.get_secret_value() for secret in found):
        raise ValueError("has an empty secret in it; write one secret, or the new and the old one with a comma between")
    if len(found) > _MOST_SECRETS:
        raise ValueError(f"holds {len(found)} secrets; one, or the new and the old one with a comma between")
    return found


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(names)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(hosts)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(secrets)]
Shops = Annotated[dict[str, str], NoDecode, BeforeValidator(shops)]
Payers = Annotated[dict[str, RefundsBy], NoDecode, BeforeValidator(payers)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(number)]
Days = Annotated[float, Field(gt=0, le=366, allow_inf_nan=False), BeforeValidator(number)]
Rate = Annotated[
    Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False), BeforeValidator(number)] | None, BeforeValidator(rate)
]
Count = Annotated[int, BeforeValidator(number)]
Key = Annotated[SecretStr, BeforeValidator(key)]


LOCAL_LEDGER = "sqlite:///rever-returns.sqlite"


def _unsaid(base_url: str) -> RefundsBy:
    return RefundsBy.US if is_loopback(base_url) else RefundsBy.UNSTATED


def _default_payers(known: dict[str, Any]) -> dict[str, RefundsBy]:
    return {ANY_STORE: _unsaid(known["base_url"])}


def _default_ledger(known: dict[str, Any]) -> SecretStr:
    return SecretStr(LOCAL_LEDGER if is_loopback(known["base_url"]) else "")


def _default_inbox(known: dict[str, Any]) -> SecretStr:
    return SecretStr(inbox_beside(known["ledger_url"].get_secret_value()))


def _default_rate(known: dict[str, Any]) -> float | None:
    return None if is_loopback(known["base_url"]) else DEFAULT_RATE


class Settings(BaseSettings):
    """What the desk is told from outside. Every field is the variable `REVER_` + its name in capitals.

    Made by `load_settings`, which turns every failed check into a sentence. Frozen: a run sees one set of settings.
    """

    model_config = SettingsConfigDict(
        env_prefix="REVER_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        validate_by_name=True,
    )

    base_url: str = Field(DEFAULT_BASE_URL, description="REVER's address; may carry a path. http only on this machine.")
    api_key: Key = Field(description="REVER's key, sent as `x-rever-api-key`. Never shown anywhere.")
    stores: Names = Field((), description="E-commerce ids, comma-separated. Exactly one of this and `REVER_GROUP`.")
    group: str = Field("", description="A REVER group: its stores are asked from REVER at each start.")
    payers: Payers = Field(
        default_factory=_default_payers,
        validation_alias="REVER_REFUNDS_BY",
        description="Who pays: `us`, `rever`, or per store `acme=us,nordic=rever`. Not stated: no refund, no exchange.",
        json_schema_extra={"default": "`us` where REVER is this machine; not stated elsewhere"},
    )
    ledger_url: SecretStr = Field(
        default_factory=_default_ledger,
        description="The ledger: `sqlite:////absolute/path` or `postgresql://user:password@host/database`.",
        json_schema_extra={"default": f"`{LOCAL_LEDGER}` where REVER is this machine; must be stated elsewhere"},
    )
    archives: Path | None = Field(
        None,
        description="The folder into which `archive-ledger` moves the history of returns that were over long ago, for "
        "every worker the same.",
        json_schema_extra={"default": "beside a ledger on SQLite, `...sqlite.archives/`; must be stated on PostgreSQL"},
    )
    inbox_url: SecretStr = Field(
        default_factory=_default_inbox,
        description="The webhooks' inbox: a SQLite file of its own, or PostgreSQL. Holds personal data for 30 days.",
        json_schema_extra={"default": "a file beside the ledger's, `...-inbox.sqlite`, or the ledger's own PostgreSQL"},
    )
    webhook_secrets: Secrets = Field(
        (),
        description="The secret that REVER signs its webhooks with; two, comma-separated, while it is being replaced.",
    )
    webhook_hosts: Hosts = Field(
        (),
        description="The host names that webhooks are sent to, comma-separated, where a proxy passes them on: "
        "`returns.example.com`. Requests for other names are refused; addresses and `localhost` are taken.",
    )
    account: str = Field(
        default_factory=lambda known: account_of(known["base_url"]),
        description="The name the ledger is bound to at its first use; it refuses another.",
        json_schema_extra={"default": "`REVER_BASE_URL`, in one spelling"},
    )
    timeout: Seconds = Field(10.0, description="Seconds one call may take. At most half of `REVER_SETTLE_AFTER`.")
    rate: Rate = Field(
        default_factory=_default_rate,
        description="Requests per second of one process and key, or `none`; runs at the same time are processes of "
        "their own, and each has it whole. REVER limits but publishes no number: 10 is a careful guess, about 200 "
        "returns a minute.",
        json_schema_extra={"default": "`none` where REVER is this machine; `10` elsewhere"},
    )
    max_in_flight: Count = Field(8, ge=1, le=100, description="Calls of one process at the same time.")
    stores_at_once: Count = Field(
        8,
        ge=1,
        le=100,
        description="Stores that a run works on side by side. They have equal shares of the rate; one that is slow, or "
        "has thousands of returns, keeps one of these places.",
    )
    settle_after: Seconds = Field(
        900.0, description="Seconds after which an unknown outcome that is not seen at REVER is held for a person."
    )
    on_its_way_after: Days = Field(
        7.0,
        description="Days that REVER may take to pay a refund that it has accepted; what is still on its way then is "
        "held for a person.",
    )
    lease: Seconds = Field(
        60.0, description="Seconds for which a claimed effect is left to the worker that claimed it."
    )
    policy: Path | None = Field(
        None, description="The file with the rules of your stores, YAML or TOML. Empty: the default policy."
    )
    inspections: Path | None = Field(
        None,
        description="The folder into which warehouses' files are put, one folder in it for each, with its "
        "`mapping.yaml`. `import-inspections` takes all new files of it, and runs of deployments take no others. "
        "Empty: no folder is watched.",
    )
    inspections_out: Path | None = Field(
        None,
        description="Where files that are done and rows that come back are put, where that is not the warehouse's own "
        "folder (`done/`, `refused/`).",
        json_schema_extra={"default": "the warehouse's own folder; where that cannot be written, `inspections-out/`"},
    )
    inspections_kept: Days = Field(
        30.0,
        description="Days after which files in `done/` are deleted, of inspections and of returns: they may hold "
        "shoppers' names. Rows that came back are yours to delete.",
    )
    inspections_urls: Names = Field(
        (),
        description="Where runs of deployments may fetch files from, comma-separated: "
        "`s3://bucket/returns/`, `sftp://user@host/out/`. Empty: from nowhere.",
    )
    return_files: Path | None = Field(
        None,
        description="The folder from which runs of the deployment `import-returns` read files, with their mappings. "
        "Without a file it takes all new ones of the folders in it that have a `mapping.yaml`. Empty: they read none.",
    )
    label_files: Path | None = Field(
        None,
        description="The folder from which runs of the deployment `register-label` read the files of labels that were "
        "made by hand. Empty: they read none.",
    )
    labels: Path | None = Field(
        None,
        description="The folder in which the labels' files that `generate-labels` fetches from REVER are kept, for the "
        "desk's user alone: they show where shoppers live. Empty: none is fetched. Labels made by hand are read from "
        "`REVER_LABEL_FILES`.",
    )
    labels_kept: Days = Field(30.0, description="Days after which the file of a label is deleted.")
    payout_files: Path | None = Field(
        None,
        description="The folder from which runs of the deployments `reconcile-payouts` and `daily-report` read payout "
        "files and REVER's statement. Empty: they read none.",
    )
    notices_url: SecretStr = Field(
        SecretStr(""),
        description="Where `rever-returns bootstrap` lets Prefect send notices: an http(s) address that takes JSON, or "
        "one of Apprise's (`mailto://`, `slack://`, ...). Empty: no notices.",
    )
    report_url: SecretStr = Field(
        SecretStr(""),
        description="Where `daily-report` sends its totals when it is asked to (`send`): an http(s) address that takes "
        "JSON, or one of Apprise's (`mailto://`, `slack://`, ...). Empty: nowhere.",
    )
    shop_url: Shops = Field(
        default_factory=dict,
        description="Your shop's address, where it answers `/rever/v2/orders/...` (REVER's integration contract), or "
        "one per store: `acme=https://acme.example.com,...`. It is asked for what rules need and REVER does not tell.",
        json_schema_extra={"default": "not set"},
    )
    shop_key: SecretStr = Field(
        SecretStr(""),
        description="The key that your shop takes, or one per store: `acme=...,nordic=...`, as in `REVER_SHOP_URL`.",
    )
    endpoints: Path | None = Field(None, description="TOML file that corrects REVER's paths, methods, parameters.")
    omits_empty_fields: bool = Field(
        False, description="True where REVER leaves empty fields out for this account: absent then means empty."
    )
    back_office: str = Field(
        "",
        description="Where a person looks at a return: a URL with `{process_id}` in it. Reports and notices then link "
        "there.",
    )

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return checked_base_url(value)

    @field_validator("back_office")
    @classmethod
    def _back_office(cls, value: str) -> str:
        return checked_link(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if bool(self.stores) == bool(self.group):
            found = "both are set" if self.stores else "neither is set"
            raise ValueError(f"REVER_STORES and REVER_GROUP: {found}; set one: the stores' ids or their group's name")
        if self.timeout > self.settle_after / 2:
            raise ValueError(
                f"REVER_TIMEOUT ({self.timeout:g} s) is more than half of REVER_SETTLE_AFTER "
                f"({self.settle_after:g} s): a slow answer would be taken for a lost one; "
                "lower the first or raise the second"
            )
        self.check_stores(self.stores or (*self.payers, *self.shop_url))
        self._check_databases()
        try:
            self.shop_keys()
        except ValueError as problem:
            raise ValueError(f"REVER_SHOP_KEY {problem}") from None
        return self

    def _check_databases(self) -> None:
        if not (url := self.ledger_url.get_secret_value()):
            raise ValueError(
                "REVER_LEDGER_URL is not set, and REVER is not this machine: state where the ledger lives, "
                "sqlite:////absolute/path or postgresql://user:password@host/database"
            )
        try:
            checked_ledger_url(url, loopback=self.loopback)
        except ValueError as problem:
            raise ValueError(f"REVER_LEDGER_URL {problem}") from None
        try:
            checked_inbox_url(self.inbox_url.get_secret_value(), url, loopback=self.loopback)
        except ValueError as problem:
            raise ValueError(f"REVER_INBOX_URL {problem}") from None

    def check_stores(self, stores: tuple[str, ...]) -> None:
        """Raise ValueError where REVER_REFUNDS_BY or REVER_SHOP_URL names a store not among `stores` (a group's: once
        known).
        """
        for variable, named in (("REVER_REFUNDS_BY", self.payers), ("REVER_SHOP_URL", self.shop_url)):
            if strange := sorted(set(named) - {ANY_STORE, *stores}):
                raise ValueError(
                    f"{variable} names {', '.join(map(repr, strange))}, which is not among the stores "
                    f"({', '.join(sorted(stores))}); correct the name"
                )

    def shop_keys(self) -> dict[str, SecretStr]:
        """The key of each shop, under the names that `shop_url` has. Raises ValueError where they do not fit."""
        text = self.shop_key.get_secret_value().strip()
        if bool(text) != bool(self.shop_url):
            raise ValueError(
                f"is {'' if text else 'not '}set, and REVER_SHOP_URL is {'not ' if text else ''}set; set both"
            )
        if ANY_STORE in self.shop_url:
            return {ANY_STORE: key(text)}
        parts = [part.strip().partition("=") for part in text.split(",") if text]
        found = {store.strip(): each.strip() for store, _, each in parts if each.strip()}
        if set(found) != set(self.shop_url):
            stores = ",".join(f"{store}=..." for store in self.shop_url)
            raise ValueError(f"must have a key for each store of REVER_SHOP_URL, and for no other: {stores}")
        return {store: key(each) for store, each in found.items()}

    def shop(self, store: str) -> tuple[str, SecretStr] | None:
        """The address and the key of a store's own shop; None where none is stated."""
        name = store if store in self.shop_url else ANY_STORE
        return (self.shop_url[name], self.shop_keys()[name]) if name in self.shop_url else None

    @property
    def loopback(self) -> bool:
        """Whether REVER is this machine: the sandbox, never an account with money in it."""
        return is_loopback(self.base_url)

    @property
    def settle_delay(self) -> timedelta:
        """`settle_after` as a duration."""
        return timedelta(seconds=self.settle_after)

    @property
    def lease_duration(self) -> timedelta:
        """`lease` as a duration."""
        return timedelta(seconds=self.lease)

    def refunds_by(self, store: str) -> RefundsBy:
        """Who pays at `store`: what is said for it, else for every store, else the default for REVER's address."""
        return self.payers.get(store, self.payers.get(ANY_STORE, _unsaid(self.base_url)))


# The secrets of the settings that this process has read, so that whoever prints can leave them out.


_known: set[str] = set()


def remembered(settings: Settings) -> Settings:
    """Note the key and the ledger's password, wherever they came from; return the settings."""
    _known.add(settings.api_key.get_secret_value())
    _known.update(each.get_secret_value() for each in settings.shop_keys().values())
    with suppress(ValueError):
        password = urlsplit(settings.ledger_url.get_secret_value()).password or ""
        _known.update({password, unquote(password)})
    return settings


def known_secrets() -> frozenset[str]:
    """All secrets read so far, those of credentials blocks included."""
    return frozenset(_known - {""})
